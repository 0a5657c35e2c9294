/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order in which a process made its memfds. They all have the same name and no place in a file
 * system, and their inode numbers, which each CPU takes from a batch of its own
 * (shmem_reserve_inode in mm/shmem.c), do not tell. */
#pragma once

#include "memory/maps.h"
#include "memory/process.h"

/* Sets born of the memfds among runs (FolioRamRun) to the time the kernel made the file (statx,
 * Linux 5.18 and later; equal otherwise) and tie to the lowest descriptor that the process has of
 * it: QEMU keeps them open, and at start, when several may fall into one tick of the clock, it
 * makes one after the other. A memfd without a descriptor keeps FOLIO_RUN_BORN_UNKNOWN. Does
 * nothing unless two have one length. Blocking. */
gboolean folio_memfd_order(const FolioProcess *process, const FolioMaps *maps, GArray *runs,
                           GError **error);
