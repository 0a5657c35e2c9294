/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the file behind a mapping holds memory: page tables do not say so of what they do not
 * map. All of it blocks. */
#pragma once

#include "act/folios.h"
#include "memory/maps.h"

typedef struct {
    const FolioProcess *process;
    FolioMaps *maps; /* NULL: not read yet */
    gboolean failed; /* they cannot be read */
    guint64 start;   /* of the VMA at hand */
    int fd;          /* on its file; -1: none */
} FolioHoles;

/* process is borrowed. */
void folio_holes_init(FolioHoles *holes, const FolioProcess *process);
void folio_holes_clear(FolioHoles *holes);

/* What the file has of the block at that address, in memory or in swap. UNKNOWN when the block is
 * not of one mapping of a file, or the kernel does not let us open that (CAP_SYS_ADMIN or
 * CAP_CHECKPOINT_RESTORE is needed). About 1 us, but for the first, which reads the maps. */
FolioFileMemory folio_holes_look(FolioHoles *holes, guint64 address);
