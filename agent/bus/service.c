/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod on the system bus. */
#include "bus/service.h"

#include "bus/guest-object.h"
#include "bus/introspection.h"
#include "bus/manager-object.h"
#include "bus/path.h"
#include "bus/requests.h"

/* DBUS_NAME_FLAG_DO_NOT_QUEUE and DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER of the D-Bus specification,
 * section org.freedesktop.DBus.RequestName. */
#define NAME_FLAG_DO_NOT_QUEUE   4
#define NAME_REPLY_PRIMARY_OWNER 1

struct _FolioService {
    FolioBusHouse house; /* all but the manager is NULL until the bus is there */
    FolioServiceEvents events;
    gpointer user_data;
    GCancellable *cancellable;
    GDBusConnection *connection;
    gulong closed_id;
    guint manager_id;
    guint guests_id;
};

static void
lose(FolioService *service, const char *why)
{
    void (*lost)(const char *, gpointer) = service->events.lost;

    service->events = (FolioServiceEvents){ NULL, NULL };
    if (lost != NULL)
        lost(why, service->user_data);
}

static void
on_call(GDBusConnection *connection, const char *sender, const char *path, const char *interface,
        const char *method, GVariant *arguments, GDBusMethodInvocation *invocation,
        gpointer user_data)
{
    FolioService *service = user_data;
    g_autofree char *uuid = folio_path_to_uuid(path);
    gboolean is_manager = g_str_equal(path, FOLIO_MANAGER_PATH);

    folio_call_begin(&service->house, invocation, uuid,
                     is_manager ? folio_manager_object_run : folio_guest_object_run);
}

/* Without get_property, GDBus passes Properties.Get and GetAll to on_call, and so to the bouncer,
 * and refuses Set because nothing is writable. */
static const GDBusInterfaceVTable vtable = { .method_call = on_call };

/* Guests are never listed, and any path looks like that of a guest: only calls tell who is there,
 * and they ask who calls. */
static char **
enumerate_guests(GDBusConnection *connection, const char *sender, const char *path,
                 gpointer user_data)
{
    return g_new0(char *, 1);
}

static GDBusInterfaceInfo **
introspect_guest(GDBusConnection *connection, const char *sender, const char *path,
                 const char *node, gpointer user_data)
{
    GDBusInterfaceInfo **interfaces = g_new0(GDBusInterfaceInfo *, 2);

    if (node != NULL)
        interfaces[0] = g_dbus_interface_info_ref(folio_introspection_find(FOLIO_GUEST_INTERFACE));
    return interfaces;
}

static const GDBusInterfaceVTable *
dispatch_guest(GDBusConnection *connection, const char *sender, const char *path,
               const char *interface, const char *node, gpointer *out_user_data, gpointer user_data)
{
    *out_user_data = user_data;
    return node != NULL ? &vtable : NULL;
}

static const GDBusSubtreeVTable guests_vtable = { .enumerate = enumerate_guests,
                                                  .introspect = introspect_guest,
                                                  .dispatch = dispatch_guest };

static gboolean
export_objects(FolioService *service, GError **error)
{
    service->manager_id = g_dbus_connection_register_object(
        service->connection, FOLIO_MANAGER_PATH, folio_introspection_find(FOLIO_MANAGER_INTERFACE),
        &vtable, service, NULL, error);
    if (service->manager_id == 0)
        return FALSE;
    service->guests_id = g_dbus_connection_register_subtree(
        service->connection, FOLIO_GUEST_ROOT, &guests_vtable,
        G_DBUS_SUBTREE_FLAGS_DISPATCH_TO_UNENUMERATED_NODES, service, NULL, error);
    return service->guests_id != 0;
}

static void
on_name_answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioService *service = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    guint32 code = 0;

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    if (reply == NULL) {
        g_autofree char *why = NULL;

        g_dbus_error_strip_remote_error(error);
        why = g_strdup_printf("the bus refuses the name " FOLIO_BUS_NAME ": %s", error->message);

        lose(service, why);
        return;
    }
    g_variant_get(reply, "(u)", &code);
    if (code != NAME_REPLY_PRIMARY_OWNER)
        lose(service, "the name " FOLIO_BUS_NAME " is taken: another foliod is running");
    else if (service->events.acquired != NULL)
        service->events.acquired(service->user_data);
}

static void
on_closed(GDBusConnection *connection, gboolean remote_vanished, GError *error, gpointer user_data)
{
    lose(user_data, "the connection to the system bus has closed");
}

static void
on_job_changed(const FolioJob *job, gpointer user_data)
{
    FolioService *service = user_data;
    FolioManager *manager = service->house.manager;
    FolioGuest *guest = folio_manager_find_uuid(manager, job->uuid);

    if (job->state != FOLIO_JOB_RUNNING && guest != NULL)
        folio_acting_look(folio_manager_get_acting(manager), guest);
    folio_subscribers_tell_job(service->house.subscribers, job);
}

static void
on_job_settled(const FolioJob *job, const FolioBlockResult *results, guint n, gpointer user_data)
{
    const FolioService *service = user_data;
    FolioManager *manager = service->house.manager;
    FolioGuest *guest = folio_manager_find_uuid(manager, job->uuid);

    if (guest != NULL)
        folio_deciding_note(folio_manager_get_deciding(manager), guest, job->kind, results, n);
}

static void
on_guest_removed(FolioManager *manager, FolioGuest *guest, FolioService *service)
{
    folio_jobs_drop_guest(service->house.jobs, folio_guest_get_uuid(guest));
}

static GVariant *
describe(FolioManager *manager, FolioJobs *jobs, FolioGuest *guest)
{
    return guest != NULL ? folio_guest_object_describe(manager, jobs, guest)
                         : folio_manager_object_describe(manager, jobs);
}

/* That a job ends with its guest, subscribers are told before the guest is gone for them: so that
 * signal is listened to before they do. */
static void
furnish(FolioService *service)
{
    FolioBusHouse *house = &service->house;

    house->bouncer = folio_bouncer_new(service->connection);
    house->jobs = folio_jobs_new(folio_acting_get_turns(folio_manager_get_acting(house->manager)),
                                 on_job_changed, service);
    folio_jobs_set_settled(house->jobs, on_job_settled);
    g_signal_connect(house->manager, "guest-removed", G_CALLBACK(on_guest_removed), service);
    house->subscribers = folio_subscribers_new(service->connection, house->manager, house->bouncer,
                                               house->jobs, describe);
}

static void
clear_out(FolioService *service)
{
    FolioBusHouse *house = &service->house;

    if (house->jobs != NULL) {
        g_signal_handlers_disconnect_by_data(house->manager, service);
        folio_jobs_stop(house->jobs);
        folio_subscribers_stop(house->subscribers);
    }
    g_clear_pointer(&house->subscribers, folio_subscribers_unref);
    g_clear_pointer(&house->jobs, folio_jobs_unref);
    g_clear_pointer(&house->bouncer, folio_bouncer_unref);
    g_object_unref(house->manager);
}

static void
on_connected(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioService *service = user_data;
    g_autoptr(GError) error = NULL;
    GDBusConnection *connection = g_bus_get_finish(result, &error);

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    if (connection != NULL) {
        g_dbus_connection_set_exit_on_close(connection, FALSE);
        service->connection = connection;
        service->closed_id = g_signal_connect(connection, "closed", G_CALLBACK(on_closed), service);
        furnish(service);
    }
    if (connection == NULL || !export_objects(service, &error)) {
        g_autofree char *why = g_strdup_printf("no system bus: %s", error->message);

        lose(service, why);
        return;
    }
    g_dbus_connection_call(connection, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                           "org.freedesktop.DBus", "RequestName",
                           g_variant_new("(su)", FOLIO_BUS_NAME, NAME_FLAG_DO_NOT_QUEUE),
                           G_VARIANT_TYPE("(u)"), G_DBUS_CALL_FLAGS_NONE, -1, service->cancellable,
                           on_name_answered, service);
}

FolioService *
folio_service_new(FolioManager *manager)
{
    FolioService *service = g_new0(FolioService, 1);

    service->house.manager = g_object_ref(manager);
    service->cancellable = g_cancellable_new();
    return service;
}

void
folio_service_start(FolioService *service, const FolioServiceEvents *events, gpointer user_data)
{
    service->events = *events;
    service->user_data = user_data;
    g_bus_get(G_BUS_TYPE_SYSTEM, service->cancellable, on_connected, service);
}

void
folio_service_restore_all(FolioService *service)
{
    if (service->house.jobs != NULL)
        folio_request_restore_all(service->house.manager, service->house.jobs, "stop");
}

gboolean
folio_service_is_restoring(FolioService *service)
{
    return service->house.jobs != NULL && folio_jobs_count(service->house.jobs) > 0;
}

static void
leave_bus(FolioService *service)
{
    g_signal_handler_disconnect(service->connection, service->closed_id);
    if (service->manager_id != 0)
        g_dbus_connection_unregister_object(service->connection, service->manager_id);
    if (service->guests_id != 0)
        g_dbus_connection_unregister_subtree(service->connection, service->guests_id);
    g_dbus_connection_call(service->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                           "org.freedesktop.DBus", "ReleaseName",
                           g_variant_new("(s)", FOLIO_BUS_NAME), NULL, G_DBUS_CALL_FLAGS_NONE, -1,
                           NULL, NULL, NULL);
    g_object_unref(service->connection);
}

void
folio_service_free(FolioService *service)
{
    if (service == NULL)
        return;
    g_cancellable_cancel(service->cancellable);
    g_object_unref(service->cancellable);
    if (service->connection != NULL)
        leave_bus(service);
    clear_out(service);
    g_free(service);
}
