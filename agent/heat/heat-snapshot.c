/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat of a guest at the end of a window. */
#include "heat/heat-snapshot.h"

#include <string.h>

static void
range_clear(gpointer data)
{
    g_free(((FolioHeatRange *) data)->name);
}

GArray *
folio_heat_ranges_new(void)
{
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(FolioHeatRange));

    g_array_set_clear_func(ranges, range_clear);
    return ranges;
}

void
folio_heat_ranges_add(GArray *ranges, const char *name, guint n_blocks)
{
    FolioHeatRange range = { .name = g_strdup(name), .n_blocks = n_blocks };

    if (ranges->len > 0) {
        const FolioHeatRange *last = &g_array_index(ranges, FolioHeatRange, ranges->len - 1);

        range.first_block = last->first_block + last->n_blocks;
    }
    g_array_append_val(ranges, range);
}

static void
count_unseen(FolioHeatSnapshot *snapshot, const FolioHeatSnapshot *before)
{
    for (guint b = 0; b < snapshot->n_blocks; b++) {
        const guint16 was = before != NULL ? before->unseen[b] : FOLIO_NEVER_SEEN;

        if (snapshot->evidence[b].seen > 0)
            snapshot->unseen[b] = 0;
        else
            snapshot->unseen[b] = was < FOLIO_LONG_UNSEEN ? (guint16) (was + 1) : was;
    }
}

FolioHeatSnapshot *
folio_heat_snapshot_new(const FolioHeatTable *table, const FolioVerdict *verdicts, GArray *ranges,
                        const FolioHeatSnapshot *before)
{
    FolioHeatSnapshot *snapshot = g_new0(FolioHeatSnapshot, 1);
    const guint n = table->n_blocks;

    g_atomic_ref_count_init(&snapshot->references);
    snapshot->ranges = g_array_ref(ranges);
    snapshot->n_blocks = n;
    snapshot->windows = table->window;
    snapshot->outcomes = table->outcomes;
    snapshot->evidence = g_new(FolioHeatEvidence, n);
    snapshot->verdicts = g_new(guint8, n);
    snapshot->unseen = g_new(guint16, n);
    if (n > 0)
        memcpy(snapshot->evidence, table->evidence, n * sizeof *snapshot->evidence);
    for (guint b = 0; b < n; b++)
        snapshot->verdicts[b] = (guint8) verdicts[b];
    count_unseen(snapshot, before);
    return snapshot;
}

FolioHeatSnapshot *
folio_heat_snapshot_ref(FolioHeatSnapshot *snapshot)
{
    g_atomic_ref_count_inc(&snapshot->references);
    return snapshot;
}

void
folio_heat_snapshot_unref(FolioHeatSnapshot *snapshot)
{
    if (!g_atomic_ref_count_dec(&snapshot->references))
        return;
    g_array_unref(snapshot->ranges);
    g_free(snapshot->evidence);
    g_free(snapshot->verdicts);
    g_free(snapshot->unseen);
    g_free(snapshot->costs);
    g_free(snapshot);
}
