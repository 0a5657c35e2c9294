/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Adds the alignment to memory-backend-file objects on QEMU's command line. */
#include "launch/align.h"

#include <json-glib/json-glib.h>
#include <string.h>

#define OBJECT_TYPE "memory-backend-file"

/* json-glib recurses without a limit, while one argument can hold 128 KiB of brackets. The objects
 * of QEMU nest three deep. */
#define MAX_NESTING 32

/* Whether brackets nest at most MAX_NESTING deep. Those inside strings count too: a path with 32
 * opening brackets is then left alone, which does no harm. */
static gboolean
nests_little(const char *json)
{
    int depth = 0;

    for (const char *p = json; *p != '\0'; p++) {
        if (*p == '{' || *p == '[')
            depth++;
        else if (*p == '}' || *p == ']')
            depth--;
        if (depth > MAX_NESTING)
            return FALSE;
    }
    return TRUE;
}

static const char *
string_member(JsonObject *object, const char *member)
{
    JsonNode *node = json_object_get_member(object, member);

    if (node == NULL || json_node_get_value_type(node) != G_TYPE_STRING)
        return NULL;
    return json_node_get_string(node);
}

static char *
align_json(const char *json, FolioOnTmpfs on_tmpfs, gpointer user_data)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonObject *object;
    const char *path;

    if (!nests_little(json))
        return NULL;
    parser = json_parser_new();
    if (!json_parser_load_from_data(parser, json, -1, NULL) ||
        !JSON_NODE_HOLDS_OBJECT(json_parser_get_root(parser)))
        return NULL;

    object = json_node_get_object(json_parser_get_root(parser));
    path = string_member(object, "mem-path");
    if (g_strcmp0(string_member(object, "qom-type"), OBJECT_TYPE) != 0 ||
        json_object_has_member(object, "align") || path == NULL || !on_tmpfs(path, user_data))
        return NULL;
    /* As text, so that nothing else changes; the object has members, hence the comma. */
    return g_strdup_printf("{\"align\":%d,%s", FOLIO_LAUNCH_ALIGN_BYTES, json + 1);
}

/* Takes one value up to its comma, where ",," stands for a comma; *p then points behind the comma.
 */
static char *
take_value(const char **p)
{
    GString *value = g_string_new(NULL);

    while (**p != '\0') {
        if (**p == ',' && *++*p != ',')
            break;
        g_string_append_c(value, *(*p)++);
    }
    return g_string_free(value, FALSE);
}

/* Takes one KEY=VALUE; the first may be a value alone, then of the key qom-type; a later key alone
 * is a boolean. QEMU lets the last of several equal keys win, and so do the callers. */
static void
take_pair(const char **p, gboolean first, char **key, char **value)
{
    gsize length = strcspn(*p, "=,");

    if ((*p)[length] == '=') {
        *key = g_strndup(*p, length);
        *p += length + 1;
        *value = take_value(p);
    } else if (first) {
        *key = g_strdup("qom-type");
        *value = take_value(p);
    } else {
        *key = take_value(p);
        *value = g_strdup("on");
    }
}

static char *
align_keyval(const char *text, FolioOnTmpfs on_tmpfs, gpointer user_data)
{
    g_autofree char *type = NULL;
    g_autofree char *path = NULL;
    gsize length = strlen(text);
    const char *p = text;
    gboolean ends_in_comma;

    while (*p != '\0') {
        g_autofree char *key = NULL;
        g_autofree char *value = NULL;

        take_pair(&p, p == text, &key, &value);
        if (g_str_equal(key, "align"))
            return NULL;
        if (g_str_equal(key, "qom-type")) {
            g_free(type);
            type = g_steal_pointer(&value);
        } else if (g_str_equal(key, "mem-path")) {
            g_free(path);
            path = g_steal_pointer(&value);
        }
    }
    if (g_strcmp0(type, OBJECT_TYPE) != 0 || path == NULL || !on_tmpfs(path, user_data))
        return NULL;

    /* A comma at the end is a separator already; another would make it a comma of the last value.
     * An even number of them is that value's own. */
    ends_in_comma = FALSE;
    while (length > 0 && text[--length] == ',')
        ends_in_comma = !ends_in_comma;
    return g_strconcat(text, ends_in_comma ? "align=2M" : ",align=2M", NULL);
}

char *
folio_align_object(const char *value, FolioOnTmpfs on_tmpfs, gpointer user_data)
{
    /* As QEMU tells the two forms apart. */
    if (*value == '{')
        return align_json(value, on_tmpfs, user_data);
    return align_keyval(value, on_tmpfs, user_data);
}

char **
folio_align_arguments(const char *const *arguments, FolioOnTmpfs on_tmpfs, gpointer user_data)
{
    g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
    gboolean object_next = FALSE;

    for (const char *const *argument = arguments; *argument != NULL; argument++) {
        g_autofree char *aligned = NULL;

        if (object_next)
            aligned = folio_align_object(*argument, on_tmpfs, user_data);
        g_strv_builder_add(builder, aligned != NULL ? aligned : *argument);
        /* The value of -object is no option, whatever it looks like. QEMU takes one or two dashes,
         * no abbreviation, and no "-object=VALUE". */
        object_next = !object_next &&
                      (g_str_equal(*argument, "-object") || g_str_equal(*argument, "--object"));
    }
    return g_strv_builder_end(builder);
}
