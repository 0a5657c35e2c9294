/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The figures of a guest as foliod gives them, held against the kernel's own of the QEMU process:
 * /proc/PID/smaps, read here and not by the agent's parser. */
#pragma once

#include "integration/daemon.h"

/* Bytes. */
typedef struct {
    guint64 size;
    guint64 present; /* Rss */
    guint64 huge;    /* AnonHugePages + ShmemPmdMapped + FilePmdMapped */
    guint64 swapped;
} Figures;

/* The VMAs of the process that lie within [start, end), added up. */
void figures_of_range(guint pid, guint64 start, guint64 end, Figures *figures);

/* The VMAs of the process that map a file below that directory, added up. */
void figures_of_files(guint pid, const char *directory, Figures *figures);

/* For a guest that is suspended: its properties, its RAM blocks and "folioctl show --json" are all
 * what smaps says, to the byte, measured in the way that scan names. Gives the totals. */
void figures_check(const Daemon *daemon, const char *path, const char *scan, Figures *total);
