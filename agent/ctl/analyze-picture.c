/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl analyze --svg and --png: what was recorded as a picture. */
#include "ctl/analyze.h"

#include "ctl/picture.h"
#include "report/heatmap-rows.h"

/* "1 in 4096 operations sampled; 134380 samples in 24 blocks: 8 sparse, 16 dense; ..." */
static char *
describe_samples(const FolioPerfFile *perf, const FolioAnalysis *analysis)
{
    guint counts[4] = { 0 };
    g_autofree char *period =
        perf->period > 0
            ? g_strdup_printf("1 in %" G_GUINT64_FORMAT " operations sampled", perf->period)
            : g_strdup("sampling period unknown");

    for (guint i = 0; i < analysis->blocks->len; i++)
        counts[g_array_index(analysis->blocks, FolioAnalysisBlock, i).verdict]++;
    return g_strdup_printf(
        "%s; %" G_GUINT64_FORMAT " samples in %u blocks: %u sparse, %u dense, %u undecided; guest "
        "samples: %s",
        period, analysis->samples - analysis->elsewhere - analysis->beyond, analysis->blocks->len,
        counts[FOLIO_VERDICT_SPARSE], counts[FOLIO_VERDICT_DENSE], counts[FOLIO_VERDICT_UNDECIDED],
        analysis->guest_records > 0 ? "yes" : "host side only");
}

static char *
describe_rows(const FolioAnalysis *analysis, const GArray *rows)
{
    g_autofree char *windows = folio_describe_windows(analysis);
    guint blocks = rows->len > 0 ? g_array_index(rows, FolioHeatmapRow, 0).blocks : 1;

    if (blocks == 1)
        return g_strdup_printf("windows: %s; a row is a block", windows);
    return g_strdup_printf("windows: %s; a row stands for %u blocks: samples of all of them, "
                           "verdicts by share",
                           windows, blocks);
}

static FolioScene *
make_scene(FolioCapture *capture, const FolioAnalysis *analysis)
{
    g_auto(FolioHeatmapRows) rows = { NULL };
    g_autofree char *name = g_path_get_basename(capture->perf->name);
    g_autofree char *title = g_strdup_printf("Sampled accesses by 2 MiB block: %s", name);
    g_autofree char *samples = describe_samples(capture->perf, analysis);
    g_autofree char *note = NULL;
    FolioHeatmap heatmap = {
        .kind = FOLIO_HEATMAP_SAMPLES,
        .title = title,
        .subtitle = samples,
        .confirmed = analysis->confirmed,
        .n_columns = FOLIO_SUB_PAGES,
    };

    folio_heatmap_rows_init(&rows, analysis, &capture->walk, FOLIO_HEATMAP_MAX_ROWS);
    note = describe_rows(analysis, rows.rows);
    heatmap.note = note;
    heatmap.rows = (const FolioHeatmapRow *) (gconstpointer) rows.rows->data;
    heatmap.n_rows = rows.rows->len;
    heatmap.cells = rows.cells;
    return folio_heatmap_scene(&heatmap);
}

gboolean
folio_analyze_write_picture(const FolioInvocation *invocation, FolioCapture *capture,
                            const FolioAnalysis *analysis, GError **error)
{
    g_autoptr(FolioScene) scene = make_scene(capture, analysis);

    return folio_picture_save(scene, invocation->picture, error);
}
