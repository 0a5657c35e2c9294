/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One call from its arrival to its reply. */
#include "bus/call.h"

#include "base/error.h"
#include "base/log.h"
#include "bus/arguments.h"
#include "bus/introspection.h"
#include "bus/path.h"

#define PROPERTIES_INTERFACE "org.freedesktop.DBus.Properties"

/* All arguments of a call together: most need no more than a name. */
#define ARGUMENT_BYTES_MAX 4096
/* Those of one that may have ranges, of 16 bytes each. */
#define RANGES_BYTES_MAX (ARGUMENT_BYTES_MAX + 16 * FOLIO_RANGES_MAX)

static void
call_free(FolioCall *call)
{
    g_object_unref(call->manager);
    folio_bouncer_unref(call->bouncer);
    folio_jobs_unref(call->jobs);
    folio_subscribers_unref(call->subscribers);
    g_clear_object(&call->guest);
    g_free(call->name);
    g_free(call->uuid);
    g_free(call->by);
    g_free(call);
}

const char *
folio_call_get_sender(FolioCall *call)
{
    return g_dbus_method_invocation_get_sender(call->invocation);
}

void
folio_call_return(FolioCall *call, GVariant *value)
{
    folio_bouncer_leave(call->bouncer, folio_call_get_sender(call));
    g_dbus_method_invocation_return_value(call->invocation, value);
    call_free(call);
}

void
folio_call_fail(FolioCall *call, GError *error)
{
    folio_bouncer_leave(call->bouncer, folio_call_get_sender(call));
    g_dbus_method_invocation_take_error(call->invocation, error);
    call_free(call);
}

void
folio_call_fail_unsupported(FolioCall *call)
{
    folio_call_fail(call,
                    g_error_new(FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                                "%s is not carried out by this version", call->access->member));
}

/* The one answer for a guest that is not there and for one that the caller may not see; likewise
 * for its job. */
static GError *
no_such_guest(FolioCall *call)
{
    return g_error_new_literal(FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND,
                               call->access->scope == FOLIO_SCOPE_JOB_ARGUMENT ? "no such job"
                                                                               : "no such guest");
}

gboolean
folio_call_keeps_guest(FolioCall *call)
{
    const char *uuid = folio_guest_get_uuid(call->guest);

    if (folio_manager_find_uuid(call->manager, uuid) == call->guest)
        return TRUE;
    folio_call_fail(call, no_such_guest(call));
    return FALSE;
}

static void
on_caller_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioCall *call = user_data;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, NULL);
    guint32 uid = 0;

    if (reply == NULL) {
        folio_call_fail(call, g_error_new_literal(FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED,
                                                  "the caller has left the bus"));
        return;
    }
    g_variant_get(reply, "(u)", &uid);
    call->by = g_strdup_printf("uid %u", uid);
    if (call->guest == NULL || folio_call_keeps_guest(call))
        call->run(call);
}

void
folio_call_find_caller(FolioCall *call, FolioCallRun then)
{
    call->run = then;
    g_dbus_connection_call(g_dbus_method_invocation_get_connection(call->invocation),
                           "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                           "GetConnectionUnixUser",
                           g_variant_new("(s)", folio_call_get_sender(call)), G_VARIANT_TYPE("(u)"),
                           G_DBUS_CALL_FLAGS_NONE, -1, NULL, on_caller_found, call);
}

static gboolean
is_interactive(FolioCall *call)
{
    GDBusMessage *message = g_dbus_method_invocation_get_message(call->invocation);

    return (g_dbus_message_get_flags(message) &
            G_DBUS_MESSAGE_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION) != 0;
}

void
folio_call_ask_async(FolioCall *call, const char *action, FolioGuest *guest,
                     GAsyncReadyCallback callback, gpointer user_data)
{
    FolioQuestion question = { .action = action,
                               .guest_name = folio_guest_get_name(guest),
                               .guest_uuid = folio_guest_get_uuid(guest) };

    folio_bouncer_ask_async(call->bouncer, folio_call_get_sender(call), &question, callback,
                            user_data);
}

static void
on_action_answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioCall *call = user_data;
    GError *error = NULL;

    if (!folio_bouncer_ask_finish(call->bouncer, result, &error)) {
        folio_debug("%s.%s of %s: %s", call->access->interface, call->access->member,
                    folio_call_get_sender(call), error->message);
        folio_call_fail(call, error);
        return;
    }
    if (call->guest == NULL || folio_call_keeps_guest(call))
        call->run(call);
}

static void
ask_for_action(FolioCall *call)
{
    FolioQuestion question = { .action = call->access->action,
                               .interactive = is_interactive(call) };

    if (call->guest != NULL) {
        question.guest_name = folio_guest_get_name(call->guest);
        question.guest_uuid = folio_guest_get_uuid(call->guest);
    }
    folio_bouncer_ask_async(call->bouncer, folio_call_get_sender(call), &question,
                            on_action_answered, call);
}

static void
on_view_answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    FolioCall *call = user_data;
    g_autoptr(GError) error = NULL;

    if (!folio_bouncer_ask_finish(call->bouncer, result, &error) || call->guest == NULL) {
        folio_call_fail(call, no_such_guest(call));
        return;
    }
    if (!folio_call_keeps_guest(call))
        return;
    if (g_str_equal(call->access->action, FOLIO_ACTION_VIEW))
        call->run(call);
    else
        ask_for_action(call);
}

/* Whatever a call wants of a guest, first the caller must be one that may see it. polkit is asked
 * about a guest that is not there too, so that the time which the answer takes tells nothing. */
static void
ask_to_view(FolioCall *call)
{
    FolioQuestion question = { .action = FOLIO_ACTION_VIEW,
                               .guest_name = call->name,
                               .guest_uuid = call->uuid,
                               .interactive = is_interactive(call) };

    if (call->guest != NULL) {
        question.guest_name = folio_guest_get_name(call->guest);
        question.guest_uuid = folio_guest_get_uuid(call->guest);
    }
    folio_bouncer_ask_async(call->bouncer, folio_call_get_sender(call), &question, on_view_answered,
                            call);
}

static const char *
first_argument(FolioCall *call)
{
    const char *text = NULL;

    g_variant_get_child(call->arguments, 0, "&s", &text);
    return text;
}

/* "", which is no guest's, when there is no such job, nor was one lately. */
static char *
dup_uuid_of_job(FolioCall *call)
{
    const FolioJob *job;
    guint id = 0;

    g_variant_get_child(call->arguments, 0, "u", &id);
    job = folio_jobs_recall(call->jobs, id);
    return g_strdup(job != NULL ? job->uuid : "");
}

/* Sets name or uuid to what the call says of its guest, both NULL when it is about the host.
 * FALSE: the argument is no UUID. */
static gboolean
read_target(FolioCall *call, const char *path_uuid)
{
    FolioScope scope = call->access->scope;

    if (scope == FOLIO_SCOPE_HOST)
        return TRUE;
    if (scope == FOLIO_SCOPE_GUEST) {
        call->uuid = g_strdup(path_uuid != NULL ? path_uuid : "");
        return TRUE;
    }
    if (scope == FOLIO_SCOPE_JOB_ARGUMENT) {
        call->uuid = dup_uuid_of_job(call);
        return TRUE;
    }
    if (scope == FOLIO_SCOPE_NAME_ARGUMENT) {
        call->name = g_strdup(first_argument(call));
        return TRUE;
    }
    if (scope == FOLIO_SCOPE_UUID_OR_HOST && *first_argument(call) == '\0')
        return TRUE;
    call->uuid = folio_uuid_normalize(first_argument(call));
    return call->uuid != NULL;
}

static void
find_guest(FolioCall *call)
{
    FolioGuest *guest = call->uuid != NULL ? folio_manager_find_uuid(call->manager, call->uuid)
                                           : folio_manager_find_name(call->manager, call->name);

    if (guest != NULL)
        call->guest = g_object_ref(guest);
}

/* What was called: Properties.Get and GetAll are about another interface's properties. */
static const FolioAccess *
find_access(FolioCall *call)
{
    const char *interface = g_dbus_method_invocation_get_interface_name(call->invocation);
    const char *member = g_dbus_method_invocation_get_method_name(call->invocation);

    if (!g_str_equal(interface, PROPERTIES_INTERFACE))
        return folio_access_find(interface, member);
    call->is_property = TRUE;
    if (g_str_equal(member, "GetAll")) {
        g_variant_get(call->arguments, "(&s)", &interface);
        return folio_access_find(interface, FOLIO_ALL_PROPERTIES);
    }
    if (!g_str_equal(member, "Get"))
        return NULL;
    g_variant_get(call->arguments, "(&s&s)", &interface, &member);
    return folio_access_find(interface, member);
}

/* Whoever calls keeps one call with many ranges in memory at most. */
static GError *
refuse_size(FolioCall *call)
{
    const gboolean acts = g_str_equal(call->access->action, FOLIO_ACTION_ACT);
    const gsize max = acts ? RANGES_BYTES_MAX : ARGUMENT_BYTES_MAX;
    const gsize size = g_variant_get_size(call->arguments);

    if (size > max)
        return g_error_new(FOLIO_ERROR, FOLIO_ERROR_INVALID,
                           "arguments are over %" G_GSIZE_FORMAT " bytes", max);
    if (size > ARGUMENT_BYTES_MAX &&
        folio_bouncer_count_calls(call->bouncer, folio_call_get_sender(call)) > 1)
        return g_error_new(FOLIO_ERROR, FOLIO_ERROR_BUSY,
                           "arguments over %d bytes are taken when no other of your calls is "
                           "pending",
                           ARGUMENT_BYTES_MAX);
    return NULL;
}

/* The errors of a call that polkit need not be asked about. */
static GError *
refuse(FolioCall *call, const char *path_uuid)
{
    GError *error;

    call->access = find_access(call);
    if (call->access == NULL) {
        const char *member = g_dbus_method_invocation_get_method_name(call->invocation);

        folio_warning("denied: %s has no row in the table of access", member);
        return g_error_new_literal(FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED, "not permitted");
    }
    error = refuse_size(call);
    if (error != NULL)
        return error;
    if (!read_target(call, path_uuid))
        return g_error_new(FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: not a UUID",
                           call->access->scope == FOLIO_SCOPE_UUID_OR_HOST ? "guest" : "uuid");
    return NULL;
}

void
folio_call_begin(const FolioBusHouse *house, GDBusMethodInvocation *invocation,
                 const char *path_uuid, FolioCallRun run)
{
    FolioCall *call = g_new0(FolioCall, 1);
    GError *error = NULL;

    call->manager = g_object_ref(house->manager);
    call->bouncer = folio_bouncer_ref(house->bouncer);
    call->jobs = folio_jobs_ref(house->jobs);
    call->subscribers = folio_subscribers_ref(house->subscribers);
    call->invocation = invocation;
    call->arguments = g_dbus_method_invocation_get_parameters(invocation);
    call->run = run;

    if (!folio_bouncer_enter(call->bouncer, folio_call_get_sender(call), &error)) {
        g_dbus_method_invocation_take_error(invocation, error);
        call_free(call);
        return;
    }
    error = refuse(call, path_uuid);
    if (error != NULL) {
        folio_call_fail(call, error);
        return;
    }
    if (call->uuid == NULL && call->name == NULL) {
        ask_for_action(call);
        return;
    }
    find_guest(call);
    ask_to_view(call);
}

static void
return_all_properties(FolioCall *call, const FolioProperty *properties, gsize n)
{
    GVariantBuilder all;

    g_variant_builder_init(&all, G_VARIANT_TYPE_VARDICT);
    for (gsize i = 0; i < n; i++) {
        const FolioAccess *access = folio_access_find(call->access->interface, properties[i].name);

        if (access != NULL && g_str_equal(access->action, call->access->action))
            g_variant_builder_add(&all, "{sv}", properties[i].name, properties[i].get(call));
    }
    folio_call_return(call, g_variant_new("(a{sv})", &all));
}

void
folio_call_return_property(FolioCall *call, const FolioProperty *properties, gsize n)
{
    if (g_str_equal(call->access->member, FOLIO_ALL_PROPERTIES)) {
        return_all_properties(call, properties, n);
        return;
    }
    for (gsize i = 0; i < n; i++) {
        if (g_str_equal(call->access->member, properties[i].name)) {
            folio_call_return(call, g_variant_new("(v)", properties[i].get(call)));
            return;
        }
    }
    folio_call_fail_unsupported(call);
}

GVariant *
folio_properties_emitted(const char *interface, const FolioProperty *properties, gsize n,
                         FolioManager *manager, FolioJobs *jobs, FolioGuest *guest)
{
    FolioCall about = { .manager = manager, .jobs = jobs, .guest = guest };
    GVariantBuilder emitted;

    g_variant_builder_init(&emitted, G_VARIANT_TYPE_VARDICT);
    for (gsize i = 0; i < n; i++) {
        if (folio_introspection_emits(interface, properties[i].name))
            g_variant_builder_add(&emitted, "{sv}", properties[i].name, properties[i].get(&about));
    }
    return g_variant_builder_end(&emitted);
}

GVariant *
folio_bus_string(const char *text)
{
    return g_variant_new_take_string(g_utf8_make_valid(text != NULL ? text : "", -1));
}
