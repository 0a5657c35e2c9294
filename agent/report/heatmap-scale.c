/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Levels for the samples of a picture. */
#include "report/heatmap-scale.h"

static guint64
cube_root(guint64 value)
{
    guint64 root = 1;

    while (root < 2000000 && (root + 1) * (root + 1) * (root + 1) <= value)
        root++;
    return root;
}

FolioSampleScale
folio_sample_scale(const FolioHeatmap *heatmap)
{
    FolioSampleScale scale = { { 1, 2 } };
    guint64 hottest = 1, factor;

    for (gsize i = 0; i < heatmap->n_rows * (gsize) heatmap->n_columns; i++)
        hottest = MAX(hottest, heatmap->cells[i]);
    factor = MAX(cube_root(hottest / 2), 2);
    for (guint i = 2; i < FOLIO_LEVELS_SHOWN; i++)
        scale.edges[i] = scale.edges[i - 1] * factor;
    return scale;
}

guint
folio_sample_scale_level(const FolioSampleScale *scale, guint64 samples)
{
    guint level = 0;

    while (level < FOLIO_LEVELS_SHOWN && samples >= scale->edges[level])
        level++;
    return level;
}

char *
folio_sample_scale_text(const FolioSampleScale *scale, guint level)
{
    const guint64 low = level > 0 ? scale->edges[level - 1] : 0;

    if (level == 0)
        return g_strdup("none");
    if (level == FOLIO_LEVELS_SHOWN)
        return g_strdup_printf("%" G_GUINT64_FORMAT " and more", low);
    if (low == scale->edges[level] - 1)
        return g_strdup_printf("%" G_GUINT64_FORMAT, low);
    return g_strdup_printf("%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, low,
                           scale->edges[level] - 1);
}
