/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events as lines of JSON. */
#include "ctl/json-event.h"

#include "ctl/json-text.h"

static JsonBuilder *
begin(GDateTime *when, const char *event)
{
    g_autofree char *time = g_date_time_format_iso8601(when);
    JsonBuilder *builder = folio_json_begin();

    folio_json_add_string(builder, "time", time);
    folio_json_add_string(builder, "event", event);
    return builder;
}

/* "ReasonText" -> "reason_text". */
static char *
to_member(const char *property)
{
    GString *member = g_string_new(NULL);

    for (const char *p = property; *p != '\0'; p++) {
        if (g_ascii_isupper(*p) && p > property)
            g_string_append_c(member, '_');
        g_string_append_c(member, g_ascii_tolower(*p));
    }
    return g_string_free(member, FALSE);
}

static void
add_changed(JsonBuilder *builder, GVariant *changed)
{
    GVariantIter iter;
    const char *key;
    GVariant *child;

    json_builder_set_member_name(builder, "changed");
    json_builder_begin_object(builder);
    g_variant_iter_init(&iter, changed);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &child)) {
        g_autoptr(GVariant) value = child;
        g_autofree char *member = to_member(key);

        json_builder_set_member_name(builder, member);
        json_builder_add_value(builder, json_gvariant_serialize(value));
    }
    json_builder_end_object(builder);
}

char *
folio_json_event_host(GDateTime *when, GVariant *changed)
{
    g_autoptr(JsonBuilder) builder = begin(when, "host");

    add_changed(builder, changed);
    return folio_json_finish(builder, FALSE);
}

char *
folio_json_event_guest(GDateTime *when, const char *uuid, const char *name, GVariant *changed)
{
    g_autoptr(JsonBuilder) builder = begin(when, "guest");

    folio_json_add_string(builder, "uuid", uuid);
    folio_json_add_string(builder, "name", name);
    add_changed(builder, changed);
    return folio_json_finish(builder, FALSE);
}

char *
folio_json_event_gone(GDateTime *when, const char *uuid, const char *name)
{
    g_autoptr(JsonBuilder) builder = begin(when, "gone");

    folio_json_add_string(builder, "uuid", uuid);
    folio_json_add_string(builder, "name", name);
    return folio_json_finish(builder, FALSE);
}

char *
folio_json_event_job(GDateTime *when, guint job, const char *state, guint64 done, guint64 total,
                     const char *error)
{
    g_autoptr(JsonBuilder) builder = begin(when, "job");

    folio_json_add_number(builder, "job", job);
    folio_json_add_string(builder, "state", state);
    folio_json_add_number(builder, "done", done);
    folio_json_add_number(builder, "total", total);
    folio_json_add_string(builder, "error", error);
    return folio_json_finish(builder, FALSE);
}

char *
folio_json_event_ended(GDateTime *when)
{
    g_autoptr(JsonBuilder) builder = begin(when, "ended");

    return folio_json_finish(builder, FALSE);
}
