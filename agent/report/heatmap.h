/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A picture of heat, as SVG: a row for each block (or for several), from top to bottom by address;
 * in it the 512 sub-pages from left to right, darker the more samples they had; beside it the
 * verdict. Pure: figures in, text out. */
#pragma once

#include "heat/estimate.h"

typedef struct {
    guint64 address;                  /* of the first block, bytes */
    guint64 end;                      /* of the last one */
    guint blocks;                     /* in the row; there may be untouched ones between them */
    guint64 samples[FOLIO_SUB_PAGES]; /* of all blocks of the row */
    guint verdicts[4];                /* blocks by FolioVerdict */
    float in_use;                     /* sub-pages in use in a window, the sum over the blocks */
} FolioHeatmapRow;

typedef struct {
    const char *title;    /* may be foreign */
    const char *subtitle; /* window, sampling period, ... */
    const char *note;     /* a second line below it; NULL for none */
    gboolean confirmed;   /* the verdicts are */
    const FolioHeatmapRow *rows;
    guint n_rows;
} FolioHeatmap;

/* Rows of a picture that still fits a page. */
#define FOLIO_HEATMAP_MAX_ROWS 160

/* The SVG document. */
char *folio_heatmap_svg(const FolioHeatmap *heatmap);
