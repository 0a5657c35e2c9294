/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod sends to one connection. */
#include "integration/listener.h"

#include "integration/caller.h"
#include "integration/daemon.h"

static void
on_signal(GDBusConnection *connection, const char *sender, const char *path, const char *interface,
          const char *signal, GVariant *arguments, gpointer user_data)
{
    Listener *listener = user_data;
    g_autofree char *text = g_variant_print(arguments, FALSE);

    g_string_append_printf(listener->heard, "%s %s %s\n", path, signal, text);
}

Listener *
listener_new(GDBusConnection *connection)
{
    Listener *listener = g_new0(Listener, 1);

    listener->connection = g_object_ref(connection);
    listener->heard = g_string_new(NULL);
    listener->id =
        g_dbus_connection_signal_subscribe(connection, NULL, NULL, NULL, NULL, NULL,
                                           G_DBUS_SIGNAL_FLAGS_NONE, on_signal, listener, NULL);
    return listener;
}

void
listener_free(Listener *listener)
{
    g_dbus_connection_signal_unsubscribe(listener->connection, listener->id);
    g_object_unref(listener->connection);
    g_string_free(listener->heard, TRUE);
    g_free(listener);
}

void
listener_subscribe(Listener *listener)
{
    g_autoptr(Answer) answer =
        caller_ask(listener->connection, FOLIOD_PATH, FOLIOD_MANAGER, "Subscribe", NULL);

    if (answer->kind != ANSWER_OK)
        fail_msg("Subscribe: %s", answer->text);
}

static gboolean
line_holds(const char *line, const char *const *parts)
{
    for (gsize i = 0; parts[i] != NULL; i++) {
        if (strstr(line, parts[i]) == NULL)
            return FALSE;
    }
    return TRUE;
}

static gboolean
has_heard(const Listener *listener, const char *const *parts)
{
    g_auto(GStrv) lines = g_strsplit(listener->heard->str, "\n", -1);

    for (gsize i = 0; lines[i] != NULL; i++) {
        if (line_holds(lines[i], parts))
            return TRUE;
    }
    return FALSE;
}

void
listener_wait(Listener *listener, const char *const *parts)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    while (!has_heard(listener, parts)) {
        if (!before_deadline(deadline))
            fail_msg("nothing with \"%s\" was heard, but: %s", parts[0], listener->heard->str);
        while (g_main_context_iteration(NULL, FALSE))
            ;
    }
}

void
listener_refuse(Listener *listener, const char *part)
{
    if (strstr(listener->heard->str, part) != NULL)
        fail_msg("\"%s\" was heard: %s", part, listener->heard->str);
}

void
listener_clear(Listener *listener)
{
    g_string_truncate(listener->heard, 0);
}
