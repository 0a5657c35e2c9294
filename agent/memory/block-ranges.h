/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The 2 MiB blocks of a guest, numbered from 0 through its RAM blocks in their order, each of which
 * counts its own, and where they are in the process. Pure. */
#pragma once

#include "memory/guest-ram.h"

/* A stretch of the process's address space. */
typedef struct {
    guint64 start; /* bytes */
    guint64 bytes; /* more than 0 */
} FolioBlockRange;

/* All blocks of the guest; the last one of a RAM block may be short. */
guint64 folio_block_ranges_count(const FolioGuestRam *ram);

/* FolioBlockRange of n blocks from first on, ascending by number, neighbours of one RAM block as
 * one. Only those that a huge page can map: not a short one, and none of a RAM block whose reason
 * is not NONE. first + n must be within the count. Free with g_array_unref. */
GArray *folio_block_ranges_new(const FolioGuestRam *ram, guint64 first, guint64 n);
