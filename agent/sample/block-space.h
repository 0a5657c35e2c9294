/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers for the blocks of all guests, and whose a number is. Pure.
 *
 * They are given out in groups of 64 blocks, each of one owner, so that whose a block is takes one
 * look into a flat table of 8 bytes for 128 MiB of RAM. */
#pragma once

#include "heat/frame-map.h"

#define FOLIO_BLOCKS_A_GROUP 64u

typedef struct {
    GPtrArray *owners; /* by number / 64; NULL where free */
} FolioBlockSpace;

FolioBlockSpace *folio_block_space_new(void);

/* The owners are not touched. */
void folio_block_space_free(FolioBlockSpace *space);

/* Gives the owner n_blocks numbers in a row, from *first on; FALSE when there is no such room below
 * FOLIO_MAX_BLOCKS. n_blocks may be 0. */
gboolean folio_block_space_take(FolioBlockSpace *space, gpointer owner, guint n_blocks,
                                guint *first);

/* Takes back all numbers of that owner. */
void folio_block_space_give_back(FolioBlockSpace *space, gconstpointer owner);

/* NULL when the number is nobody's. Any number is allowed. */
static inline gpointer
folio_block_space_owner(const FolioBlockSpace *space, guint block)
{
    const guint group = block / FOLIO_BLOCKS_A_GROUP;

    return group < space->owners->len ? space->owners->pdata[group] : NULL;
}
