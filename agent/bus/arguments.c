/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether arguments of a call make sense. */
#include "bus/arguments.h"

#include "base/error.h"

gboolean
folio_arguments_check_order(FolioActKind kind, guint order, GError **error)
{
    if (kind == FOLIO_ACT_COLLAPSE) {
        if (order == FOLIO_ORDER_HUGE)
            return TRUE;
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "order: %u is none that memory can be collapsed to: %d is", order,
                    FOLIO_ORDER_HUGE);
        return FALSE;
    }
    if (order < FOLIO_ORDER_HUGE)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                "order: %u is none that memory can be split to: 0 to %d are", order,
                FOLIO_ORDER_HUGE - 1);
    return FALSE;
}

gboolean
folio_arguments_check_range(guint64 first_block, guint64 blocks, guint64 n_blocks, GError **error)
{
    if (first_block >= n_blocks) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "first_block: %" G_GUINT64_FORMAT
                    " is beyond the guest, which has %" G_GUINT64_FORMAT " blocks",
                    first_block, n_blocks);
        return FALSE;
    }
    if (blocks == 0) {
        g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                            "blocks: 0 is no number of blocks");
        return FALSE;
    }
    if (blocks > n_blocks - first_block) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "blocks: %" G_GUINT64_FORMAT " is not from 1 to %" G_GUINT64_FORMAT
                    ", as many as the guest has from first_block on",
                    blocks, n_blocks - first_block);
        return FALSE;
    }
    return TRUE;
}

static gboolean
append_more(GArray *spans, GVariant *more, guint64 n_blocks, GError **error)
{
    const gsize n = g_variant_n_children(more);

    if (n > FOLIO_RANGES_MAX) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "options: \"more\" has %" G_GSIZE_FORMAT " ranges, and %d are the most", n,
                    FOLIO_RANGES_MAX);
        return FALSE;
    }
    for (gsize i = 0; i < n; i++) {
        FolioBlockSpan span;

        g_variant_get_child(more, i, "(tt)", &span.first, &span.n);
        if (!folio_arguments_check_range(span.first, span.n, n_blocks, error)) {
            g_prefix_error(error, "options: \"more\": range %" G_GSIZE_FORMAT ": ", i + 1);
            return FALSE;
        }
        g_array_append_val(spans, span);
    }
    return TRUE;
}

static int
compare_spans(gconstpointer a, gconstpointer b)
{
    const guint64 first = ((const FolioBlockSpan *) a)->first;
    const guint64 second = ((const FolioBlockSpan *) b)->first;

    return (first > second) - (first < second);
}

/* Sorted ones: each grows over those that begin within it or where it ends. */
static void
join(GArray *spans)
{
    guint last = 0;

    for (guint i = 1; i < spans->len; i++) {
        FolioBlockSpan *before = &g_array_index(spans, FolioBlockSpan, last);
        const FolioBlockSpan next = g_array_index(spans, FolioBlockSpan, i);

        if (next.first <= before->first + before->n)
            before->n = MAX(before->n, next.first + next.n - before->first);
        else
            g_array_index(spans, FolioBlockSpan, ++last) = next;
    }
    g_array_set_size(spans, last + 1);
}

GArray *
folio_arguments_read_ranges(guint64 first_block, guint64 blocks, GVariant *more, guint64 n_blocks,
                            GError **error)
{
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(FolioBlockSpan));
    const FolioBlockSpan first = { first_block, blocks };

    if (!folio_arguments_check_range(first_block, blocks, n_blocks, error))
        return NULL;
    g_array_append_val(spans, first);
    if (more != NULL && !append_more(spans, more, n_blocks, error))
        return NULL;
    g_array_sort(spans, compare_spans);
    join(spans);
    return g_steal_pointer(&spans);
}
