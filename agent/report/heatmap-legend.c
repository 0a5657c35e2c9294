/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is below a picture of heat: what its colours mean. */
#include "report/heatmap-parts.h"
#include "report/heatmap-scale.h"

#include <string.h>

#define LETTER 7.6 /* wider than a letter of the font is on average */

/* A key and its text; returns where the next one goes. */
static double
draw_key(FolioCanvas *canvas, double x, double y, guint32 colour, const char *label)
{
    folio_scene_add(canvas->scene, FOLIO_SCENE_RECTANGLE, x, y - 10, 18, 12, colour);
    folio_scene_add(canvas->scene, FOLIO_SCENE_FRAME, x, y - 10, 18, 12, 0x888888);
    folio_canvas_text(canvas, x + 24, y, FOLIO_TEXT_PLAIN, FOLIO_ALIGN_LEFT, "%s", label);
    return x + 24 + LETTER * (double) strlen(label) + 14;
}

static void
draw_name(FolioCanvas *canvas, double y, const char *name)
{
    folio_canvas_text(canvas, FOLIO_CANVAS_LEFT - 8, y, FOLIO_TEXT_PLAIN, FOLIO_ALIGN_RIGHT, "%s",
                      name);
}

static void
draw_sample_levels(FolioCanvas *canvas, double y)
{
    const FolioSampleScale scale = folio_sample_scale(canvas->heatmap);
    double x = FOLIO_CANVAS_LEFT;

    draw_name(canvas, y, "samples");
    for (guint level = 0; level <= FOLIO_LEVELS_SHOWN; level++) {
        g_autofree char *label = folio_sample_scale_text(&scale, level);

        x = draw_key(canvas, x, y, folio_level_colour(level), label);
    }
    if (canvas->scene->width - x > 300)
        folio_canvas_text(canvas, x, y, FOLIO_TEXT_PLAIN, FOLIO_ALIGN_LEFT,
                          "at each sub-page, of all blocks of the row");
}

static void
draw_use_levels(FolioCanvas *canvas, double y)
{
    double x = FOLIO_CANVAS_LEFT;

    draw_name(canvas, y, "in use");
    for (guint level = 0; level <= FOLIO_LEVELS_SHOWN; level++)
        x = draw_key(canvas, x, y, folio_level_colour(level), folio_use_level_text(level));
    folio_canvas_text(canvas, x, y, FOLIO_TEXT_PLAIN, FOLIO_ALIGN_LEFT,
                      "of the row's memory, by window");
}

static void
draw_bar_keys(FolioCanvas *canvas, double y)
{
    double x = FOLIO_CANVAS_LEFT;

    draw_name(canvas, y, "sub-pages");
    x = draw_key(canvas, x, y, folio_level_colour(4), "in use in the last window");
    x = draw_key(canvas, x, y, folio_level_colour(2), "seen in use before, and remembered");
    draw_key(canvas, x, y, folio_level_colour(0), "neither");
}

static void
draw_verdict_keys(FolioCanvas *canvas, double y)
{
    static const FolioVerdict shown[] = { FOLIO_VERDICT_SPARSE, FOLIO_VERDICT_DENSE,
                                          FOLIO_VERDICT_UNDECIDED, FOLIO_VERDICT_IDLE };
    static const char *const meanings[] = { "sparse: split", "dense: keep huge or collapse",
                                            "undecided: leave", "idle: never seen in use" };
    const gboolean samples = canvas->heatmap->kind == FOLIO_HEATMAP_SAMPLES;
    double x = FOLIO_CANVAS_LEFT;

    draw_name(canvas, y, canvas->heatmap->confirmed ? "verdict" : "verdict (unconfirmed)");
    /* A recording has no idle blocks: what was not sampled is left out. */
    for (guint i = 0; i < G_N_ELEMENTS(shown) - samples; i++)
        x = draw_key(canvas, x, y, folio_heatmap_verdict_colour(shown[i]), meanings[i]);
    if (!samples)
        return;
    folio_scene_add(canvas->scene, FOLIO_SCENE_DASHES, x, y - 4, 28, 0, 0x999999);
    folio_canvas_text(canvas, x + 34, y, FOLIO_TEXT_PLAIN, FOLIO_ALIGN_LEFT,
                      "memory without any sample is left out");
}

void
folio_heatmap_draw_legend(FolioCanvas *canvas)
{
    static const char *const notes[] = {
        [FOLIO_HEATMAP_SAMPLES] = "in use: sub-pages of 512 that a window finds in use, sampled or "
                                  "not; an estimate, mean of windows and blocks",
        [FOLIO_HEATMAP_USE] =
            "in use: in the last window, sampled or not; an estimate. The column on "
            "the right sums it up for the row",
        [FOLIO_HEATMAP_TIME] =
            "in use: sampled or not; an estimate. The column on the right is of the "
            "last window. An orange line: nothing was sampled for a while",
    };
    const double y = canvas->bottom + 52;

    if (canvas->heatmap->kind == FOLIO_HEATMAP_SAMPLES)
        draw_sample_levels(canvas, y);
    else if (canvas->heatmap->kind == FOLIO_HEATMAP_USE)
        draw_bar_keys(canvas, y);
    else
        draw_use_levels(canvas, y);
    draw_verdict_keys(canvas, y + 26);
    folio_canvas_text(canvas, FOLIO_CANVAS_LEFT, y + 52, FOLIO_TEXT_PLAIN, FOLIO_ALIGN_LEFT, "%s",
                      notes[canvas->heatmap->kind]);
}
