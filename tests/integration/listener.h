/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod sends to one connection, each signal as a line of text. */
#pragma once

#include <gio/gio.h>

typedef struct {
    GDBusConnection *connection;
    guint id;
    GString *heard; /* "PATH MEMBER ARGUMENTS" and a line feed, each; cleared by hand */
} Listener;

/* Listens from now on, whether or not the connection has subscribed. */
Listener *listener_new(GDBusConnection *connection);

void listener_free(Listener *listener);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Listener, listener_free)

/* Calls Subscribe, which must succeed. */
void listener_subscribe(Listener *listener);

/* Runs the main loop until a line was heard that holds all of the parts (NULL-terminated); fails
 * the test when none comes. */
void listener_wait(Listener *listener, const char *const *parts);

#define listener_expect(listener, ...) \
    listener_wait((listener), (const char *const[]){ __VA_ARGS__, NULL })

/* Fails the test when that was heard. */
void listener_refuse(Listener *listener, const char *part);

void listener_clear(Listener *listener);
