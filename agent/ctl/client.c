/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod as its client sees it. */
#include "ctl/client.h"

#include "base/error.h"
#include "ctl/tty-agent.h"

#include <unistd.h>

#define BUS_NAME          FOLIO_CLIENT_BUS_NAME
#define MANAGER_PATH      FOLIO_CLIENT_MANAGER_PATH
#define MANAGER_INTERFACE FOLIO_CLIENT_MANAGER
#define GUEST_INTERFACE   FOLIO_CLIENT_GUEST

#define TIMEOUT_MSEC        (30 * 1000)
#define DIALOG_TIMEOUT_MSEC (120 * 1000)

/* foliod refuses more than 16 calls at a time of one sender. */
#define MAX_CONCURRENT_CALLS 8

struct _FolioClient {
    GDBusConnection *bus;
    gboolean interactive;
    gboolean agent_tried;
    FolioTtyAgent *agent; /* NULL: none, or not yet */
};

FolioClient *
folio_client_new(gboolean interactive, GError **error)
{
    FolioClient *client;
    GDBusConnection *bus;

    /* So that foliod's errors are told from others. */
    (void) folio_error_quark();
    bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, error);
    if (bus == NULL) {
        g_prefix_error(error, "the system bus cannot be reached: ");
        return NULL;
    }
    g_dbus_connection_set_exit_on_close(bus, FALSE);
    client = g_new0(FolioClient, 1);
    client->bus = bus;
    client->interactive = interactive;
    return client;
}

void
folio_client_free(FolioClient *client)
{
    folio_tty_agent_stop(client->agent);
    g_object_unref(client->bus);
    g_free(client);
}

void
folio_client_explain_error(GError *error)
{
    const char *text = NULL;

    g_dbus_error_strip_remote_error(error);
    if (g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
        g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER))
        text = "foliod is not running";
    else if (g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NO_REPLY))
        text = "foliod ended before it answered";
    else if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
        text = "foliod did not answer in time";
    if (text == NULL)
        return;
    g_free(error->message);
    error->message = g_strdup(text);
}

FolioExitStatus
folio_client_exit_status(const GError *error)
{
    if (g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN) ||
        g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER))
        return FOLIO_EXIT_NOT_RUNNING;
    /* ACCESS_DENIED comes from the bus itself, when its policy keeps a call from foliod. */
    if (g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED) ||
        g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED))
        return FOLIO_EXIT_NOT_PERMITTED;
    return FOLIO_EXIT_FAILED;
}

/* root is let in without being asked. For what everybody may see, and for the addresses that show
 * can do without, nobody is asked for a password on the terminal. */
static void
have_agent(FolioClient *client, const char *method)
{
    static const char *const without[] = { "GetAll",         "ListGuests", "GetGuestByUuid",
                                           "GetGuestByName", "Doctor",     "ListRam",
                                           "Subscribe",      "GetJob",     NULL };

    if (!client->interactive || client->agent_tried || geteuid() == 0 ||
        g_strv_contains(without, method))
        return;
    client->agent_tried = TRUE;
    client->agent = folio_tty_agent_start();
}

GDBusConnection *
folio_client_get_bus(FolioClient *client)
{
    return client->bus;
}

/* arguments is sunk. Returns the reply, a tuple of reply_type. */
static GVariant *
call(FolioClient *client, const char *path, const char *interface, const char *method,
     GVariant *arguments, const char *reply_type, GError **error)
{
    GDBusCallFlags flags = G_DBUS_CALL_FLAGS_NO_AUTO_START;
    GError *local = NULL;
    GVariant *reply;

    have_agent(client, method);
    if (client->interactive)
        flags |= G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION;
    reply = g_dbus_connection_call_sync(
        client->bus, BUS_NAME, path, interface, method, arguments, G_VARIANT_TYPE(reply_type),
        flags, client->interactive ? DIALOG_TIMEOUT_MSEC : TIMEOUT_MSEC, NULL, &local);
    if (reply == NULL) {
        folio_client_explain_error(local);
        g_propagate_error(error, local);
    }
    return reply;
}

GVariant *
folio_client_call(FolioClient *client, const char *path, const char *interface, const char *method,
                  GVariant *arguments, const char *reply_type, GError **error)
{
    return call(client, path, interface, method, arguments, reply_type, error);
}

static GVariant *
get_all(FolioClient *client, const char *path, const char *interface, GError **error)
{
    g_autoptr(GVariant) reply = call(client, path, "org.freedesktop.DBus.Properties", "GetAll",
                                     g_variant_new("(s)", interface), "(a{sv})", error);

    return reply != NULL ? g_variant_get_child_value(reply, 0) : NULL;
}

GVariant *
folio_client_get_manager(FolioClient *client, GError **error)
{
    return get_all(client, MANAGER_PATH, MANAGER_INTERFACE, error);
}

GVariant *
folio_client_get_guest(FolioClient *client, const char *path, GError **error)
{
    return get_all(client, path, GUEST_INTERFACE, error);
}

/* The properties of many guests, a few calls at a time. */
typedef struct {
    FolioClient *client;
    GVariant *guests;   /* a(sos) */
    gsize next;         /* the first that has not been asked */
    gsize n_pending;    /* calls without a reply yet */
    GVariant **replies; /* as guests; NULL where a guest has gone */
    GError *error;      /* the first that is not a guest's going */
} Gather;

typedef struct {
    Gather *gather;
    gsize index;
} GatherCall;

static void gather_more(Gather *gather);

static void
gathered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autofree GatherCall *gather_call = user_data;
    Gather *gather = gather_call->gather;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    gather->n_pending--;
    if (reply != NULL) {
        gather->replies[gather_call->index] = g_variant_get_child_value(reply, 0);
    } else if (!g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND) &&
               gather->error == NULL) {
        folio_client_explain_error(error);
        gather->error = g_steal_pointer(&error);
    }
    gather_more(gather);
}

static void
gather_more(Gather *gather)
{
    gsize n_guests = g_variant_n_children(gather->guests);

    while (gather->error == NULL && gather->next < n_guests &&
           gather->n_pending < MAX_CONCURRENT_CALLS) {
        GatherCall *gather_call = g_new0(GatherCall, 1);
        const char *path;

        g_variant_get_child(gather->guests, gather->next, "(&s&o&s)", NULL, &path, NULL);
        gather_call->gather = gather;
        gather_call->index = gather->next++;
        gather->n_pending++;
        /* Without dialogs: ListGuests names only what the caller may see without one. */
        g_dbus_connection_call(
            gather->client->bus, BUS_NAME, path, "org.freedesktop.DBus.Properties", "GetAll",
            g_variant_new("(s)", GUEST_INTERFACE), G_VARIANT_TYPE("(a{sv})"),
            G_DBUS_CALL_FLAGS_NO_AUTO_START, TIMEOUT_MSEC, NULL, gathered, gather_call);
    }
}

GPtrArray *
folio_client_get_guests(FolioClient *client, GError **error)
{
    g_autoptr(GPtrArray) properties =
        g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);
    g_autoptr(GVariant) reply =
        call(client, MANAGER_PATH, MANAGER_INTERFACE, "ListGuests", NULL, "(a(sos))", error);
    g_autoptr(GVariant) guests = NULL;
    g_autofree GVariant **replies = NULL;
    Gather gather = { .client = client };

    if (reply == NULL)
        return NULL;
    guests = g_variant_get_child_value(reply, 0);
    replies = g_new0(GVariant *, g_variant_n_children(guests));
    gather.guests = guests;
    gather.replies = replies;
    gather_more(&gather);
    while (gather.n_pending > 0)
        g_main_context_iteration(NULL, TRUE);

    for (gsize i = 0; i < g_variant_n_children(guests); i++) {
        if (replies[i] != NULL)
            g_ptr_array_add(properties, replies[i]);
    }
    if (gather.error != NULL) {
        g_propagate_error(error, gather.error);
        return NULL;
    }
    return g_steal_pointer(&properties);
}

static char *
find_by(FolioClient *client, const char *method, const char *key, GError **error)
{
    g_autoptr(GVariant) reply = call(client, MANAGER_PATH, MANAGER_INTERFACE, method,
                                     g_variant_new("(s)", key), "(o)", error);
    char *path = NULL;

    if (reply != NULL)
        g_variant_get(reply, "(o)", &path);
    else if (error != NULL && g_error_matches(*error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND))
        g_prefix_error(error, "%s: ", key);
    return path;
}

char *
folio_client_find_guest(FolioClient *client, const char *uuid_or_name, GError **error)
{
    g_autoptr(GError) no_uuid = NULL;
    g_autofree char *by_uuid = NULL;
    g_autofree char *by_name = NULL;

    if (!g_uuid_string_is_valid(uuid_or_name))
        return find_by(client, "GetGuestByName", uuid_or_name, error);
    by_uuid = find_by(client, "GetGuestByUuid", uuid_or_name, &no_uuid);
    if (by_uuid == NULL && !g_error_matches(no_uuid, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&no_uuid));
        return NULL;
    }
    /* A guest may have a name that looks like a UUID, even like another's. */
    by_name = find_by(client, "GetGuestByName", uuid_or_name, by_uuid == NULL ? error : NULL);
    if (by_uuid == NULL)
        return g_steal_pointer(&by_name);
    if (by_name == NULL || g_str_equal(by_name, by_uuid))
        return g_steal_pointer(&by_uuid);
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                "%s is the UUID of one guest and the name of another", uuid_or_name);
    return NULL;
}

GVariant *
folio_client_list_ram(FolioClient *client, const char *path, GError **error)
{
    return call(client, path, GUEST_INTERFACE, "ListRam", NULL, "(saa{sv})", error);
}

GVariant *
folio_client_heat(FolioClient *client, const char *path, GVariant *options, GError **error)
{
    return call(client, path, GUEST_INTERFACE, "Heat", g_variant_new("(@a{sv})", options),
                "(a{sv}aa{sv})", error);
}

GVariant *
folio_client_explain(FolioClient *client, const char *path, GVariant *options, GError **error)
{
    return call(client, path, GUEST_INTERFACE, "Explain", g_variant_new("(@a{sv})", options),
                "(sa(tsa{sv}s))", error);
}

GVariant *
folio_client_decisions(FolioClient *client, const char *path, GError **error)
{
    return call(client, path, GUEST_INTERFACE, "Decisions", g_variant_new_parsed("(@a{sv} {},)"),
                "(sa(xtssa{sv}s))", error);
}

GVariant *
folio_client_doctor(FolioClient *client, const char *uuid, GError **error)
{
    g_autoptr(GVariant) reply = call(client, MANAGER_PATH, MANAGER_INTERFACE, "Doctor",
                                     g_variant_new("(s)", uuid), "(a(ssss))", error);

    return reply != NULL ? g_variant_get_child_value(reply, 0) : NULL;
}

GVariant *
folio_client_get_job(FolioClient *client, guint job, GError **error)
{
    g_autoptr(GVariant) reply = call(client, FOLIO_CLIENT_MANAGER_PATH, FOLIO_CLIENT_MANAGER,
                                     "GetJob", g_variant_new("(u)", job), "(a{sv})", error);

    return reply != NULL ? g_variant_get_child_value(reply, 0) : NULL;
}

gboolean
folio_client_reload(FolioClient *client, GError **error)
{
    g_autoptr(GVariant) reply =
        call(client, MANAGER_PATH, MANAGER_INTERFACE, "Reload", NULL, "()", error);

    return reply != NULL;
}

const char *
folio_dict_string(GVariant *dict, const char *key)
{
    const char *value = "";

    g_variant_lookup(dict, key, "&s", &value);
    return value;
}

guint64
folio_dict_number(GVariant *dict, const char *key)
{
    guint64 wide = 0;
    guint32 narrow = 0;

    if (g_variant_lookup(dict, key, "t", &wide))
        return wide;
    return g_variant_lookup(dict, key, "u", &narrow) ? narrow : 0;
}

gboolean
folio_dict_boolean(GVariant *dict, const char *key)
{
    gboolean value = FALSE;

    g_variant_lookup(dict, key, "b", &value);
    return value;
}

double
folio_dict_double(GVariant *dict, const char *key)
{
    double value = 0;

    g_variant_lookup(dict, key, "d", &value);
    return value;
}
