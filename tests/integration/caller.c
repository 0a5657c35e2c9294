/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Somebody on the system bus who is not root. */
#include "integration/caller.h"

#include "integration/daemon.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
become(uid_t uid)
{
    /* The system call changes this thread alone, unlike the function of the C library; the saved
     * user stays root, so that there is a way back. */
    assert_return_code(syscall(SYS_setresuid, uid, uid, 0), errno);
}

GDBusConnection *
caller_connect(uid_t uid)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *address = g_dbus_address_get_for_bus_sync(G_BUS_TYPE_SYSTEM, NULL, &error);
    GDBusConnection *connection;

    assert_no_error(error);
    become(uid);
    connection =
        g_dbus_connection_new_for_address_sync(address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);
    become(0);
    assert_no_error(error);
    return connection;
}

static AnswerKind
classify(const char *name)
{
    static const struct {
        const char *name;
        AnswerKind kind;
    } names[] = {
        { "org.foliod1.Error.NotFound", ANSWER_NOT_FOUND },
        { "org.foliod1.Error.NotPermitted", ANSWER_NOT_PERMITTED },
        { "org.foliod1.Error.Busy", ANSWER_BUSY },
        { "org.foliod1.Error.Invalid", ANSWER_INVALID },
        { "org.foliod1.Error.Unsupported", ANSWER_UNSUPPORTED },
        { "org.freedesktop.DBus.Error.InvalidArgs", ANSWER_REFUSED },
        { "org.freedesktop.DBus.Error.UnknownMethod", ANSWER_REFUSED },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_strcmp0(name, names[i].name) == 0)
            return names[i].kind;
    }
    return ANSWER_OTHER;
}

static Answer *
answer_new(GVariant *reply, const GError *error)
{
    Answer *answer = g_new0(Answer, 1);
    g_autofree char *name = NULL;

    if (reply != NULL) {
        answer->text = g_variant_print(reply, TRUE);
        return answer;
    }
    name = g_dbus_error_get_remote_error(error);
    answer->kind = classify(name);
    answer->text = g_strdup_printf("%s: %s", name != NULL ? name : "local", error->message);
    return answer;
}

void
answer_free(Answer *answer)
{
    g_free(answer->text);
    g_free(answer);
}

static GVariant *
parse_arguments(const char *text)
{
    g_autoptr(GError) error = NULL;
    GVariant *arguments = text != NULL ? g_variant_parse(NULL, text, NULL, NULL, &error) : NULL;

    assert_no_error(error);
    return arguments;
}

Answer *
caller_ask(GDBusConnection *connection, const char *path, const char *interface, const char *method,
           const char *arguments)
{
    g_autoptr(GVariant) parsed = parse_arguments(arguments);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_sync(connection, FOLIOD_NAME, path, interface, method, parsed, NULL,
                                    G_DBUS_CALL_FLAGS_NONE, PATIENCE_SECONDS * 1000, NULL, &error);

    return answer_new(reply, error);
}

Answer *
caller_get(GDBusConnection *connection, const char *path, const char *interface,
           const char *property)
{
    g_autofree char *arguments = g_strdup_printf("('%s', '%s')", interface, property);

    return caller_ask(connection, path, "org.freedesktop.DBus.Properties", "Get", arguments);
}

void
caller_send(GDBusConnection *connection, const char *path, const char *interface,
            const char *method, const char *arguments, GDBusCallFlags flags,
            GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GVariant) parsed = parse_arguments(arguments);

    g_dbus_connection_call(connection, FOLIOD_NAME, path, interface, method, parsed, NULL, flags,
                           PATIENCE_SECONDS * 1000, NULL, callback, user_data);
}

Answer *
caller_send_finish(GObject *source, GAsyncResult *result)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    return answer_new(reply, error);
}

static gboolean
is_on_bus(GDBusConnection *witness, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
        witness, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
        "NameHasOwner", g_variant_new("(s)", name), G_VARIANT_TYPE("(b)"), G_DBUS_CALL_FLAGS_NONE,
        -1, NULL, &error);
    gboolean has_owner = FALSE;

    assert_no_error(error);
    g_variant_get(reply, "(b)", &has_owner);
    return has_owner;
}

void
caller_vanish(GDBusConnection *connection, GDBusConnection *witness)
{
    g_autofree char *name = g_strdup(g_dbus_connection_get_unique_name(connection));
    g_autoptr(GError) error = NULL;
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    g_dbus_connection_flush_sync(connection, NULL, &error);
    assert_no_error(error);
    g_dbus_connection_close_sync(connection, NULL, &error);
    assert_no_error(error);
    while (is_on_bus(witness, name)) {
        if (!before_deadline(deadline))
            fail_msg("%s does not leave the bus", name);
    }
}
