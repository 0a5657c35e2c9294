/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which block of a process' address space holds which physical memory, now. */
#pragma once

#include "heat/frame-map.h"

#include <sys/types.h>

typedef struct {
    FolioFrameMap *map;
    GArray *addresses; /* guint64: of each block, by its number in the map */
    pid_t pid;
} FolioPlaces;

/* Of a process: all private and shared memory that it can write to, in mappings of 2 MiB or more.
 * NOT_PERMITTED without CAP_SYS_ADMIN, to which alone the kernel shows frames. */
FolioPlaces *folio_places_of_process(pid_t pid, GError **error);

/* Of a guest: its RAM in its QEMU process, as libvirt's state file RUN_DIR/NAME.xml describes it;
 * libvirt itself is not asked. */
FolioPlaces *folio_places_of_guest(const char *name, const char *run_dir, GError **error);

void folio_places_free(FolioPlaces *places);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioPlaces, folio_places_free)
