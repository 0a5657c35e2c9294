/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bouncer asks polkit whether the sender of a message may. The subject is always the sender's
 * unique bus name, never a process id. Whoever has left the bus, and whatever polkit does not
 * answer plainly, is denied; only when polkit cannot be asked at all is the bus daemon asked for
 * the sender's user id, and root let in. Whether a sender may look at something is not asked twice
 * within a moment (bus/answers.h). */
#pragma once

#include <gio/gio.h>

typedef struct _FolioBouncer FolioBouncer;

typedef struct {
    const char *action;     /* FOLIO_ACTION_* */
    const char *guest_name; /* as detail "guest" to polkit's rules; NULL: about no guest */
    const char *guest_uuid; /* as detail "uuid"; NULL: about no guest */
    gboolean interactive;   /* may polkit open a dialog? */
} FolioQuestion;

/* connection is the one to the system bus. */
FolioBouncer *folio_bouncer_new(GDBusConnection *connection);

FolioBouncer *folio_bouncer_ref(FolioBouncer *bouncer);

void folio_bouncer_unref(FolioBouncer *bouncer);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioBouncer, folio_bouncer_unref)

/* Calls changed whenever what polkit has said may hold no more: rules, sessions or authorizations
 * are others, or polkit itself is another. One callback at most; NULL for none. */
void folio_bouncer_set_changed(FolioBouncer *bouncer, void (*changed)(gpointer user_data),
                               gpointer user_data);

/* A call of sender begins; FOLIO_ERROR_BUSY when too many of its calls are pending. */
gboolean folio_bouncer_enter(FolioBouncer *bouncer, const char *sender, GError **error);

/* That call has been answered, and none of its questions is open. */
void folio_bouncer_leave(FolioBouncer *bouncer, const char *sender);

/* Calls of sender that have been let in and not been answered. */
guint folio_bouncer_count_calls(FolioBouncer *bouncer, const char *sender);

/* Asks within a call that was let in. Checks that need no dialog never wait for one that does. */
void folio_bouncer_ask_async(FolioBouncer *bouncer, const char *sender,
                             const FolioQuestion *question, GAsyncReadyCallback callback,
                             gpointer user_data);

/* TRUE: the sender may. Otherwise FOLIO_ERROR_NOT_PERMITTED, or FOLIO_ERROR_BUSY when too many
 * dialogs are open. The message names the action only, never the guest. */
gboolean folio_bouncer_ask_finish(FolioBouncer *bouncer, GAsyncResult *result, GError **error);
