/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an analysis to the rows of a picture. */
#include "report/heatmap-rows.h"

typedef struct {
    const FolioAnalysis *analysis;
    FolioHeatmapRows *rows;
    guint *row_of; /* by number of the block */
} Filling;

static void
fill_run(const FolioRecordRun *run, gpointer user_data)
{
    Filling *filling = user_data;

    for (gsize i = 0; i < run->n; i++) {
        guint block, sub_page;

        if (folio_analysis_place(filling->analysis, &run->records[i], &block, &sub_page))
            filling->rows->cells[filling->row_of[block] * (gsize) FOLIO_SUB_PAGES + sub_page]++;
    }
}

static void
add_block(GArray *rows, const FolioAnalysisBlock *block, guint blocks_a_row, guint index)
{
    FolioHeatmapRow *row;

    if (index % blocks_a_row == 0) {
        g_array_set_size(rows, rows->len + 1);
        g_array_index(rows, FolioHeatmapRow, rows->len - 1).address = block->address;
    }
    row = &g_array_index(rows, FolioHeatmapRow, rows->len - 1);
    row->end = block->address + (G_GUINT64_CONSTANT(1) << FOLIO_BLOCK_SHIFT);
    row->blocks++;
    row->verdicts[block->verdict]++;
    row->in_use += block->in_use;
}

void
folio_heatmap_rows_init(FolioHeatmapRows *rows, const FolioAnalysis *analysis,
                        FolioRecordWalk *walk, guint max_rows)
{
    guint n = analysis->blocks->len;
    guint blocks_a_row = MAX((n + max_rows - 1) / max_rows, 1), highest = 0;
    g_autofree guint *row_of = NULL;
    Filling filling = { analysis, rows, NULL };

    rows->rows = g_array_new(FALSE, TRUE, sizeof(FolioHeatmapRow));
    for (guint i = 0; i < n; i++)
        highest = MAX(highest, g_array_index(analysis->blocks, FolioAnalysisBlock, i).number);
    row_of = g_new0(guint, highest + 1);
    for (guint i = 0; i < n; i++) {
        const FolioAnalysisBlock *block = &g_array_index(analysis->blocks, FolioAnalysisBlock, i);

        add_block(rows->rows, block, blocks_a_row, i);
        row_of[block->number] = rows->rows->len - 1;
    }
    rows->cells = g_new0(guint64, rows->rows->len * (gsize) FOLIO_SUB_PAGES + 1);
    filling.row_of = row_of;
    if (n > 0)
        folio_record_walk_all(walk, fill_run, &filling);
}

void
folio_heatmap_rows_clear(FolioHeatmapRows *rows)
{
    g_clear_pointer(&rows->rows, g_array_unref);
    g_clear_pointer(&rows->cells, g_free);
}
