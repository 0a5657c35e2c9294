/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an analysis to the rows of a picture. Pure. */
#pragma once

#include "report/analysis.h"
#include "report/heatmap.h"

/* FolioHeatmapRow by address, max_rows at most: of one block each, or of as many blocks that follow
 * each other as it takes. Reads the records once more. */
GArray *folio_heatmap_rows(const FolioAnalysis *analysis, FolioRecordWalk *walk, guint max_rows);
