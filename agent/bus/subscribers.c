/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is told of changes, and what. */
#include "bus/subscribers.h"

#include "base/error.h"
#include "base/log.h"
#include "bus/access.h"
#include "bus/audience.h"
#include "bus/path.h"

/* Changes that come closer together are told as one. */
#define GATHER_MSEC 100

/* The uuid of the host. */
#define HOST ""

typedef struct {
    FolioAudience *audience;
    guint watch_id; /* of its name on the bus */
} Subscriber;

struct _FolioSubscribers {
    GDBusConnection *connection;
    FolioManager *manager;
    FolioBouncer *bouncer;
    FolioJobs *jobs;
    FolioSubscribersDescribe describe;
    GHashTable *list;    /* sender -> Subscriber */
    GHashTable *told;    /* uuid -> a{sv}: what was told to all last */
    GHashTable *changed; /* uuids to be told of */
    guint gather_source;
};

static void
subscriber_free(gpointer data)
{
    Subscriber *subscriber = data;

    g_bus_unwatch_name(subscriber->watch_id);
    folio_audience_leave(subscriber->audience);
    g_free(subscriber);
}

/* What goes to one subscriber. That it may have left meanwhile, the bus knows. */

static void
emit(FolioSubscribers *subscribers, const char *sender, const char *path, const char *interface,
     const char *signal, GVariant *arguments)
{
    g_dbus_connection_emit_signal(subscribers->connection, sender, path, interface, signal,
                                  arguments, NULL);
}

/* changed is an a{sv}; invalidated may be NULL. */
static void
emit_properties(FolioSubscribers *subscribers, const char *sender, const char *uuid,
                GVariant *changed, const char *const *invalidated)
{
    const gboolean of_host = g_str_equal(uuid, HOST);
    const char *interface = of_host ? FOLIO_MANAGER_INTERFACE : FOLIO_GUEST_INTERFACE;
    g_autofree char *path = of_host ? g_strdup(FOLIO_MANAGER_PATH) : folio_path_from_uuid(uuid);
    const char *const none[] = { NULL };

    emit(subscribers, sender, path, "org.freedesktop.DBus.Properties", "PropertiesChanged",
         g_variant_new("(s@a{sv}^as)", interface, changed,
                       invalidated != NULL ? invalidated : none));
}

/* NULL when the guest is not there. */
static GVariant *
describe(FolioSubscribers *subscribers, const char *uuid)
{
    FolioGuest *guest = NULL;

    if (!g_str_equal(uuid, HOST)) {
        guest = folio_manager_find_uuid(subscribers->manager, uuid);
        if (guest == NULL)
            return NULL;
    }
    return g_variant_ref_sink(
        subscribers->describe(subscribers->manager, subscribers->jobs, guest));
}

/* What goes to all that may hear it. */

/* The members of now that are not in before as they are; NULL before: all. */
static GVariant *
difference(GVariant *now, GVariant *before)
{
    GVariantDict changed;
    GVariantIter iter;
    const char *key;
    GVariant *child;

    if (before == NULL)
        return g_variant_ref(now);
    g_variant_dict_init(&changed, NULL);
    g_variant_iter_init(&iter, now);
    while (g_variant_iter_next(&iter, "{&sv}", &key, &child)) {
        g_autoptr(GVariant) value = child;
        g_autoptr(GVariant) old = g_variant_lookup_value(before, key, NULL);

        if (old == NULL || !g_variant_equal(old, value))
            g_variant_dict_insert_value(&changed, key, value);
    }
    return g_variant_ref_sink(g_variant_dict_end(&changed));
}

static void
tell_change(FolioSubscribers *subscribers, const char *uuid)
{
    g_autoptr(GVariant) now = describe(subscribers, uuid);
    g_autoptr(GVariant) changed = NULL;
    GHashTableIter iter;
    gpointer sender, value;

    if (now == NULL)
        return;
    changed = difference(now, g_hash_table_lookup(subscribers->told, uuid));
    if (g_variant_n_children(changed) == 0)
        return;
    g_hash_table_replace(subscribers->told, g_strdup(uuid), g_variant_ref(now));
    g_hash_table_iter_init(&iter, subscribers->list);
    while (g_hash_table_iter_next(&iter, &sender, &value)) {
        if (folio_audience_hears(((Subscriber *) value)->audience, uuid))
            emit_properties(subscribers, sender, uuid, changed, NULL);
    }
}

/* The others have what is told of it now as well: each later difference is one to all. */
static void
tell_all(const char *sender, const char *uuid, gpointer user_data)
{
    FolioSubscribers *subscribers = user_data;
    GVariant *all;

    tell_change(subscribers, uuid);
    all = g_hash_table_lookup(subscribers->told, uuid);
    if (all != NULL)
        emit_properties(subscribers, sender, uuid, all, NULL);
}

/* Nothing of it can be asked for any more. */
static void
tell_gone(const char *sender, const char *uuid, gpointer user_data)
{
    FolioSubscribers *subscribers = user_data;
    g_autoptr(GVariant) told =
        g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0));
    const char *const all[] = { "Name", "Uuid", "Pid", "State", NULL };

    if (!g_str_equal(uuid, HOST))
        emit_properties(subscribers, sender, uuid, told, all);
}

static void
tell_job(const char *sender, GVariant *job, gpointer user_data)
{
    emit(user_data, sender, FOLIO_MANAGER_PATH, FOLIO_MANAGER_INTERFACE, "JobChanged", job);
}

static const char *
find_name(const char *uuid, gpointer user_data)
{
    FolioSubscribers *subscribers = user_data;
    FolioGuest *guest;

    if (g_str_equal(uuid, HOST))
        return "";
    guest = folio_manager_find_uuid(subscribers->manager, uuid);
    return guest != NULL ? folio_guest_get_name(guest) : NULL;
}

static const FolioAudienceEvents audience_events = {
    .tell_all = tell_all, .tell_gone = tell_gone, .tell_job = tell_job, .find_name = find_name
};

static gboolean
on_gathered(gpointer user_data)
{
    FolioSubscribers *subscribers = user_data;
    g_autoptr(GHashTable) changed = g_steal_pointer(&subscribers->changed);
    GHashTableIter iter;
    gpointer uuid;

    subscribers->gather_source = 0;
    subscribers->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_iter_init(&iter, changed);
    while (g_hash_table_iter_next(&iter, &uuid, NULL))
        tell_change(subscribers, uuid);
    return G_SOURCE_REMOVE;
}

static void
gather(FolioSubscribers *subscribers, const char *uuid)
{
    if (g_hash_table_size(subscribers->list) == 0)
        return;
    g_hash_table_add(subscribers->changed, g_strdup(uuid));
    if (subscribers->gather_source == 0)
        subscribers->gather_source = g_timeout_add(GATHER_MSEC, on_gathered, subscribers);
}

void
folio_subscribers_tell_job(FolioSubscribers *subscribers, const FolioJob *job)
{
    g_autoptr(GVariant) arguments = g_variant_ref_sink(
        g_variant_new("(ustt@s)", job->id, folio_job_state_token(job->state), job->done, job->total,
                      g_variant_new_take_string(g_utf8_make_valid(job->error, -1))));
    GHashTableIter iter;
    gpointer value;

    if (job->state != FOLIO_JOB_RUNNING)
        gather(subscribers, job->uuid);
    gather(subscribers, HOST);

    g_hash_table_iter_init(&iter, subscribers->list);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        folio_audience_tell_job(((Subscriber *) value)->audience, job->uuid, arguments);
}

/* What has happened. */

static void
on_changed(FolioManager *manager, FolioSubscribers *subscribers)
{
    gather(subscribers, HOST);
}

static void
on_guest_changed(FolioManager *manager, FolioGuest *guest, FolioSubscribers *subscribers)
{
    gather(subscribers, folio_guest_get_uuid(guest));
}

static void
on_guest_added(FolioManager *manager, FolioGuest *guest, FolioSubscribers *subscribers)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, subscribers->list);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        folio_audience_admit(((Subscriber *) value)->audience, folio_guest_get_uuid(guest));
}

static void
on_guest_removed(FolioManager *manager, FolioGuest *guest, FolioSubscribers *subscribers)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_remove(subscribers->told, folio_guest_get_uuid(guest));
    g_hash_table_iter_init(&iter, subscribers->list);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        folio_audience_drop(((Subscriber *) value)->audience, folio_guest_get_uuid(guest));
}

static void
on_rights_changed(gpointer user_data)
{
    FolioSubscribers *subscribers = user_data;
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, subscribers->list);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        folio_audience_doubt(((Subscriber *) value)->audience);
}

static void
on_name_vanished(GDBusConnection *connection, const char *name, gpointer user_data)
{
    folio_debug("subscriber %s has left", name);
    folio_subscribers_remove(user_data, name);
}

/* The list */

gboolean
folio_subscribers_add(FolioSubscribers *subscribers, const char *sender, GError **error)
{
    g_autoptr(GPtrArray) guests = NULL;
    Subscriber *subscriber;

    if (g_hash_table_contains(subscribers->list, sender))
        return TRUE;
    if (g_hash_table_size(subscribers->list) >= FOLIO_SUBSCRIBERS_MAX) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "there are %d subscribers already",
                    FOLIO_SUBSCRIBERS_MAX);
        return FALSE;
    }
    subscriber = g_new0(Subscriber, 1);
    subscriber->audience =
        folio_audience_new(sender, subscribers->bouncer, &audience_events, subscribers);
    subscriber->watch_id = g_bus_watch_name_on_connection(subscribers->connection, sender,
                                                          G_BUS_NAME_WATCHER_FLAGS_NONE, NULL,
                                                          on_name_vanished, subscribers, NULL);
    g_hash_table_insert(subscribers->list, g_strdup(sender), subscriber);

    folio_audience_admit(subscriber->audience, HOST);
    guests = folio_manager_list_guests(subscribers->manager);
    for (guint i = 0; i < guests->len; i++)
        folio_audience_admit(subscriber->audience, folio_guest_get_uuid(guests->pdata[i]));
    return TRUE;
}

void
folio_subscribers_remove(FolioSubscribers *subscribers, const char *sender)
{
    g_hash_table_remove(subscribers->list, sender);
    /* What changes while nobody listens is not gathered. */
    if (g_hash_table_size(subscribers->list) == 0)
        g_hash_table_remove_all(subscribers->told);
}

FolioSubscribers *
folio_subscribers_new(GDBusConnection *connection, FolioManager *manager, FolioBouncer *bouncer,
                      FolioJobs *jobs, FolioSubscribersDescribe describe_function)
{
    FolioSubscribers *subscribers = g_rc_box_new0(FolioSubscribers);

    subscribers->connection = g_object_ref(connection);
    subscribers->manager = g_object_ref(manager);
    subscribers->bouncer = folio_bouncer_ref(bouncer);
    subscribers->jobs = folio_jobs_ref(jobs);
    subscribers->describe = describe_function;
    subscribers->list = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, subscriber_free);
    subscribers->told =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_variant_unref);
    subscribers->changed = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_signal_connect(manager, "changed", G_CALLBACK(on_changed), subscribers);
    g_signal_connect(manager, "guest-changed", G_CALLBACK(on_guest_changed), subscribers);
    g_signal_connect(manager, "guest-added", G_CALLBACK(on_guest_added), subscribers);
    g_signal_connect(manager, "guest-removed", G_CALLBACK(on_guest_removed), subscribers);
    folio_bouncer_set_changed(bouncer, on_rights_changed, subscribers);
    return subscribers;
}

FolioSubscribers *
folio_subscribers_ref(FolioSubscribers *subscribers)
{
    return g_rc_box_acquire(subscribers);
}

void
folio_subscribers_stop(FolioSubscribers *subscribers)
{
    g_signal_handlers_disconnect_by_data(subscribers->manager, subscribers);
    folio_bouncer_set_changed(subscribers->bouncer, NULL, NULL);
    g_clear_handle_id(&subscribers->gather_source, g_source_remove);
    g_hash_table_remove_all(subscribers->list);
}

static void
subscribers_clear(gpointer data)
{
    FolioSubscribers *subscribers = data;

    g_hash_table_unref(subscribers->list);
    g_hash_table_unref(subscribers->told);
    g_hash_table_unref(subscribers->changed);
    folio_jobs_unref(subscribers->jobs);
    folio_bouncer_unref(subscribers->bouncer);
    g_object_unref(subscribers->manager);
    g_object_unref(subscribers->connection);
}

void
folio_subscribers_unref(FolioSubscribers *subscribers)
{
    g_rc_box_release_full(subscribers, subscribers_clear);
}
