/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options of single verbs. */
#include "ctl/options.h"

/* GLib writes the values of a group's entries where they point to, and callbacks get its data. */
static void
add_group(GOptionContext *context, const char *name, const GOptionEntry *entries, gpointer data)
{
    GOptionGroup *group = g_option_group_new(name, "", "", data, NULL);

    g_option_group_add_entries(group, entries);
    g_option_context_add_group(context, group);
}

void
folio_picture_add_options(GOptionContext *context, FolioPictureOptions *options)
{
    const GOptionEntry entries[] = {
        { "svg", 0, 0, G_OPTION_ARG_FILENAME, &options->svg, NULL, NULL },
        { "png", 0, 0, G_OPTION_ARG_FILENAME, &options->png, NULL, NULL },
        { "force", 0, 0, G_OPTION_ARG_NONE, &options->force, NULL, NULL },
        G_OPTION_ENTRY_NULL,
    };

    add_group(context, "picture", entries, options);
}

gboolean
folio_picture_options_given(const FolioPictureOptions *options)
{
    return options->svg != NULL || options->png != NULL;
}

void
folio_picture_options_clear(FolioPictureOptions *options)
{
    g_free(options->svg);
    g_free(options->png);
}

static gboolean
parse_by(const char *name, const char *value, gpointer data, GError **error)
{
    FolioHeatOptions *options = data;

    options->by_time = g_str_equal(value, "time");
    options->by_given = TRUE;
    if (options->by_time || g_str_equal(value, "sub-page"))
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--by: \"%s\" is neither time nor sub-page", value);
    return FALSE;
}

/* A whole number from 0 to max. */
static gboolean
parse_number(const char *name, const char *value, guint64 max, gint64 *number, GError **error)
{
    guint64 parsed;

    if (!g_ascii_string_to_unsigned(value, 10, 0, max, &parsed, NULL)) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "%s: \"%s\" is no number from 0 to %" G_GUINT64_FORMAT, name, value, max);
        return FALSE;
    }
    *number = (gint64) parsed;
    return TRUE;
}

static gboolean
parse_block(const char *name, const char *value, gpointer data, GError **error)
{
    return parse_number(name, value, G_MAXUINT32, &((FolioHeatOptions *) data)->block, error);
}

static gboolean
parse_top(const char *name, const char *value, gpointer data, GError **error)
{
    return parse_number(name, value, 64, &((FolioHeatOptions *) data)->top, error);
}

void
folio_heat_add_options(GOptionContext *context, FolioHeatOptions *options)
{
    const GOptionEntry entries[] = {
        { "by", 0, 0, G_OPTION_ARG_CALLBACK, (gpointer) (GOptionArgFunc) parse_by, NULL, NULL },
        { "block", 0, 0, G_OPTION_ARG_CALLBACK, (gpointer) (GOptionArgFunc) parse_block, NULL,
          NULL },
        { "top", 0, 0, G_OPTION_ARG_CALLBACK, (gpointer) (GOptionArgFunc) parse_top, NULL, NULL },
        G_OPTION_ENTRY_NULL,
    };

    options->block = options->top = -1;
    add_group(context, "heat", entries, options);
}

static gboolean
parse_order(const char *name, const char *value, gpointer data, GError **error)
{
    return parse_number(name, value, G_MAXUINT32, &((FolioActOptions *) data)->order, error);
}

void
folio_act_add_options(GOptionContext *context, FolioActOptions *options)
{
    const GOptionEntry entries[] = {
        { "order", 0, 0, G_OPTION_ARG_CALLBACK, (gpointer) (GOptionArgFunc) parse_order, NULL,
          NULL },
        { "sparse", 0, 0, G_OPTION_ARG_NONE, &options->sparse, NULL, NULL },
        { "restore", 0, 0, G_OPTION_ARG_NONE, &options->restore, NULL, NULL },
        G_OPTION_ENTRY_NULL,
    };

    options->order = -1;
    add_group(context, "act", entries, options);
}
