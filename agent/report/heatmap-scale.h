/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Levels for the samples of a picture, which has its own scale. Pure. */
#pragma once

#include "report/heatmap.h"
#include "report/levels.h"

typedef struct {
    guint64 edges[FOLIO_LEVELS_SHOWN]; /* the least samples of each level from 1 on */
} FolioSampleScale;

/* Levels from one sample up, each as many times the one before; the last takes in the hottest. */
FolioSampleScale folio_sample_scale(const FolioHeatmap *heatmap);

guint folio_sample_scale_level(const FolioSampleScale *scale, guint64 samples);

/* "3", "4 to 15", "64 and more". */
char *folio_sample_scale_text(const FolioSampleScale *scale, guint level);
