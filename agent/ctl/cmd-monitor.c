/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl monitor: a line for each thing that happens. */
#include "base/error.h"
#include "base/log.h"
#include "ctl/cmd.h"
#include "ctl/json-event.h"
#include "ctl/signals.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>

typedef struct {
    const FolioInvocation *invocation;
    GMainLoop *loop;
    FolioSignals *signals; /* NULL while foliod is not there */
    GHashTable *known;     /* path -> a{sv}: properties as they were told last */
    gboolean was_there;
    GError *error; /* why it cannot go on */
} Monitor;

/* Takes json. text is a line for people, which may hold foreign parts. */
static void
print(const Monitor *monitor, char *json, const char *text)
{
    g_autofree char *line = json;

    if (monitor->invocation->json) {
        fputs(line, stdout);
    } else {
        g_autoptr(GDateTime) now = g_date_time_new_now_local();
        g_autofree char *time = g_date_time_format(now, "%H:%M:%S");
        g_autofree char *escaped = folio_escape(text);

        printf("%s  %s\n", time, escaped);
    }
    /* Whoever reads it through a pipe is to have it now. */
    if (fflush(stdout) != 0)
        g_main_loop_quit(monitor->loop);
}

/* before with what has changed; before may be NULL. */
static GVariant *
merge(GVariant *before, GVariant *changed)
{
    GVariantDict merged;
    GVariantIter iter;
    const char *key;
    GVariant *child;

    g_variant_dict_init(&merged, before);
    g_variant_iter_init(&iter, changed);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &child)) {
        g_autoptr(GVariant) value = child;

        g_variant_dict_insert_value(&merged, key, value);
    }
    return g_variant_ref_sink(g_variant_dict_end(&merged));
}

static gboolean
has_any(GVariant *dict, const char *const *keys)
{
    for (gsize i = 0; keys[i] != NULL; i++) {
        g_autoptr(GVariant) value = g_variant_lookup_value(dict, keys[i], NULL);

        if (value != NULL)
            return TRUE;
    }
    return FALSE;
}

static char *
describe_host(GVariant *now)
{
    const gboolean connected = folio_dict_boolean(now, "Connected");

    return g_strdup_printf("foliod: %s; %s %s%s%s",
                           folio_dict_boolean(now, "Paused") ? "paused" : "at work",
                           folio_dict_string(now, "Uri"), connected ? "connected" : "not connected",
                           connected ? "" : ": ", folio_dict_string(now, "ConnectionError"));
}

/* What has changed of a guest, for people. */
static char *
describe_guest(GVariant *now, GVariant *changed)
{
    static const char *const standing[] = { "State", "Mode", "Reason", "ReasonText", NULL };
    static const char *const acts[] = { "SplitBlocks", "CollapsedBlocks", NULL };
    static const char *const heat[] = { "Windows", NULL };
    const guint64 windows = folio_dict_number(now, "Windows");
    GString *text = g_string_new(folio_dict_string(now, "Name"));

    if (has_any(changed, standing))
        g_string_append_printf(text, ": %s, mode %s: %s", folio_dict_string(now, "State"),
                               folio_dict_string(now, "Mode"),
                               folio_dict_string(now, "ReasonText"));
    if (has_any(changed, heat) && windows > 0) {
        g_autofree char *totals = folio_heat_totals(
            folio_dict_number(now, "SparseBytes"), folio_dict_number(now, "DenseBytes"),
            folio_dict_number(now, "UndecidedBytes"), folio_dict_number(now, "IdleBytes"), TRUE);

        g_string_append_printf(text, ": window %" G_GUINT64_FORMAT ": %s", windows, totals);
    }
    if (has_any(changed, acts))
        g_string_append_printf(
            text, ": %" G_GUINT64_FORMAT " blocks split, %" G_GUINT64_FORMAT " collapsed",
            folio_dict_number(now, "SplitBlocks"), folio_dict_number(now, "CollapsedBlocks"));
    return g_string_free(text, FALSE);
}

static void
on_changed(const char *path, GVariant *changed, gpointer user_data)
{
    Monitor *monitor = user_data;
    g_autoptr(GDateTime) when = g_date_time_new_now_utc();
    GVariant *now = merge(g_hash_table_lookup(monitor->known, path), changed);
    g_autofree char *text = NULL;

    g_hash_table_replace(monitor->known, g_strdup(path), now);
    if (g_str_equal(path, FOLIO_CLIENT_MANAGER_PATH)) {
        text = describe_host(now);
        print(monitor, folio_json_event_host(when, changed), text);
        return;
    }
    text = describe_guest(now, changed);
    print(monitor,
          folio_json_event_guest(when, folio_dict_string(now, "Uuid"),
                                 folio_dict_string(now, "Name"), changed),
          text);
}

static void
on_gone(const char *path, gpointer user_data)
{
    Monitor *monitor = user_data;
    g_autoptr(GDateTime) when = g_date_time_new_now_utc();
    GVariant *before = g_hash_table_lookup(monitor->known, path);
    g_autofree char *text = NULL;

    if (before == NULL)
        return;
    text = g_strdup_printf("%s: gone", folio_dict_string(before, "Name"));
    print(monitor,
          folio_json_event_gone(when, folio_dict_string(before, "Uuid"),
                                folio_dict_string(before, "Name")),
          text);
    g_hash_table_remove(monitor->known, path);
}

static void
on_job(guint job, const char *state, guint64 done, guint64 total, const char *error,
       gpointer user_data)
{
    Monitor *monitor = user_data;
    g_autoptr(GDateTime) when = g_date_time_new_now_utc();
    g_autofree char *text =
        g_strdup_printf("job %u: %s, %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " blocks%s%s",
                        job, state, done, total, *error != '\0' ? ": " : "", error);

    print(monitor, folio_json_event_job(when, job, state, done, total, error), text);
}

static void
on_appeared(GDBusConnection *bus, const char *name, const char *owner, gpointer user_data)
{
    static const FolioSignalEvents events = { .job = on_job,
                                              .changed = on_changed,
                                              .gone = on_gone };
    Monitor *monitor = user_data;

    monitor->was_there = TRUE;
    monitor->signals =
        folio_signals_new(monitor->invocation->client, &events, monitor, &monitor->error);
    if (monitor->signals == NULL)
        g_main_loop_quit(monitor->loop);
}

static void
on_vanished(GDBusConnection *bus, const char *name, gpointer user_data)
{
    Monitor *monitor = user_data;
    g_autoptr(GDateTime) when = g_date_time_new_now_utc();

    if (!monitor->was_there) {
        monitor->error = g_error_new_literal(G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN,
                                             "foliod is not running");
        g_main_loop_quit(monitor->loop);
        return;
    }
    g_clear_pointer(&monitor->signals, folio_signals_free);
    g_hash_table_remove_all(monitor->known);
    print(monitor, folio_json_event_ended(when), "foliod has ended");
}

static gboolean
on_interrupt(gpointer user_data)
{
    Monitor *monitor = user_data;

    g_main_loop_quit(monitor->loop);
    return G_SOURCE_CONTINUE;
}

FolioExitStatus
folio_cmd_monitor(const FolioInvocation *invocation, GError **error)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GHashTable) known =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_variant_unref);
    Monitor monitor = { .invocation = invocation, .loop = loop, .known = known };
    guint interrupt = g_unix_signal_add(SIGINT, on_interrupt, &monitor);
    guint watch = g_bus_watch_name_on_connection(
        folio_client_get_bus(invocation->client), FOLIO_CLIENT_BUS_NAME,
        G_BUS_NAME_WATCHER_FLAGS_NONE, on_appeared, on_vanished, &monitor, NULL);

    g_main_loop_run(loop);
    g_bus_unwatch_name(watch);
    g_source_remove(interrupt);
    g_clear_pointer(&monitor.signals, folio_signals_free);
    if (monitor.error == NULL)
        return FOLIO_EXIT_OK;
    g_propagate_error(error, monitor.error);
    return FOLIO_EXIT_FAILED;
}
