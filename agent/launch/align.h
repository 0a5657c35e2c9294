/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Gives QEMU's file-backed RAM on a tmpfs the alignment that huge pages need, by rewriting QEMU's
 * arguments. Pure: it asks its caller what lies on a tmpfs. */
#pragma once

#include <glib.h>

/* 2 MiB, what a PMD maps with 4 KiB base pages. */
#define FOLIO_LAUNCH_ALIGN_BYTES 2097152

/* Whether what QEMU would open at path (a file, one that does not exist yet, or a directory in
 * which QEMU makes one) lies on a tmpfs. */
typedef gboolean (*FolioOnTmpfs)(const char *path, gpointer user_data);

/* value is what follows "-object". Returns it with the alignment added, everything else byte for
 * byte as it was; or NULL when it is to be left alone: another type, no mem-path, an alignment of
 * its own, not on a tmpfs, or nothing that QEMU would understand. */
char *folio_align_object(const char *value, FolioOnTmpfs on_tmpfs, gpointer user_data);

/* A copy of arguments (without the program's name) with each value of -object and --object treated
 * so. QEMU's table of options is not known here: a word "-object" that is itself the value of
 * another option makes the next word be looked at, which changes nothing unless that describes
 * file-backed RAM on a tmpfs.
 *
 * Not aligned, because it is not on the command line as an object: "-mem-path DIR" without an
 * object (QEMU then makes the object itself, and an alignment has no place; libvirt writes
 * objects), objects in a file of -readconfig, and DIMMs that are plugged in later, which arrive
 * through QMP. */
char **folio_align_arguments(const char *const *arguments, FolioOnTmpfs on_tmpfs,
                             gpointer user_data);
