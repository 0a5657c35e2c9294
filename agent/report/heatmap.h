/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A picture of heat: a row for each block (or for several), from top to bottom by address; in it
 * what was sampled or used; beside it the verdict. Pure: figures in, a scene out. */
#pragma once

#include "heat/estimate.h"
#include "report/scene.h"

typedef enum {
    FOLIO_HEATMAP_SAMPLES, /* the 512 sub-pages from left to right, darker the more samples */
    FOLIO_HEATMAP_USE,     /* how many sub-pages are in use, as a bar */
    FOLIO_HEATMAP_TIME,    /* windows from left to right, darker the more was in use */
} FolioHeatmapKind;

typedef struct {
    guint64 address;     /* of the first block, bytes */
    guint64 end;         /* of the last one */
    guint blocks;        /* in the row; there may be untouched ones between them */
    guint verdicts[4];   /* blocks by FolioVerdict */
    float in_use;        /* sub-pages in use in a window, the sum over the blocks */
    float footprint;     /* sub-pages remembered, likewise; of FOLIO_HEATMAP_USE */
    const char *heading; /* what begins with this row; NULL for nothing */
} FolioHeatmapRow;

typedef struct {
    FolioHeatmapKind kind;
    const char *title;    /* may be foreign */
    const char *subtitle; /* window, sampling period, ... */
    const char *note;     /* a second line below it; NULL for none */
    gboolean confirmed;   /* the verdicts are */
    gboolean sizes;       /* addresses are offsets into RAM, shown as "2 GiB"; otherwise as 0x... */
    const FolioHeatmapRow *rows;
    guint n_rows;
    /* n_rows times n_columns. SAMPLES: at each of 512 sub-pages, of all blocks of the row; TIME: in
     * use in each window, in 64ths of a sub-page, the mean of the blocks. */
    const guint64 *cells;
    guint n_columns;
    const gint64 *times; /* TIME: when each window ended, usec since 1970 */
} FolioHeatmap;

/* Rows of a picture that still fits a page. */
#define FOLIO_HEATMAP_MAX_ROWS 160

FolioScene *folio_heatmap_scene(const FolioHeatmap *heatmap);
