/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much of a guest's RAM was in use, window after window. */
#include "heat/heat-history.h"

#include <string.h>

static guint
count_granules(const GArray *ranges, guint granule)
{
    guint n = 0;

    for (guint r = 0; r < ranges->len; r++)
        n += folio_heat_granules(g_array_index(ranges, FolioHeatRange, r).n_blocks, granule);
    return n;
}

/* The smallest power of two that makes few enough granules; where there are more ranges than that,
 * one that leaves each of them whole. */
static guint
choose_granule(const GArray *ranges)
{
    const guint few =
        CLAMP(count_granules(ranges, 1) / 16, FOLIO_HISTORY_FEW, FOLIO_HISTORY_GRANULES);
    guint granule = 1;

    while (count_granules(ranges, granule) > MAX(few, ranges->len))
        granule *= 2;
    return granule;
}

FolioHeatHistory *
folio_heat_history_new(const GArray *ranges)
{
    FolioHeatHistory *history = g_new0(FolioHeatHistory, 1);

    history->granule = choose_granule(ranges);
    history->n_granules = count_granules(ranges, history->granule);
    history->ended = g_new0(gint64, FOLIO_HISTORY_WINDOWS);
    history->rows = g_new0(guint16, FOLIO_HISTORY_WINDOWS * (gsize) history->n_granules);
    return history;
}

void
folio_heat_history_free(FolioHeatHistory *history)
{
    if (history == NULL)
        return;
    g_free(history->ended);
    g_free(history->rows);
    g_free(history);
}

FolioHeatHistory *
folio_heat_history_copy(const FolioHeatHistory *history)
{
    FolioHeatHistory *copy = g_memdup2(history, sizeof *history);

    copy->ended = g_memdup2(history->ended, FOLIO_HISTORY_WINDOWS * sizeof *history->ended);
    copy->rows = g_memdup2(history->rows, FOLIO_HISTORY_WINDOWS * (gsize) history->n_granules *
                                              sizeof *history->rows);
    return copy;
}

void
folio_heat_history_measure(const FolioHeatHistory *history, const FolioHeatSnapshot *snapshot,
                           guint16 *row)
{
    guint at = 0;

    for (guint r = 0; r < snapshot->ranges->len; r++) {
        const FolioHeatRange *range = &g_array_index(snapshot->ranges, FolioHeatRange, r);

        for (guint first = 0; first < range->n_blocks; first += history->granule) {
            guint n = MIN(history->granule, range->n_blocks - first);

            row[at++] =
                folio_estimate_mean_in_use(snapshot->evidence + range->first_block + first, n);
        }
    }
}

void
folio_heat_history_add(FolioHeatHistory *history, gint64 ended, const guint16 *row)
{
    history->ended[history->next] = ended;
    if (history->n_granules > 0)
        memcpy(history->rows + history->next * (gsize) history->n_granules, row,
               history->n_granules * sizeof *row);
    history->next = (history->next + 1) % FOLIO_HISTORY_WINDOWS;
    history->n_windows = MIN(history->n_windows + 1, FOLIO_HISTORY_WINDOWS);
}

const guint16 *
folio_heat_history_get(const FolioHeatHistory *history, guint window, gint64 *ended)
{
    guint oldest = history->n_windows < FOLIO_HISTORY_WINDOWS ? 0 : history->next;
    guint slot = (oldest + window) % FOLIO_HISTORY_WINDOWS;

    *ended = history->ended[slot];
    return history->rows + slot * (gsize) history->n_granules;
}
