/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers blocks in the order in which they turn up. Pure. */
#pragma once

#include <glib.h>

#define FOLIO_NO_BLOCK G_MAXUINT

typedef struct {
    GArray *blocks; /* guint64: address / 2 MiB, by number */
    guint limit;    /* of numbers */
    guint *slots;   /* private: number + 1, by hash; 0 is free */
    gsize n_slots;  /* a power of two */
} FolioBlockIndex;

FolioBlockIndex *folio_block_index_new(guint limit);

void folio_block_index_free(FolioBlockIndex *index);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioBlockIndex, folio_block_index_free)

/* The number of a block, which it gets with that; FOLIO_NO_BLOCK when the limit is reached. */
guint folio_block_index_number(FolioBlockIndex *index, guint64 block);
