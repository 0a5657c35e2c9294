/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat of a guest as columns of bytes. */
#include "heat/heat-columns.h"

/* A column that grows. */
static void
put8(GByteArray *column, guint value)
{
    const guint8 byte = (guint8) value;

    g_byte_array_append(column, &byte, 1);
}

static void
put16(GByteArray *column, guint value)
{
    const guint16 little = GUINT16_TO_LE((guint16) value);

    g_byte_array_append(column, (const guint8 *) &little, sizeof little);
}

static void
put32(GByteArray *column, guint value)
{
    const guint32 little = GUINT32_TO_LE((guint32) value);

    g_byte_array_append(column, (const guint8 *) &little, sizeof little);
}

/* The blocks of a range that a request touches; FALSE: none. */
static gboolean
overlap(const FolioHeatRange *range, const FolioHeatRequest *request, guint *first, guint *n)
{
    const guint64 end = range->first_block + (guint64) range->n_blocks;
    const guint64 last = request->blocks < G_MAXUINT64 - request->first_block
                             ? request->first_block + request->blocks
                             : G_MAXUINT64;
    const guint64 from = MAX(range->first_block, request->first_block), to = MIN(end, last);

    if (from >= to)
        return FALSE;
    *first = (guint) from;
    *n = (guint) (to - from);
    return TRUE;
}

guint
folio_heat_columns_count(const GArray *ranges, const FolioHeatRequest *request)
{
    guint count = 0, first, n;

    for (guint r = 0; r < ranges->len; r++) {
        if (overlap(&g_array_index(ranges, FolioHeatRange, r), request, &first, &n))
            count += folio_heat_granules(n, request->granule);
    }
    return count;
}

/* ---- One granule */

static guint
mean_footprint(const FolioHeatEvidence *evidence, guint n)
{
    guint64 sum = 0;

    for (guint b = 0; b < n; b++)
        sum += evidence[b].footprint;
    return (guint) ((sum * 64 + n / 2) / n);
}

static guint
least_unseen(const guint16 *unseen, guint n)
{
    guint16 least = FOLIO_NEVER_SEEN;

    for (guint b = 0; b < n; b++)
        least = MIN(least, unseen[b]);
    return least;
}

static FolioVerdict
most_frequent(const guint *counts)
{
    FolioVerdict most = FOLIO_VERDICT_IDLE;

    for (guint v = FOLIO_VERDICT_UNDECIDED; v <= FOLIO_VERDICT_DENSE; v++) {
        if (counts[v] > (most == FOLIO_VERDICT_IDLE ? 0 : counts[most]))
            most = (FolioVerdict) v;
    }
    return most;
}

/* ---- Parts */

typedef struct {
    GByteArray *verdict, *in_use, *footprint, *unseen;
    GByteArray *counts[FOLIO_VERDICT_DENSE + 1];
} Columns;

static void
columns_init(Columns *columns, guint n, gboolean counted)
{
    columns->verdict = g_byte_array_sized_new(n);
    columns->in_use = g_byte_array_sized_new(2 * n);
    columns->footprint = g_byte_array_sized_new(2 * n);
    columns->unseen = g_byte_array_sized_new(2 * n);
    for (guint v = 0; v <= FOLIO_VERDICT_DENSE; v++)
        columns->counts[v] = counted ? g_byte_array_sized_new(4 * n) : NULL;
}

static void
add_granule(Columns *columns, const FolioHeatSnapshot *snapshot, guint first, guint n)
{
    guint counts[FOLIO_VERDICT_DENSE + 1] = { 0 };

    for (guint b = first; b < first + n; b++)
        counts[snapshot->verdicts[b]]++;
    put8(columns->verdict, most_frequent(counts));
    put16(columns->in_use, folio_estimate_mean_in_use(snapshot->evidence + first, n));
    put16(columns->footprint, mean_footprint(snapshot->evidence + first, n));
    put16(columns->unseen, least_unseen(snapshot->unseen + first, n));
    for (guint v = 0; v <= FOLIO_VERDICT_DENSE; v++) {
        if (columns->counts[v] != NULL)
            put32(columns->counts[v], counts[v]);
    }
}

static void
part_free(gpointer data)
{
    FolioHeatPart *part = data;

    g_bytes_unref(part->verdict);
    g_bytes_unref(part->in_use);
    g_bytes_unref(part->footprint);
    g_bytes_unref(part->unseen);
    for (guint v = 0; v <= FOLIO_VERDICT_DENSE; v++)
        g_clear_pointer(&part->counts[v], g_bytes_unref);
    g_free(part);
}

static void
finish(FolioHeatPart *part, const Columns *columns)
{
    part->verdict = g_byte_array_free_to_bytes(columns->verdict);
    part->in_use = g_byte_array_free_to_bytes(columns->in_use);
    part->footprint = g_byte_array_free_to_bytes(columns->footprint);
    part->unseen = g_byte_array_free_to_bytes(columns->unseen);
    for (guint v = 0; v <= FOLIO_VERDICT_DENSE; v++) {
        if (columns->counts[v] != NULL)
            part->counts[v] = g_byte_array_free_to_bytes(columns->counts[v]);
    }
}

GPtrArray *
folio_heat_columns_new(const FolioHeatSnapshot *snapshot, const FolioHeatRequest *request)
{
    GPtrArray *parts = g_ptr_array_new_with_free_func(part_free);

    for (guint r = 0; r < snapshot->ranges->len; r++) {
        const FolioHeatRange *range = &g_array_index(snapshot->ranges, FolioHeatRange, r);
        guint first, n;
        FolioHeatPart *part;
        Columns columns;

        if (!overlap(range, request, &first, &n))
            continue;
        part = g_new0(FolioHeatPart, 1);
        part->range = range;
        part->first_block = first;
        part->n_blocks = n;
        part->n_granules = folio_heat_granules(n, request->granule);
        columns_init(&columns, part->n_granules, request->granule > 1);
        for (guint64 b = 0; b < n; b += request->granule)
            add_granule(&columns, snapshot, first + (guint) b,
                        (guint) MIN(request->granule, n - b));
        finish(part, &columns);
        g_ptr_array_add(parts, part);
    }
    return parts;
}

GBytes *
folio_heat_columns_history(const FolioHeatHistory *history, const GArray *ranges, guint range)
{
    GByteArray *column = g_byte_array_new();
    guint first = 0, n = 0;

    for (guint r = 0; r <= range; r++) {
        first += n;
        n = folio_heat_granules(g_array_index(ranges, FolioHeatRange, r).n_blocks,
                                history->granule);
    }
    for (guint w = 0; w < history->n_windows; w++) {
        gint64 ended;
        const guint16 *row = folio_heat_history_get(history, w, &ended);

        for (guint g = first; g < first + n; g++)
            put16(column, row[g]);
    }
    return g_byte_array_free_to_bytes(column);
}
