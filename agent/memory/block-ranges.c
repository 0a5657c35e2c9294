/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From numbers of blocks to addresses. */
#include "memory/block-ranges.h"

static guint64
count_of(const FolioRamBlock *block)
{
    return block->bytes / FOLIO_BLOCK_BYTES + (block->bytes % FOLIO_BLOCK_BYTES != 0);
}

guint64
folio_block_ranges_count(const FolioGuestRam *ram)
{
    guint64 n = 0;

    for (guint i = 0; i < ram->blocks->len; i++)
        n += count_of(ram->blocks->pdata[i]);
    return n;
}

GArray *
folio_block_ranges_new(const FolioGuestRam *ram, guint64 first, guint64 n)
{
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(FolioBlockRange));
    guint64 before = 0; /* blocks of the RAM blocks that have been passed */

    for (guint i = 0; i < ram->blocks->len; i++) {
        const FolioRamBlock *block = ram->blocks->pdata[i];
        const guint64 whole = block->bytes / FOLIO_BLOCK_BYTES;
        const guint64 from = MIN(first > before ? first - before : 0, whole);
        const guint64 to = MIN(first + n > before ? first + n - before : 0, whole);

        before += count_of(block);
        if (from < to && block->reason == FOLIO_REASON_NONE) {
            const FolioBlockRange range = { .start = block->hva + from * FOLIO_BLOCK_BYTES,
                                            .bytes = (to - from) * FOLIO_BLOCK_BYTES };

            g_array_append_val(ranges, range);
        }
    }
    return ranges;
}
