/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat of a guest as columns of bytes. */
#include "heat/heat-columns.h"

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

static guint16
mean_footprint(const FolioHeatEvidence *evidence, guint n)
{
    guint64 sum = 0;

    for (guint b = 0; b < n; b++)
        sum += evidence[b].footprint;
    return (guint16) ((sum * 64 + n / 2) / n);
}

static guint16
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

/* Columns while they are filled. */
typedef struct {
    guint8 *verdict;
    guint16 *in_use, *footprint, *unseen;
    guint32 *counts[FOLIO_VERDICT_DENSE + 1]; /* NULL: not wanted */
} Columns;

static void
columns_init(Columns *columns, guint n, gboolean counted)
{
    columns->verdict = g_new(guint8, n);
    columns->in_use = g_new(guint16, n);
    columns->footprint = g_new(guint16, n);
    columns->unseen = g_new(guint16, n);
    for (guint v = 0; v <= FOLIO_VERDICT_DENSE; v++)
        columns->counts[v] = counted ? g_new(guint32, n) : NULL;
}

/* Entry i, of n blocks. */
static void
set_granule(Columns *columns, guint i, const FolioHeatSnapshot *snapshot, guint first, guint n)
{
    guint counts[FOLIO_VERDICT_DENSE + 1] = { 0 };

    for (guint b = first; b < first + n; b++)
        counts[snapshot->verdicts[b]]++;
    columns->verdict[i] = (guint8) most_frequent(counts);
    columns->in_use[i] = GUINT16_TO_LE(folio_estimate_mean_in_use(snapshot->evidence + first, n));
    columns->footprint[i] = GUINT16_TO_LE(mean_footprint(snapshot->evidence + first, n));
    columns->unseen[i] = GUINT16_TO_LE(least_unseen(snapshot->unseen + first, n));
    for (guint v = 0; v <= FOLIO_VERDICT_DENSE; v++) {
        if (columns->counts[v] != NULL)
            columns->counts[v][i] = GUINT32_TO_LE(counts[v]);
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

/* Takes the columns. */
static void
finish(FolioHeatPart *part, const Columns *columns)
{
    const guint n = part->n_granules;

    part->verdict = g_bytes_new_take(columns->verdict, n);
    part->in_use = g_bytes_new_take(columns->in_use, n * sizeof *columns->in_use);
    part->footprint = g_bytes_new_take(columns->footprint, n * sizeof *columns->footprint);
    part->unseen = g_bytes_new_take(columns->unseen, n * sizeof *columns->unseen);
    for (guint v = 0; v <= FOLIO_VERDICT_DENSE; v++) {
        if (columns->counts[v] != NULL)
            part->counts[v] = g_bytes_new_take(columns->counts[v], n * sizeof *columns->counts[v]);
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
        for (guint i = 0; i < part->n_granules; i++) {
            const guint b = i * request->granule;

            set_granule(&columns, i, snapshot, first + b, MIN(request->granule, n - b));
        }
        finish(part, &columns);
        g_ptr_array_add(parts, part);
    }
    return parts;
}

GBytes *
folio_heat_columns_history(const FolioHeatHistory *history, const GArray *ranges, guint range)
{
    guint first = 0, n = 0;
    guint16 *column, *at;

    for (guint r = 0; r <= range; r++) {
        first += n;
        n = folio_heat_granules(g_array_index(ranges, FolioHeatRange, r).n_blocks,
                                history->granule);
    }
    at = column = g_new(guint16, history->n_windows * (gsize) n);
    for (guint w = 0; w < history->n_windows; w++) {
        gint64 ended;
        const guint16 *row = folio_heat_history_get(history, w, &ended);

        for (guint g = first; g < first + n; g++)
            *at++ = GUINT16_TO_LE(row[g]);
    }
    return g_bytes_new_take(column, history->n_windows * (gsize) n * sizeof *column);
}
