/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A picture as a list of what is to be painted. */
#include "report/scene.h"

#include "base/log.h"

#define INK 0x222222

static void
item_clear(gpointer data)
{
    g_free(((FolioSceneItem *) data)->text);
}

FolioScene *
folio_scene_new(void)
{
    FolioScene *scene = g_new0(FolioScene, 1);

    scene->items = g_array_new(FALSE, FALSE, sizeof(FolioSceneItem));
    g_array_set_clear_func(scene->items, item_clear);
    return scene;
}

void
folio_scene_free(FolioScene *scene)
{
    if (scene == NULL)
        return;
    g_array_unref(scene->items);
    g_free(scene->title);
    g_free(scene->text);
    g_free(scene);
}

void
folio_scene_add(FolioScene *scene, FolioSceneKind kind, double x, double y, double width,
                double height, guint32 colour)
{
    const FolioSceneItem item = {
        .kind = kind, .x = x, .y = y, .width = width, .height = height, .colour = colour
    };

    g_array_append_val(scene->items, item);
}

static char *
make_printable(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_new(NULL);

    for (const char *p = valid; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        g_string_append_unichar(out, folio_is_printable(c) ? c : '?');
    }
    return g_string_free(out, FALSE);
}

void
folio_scene_add_text(FolioScene *scene, double x, double y, FolioTextStyle style, FolioAlign align,
                     const char *text)
{
    const FolioSceneItem item = {
        .kind = FOLIO_SCENE_TEXT,
        .x = x,
        .y = y,
        .colour = INK,
        .align = align,
        .style = style,
        .text = make_printable(text),
    };

    g_array_append_val(scene->items, item);
}

void
folio_scene_describe(FolioScene *scene, const char *title, const char *text)
{
    g_free(scene->title);
    g_free(scene->text);
    scene->title = make_printable(title);
    scene->text = make_printable(text);
}

void
folio_scene_limit_text(FolioScene *scene, double width)
{
    g_array_index(scene->items, FolioSceneItem, scene->items->len - 1).width = width;
}
