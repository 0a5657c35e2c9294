/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the parts of a picture of heat share. Internal to it. All lengths are pixels. */
#pragma once

#include "report/heatmap.h"

#define FOLIO_CANVAS_LEFT   150u
#define FOLIO_CANVAS_PLOT   (2u * FOLIO_SUB_PAGES)
#define FOLIO_CANVAS_STRIP  64u /* of the verdicts */
#define FOLIO_CANVAS_TOP    112
#define FOLIO_CANVAS_BOTTOM 128

typedef struct {
    const FolioHeatmap *heatmap;
    FolioScene *scene;
    guint row_height, bar_height; /* with and without a line between rows */
    double *y;                    /* of each row, and of the end */
    double bottom;                /* of the plot */
    double strip_x;               /* where the verdicts begin */
    double samples_x, use_x;      /* where the columns of figures end */
} FolioCanvas;

guint32 folio_heatmap_verdict_colour(FolioVerdict verdict);

void folio_canvas_text(FolioCanvas *canvas, double x, double y, FolioTextStyle style,
                       FolioAlign align, const char *format, ...) G_GNUC_PRINTF(6, 7);

/* What is within the rows, and its axes. */
void folio_heatmap_draw_plot(FolioCanvas *canvas);

/* Below the plot. */
void folio_heatmap_draw_legend(FolioCanvas *canvas);
