/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listening to foliod. */
#include "ctl/signals.h"

#define PROPERTIES "org.freedesktop.DBus.Properties"

struct _FolioSignals {
    GDBusConnection *bus;
    const FolioSignalEvents *events;
    gpointer user_data;
    guint job_id, properties_id, watch_id;
};

static void
on_job(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
       const char *signal, GVariant *arguments, gpointer user_data)
{
    FolioSignals *signals = user_data;
    const char *state, *error;
    guint64 done, total;
    guint job;

    if (signals->events->job == NULL || !g_variant_is_of_type(arguments, G_VARIANT_TYPE("(ustts)")))
        return;
    g_variant_get(arguments, "(u&stt&s)", &job, &state, &done, &total, &error);
    signals->events->job(job, state, done, total, error, signals->user_data);
}

static void
on_properties(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
              const char *signal, GVariant *arguments, gpointer user_data)
{
    FolioSignals *signals = user_data;
    g_autoptr(GVariant) changed = NULL;
    g_autofree const char **invalidated = NULL;

    if (!g_variant_is_of_type(arguments, G_VARIANT_TYPE("(sa{sv}as)")))
        return;
    g_variant_get(arguments, "(&s@a{sv}^a&s)", NULL, &changed, &invalidated);
    if (g_strv_contains(invalidated, "Uuid")) {
        if (signals->events->gone != NULL)
            signals->events->gone(path, signals->user_data);
        return;
    }
    if (signals->events->changed != NULL)
        signals->events->changed(path, changed, signals->user_data);
}

static void
on_vanished(GDBusConnection *bus, const char *name, gpointer user_data)
{
    FolioSignals *signals = user_data;

    if (signals->events->ended != NULL)
        signals->events->ended(signals->user_data);
}

/* A unique name: anybody may send a signal to anybody, but not as foliod. */
static char *
find_owner(GDBusConnection *bus, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
        bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
        "GetNameOwner", g_variant_new("(s)", FOLIO_CLIENT_BUS_NAME), G_VARIANT_TYPE("(s)"),
        G_DBUS_CALL_FLAGS_NONE, -1, NULL, &local);
    char *owner = NULL;

    if (reply != NULL) {
        g_variant_get(reply, "(s)", &owner);
        return owner;
    }
    folio_client_explain_error(local);
    g_propagate_error(error, g_steal_pointer(&local));
    return NULL;
}

FolioSignals *
folio_signals_new(FolioClient *client, const FolioSignalEvents *events, gpointer user_data,
                  GError **error)
{
    GDBusConnection *bus = folio_client_get_bus(client);
    g_autofree char *owner = find_owner(bus, error);
    g_autoptr(FolioSignals) signals = NULL;
    g_autoptr(GVariant) reply = NULL;

    if (owner == NULL)
        return NULL;
    signals = g_new0(FolioSignals, 1);
    signals->bus = g_object_ref(bus);
    signals->events = events;
    signals->user_data = user_data;
    signals->job_id = g_dbus_connection_signal_subscribe(
        bus, owner, FOLIO_CLIENT_MANAGER, "JobChanged", FOLIO_CLIENT_MANAGER_PATH, NULL,
        G_DBUS_SIGNAL_FLAGS_NONE, on_job, signals, NULL);
    signals->properties_id =
        g_dbus_connection_signal_subscribe(bus, owner, PROPERTIES, "PropertiesChanged", NULL, NULL,
                                           G_DBUS_SIGNAL_FLAGS_NONE, on_properties, signals, NULL);
    signals->watch_id = g_bus_watch_name_on_connection(bus, owner, G_BUS_NAME_WATCHER_FLAGS_NONE,
                                                       NULL, on_vanished, signals, NULL);
    reply = folio_client_call(client, FOLIO_CLIENT_MANAGER_PATH, FOLIO_CLIENT_MANAGER, "Subscribe",
                              NULL, "()", error);
    return reply != NULL ? g_steal_pointer(&signals) : NULL;
}

void
folio_signals_free(FolioSignals *signals)
{
    g_bus_unwatch_name(signals->watch_id);
    g_dbus_connection_signal_unsubscribe(signals->bus, signals->job_id);
    g_dbus_connection_signal_unsubscribe(signals->bus, signals->properties_id);
    g_object_unref(signals->bus);
    g_free(signals);
}
