/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paints a scene by cairo. */
#include "report/scene-paint.h"

#include "base/error.h"

#include <cairo-svg.h>
#include <cairo.h>
#include <string.h>

#define FONT "DejaVu Sans" /* or what fontconfig has in its place */

static void
set_colour(cairo_t *cairo, guint32 colour)
{
    cairo_set_source_rgb(cairo, (colour >> 16) / 255.0, (colour >> 8 & 0xff) / 255.0,
                         (colour & 0xff) / 255.0);
}

/* ---- Text */

static void
set_font(cairo_t *cairo, FolioTextStyle style)
{
    static const double sizes[] = { 18, 12, 10 };

    cairo_select_font_face(cairo, FONT, CAIRO_FONT_SLANT_NORMAL,
                           style == FOLIO_TEXT_TITLE ? CAIRO_FONT_WEIGHT_BOLD
                                                     : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, sizes[style]);
}

/* As much of the text as fits, with an ellipsis if that is not all. */
static char *
fit(cairo_t *cairo, const FolioSceneItem *item)
{
    g_autofree char *kept = g_strdup(item->text);
    cairo_text_extents_t extents;

    cairo_text_extents(cairo, kept, &extents);
    if (item->width <= 0 || extents.x_advance <= item->width)
        return g_steal_pointer(&kept);
    for (glong n = g_utf8_strlen(kept, -1) - 1; n > 0; n--) {
        g_autofree char *start = g_utf8_substring(item->text, 0, n);

        g_free(kept);
        kept = g_strconcat(start, "…", NULL);
        cairo_text_extents(cairo, kept, &extents);
        if (extents.x_advance <= item->width)
            break;
    }
    return g_steal_pointer(&kept);
}

static double
start_of(const FolioSceneItem *item, const cairo_text_extents_t *extents)
{
    if (item->align == FOLIO_ALIGN_LEFT)
        return item->x;
    return item->align == FOLIO_ALIGN_RIGHT ? item->x - extents->x_advance
                                            : item->x - extents->x_advance / 2;
}

static void
paint_text(cairo_t *cairo, const FolioSceneItem *item)
{
    g_autofree char *text = NULL;
    cairo_text_extents_t extents;

    set_font(cairo, item->style);
    text = fit(cairo, item);
    cairo_text_extents(cairo, text, &extents);
    cairo_move_to(cairo, start_of(item, &extents), item->y);
    set_colour(cairo, item->colour);
    cairo_show_text(cairo, text);
}

void
folio_scene_measure(const FolioSceneItem *item, double *x, double *y, double *width, double *height)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    cairo_t *cairo = cairo_create(surface);
    g_autofree char *text = NULL;
    cairo_text_extents_t extents;

    set_font(cairo, item->style);
    text = fit(cairo, item);
    cairo_text_extents(cairo, text, &extents);
    *x = start_of(item, &extents) + extents.x_bearing;
    *y = item->y + extents.y_bearing;
    *width = extents.width;
    *height = extents.height;
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
}

/* ---- All of it */

static void
paint_line(cairo_t *cairo, const FolioSceneItem *item)
{
    static const double dashes[] = { 2, 4 };

    cairo_set_dash(cairo, dashes, item->kind == FOLIO_SCENE_DASHES ? 2 : 0, 0);
    cairo_move_to(cairo, item->x, item->y);
    cairo_rel_line_to(cairo, item->width, item->height);
    set_colour(cairo, item->colour);
    cairo_stroke(cairo);
}

static gboolean
joins(const FolioScene *scene, guint i, const FolioSceneItem *item)
{
    const FolioSceneItem *next;

    if (i >= scene->items->len)
        return FALSE;
    next = &g_array_index(scene->items, FolioSceneItem, i);
    return next->kind == FOLIO_SCENE_RECTANGLE && next->colour == item->colour;
}

/* Those of one colour that follow each other are one path: there may be 80,000 of them. */
static guint
paint_rectangles(cairo_t *cairo, const FolioScene *scene, guint i)
{
    const FolioSceneItem *first = &g_array_index(scene->items, FolioSceneItem, i);

    cairo_set_antialias(cairo, CAIRO_ANTIALIAS_NONE);
    for (; joins(scene, i, first); i++) {
        const FolioSceneItem *item = &g_array_index(scene->items, FolioSceneItem, i);

        cairo_rectangle(cairo, item->x, item->y, item->width, item->height);
    }
    set_colour(cairo, first->colour);
    cairo_fill(cairo);
    cairo_set_antialias(cairo, CAIRO_ANTIALIAS_DEFAULT);
    return i;
}

static void
paint_frame(cairo_t *cairo, const FolioSceneItem *item)
{
    cairo_set_dash(cairo, NULL, 0, 0);
    cairo_rectangle(cairo, item->x + 0.5, item->y + 0.5, item->width - 1, item->height - 1);
    set_colour(cairo, item->colour);
    cairo_stroke(cairo);
}

static void
paint(cairo_t *cairo, const FolioScene *scene)
{
    guint i = 0;

    set_colour(cairo, 0xffffff);
    cairo_paint(cairo);
    cairo_set_line_width(cairo, 1);
    while (i < scene->items->len) {
        const FolioSceneItem *item = &g_array_index(scene->items, FolioSceneItem, i);

        if (item->kind == FOLIO_SCENE_RECTANGLE) {
            i = paint_rectangles(cairo, scene, i);
            continue;
        }
        if (item->kind == FOLIO_SCENE_TEXT)
            paint_text(cairo, item);
        else if (item->kind == FOLIO_SCENE_FRAME)
            paint_frame(cairo, item);
        else
            paint_line(cairo, item);
        i++;
    }
}

static cairo_status_t
take_bytes(void *closure, const unsigned char *data, unsigned int length)
{
    g_byte_array_append(closure, data, length);
    return CAIRO_STATUS_SUCCESS;
}

/* Writes out what was painted, and frees the surface. */
static cairo_status_t
finish(cairo_surface_t *surface, FolioPictureFormat format, GByteArray *bytes)
{
    cairo_status_t status = cairo_surface_status(surface);

    if (status == CAIRO_STATUS_SUCCESS && format == FOLIO_PICTURE_PNG)
        status = cairo_surface_write_to_png_stream(surface, take_bytes, bytes);
    cairo_surface_finish(surface);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_status(surface);
    cairo_surface_destroy(surface);
    return status;
}

/* Cairo draws the shapes of letters: the words are put into the root element beside them. */
static void
add_words(const FolioScene *scene, GByteArray *svg)
{
    const char *root = g_strstr_len((const char *) svg->data, svg->len, "<svg ");
    const char *end = root != NULL ? strchr(root, '>') : NULL;
    g_autofree char *words =
        g_markup_printf_escaped("\n<title>%s</title>\n<desc>%s</desc>", scene->title, scene->text);
    g_autoptr(GBytes) rest = NULL;
    gsize at;

    if (end == NULL)
        return;
    at = (gsize) (end + 1 - (const char *) svg->data);
    rest = g_bytes_new(svg->data + at, svg->len - at);
    g_byte_array_set_size(svg, (guint) at);
    g_byte_array_append(svg, (const guint8 *) words, (guint) strlen(words));
    g_byte_array_append(svg, g_bytes_get_data(rest, NULL), (guint) g_bytes_get_size(rest));
}

GBytes *
folio_scene_paint(const FolioScene *scene, FolioPictureFormat format, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    cairo_surface_t *surface;
    cairo_status_t painted, written;
    cairo_t *cairo;

    if (format == FOLIO_PICTURE_PNG)
        surface =
            cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int) scene->width, (int) scene->height);
    else
        surface =
            cairo_svg_surface_create_for_stream(take_bytes, bytes, scene->width, scene->height);
    if (format == FOLIO_PICTURE_SVG)
        cairo_svg_surface_set_document_unit(surface, CAIRO_SVG_UNIT_PX);
    cairo = cairo_create(surface);
    paint(cairo, scene);
    painted = cairo_status(cairo);
    cairo_destroy(cairo);
    written = finish(surface, format, bytes);
    if (format == FOLIO_PICTURE_SVG && scene->title != NULL && written == CAIRO_STATUS_SUCCESS)
        add_words(scene, bytes);
    if (painted == CAIRO_STATUS_SUCCESS && written == CAIRO_STATUS_SUCCESS)
        return g_byte_array_free_to_bytes(g_steal_pointer(&bytes));
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "cairo: %s",
                cairo_status_to_string(painted != CAIRO_STATUS_SUCCESS ? painted : written));
    return NULL;
}
