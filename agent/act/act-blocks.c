/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ranges as blocks, and back. */
#include "act/act-blocks.h"

#include "base/error.h"

static int
compare_addresses(gconstpointer a, gconstpointer b)
{
    const guint64 left = *(const guint64 *) a, right = *(const guint64 *) b;

    return left < right ? -1 : left > right;
}

/* Of ascending ones each once. */
static void
drop_duplicates(GArray *blocks)
{
    guint64 *addresses = (guint64 *) (gpointer) blocks->data;
    guint n = 0;

    for (guint i = 0; i < blocks->len; i++) {
        if (n == 0 || addresses[i] != addresses[n - 1])
            addresses[n++] = addresses[i];
    }
    g_array_set_size(blocks, n);
}

GArray *
folio_act_blocks_new(const GArray *ranges, GError **error)
{
    g_autoptr(GArray) blocks = g_array_new(FALSE, FALSE, sizeof(guint64));

    for (guint i = 0; i < ranges->len; i++) {
        const FolioBlockRange *range = &g_array_index(ranges, FolioBlockRange, i);
        const guint64 end = range->start + range->bytes;

        if (range->start % FOLIO_BLOCK_BYTES != 0 || range->bytes % FOLIO_BLOCK_BYTES != 0 ||
            end < range->start) {
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                        "range 0x%" G_GINT64_MODIFIER "x, %" G_GUINT64_FORMAT
                        " bytes: not of whole blocks of 2 MiB",
                        range->start, range->bytes);
            return NULL;
        }
        for (guint64 at = range->start; at < end; at += FOLIO_BLOCK_BYTES)
            g_array_append_val(blocks, at);
    }
    g_array_sort(blocks, compare_addresses);
    drop_duplicates(blocks);
    return g_steal_pointer(&blocks);
}

gboolean
folio_act_blocks_have(const GArray *blocks, guint64 address)
{
    return g_array_binary_search((GArray *) blocks, &address, compare_addresses, NULL);
}

GArray *
folio_act_blocks_intersect(const GArray *blocks, const GArray *others)
{
    GArray *both = g_array_new(FALSE, FALSE, sizeof(guint64));

    for (guint i = 0; i < blocks->len; i++) {
        const guint64 address = g_array_index(blocks, guint64, i);

        if (folio_act_blocks_have(others, address))
            g_array_append_val(both, address);
    }
    return both;
}

GArray *
folio_act_blocks_to_ranges(const guint64 *addresses, guint n)
{
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(FolioBlockRange));
    FolioBlockRange range = { 0 };

    for (guint i = 0; i < n; i++) {
        if (range.bytes > 0 && addresses[i] == range.start + range.bytes) {
            range.bytes += FOLIO_BLOCK_BYTES;
            continue;
        }
        if (range.bytes > 0)
            g_array_append_val(ranges, range);
        range = (FolioBlockRange){ .start = addresses[i], .bytes = FOLIO_BLOCK_BYTES };
    }
    if (range.bytes > 0)
        g_array_append_val(ranges, range);
    return ranges;
}
