/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an analysis to the rows of a picture. Pure. */
#pragma once

#include "report/analysis.h"
#include "report/heatmap.h"

typedef struct {
    GArray *rows;   /* FolioHeatmapRow by address */
    guint64 *cells; /* FOLIO_SUB_PAGES a row */
} FolioHeatmapRows;

/* max_rows at most: of one block each, or of as many blocks that follow each other as it takes.
 * Reads the records once more. */
void folio_heatmap_rows_init(FolioHeatmapRows *rows, const FolioAnalysis *analysis,
                             FolioRecordWalk *walk, guint max_rows);

void folio_heatmap_rows_clear(FolioHeatmapRows *rows);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FolioHeatmapRows, folio_heatmap_rows_clear)
