/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log messages with structured fields. */
#include "base/log.h"

static void
add_field(GArray *fields, const char *key, const char *value)
{
    GLogField field = { .key = key, .value = value, .length = -1 };

    if (value != NULL)
        g_array_append_val(fields, field);
}

/* syslog's numbers, as the journal wants them. */
static const char *
priority(GLogLevelFlags level)
{
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
        return "3";
    if (level & G_LOG_LEVEL_WARNING)
        return "4";
    if (level & G_LOG_LEVEL_MESSAGE)
        return "5";
    return level & G_LOG_LEVEL_INFO ? "6" : "7";
}

void
folio_log(GLogLevelFlags level, const char *message_id, const char *guest_name,
          const char *guest_uuid, const char *format, ...)
{
    g_autoptr(GArray) fields = g_array_new(FALSE, FALSE, sizeof(GLogField));
    g_autofree char *message = NULL;
    g_autofree char *escaped = NULL;
    va_list args;

    va_start(args, format);
    message = g_strdup_vprintf(format, args);
    va_end(args);
    escaped = folio_escape(message);

    add_field(fields, "MESSAGE", escaped);
    add_field(fields, "PRIORITY", priority(level));
    add_field(fields, "GLIB_DOMAIN", G_LOG_DOMAIN);
    add_field(fields, "MESSAGE_ID", message_id);
    add_field(fields, "FOLIOD_GUEST_NAME", guest_name);
    add_field(fields, "FOLIOD_GUEST_UUID", guest_uuid);
    g_log_structured_array(level, (const GLogField *) (gpointer) fields->data, fields->len);
}

gboolean
folio_is_printable(gunichar c)
{
    return g_unichar_isprint(c) && g_unichar_type(c) != G_UNICODE_LINE_SEPARATOR &&
           g_unichar_type(c) != G_UNICODE_PARAGRAPH_SEPARATOR;
}

char *
folio_escape(const char *text)
{
    GString *out = g_string_sized_new(64);
    const char *p = text;

    while (*p != '\0') {
        gunichar c = g_utf8_get_char_validated(p, -1);

        if (c == (gunichar) -1 || c == (gunichar) -2 || !folio_is_printable(c)) {
            g_string_append_printf(out, "\\x%02x", (guchar) *p);
            p++;
            continue;
        }
        g_string_append_unichar(out, c);
        p = g_utf8_next_char(p);
    }
    return g_string_free(out, FALSE);
}
