/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A user whom polkit asks for a password, and who gives none. */
#include "integration/dialog-user.h"

#include "integration/caller.h"
#include "integration/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define AGENT_PATH "/agent"
#define BIN_UID    2

static const char agent_xml[] =
    "<node><interface name='org.freedesktop.PolicyKit1.AuthenticationAgent'>"
    "<method name='BeginAuthentication'>"
    "<arg type='s' direction='in'/><arg type='s' direction='in'/><arg type='s' direction='in'/>"
    "<arg type='a{ss}' direction='in'/><arg type='s' direction='in'/>"
    "<arg type='a(sa{sv})' direction='in'/></method>"
    "<method name='CancelAuthentication'><arg type='s' direction='in'/></method>"
    "</interface></node>";

static void
say(const char *what, const Answer *answer)
{
    static const char *const words[] = {
        [ANSWER_OK] = "ok",
        [ANSWER_NOT_FOUND] = "not found",
        [ANSWER_NOT_PERMITTED] = "not permitted",
        [ANSWER_BUSY] = "busy",
        [ANSWER_INVALID] = "invalid",
        [ANSWER_UNSUPPORTED] = "unsupported",
        [ANSWER_REFUSED] = "refused",
        [ANSWER_OTHER] = "other",
    };

    printf("%s: %s\n", what, words[answer->kind]);
    fflush(stdout);
}

static void
on_answer(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(Answer) answer = caller_send_finish(source, result);

    say(user_data, answer);
}

static void
reload(GDBusConnection *connection, GDBusCallFlags flags, const char *what)
{
    caller_send(connection, FOLIOD_PATH, FOLIOD_MANAGER, "Reload", NULL, flags, on_answer,
                (gpointer) what);
}

/* polkit wants a password. BeginAuthentication is never answered: the dialog stands open. */
static void
on_agent_call(GDBusConnection *connection, const char *sender, const char *path,
              const char *interface, const char *method, GVariant *arguments,
              GDBusMethodInvocation *invocation, gpointer user_data)
{
    g_autoptr(Answer) answer = NULL;

    if (!g_str_equal(method, "BeginAuthentication")) {
        g_dbus_method_invocation_return_value(invocation, NULL);
        return;
    }
    printf("a dialog is open\n");
    reload(connection, G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, "with another dialog");
    caller_send(connection, FOLIOD_PATH, FOLIOD_MANAGER, "ListGuests", NULL, G_DBUS_CALL_FLAGS_NONE,
                on_answer, (gpointer) "what needs none");
}

/* In clock ticks since boot: field 22 of /proc/PID/stat, the 20th behind the name in parentheses.
 */
static guint64
own_start_time(void)
{
    g_autofree char *stat = NULL;
    g_auto(GStrv) fields = NULL;

    assert_true(g_file_get_contents("/proc/self/stat", &stat, NULL, NULL));
    fields = g_strsplit(strrchr(stat, ')') + 2, " ", -1);
    return g_ascii_strtoull(fields[19], NULL, 10);
}

static void
register_agent(GDBusConnection *connection)
{
    static const GDBusInterfaceVTable vtable = { .method_call = on_agent_call };
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusNodeInfo) node = g_dbus_node_info_new_for_xml(agent_xml, &error);
    g_autoptr(GVariant) reply = NULL;
    GVariantDict subject;

    assert_no_error(error);
    g_dbus_connection_register_object(connection, AGENT_PATH, node->interfaces[0], &vtable, NULL,
                                      NULL, &error);
    assert_no_error(error);
    g_variant_dict_init(&subject, NULL);
    g_variant_dict_insert(&subject, "pid", "u", (guint32) getpid());
    g_variant_dict_insert(&subject, "start-time", "t", own_start_time());
    g_variant_dict_insert(&subject, "uid", "i", BIN_UID);
    reply = g_dbus_connection_call_sync(
        connection, "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
        "org.freedesktop.PolicyKit1.Authority", "RegisterAuthenticationAgent",
        g_variant_new("((s@a{sv})ss)", "unix-process", g_variant_dict_end(&subject), "C",
                      AGENT_PATH),
        NULL, G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
    assert_no_error(error);
}

int
dialog_user_main(void)
{
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GDBusConnection) connection = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(Answer) silent = NULL;

    assert_return_code(setresuid(BIN_UID, BIN_UID, BIN_UID), errno);
    connection = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &error);
    assert_no_error(error);
    register_agent(connection);

    silent = caller_ask(connection, FOLIOD_PATH, FOLIOD_MANAGER, "Reload", NULL);
    say("without a dialog", silent);
    reload(connection, G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, "after the dialog");
    g_main_loop_run(loop);
    return EXIT_FAILURE;
}
