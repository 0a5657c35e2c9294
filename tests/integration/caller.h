/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Somebody on the system bus who is not root, and what foliod answers to them. */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

/* A connection of its own to the system bus, made as that user. */
GDBusConnection *caller_connect(uid_t uid);

/* What an answer comes to. */
typedef enum {
    ANSWER_OK,
    ANSWER_NOT_FOUND,
    ANSWER_NOT_PERMITTED,
    ANSWER_BUSY,
    ANSWER_INVALID,
    ANSWER_UNSUPPORTED,
    ANSWER_REFUSED, /* by GDBus itself: no such method, property or signature */
    ANSWER_OTHER,
} AnswerKind;

typedef struct {
    AnswerKind kind;
    char *text; /* the value, or the name and message of the error */
} Answer;

void answer_free(Answer *answer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Answer, answer_free)

/* Calls foliod and waits. arguments is a tuple as g_variant_parse reads it, such as "('x',)". */
Answer *caller_ask(GDBusConnection *connection, const char *path, const char *interface,
                   const char *method, const char *arguments);

/* As caller_ask, for a property. */
Answer *caller_get(GDBusConnection *connection, const char *path, const char *interface,
                   const char *property);

/* Sends the call and does not wait; callback, which may be NULL, gets the answer by
 * caller_send_finish. */
void caller_send(GDBusConnection *connection, const char *path, const char *interface,
                 const char *method, const char *arguments, GDBusCallFlags flags,
                 GAsyncReadyCallback callback, gpointer user_data);

Answer *caller_send_finish(GObject *source, GAsyncResult *result);

/* Leaves the bus, and waits until the bus knows. */
void caller_vanish(GDBusConnection *connection, GDBusConnection *witness);
