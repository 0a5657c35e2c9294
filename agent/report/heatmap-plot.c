/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is within the rows of a picture of heat: cells or bars, and the axes. */
#include "report/heatmap-parts.h"
#include "report/heatmap-scale.h"

#include "report/levels.h"

#define CELL_MAX   40u /* width of a window */
#define TIME_LABEL 110 /* between two of the time axis */

/* A window that ended so many times later than usual after the one before is behind a gap. */
#define GAP_FACTOR 1.8

/* Where a column begins; whole pixels, so that neighbours meet. */
static double
column_x(const FolioHeatmap *heatmap, guint column)
{
    if (heatmap->n_columns * CELL_MAX < FOLIO_CANVAS_PLOT)
        return FOLIO_CANVAS_LEFT + column * CELL_MAX;
    return FOLIO_CANVAS_LEFT + column * FOLIO_CANVAS_PLOT / heatmap->n_columns;
}

/* ---- Cells */

static guint
level_at(const FolioCanvas *canvas, const FolioSampleScale *scale, guint r, guint column)
{
    const FolioHeatmap *heatmap = canvas->heatmap;
    const guint64 value = heatmap->cells[r * (gsize) heatmap->n_columns + column];

    if (heatmap->kind == FOLIO_HEATMAP_SAMPLES)
        return folio_sample_scale_level(scale, value);
    return folio_use_level((guint) MIN(value, G_MAXUINT));
}

/* Neighbours of one level in a row are one rectangle. */
static void
draw_level(FolioCanvas *canvas, const FolioSampleScale *scale, guint level)
{
    const FolioHeatmap *heatmap = canvas->heatmap;

    for (guint r = 0; r < heatmap->n_rows; r++) {
        guint i = 0;

        while (i < heatmap->n_columns) {
            guint first = i;

            while (i < heatmap->n_columns && level_at(canvas, scale, r, i) == level)
                i++;
            if (i > first)
                folio_scene_add(canvas->scene, FOLIO_SCENE_RECTANGLE, column_x(heatmap, first),
                                canvas->y[r], column_x(heatmap, i) - column_x(heatmap, first),
                                canvas->bar_height, folio_level_colour(level));
            else
                i++;
        }
    }
}

static void
draw_cells(FolioCanvas *canvas)
{
    const FolioSampleScale scale = folio_sample_scale(canvas->heatmap);

    for (guint level = 0; level <= FOLIO_LEVELS_SHOWN; level++)
        draw_level(canvas, &scale, level);
}

/* ---- Bars */

static double
bar_length(const FolioHeatmapRow *row, float sum)
{
    const double mean = (double) sum / MAX(row->blocks, 1);

    /* What little there is is shown: a pixel of it. */
    return sum > 0 ? CLAMP(mean * FOLIO_CANVAS_PLOT / FOLIO_SUB_PAGES, 1, FOLIO_CANVAS_PLOT) : 0;
}

static void
draw_bars(FolioCanvas *canvas)
{
    const FolioHeatmap *heatmap = canvas->heatmap;

    for (guint pass = 0; pass < 3; pass++) {
        static const guint levels[] = { 0, 2, 4 };

        for (guint r = 0; r < heatmap->n_rows; r++) {
            const FolioHeatmapRow *row = &heatmap->rows[r];
            const double lengths[] = { FOLIO_CANVAS_PLOT, bar_length(row, row->footprint),
                                       bar_length(row, row->in_use) };

            if (lengths[pass] > 0)
                folio_scene_add(canvas->scene, FOLIO_SCENE_RECTANGLE, FOLIO_CANVAS_LEFT,
                                canvas->y[r], lengths[pass], canvas->bar_height,
                                folio_level_colour(levels[pass]));
        }
    }
}

/* ---- Axes */

static void
draw_tick(FolioCanvas *canvas, double x, gboolean above)
{
    if (above)
        folio_scene_add(canvas->scene, FOLIO_SCENE_LINE, x + 0.5, FOLIO_CANVAS_TOP - 6, 0, 5,
                        0x555555);
    folio_scene_add(canvas->scene, FOLIO_SCENE_LINE, x + 0.5, canvas->bottom + 1, 0, 5, 0x555555);
}

static void
draw_sub_page_axes(FolioCanvas *canvas)
{
    const gboolean samples = canvas->heatmap->kind == FOLIO_HEATMAP_SAMPLES;

    folio_canvas_text(canvas, FOLIO_CANVAS_LEFT, FOLIO_CANVAS_TOP - 24, FOLIO_TEXT_PLAIN,
                      FOLIO_ALIGN_LEFT, "%s",
                      samples ? "offset in the 2 MiB block"
                              : "in use of each 2 MiB block, the mean of the row's");
    for (guint i = 0; i <= FOLIO_SUB_PAGES; i += 64) {
        const double x = FOLIO_CANVAS_LEFT + i * (FOLIO_CANVAS_PLOT / FOLIO_SUB_PAGES);

        draw_tick(canvas, x, TRUE);
        folio_canvas_text(canvas, x, FOLIO_CANVAS_TOP - 9, FOLIO_TEXT_SMALL, FOLIO_ALIGN_MIDDLE,
                          "%u KiB", i * 4);
        folio_canvas_text(canvas, x, canvas->bottom + 17, FOLIO_TEXT_SMALL, FOLIO_ALIGN_MIDDLE,
                          "%u", i);
    }
    folio_canvas_text(canvas, FOLIO_CANVAS_LEFT - 14, canvas->bottom + 17, FOLIO_TEXT_PLAIN,
                      FOLIO_ALIGN_RIGHT, "%s",
                      samples ? "sub-page of 4 KiB" : "sub-pages of 4 KiB");
}

/* The usual time from one window to the next; 0 when there is none. */
static gint64
usual_step(const FolioHeatmap *heatmap)
{
    gint64 least = G_MAXINT64;

    for (guint w = 1; w < heatmap->n_columns; w++)
        least = MIN(least, heatmap->times[w] - heatmap->times[w - 1]);
    return heatmap->n_columns > 1 ? MAX(least, 0) : 0;
}

static void
draw_gap(FolioCanvas *canvas, double x)
{
    for (guint r = 0; r < canvas->heatmap->n_rows; r++)
        folio_scene_add(canvas->scene, FOLIO_SCENE_LINE, x + 0.5, canvas->y[r], 0,
                        canvas->row_height, 0xd55e00);
}

static void
draw_gaps(FolioCanvas *canvas)
{
    const FolioHeatmap *heatmap = canvas->heatmap;
    const double step = (double) usual_step(heatmap);

    for (guint w = 1; w < heatmap->n_columns; w++) {
        if ((double) (heatmap->times[w] - heatmap->times[w - 1]) > GAP_FACTOR * step)
            draw_gap(canvas, column_x(heatmap, w));
    }
}

static char *
format_clock(gint64 usec)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(usec / G_USEC_PER_SEC);

    return time != NULL ? g_date_time_format(time, "%T") : g_strdup("?");
}

static void
draw_time_axis(FolioCanvas *canvas)
{
    const FolioHeatmap *heatmap = canvas->heatmap;
    const double width = column_x(heatmap, 1) - FOLIO_CANVAS_LEFT;
    const guint every = MAX((guint) (TIME_LABEL / width), 1);

    folio_canvas_text(canvas, FOLIO_CANVAS_LEFT, FOLIO_CANVAS_TOP - 24, FOLIO_TEXT_PLAIN,
                      FOLIO_ALIGN_LEFT, "in use in each window, of the row's memory");
    for (guint w = 0; w < heatmap->n_columns; w += every) {
        const double x = column_x(heatmap, w + 1);
        g_autofree char *clock = format_clock(heatmap->times[w]);

        draw_tick(canvas, x, FALSE);
        folio_canvas_text(canvas, x, canvas->bottom + 17, FOLIO_TEXT_SMALL, FOLIO_ALIGN_MIDDLE,
                          "%s", clock);
    }
    folio_canvas_text(canvas, FOLIO_CANVAS_LEFT - 24, canvas->bottom + 17, FOLIO_TEXT_PLAIN,
                      FOLIO_ALIGN_RIGHT, "window ended");
    draw_gaps(canvas);
}

void
folio_heatmap_draw_plot(FolioCanvas *canvas)
{
    if (canvas->heatmap->kind == FOLIO_HEATMAP_USE)
        draw_bars(canvas);
    else
        draw_cells(canvas);
    if (canvas->heatmap->kind == FOLIO_HEATMAP_TIME)
        draw_time_axis(canvas);
    else
        draw_sub_page_axes(canvas);
}
