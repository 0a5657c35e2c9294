/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers blocks: a hash table with linear probing, several times as quick as GHashTable, which
 * counts where each of many millions of samples looks something up. */
#include "report/block-index.h"

#define FIRST_SLOTS 1024

FolioBlockIndex *
folio_block_index_new(guint limit)
{
    FolioBlockIndex *index = g_new0(FolioBlockIndex, 1);

    index->blocks = g_array_new(FALSE, FALSE, sizeof(guint64));
    index->limit = limit;
    index->n_slots = FIRST_SLOTS;
    index->slots = g_new0(guint, index->n_slots);
    return index;
}

void
folio_block_index_free(FolioBlockIndex *index)
{
    if (index == NULL)
        return;
    g_array_unref(index->blocks);
    g_free(index->slots);
    g_free(index);
}

/* The slot of a block, or the free one that it may have. */
static guint *
find_slot(const FolioBlockIndex *index, guint64 block)
{
    /* Fibonacci hashing: the high bits of the product depend on all bits of the block. */
    guint64 hash = block * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
    gsize at = (gsize) (hash >> 32) & (index->n_slots - 1);

    while (index->slots[at] != 0 &&
           g_array_index(index->blocks, guint64, index->slots[at] - 1) != block)
        at = (at + 1) & (index->n_slots - 1);
    return &index->slots[at];
}

static void
grow(FolioBlockIndex *index)
{
    g_free(index->slots);
    index->n_slots *= 2;
    index->slots = g_new0(guint, index->n_slots);
    for (guint i = 0; i < index->blocks->len; i++)
        *find_slot(index, g_array_index(index->blocks, guint64, i)) = i + 1;
}

guint
folio_block_index_number(FolioBlockIndex *index, guint64 block)
{
    guint *slot = find_slot(index, block);

    if (G_LIKELY(*slot != 0))
        return *slot - 1;
    if (index->blocks->len >= index->limit)
        return FOLIO_NO_BLOCK;
    if (index->blocks->len >= index->n_slots / 2) {
        grow(index);
        slot = find_slot(index, block);
    }
    g_array_append_val(index->blocks, block);
    *slot = index->blocks->len;
    return index->blocks->len - 1;
}
