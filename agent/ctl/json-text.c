/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON as text. */
#include "ctl/json-text.h"

#include "base/log.h"

JsonBuilder *
folio_json_begin(void)
{
    JsonBuilder *builder = json_builder_new();

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "version");
    json_builder_add_int_value(builder, FOLIO_JSON_VERSION);
    return builder;
}

/* json-glib escapes below U+0020 only; some terminals obey the controls above U+007F too, and some
 * readers take U+2028 for the end of a line. Such characters stand inside strings, where JSON lets
 * them be written as UTF-16 units. */
static char *
escape_unprintable(const char *json)
{
    GString *out = g_string_new(NULL);

    for (const char *p = json; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (c < 0x7f || folio_is_printable(c))
            g_string_append_unichar(out, c);
        else if (c <= 0xffff)
            g_string_append_printf(out, "\\u%04x", c);
        else
            g_string_append_printf(out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10),
                                   0xdc00 + ((c - 0x10000) & 0x3ff));
    }
    g_string_append_c(out, '\n');
    return g_string_free(out, FALSE);
}

char *
folio_json_quote(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), valid);
    g_autofree char *json = json_to_string(node, FALSE);

    return g_strchomp(escape_unprintable(json));
}

char *
folio_json_finish(JsonBuilder *builder, gboolean pretty)
{
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;

    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, pretty);
    text = json_generator_to_data(generator, NULL);
    return escape_unprintable(text);
}

void
folio_json_add_string(JsonBuilder *builder, const char *member, const char *value)
{
    json_builder_set_member_name(builder, member);
    json_builder_add_string_value(builder, value);
}

void
folio_json_add_number(JsonBuilder *builder, const char *member, guint64 value)
{
    json_builder_set_member_name(builder, member);
    json_builder_add_int_value(builder, (gint64) value);
}
