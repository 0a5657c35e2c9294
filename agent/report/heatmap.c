/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A picture of heat, as SVG. */
#include "report/heatmap.h"

#include <string.h>

/* All lengths are pixels. */
#define LEFT       150u
#define CELL       2u
#define PLOT_WIDTH (CELL * FOLIO_SUB_PAGES)
#define STRIP_X    (LEFT + PLOT_WIDTH + 8)
#define STRIP      64u
#define SAMPLES_X  (STRIP_X + STRIP + 70)
#define WIDTH      (SAMPLES_X + 76)
#define TOP        112u
#define BOTTOM     122u
#define GAP        6u    /* between rows that do not adjoin */
#define MAX_PLOT   1000u /* of rows alone, as far as their least height allows */
#define MIN_LABEL  11    /* between two labels of an axis */

/* No sample at all, then five levels. One hue from light to dark reads in grey and to every kind of
 * colour vision (ColorBrewer's Blues). */
#define LEVELS 5
static const char *const level_colours[LEVELS + 1] = { "#f4f4f2", "#c6dbef", "#9ecae1",
                                                       "#4292c6", "#2171b5", "#08306b" };

/* Okabe and Ito, "Color Universal Design" (2008): told apart by all colour-blind readers. Grey for
 * what is undecided, since it asks for nothing. */
static const char *const verdict_colours[] = {
    [FOLIO_VERDICT_IDLE] = "#ffffff",
    [FOLIO_VERDICT_UNDECIDED] = "#bbbbbb",
    [FOLIO_VERDICT_SPARSE] = "#e69f00",
    [FOLIO_VERDICT_DENSE] = "#009e73",
};

typedef struct {
    const FolioHeatmap *heatmap;
    GString *out;
    guint row_height, bar_height; /* with and without a line between rows */
    guint *y;                     /* of each row, and of the end */
    guint64 edges[LEVELS];        /* the least samples of each level */
} Canvas;

static void
canvas_clear(Canvas *canvas)
{
    g_free(canvas->y);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Canvas, canvas_clear)

static void G_GNUC_PRINTF(5, 6)
    text_at(Canvas *canvas, guint x, guint y, const char *attributes, const char *format, ...)
{
    g_autofree char *text = NULL, *markup = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    for (char *at = text; *at != '\0'; at++) {
        if (g_ascii_iscntrl(*at)) /* XML has no way to write them */
            *at = '?';
    }
    markup = g_markup_escape_text(text, -1);
    g_string_append_printf(canvas->out, "<text x=\"%u\" y=\"%u\"%s>%s</text>\n", x, y, attributes,
                           markup);
}

static void
rectangle(Canvas *canvas, guint x, guint y, guint width, guint height, const char *fill,
          gboolean framed)
{
    g_string_append_printf(canvas->out,
                           "<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%u\" fill=\"%s\"%s/>\n",
                           x, y, width, height, fill, framed ? " stroke=\"#888888\"" : "");
}

/* ---- Scales */

static guint64
cube_root(guint64 value)
{
    guint64 root = 1;

    while (root < 2000000 && (root + 1) * (root + 1) * (root + 1) <= value)
        root++;
    return root;
}

/* Levels from one sample up, each as many times the one before; the last takes in the hottest. */
static void
choose_levels(Canvas *canvas)
{
    guint64 hottest = 1, factor;

    for (guint r = 0; r < canvas->heatmap->n_rows; r++)
        for (guint i = 0; i < FOLIO_SUB_PAGES; i++)
            hottest = MAX(hottest, canvas->heatmap->rows[r].samples[i]);
    factor = MAX(cube_root(hottest / 2), 2);
    canvas->edges[0] = 1;
    canvas->edges[1] = 2;
    for (guint i = 2; i < LEVELS; i++)
        canvas->edges[i] = canvas->edges[i - 1] * factor;
}

static guint
level_of(const Canvas *canvas, guint64 samples)
{
    guint level = 0;

    while (level < LEVELS && samples >= canvas->edges[level])
        level++;
    return level;
}

static gboolean
adjoins(const Canvas *canvas, guint row)
{
    return row > 0 && canvas->heatmap->rows[row - 1].end == canvas->heatmap->rows[row].address;
}

static void
place_rows(Canvas *canvas)
{
    guint n = canvas->heatmap->n_rows, y = TOP;

    canvas->row_height = CLAMP(MAX_PLOT / MAX(n, 1), 5, 16);
    canvas->bar_height = canvas->row_height - (canvas->row_height >= 8);
    canvas->y = g_new(guint, n + 1);
    for (guint r = 0; r < n; r++) {
        if (r > 0 && !adjoins(canvas, r))
            y += GAP;
        canvas->y[r] = y;
        y += canvas->row_height;
    }
    canvas->y[n] = y;
}

/* ---- Parts */

/* All cells of one level are one path, neighbours in a row one piece of it. */
static void
draw_level(Canvas *canvas, guint level)
{
    GString *out = canvas->out;

    g_string_append_printf(out, "<path fill=\"%s\" d=\"", level_colours[level]);
    for (guint r = 0; r < canvas->heatmap->n_rows; r++) {
        const FolioHeatmapRow *row = &canvas->heatmap->rows[r];
        guint i = 0;

        while (i < FOLIO_SUB_PAGES) {
            guint first = i;

            while (i < FOLIO_SUB_PAGES && level_of(canvas, row->samples[i]) == level)
                i++;
            if (i == first)
                i++;
            else
                g_string_append_printf(out, "M%u %uh%uv%uH%uz", LEFT + first * CELL, canvas->y[r],
                                       (i - first) * CELL, canvas->bar_height, LEFT + first * CELL);
        }
    }
    g_string_append(out, "\"/>\n");
}

/* A row of several blocks has its verdicts side by side, by their shares. */
static void
draw_verdicts(Canvas *canvas, guint r)
{
    static const FolioVerdict order[] = { FOLIO_VERDICT_SPARSE, FOLIO_VERDICT_UNDECIDED,
                                          FOLIO_VERDICT_DENSE, FOLIO_VERDICT_IDLE };
    const FolioHeatmapRow *row = &canvas->heatmap->rows[r];
    guint before = 0;

    for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
        guint from = STRIP * before / MAX(row->blocks, 1), to;

        before += row->verdicts[order[i]];
        to = STRIP * before / MAX(row->blocks, 1);
        if (to > from)
            rectangle(canvas, STRIP_X + from, canvas->y[r], to - from, canvas->bar_height,
                      verdict_colours[order[i]], FALSE);
    }
}

static void
draw_gap(Canvas *canvas, guint r)
{
    g_string_append_printf(canvas->out,
                           "<path d=\"M%u %uH%u\" stroke=\"#999999\" stroke-dasharray=\"2 4\"/>\n",
                           LEFT, canvas->y[r] - GAP / 2, STRIP_X + STRIP);
}

static guint64
row_samples(const FolioHeatmapRow *row)
{
    guint64 sum = 0;

    for (guint i = 0; i < FOLIO_SUB_PAGES; i++)
        sum += row->samples[i];
    return sum;
}

static void
draw_rows(Canvas *canvas)
{
    guint labelled = 0;

    g_string_append(canvas->out, "<g shape-rendering=\"crispEdges\">\n");
    for (guint level = 0; level <= LEVELS; level++)
        draw_level(canvas, level);
    for (guint r = 0; r < canvas->heatmap->n_rows; r++)
        draw_verdicts(canvas, r);
    g_string_append(canvas->out, "</g>\n");
    for (guint r = 0; r < canvas->heatmap->n_rows; r++) {
        const FolioHeatmapRow *row = &canvas->heatmap->rows[r];
        guint middle = canvas->y[r] + canvas->row_height / 2 + 3;

        if (r > 0 && !adjoins(canvas, r))
            draw_gap(canvas, r);
        if (middle < labelled + MIN_LABEL)
            continue;
        labelled = middle;
        text_at(canvas, LEFT - 8, middle, " class=\"n e\"", "0x%" G_GINT64_MODIFIER "x",
                row->address);
        text_at(canvas, SAMPLES_X, middle, " class=\"n e\"", "%" G_GUINT64_FORMAT,
                row_samples(row));
        text_at(canvas, WIDTH - 16, middle, " class=\"n e\"", "%.0f",
                (double) row->in_use / MAX(row->blocks, 1));
    }
}

static void
draw_axes(Canvas *canvas)
{
    guint bottom = canvas->y[canvas->heatmap->n_rows];

    text_at(canvas, LEFT - 8, TOP - 24, " class=\"e\"", "address");
    text_at(canvas, LEFT, TOP - 24, "", "offset in the 2 MiB block");
    text_at(canvas, STRIP_X, TOP - 24, "", canvas->heatmap->confirmed ? "verdict" : "unconfirmed");
    text_at(canvas, SAMPLES_X, TOP - 24, " class=\"e\"", "samples");
    text_at(canvas, WIDTH - 16, TOP - 24, " class=\"e\"", "in use");
    for (guint i = 0; i <= FOLIO_SUB_PAGES; i += 64) {
        guint x = LEFT + i * CELL;

        g_string_append_printf(canvas->out, "<path d=\"M%u %uv5M%u %uv5\" stroke=\"#555555\"/>\n",
                               x, TOP - 6, x, bottom + 1);
        text_at(canvas, x, TOP - 9, " class=\"n m\"", "%u KiB", i * 4);
        text_at(canvas, x, bottom + 17, " class=\"n m\"", "%u", i);
    }
    text_at(canvas, LEFT - 8, bottom + 17, " class=\"e\"", "sub-page of 4 KiB");
}

static guint
draw_key(Canvas *canvas, guint x, guint y, const char *colour, const char *label)
{
    rectangle(canvas, x, y - 10, 18, 12, colour, TRUE);
    text_at(canvas, x + 24, y, "", "%s", label);
    return x + 24 + 7 * (guint) strlen(label) + 18;
}

static void
draw_legend(Canvas *canvas)
{
    static const FolioVerdict shown[] = { FOLIO_VERDICT_SPARSE, FOLIO_VERDICT_DENSE,
                                          FOLIO_VERDICT_UNDECIDED };
    static const char *const meanings[] = { "sparse: split", "dense: keep huge or collapse",
                                            "undecided: leave" };
    guint y = canvas->y[canvas->heatmap->n_rows] + 52, x = LEFT;

    text_at(canvas, LEFT - 8, y, " class=\"e\"", "samples");
    x = draw_key(canvas, x, y, level_colours[0], "none");
    for (guint level = 1; level <= LEVELS; level++) {
        guint64 low = canvas->edges[level - 1];
        guint64 high = level < LEVELS ? canvas->edges[level] - 1 : G_MAXUINT64;
        g_autofree char *label = NULL;

        if (level == LEVELS)
            label = g_strdup_printf("%" G_GUINT64_FORMAT " and more", low);
        else if (low == high)
            label = g_strdup_printf("%" G_GUINT64_FORMAT, low);
        else
            label = g_strdup_printf("%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, low, high);
        x = draw_key(canvas, x, y, level_colours[level], label);
    }
    text_at(canvas, x, y, "", "at each sub-page, of all blocks of the row");
    text_at(canvas, LEFT - 8, y + 26, " class=\"e\"",
            canvas->heatmap->confirmed ? "verdict" : "verdict (unconfirmed)");
    x = LEFT;
    for (guint i = 0; i < G_N_ELEMENTS(shown); i++)
        x = draw_key(canvas, x, y + 26, verdict_colours[shown[i]], meanings[i]);
    g_string_append_printf(canvas->out,
                           "<path d=\"M%u %uh28\" stroke=\"#999999\" stroke-dasharray=\"2 4\"/>\n",
                           x, y + 22);
    text_at(canvas, x + 34, y + 26, "", "memory without any sample is left out");
    text_at(
        canvas, LEFT, y + 50, "",
        "in use: sub-pages of 512 that a window finds in use, sampled or not; an estimate, mean "
        "of windows and blocks");
}

static void
draw_head(Canvas *canvas, guint height)
{
    const FolioHeatmap *heatmap = canvas->heatmap;

    g_string_append_printf(canvas->out,
                           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                           "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
                           "viewBox=\"0 0 %u %u\">\n"
                           "<style>text{font:12px 'DejaVu Sans',sans-serif;fill:#222222}"
                           ".t{font-size:18px;font-weight:bold}.n{font-size:10px}"
                           ".e{text-anchor:end}.m{text-anchor:middle}</style>\n",
                           WIDTH, height, WIDTH, height);
    rectangle(canvas, 0, 0, WIDTH, height, "#ffffff", FALSE);
    text_at(canvas, 16, 28, " class=\"t\"", "%s", heatmap->title);
    text_at(canvas, 16, 50, "", "%s", heatmap->subtitle);
    if (heatmap->note != NULL)
        text_at(canvas, 16, 68, "", "%s", heatmap->note);
}

char *
folio_heatmap_svg(const FolioHeatmap *heatmap)
{
    g_auto(Canvas) canvas = { .heatmap = heatmap, .out = g_string_new(NULL) };

    choose_levels(&canvas);
    place_rows(&canvas);
    draw_head(&canvas, canvas.y[heatmap->n_rows] + BOTTOM);
    draw_rows(&canvas);
    draw_axes(&canvas);
    draw_legend(&canvas);
    g_string_append(canvas.out, "</svg>\n");
    return g_string_free(canvas.out, FALSE);
}
