/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A picture of heat: where everything is, the rows, the columns beside them. */
#include "report/heatmap-parts.h"

#include "base/format.h"
#include "report/levels.h"

/* All lengths are pixels. */
#define GAP       6    /* between rows that do not adjoin */
#define HEADING   20   /* above a row that something begins with */
#define MAX_PLOT  1000 /* of rows alone, as far as their least height allows */
#define MIN_LABEL 12   /* between two labels of an axis */

/* Okabe and Ito, "Color Universal Design" (2008): told apart by all colour-blind readers. Grey for
 * what is undecided, since it asks for nothing. */
guint32
folio_heatmap_verdict_colour(FolioVerdict verdict)
{
    static const guint32 colours[] = {
        [FOLIO_VERDICT_IDLE] = 0xf4f4f2,
        [FOLIO_VERDICT_UNDECIDED] = 0xbbbbbb,
        [FOLIO_VERDICT_SPARSE] = 0xe69f00,
        [FOLIO_VERDICT_DENSE] = 0x009e73,
    };

    return colours[verdict];
}

static gboolean
adjoins(const FolioCanvas *canvas, guint row)
{
    return row > 0 && canvas->heatmap->rows[row - 1].end == canvas->heatmap->rows[row].address;
}

/* Where rows begin and end. */
static void
place_rows(FolioCanvas *canvas)
{
    const guint n = canvas->heatmap->n_rows;
    double y = FOLIO_CANVAS_TOP;

    canvas->row_height = CLAMP(MAX_PLOT / MAX(n, 1), 5, 16);
    canvas->bar_height = canvas->row_height - (canvas->row_height >= 8);
    canvas->y = g_new(double, n + 1);
    for (guint r = 0; r < n; r++) {
        if (canvas->heatmap->rows[r].heading != NULL)
            y += HEADING;
        else if (r > 0 && !adjoins(canvas, r))
            y += GAP;
        canvas->y[r] = y;
        y += canvas->row_height;
    }
    canvas->y[n] = y;
}

void
folio_canvas_text(FolioCanvas *canvas, double x, double y, FolioTextStyle style, FolioAlign align,
                  const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    folio_scene_add_text(canvas->scene, x, y, style, align, text);
}

/* ---- Beside the plot */

/* A row of several blocks has its verdicts side by side, by their shares. */
static void
draw_verdicts(FolioCanvas *canvas, guint r)
{
    static const FolioVerdict order[] = { FOLIO_VERDICT_SPARSE, FOLIO_VERDICT_UNDECIDED,
                                          FOLIO_VERDICT_DENSE, FOLIO_VERDICT_IDLE };
    const FolioHeatmapRow *row = &canvas->heatmap->rows[r];
    guint before = 0;

    for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
        guint from = FOLIO_CANVAS_STRIP * before / MAX(row->blocks, 1), to;

        before += row->verdicts[order[i]];
        to = FOLIO_CANVAS_STRIP * before / MAX(row->blocks, 1);
        /* What little there is is shown: a pixel of it. */
        if (to == from && row->verdicts[order[i]] > 0)
            to = from + 1;
        if (to > from)
            folio_scene_add(canvas->scene, FOLIO_SCENE_RECTANGLE, canvas->strip_x + from,
                            canvas->y[r], MIN(to, FOLIO_CANVAS_STRIP) - from, canvas->bar_height,
                            folio_heatmap_verdict_colour(order[i]));
    }
}

static guint64
row_samples(const FolioHeatmap *heatmap, guint r)
{
    guint64 sum = 0;

    for (guint i = 0; i < heatmap->n_columns; i++)
        sum += heatmap->cells[r * (gsize) heatmap->n_columns + i];
    return sum;
}

static char *
describe_use(const FolioHeatmap *heatmap, const FolioHeatmapRow *row)
{
    if (heatmap->kind == FOLIO_HEATMAP_SAMPLES)
        return g_strdup_printf("%.0f", (double) row->in_use / MAX(row->blocks, 1));
    return folio_format_bytes((guint64) ((double) row->in_use * 4096));
}

/* Bytes from one label to the next, where rows adjoin. */
static guint64
label_step(const FolioCanvas *canvas)
{
    const FolioHeatmapRow *first = &canvas->heatmap->rows[0];
    const guint rows = (MIN_LABEL + canvas->row_height - 1) / canvas->row_height;

    return (first->end - first->address) * rows;
}

static void
label_row(FolioCanvas *canvas, guint r, double middle)
{
    const FolioHeatmap *heatmap = canvas->heatmap;
    const FolioHeatmapRow *row = &heatmap->rows[r];
    g_autofree char *use = describe_use(heatmap, row);
    g_autofree char *address = heatmap->sizes
                                   ? folio_format_bytes_by(row->address, label_step(canvas))
                                   : g_strdup_printf("0x%" G_GINT64_MODIFIER "x", row->address);

    folio_canvas_text(canvas, FOLIO_CANVAS_LEFT - 8, middle, FOLIO_TEXT_SMALL, FOLIO_ALIGN_RIGHT,
                      "%s", address);
    if (heatmap->kind == FOLIO_HEATMAP_SAMPLES)
        folio_canvas_text(canvas, canvas->samples_x, middle, FOLIO_TEXT_SMALL, FOLIO_ALIGN_RIGHT,
                          "%" G_GUINT64_FORMAT, row_samples(heatmap, r));
    folio_canvas_text(canvas, canvas->use_x, middle, FOLIO_TEXT_SMALL, FOLIO_ALIGN_RIGHT, "%s",
                      use);
}

static void
draw_between(FolioCanvas *canvas, guint r)
{
    const FolioHeatmapRow *row = &canvas->heatmap->rows[r];

    if (row->heading != NULL)
        folio_canvas_text(canvas, FOLIO_CANVAS_LEFT, canvas->y[r] - 6, FOLIO_TEXT_PLAIN,
                          FOLIO_ALIGN_LEFT, "%s", row->heading);
    else if (r > 0 && !adjoins(canvas, r))
        folio_scene_add(canvas->scene, FOLIO_SCENE_DASHES, FOLIO_CANVAS_LEFT,
                        canvas->y[r] - GAP / 2,
                        canvas->strip_x + FOLIO_CANVAS_STRIP - FOLIO_CANVAS_LEFT, 0, 0x999999);
}

static void
draw_beside(FolioCanvas *canvas)
{
    double labelled = 0;

    for (guint r = 0; r < canvas->heatmap->n_rows; r++)
        draw_verdicts(canvas, r);
    for (guint r = 0; r < canvas->heatmap->n_rows; r++) {
        const double middle = canvas->y[r] + canvas->row_height / 2.0 + 3;

        draw_between(canvas, r);
        if (labelled > 0 && middle < labelled + MIN_LABEL)
            continue;
        labelled = middle;
        label_row(canvas, r, middle);
    }
}

/* ---- Heads */

static void
draw_title(FolioCanvas *canvas)
{
    const FolioHeatmap *heatmap = canvas->heatmap;
    const double room = canvas->scene->width - 32;

    g_autofree char *words =
        g_strconcat(heatmap->subtitle, heatmap->note != NULL ? "; " : "", heatmap->note, NULL);

    folio_scene_describe(canvas->scene, heatmap->title, words);
    folio_canvas_text(canvas, 16, 28, FOLIO_TEXT_TITLE, FOLIO_ALIGN_LEFT, "%s", heatmap->title);
    folio_scene_limit_text(canvas->scene, room);
    folio_canvas_text(canvas, 16, 50, FOLIO_TEXT_PLAIN, FOLIO_ALIGN_LEFT, "%s", heatmap->subtitle);
    folio_scene_limit_text(canvas->scene, room);
    if (heatmap->note == NULL)
        return;
    folio_canvas_text(canvas, 16, 68, FOLIO_TEXT_PLAIN, FOLIO_ALIGN_LEFT, "%s", heatmap->note);
    folio_scene_limit_text(canvas->scene, room);
}

static void
draw_heads(FolioCanvas *canvas)
{
    const FolioHeatmap *heatmap = canvas->heatmap;
    const double y = FOLIO_CANVAS_TOP - 24;

    folio_canvas_text(canvas, FOLIO_CANVAS_LEFT - 8, y, FOLIO_TEXT_PLAIN, FOLIO_ALIGN_RIGHT, "%s",
                      heatmap->sizes ? "from" : "address");
    folio_canvas_text(canvas, canvas->strip_x, y, FOLIO_TEXT_PLAIN, FOLIO_ALIGN_LEFT, "%s",
                      heatmap->confirmed ? "verdict" : "unconfirmed");
    if (heatmap->kind == FOLIO_HEATMAP_SAMPLES)
        folio_canvas_text(canvas, canvas->samples_x, y, FOLIO_TEXT_PLAIN, FOLIO_ALIGN_RIGHT,
                          "samples");
    folio_canvas_text(canvas, canvas->use_x, y, FOLIO_TEXT_PLAIN, FOLIO_ALIGN_RIGHT, "in use");
}

static void
canvas_clear(FolioCanvas *canvas)
{
    g_free(canvas->y);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FolioCanvas, canvas_clear)

FolioScene *
folio_heatmap_scene(const FolioHeatmap *heatmap)
{
    g_auto(FolioCanvas) canvas = { .heatmap = heatmap, .scene = folio_scene_new() };

    canvas.strip_x = FOLIO_CANVAS_LEFT + FOLIO_CANVAS_PLOT + 8;
    canvas.samples_x = canvas.strip_x + FOLIO_CANVAS_STRIP + 70;
    canvas.use_x =
        heatmap->kind == FOLIO_HEATMAP_SAMPLES ? canvas.samples_x + 60 : canvas.samples_x + 10;
    canvas.scene->width = canvas.use_x + 16;
    place_rows(&canvas);
    canvas.bottom = canvas.y[heatmap->n_rows];
    canvas.scene->height = canvas.bottom + FOLIO_CANVAS_BOTTOM;
    draw_title(&canvas);
    draw_heads(&canvas);
    folio_heatmap_draw_plot(&canvas);
    draw_beside(&canvas);
    folio_heatmap_draw_legend(&canvas);
    return canvas.scene;
}
