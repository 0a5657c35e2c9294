/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The bouncer asks polkit whether the sender of a message may. */
#include "bus/bouncer.h"

#include "base/error.h"
#include "base/log.h"
#include "bus/access.h"
#include "bus/answers.h"
#include "bus/callers.h"

#include <polkit/polkit.h>

/* Questions that polkit works on at a time. It answers one after the other: with a few it has
 * always the next one at hand, and more would only make a newcomer wait longer (tests/integration/
 * test-bus-load.c). A system bus refuses a connection's call once 128 (max_replies_per_connection)
 * are unanswered; these and the dialogs stay below that. */
#define QUESTIONS_IN_FLIGHT 2

/* Characters of a guest's name in a dialog. */
#define SHOWN_MAX 64

G_STATIC_ASSERT(QUESTIONS_IN_FLIGHT + FOLIO_DIALOGS_MAX < 128);

struct _FolioBouncer {
    GDBusConnection *connection;
    PolkitAuthority *authority;          /* NULL until polkit's library has connected */
    void (*changed)(gpointer user_data); /* NULL: nobody wants to know */
    gpointer changed_data;
    gboolean connecting;
    gboolean failing; /* polkit could not be asked the last time: it is logged once */
    FolioCallers *callers;
    FolioAnswers *answers;
    guint in_flight;
};

/* One question; the data of its task. */
typedef struct {
    FolioBouncer *bouncer;
    char *sender;
    char *action;
    char *guest_name, *guest_uuid; /* NULL: about no guest */
    PolkitDetails *details;
    gboolean interactive;
    char *trouble; /* why polkit could not be asked; NULL */
} Question;

static void ask_next(FolioBouncer *bouncer);

FolioBouncer *
folio_bouncer_new(GDBusConnection *connection)
{
    FolioBouncer *bouncer = g_rc_box_new0(FolioBouncer);

    bouncer->connection = g_object_ref(connection);
    bouncer->callers = folio_callers_new();
    bouncer->answers = folio_answers_new();
    return bouncer;
}

FolioBouncer *
folio_bouncer_ref(FolioBouncer *bouncer)
{
    return g_rc_box_acquire(bouncer);
}

static void
bouncer_clear(gpointer data)
{
    FolioBouncer *bouncer = data;

    if (bouncer->authority != NULL)
        g_signal_handlers_disconnect_by_data(bouncer->authority, bouncer);
    g_clear_object(&bouncer->authority);
    g_clear_object(&bouncer->connection);
    g_clear_pointer(&bouncer->callers, folio_callers_free);
    g_clear_pointer(&bouncer->answers, folio_answers_free);
}

void
folio_bouncer_unref(FolioBouncer *bouncer)
{
    g_rc_box_release_full(bouncer, bouncer_clear);
}

void
folio_bouncer_set_changed(FolioBouncer *bouncer, void (*changed)(gpointer user_data),
                          gpointer user_data)
{
    bouncer->changed = changed;
    bouncer->changed_data = user_data;
}

static void
on_authority_changed(FolioBouncer *bouncer)
{
    folio_answers_forget(bouncer->answers);
    if (bouncer->changed != NULL)
        bouncer->changed(bouncer->changed_data);
}

gboolean
folio_bouncer_enter(FolioBouncer *bouncer, const char *sender, GError **error)
{
    return folio_callers_enter(bouncer->callers, sender, error);
}

void
folio_bouncer_leave(FolioBouncer *bouncer, const char *sender)
{
    folio_callers_leave(bouncer->callers, sender);
}

guint
folio_bouncer_count_calls(FolioBouncer *bouncer, const char *sender)
{
    return folio_callers_count_calls(bouncer->callers, sender);
}

/* The name as a dialog, perhaps on a terminal, may show it: rules need it as it is, and it may hold
 * anything. */
static void
insert_shown(PolkitDetails *details, const char *name)
{
    g_autofree char *start = g_utf8_substring(name, 0, MIN(g_utf8_strlen(name, -1), SHOWN_MAX));
    g_autofree char *shown = folio_escape(start);

    polkit_details_insert(details, "shown", shown);
}

static Question *
question_new(FolioBouncer *bouncer, const char *sender, const FolioQuestion *ask)
{
    Question *question = g_new0(Question, 1);

    question->bouncer = folio_bouncer_ref(bouncer);
    question->sender = g_strdup(sender);
    question->action = g_strdup(ask->action);
    question->guest_name = g_strdup(ask->guest_name);
    question->guest_uuid = g_strdup(ask->guest_uuid);
    question->interactive = ask->interactive;
    question->details = polkit_details_new();
    if (ask->guest_name != NULL) {
        g_autofree char *name = g_utf8_make_valid(ask->guest_name, -1);

        polkit_details_insert(question->details, "guest", name);
        insert_shown(question->details, name);
    }
    if (ask->guest_uuid != NULL)
        polkit_details_insert(question->details, "uuid", ask->guest_uuid);
    return question;
}

static void
question_free(gpointer data)
{
    Question *question = data;

    folio_bouncer_unref(question->bouncer);
    g_free(question->sender);
    g_free(question->action);
    g_free(question->guest_name);
    g_free(question->guest_uuid);
    g_object_unref(question->details);
    g_free(question->trouble);
    g_free(question);
}

/* Takes the task. error is taken as well; NULL: the sender may. */
static void
answer(GTask *task, GError *error)
{
    Question *question = g_task_get_task_data(task);
    g_autoptr(FolioBouncer) bouncer = folio_bouncer_ref(question->bouncer);

    if (error != NULL)
        g_task_return_error(task, error);
    else
        g_task_return_boolean(task, TRUE);
    g_object_unref(task);
    ask_next(bouncer);
}

/* As answer, for a question that took one of the QUESTIONS_IN_FLIGHT. */
static void
answer_in_flight(GTask *task, GError *error)
{
    Question *question = g_task_get_task_data(task);

    question->bouncer->in_flight--;
    answer(task, error);
}

static GError *
denied(const Question *question, const char *why)
{
    return g_error_new(FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED, "%s: %s", question->action, why);
}

static void
on_user_known(GObject *source, GAsyncResult *result, gpointer user_data)
{
    GTask *task = user_data;
    Question *question = g_task_get_task_data(task);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    guint32 uid = G_MAXUINT32;

    /* No reply: the sender has left, which is why polkit had no answer. That is no trouble. */
    if (reply != NULL) {
        g_variant_get(reply, "(u)", &uid);
        if (!question->bouncer->failing)
            folio_warning("polkit could not be asked, only root is let in: %s", question->trouble);
        question->bouncer->failing = TRUE;
    }
    answer_in_flight(task, uid == 0 ? NULL : denied(question, "polkit could not be asked"));
}

/* Without polkit nobody but root may anything: on a host without polkitd root can still see what is
 * going on. A bus name is never given twice, so the answer is about the sender or an error. */
static void
ask_bus_for_user(GTask *task, GError *why)
{
    Question *question = g_task_get_task_data(task);
    FolioBouncer *bouncer = question->bouncer;

    g_dbus_error_strip_remote_error(why);
    question->trouble = g_strdup(why->message);
    g_dbus_connection_call(bouncer->connection, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                           "org.freedesktop.DBus", "GetConnectionUnixUser",
                           g_variant_new("(s)", question->sender), G_VARIANT_TYPE("(u)"),
                           G_DBUS_CALL_FLAGS_NONE, -1, NULL, on_user_known, task);
}

static void
on_dialog_closed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    GTask *task = user_data;
    Question *question = g_task_get_task_data(task);
    g_autoptr(GError) error = NULL;
    g_autoptr(PolkitAuthorizationResult) said =
        polkit_authority_check_authorization_finish(POLKIT_AUTHORITY(source), result, &error);
    gboolean may = said != NULL && polkit_authorization_result_get_is_authorized(said);

    folio_callers_leave_dialog(question->bouncer->callers, question->sender);
    answer(task, may ? NULL : denied(question, "authentication failed"));
}

static void
ask_polkit(GTask *task, PolkitCheckAuthorizationFlags flags, GAsyncReadyCallback callback)
{
    Question *question = g_task_get_task_data(task);
    g_autoptr(PolkitSubject) subject = polkit_system_bus_name_new(question->sender);

    polkit_authority_check_authorization(question->bouncer->authority, subject, question->action,
                                         question->details, flags, NULL, callback, task);
}

/* polkit would let the sender in after a password. */
static void
open_dialog(GTask *task)
{
    Question *question = g_task_get_task_data(task);
    FolioBouncer *bouncer = question->bouncer;
    GError *error = NULL;

    if (!question->interactive) {
        answer_in_flight(task, denied(question, "authentication is needed"));
        return;
    }
    if (!folio_callers_enter_dialog(bouncer->callers, question->sender, &error)) {
        answer_in_flight(task, error);
        return;
    }
    bouncer->in_flight--;
    ask_polkit(task, POLKIT_CHECK_AUTHORIZATION_FLAGS_ALLOW_USER_INTERACTION, on_dialog_closed);
    ask_next(bouncer);
}

/* What changes something is asked about anew each time. */
static gboolean
is_look(const char *action)
{
    return g_str_equal(action, FOLIO_ACTION_VIEW);
}

static void
on_polkit_answered(GObject *source, GAsyncResult *result, gpointer user_data)
{
    GTask *task = user_data;
    Question *question = g_task_get_task_data(task);
    g_autoptr(GError) error = NULL;
    g_autoptr(PolkitAuthorizationResult) said =
        polkit_authority_check_authorization_finish(POLKIT_AUTHORITY(source), result, &error);
    gboolean may;

    if (said == NULL) {
        ask_bus_for_user(task, error);
        return;
    }
    question->bouncer->failing = FALSE;
    if (polkit_authorization_result_get_is_challenge(said)) {
        open_dialog(task);
        return;
    }
    may = polkit_authorization_result_get_is_authorized(said);
    if (is_look(question->action))
        folio_answers_keep(question->bouncer->answers, question->sender, question->guest_name,
                           question->guest_uuid, may, g_get_monotonic_time());
    answer_in_flight(task, may ? NULL : denied(question, "not authorised"));
}

static GTask *
take_next(FolioBouncer *bouncer)
{
    GTask *task;

    if (bouncer->in_flight >= QUESTIONS_IN_FLIGHT)
        return NULL;
    task = folio_callers_pop(bouncer->callers);
    if (task != NULL)
        bouncer->in_flight++;
    return task;
}

static void
on_authority(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(FolioBouncer) bouncer = user_data;
    g_autoptr(GError) error = NULL;
    GTask *task;

    bouncer->connecting = FALSE;
    bouncer->authority = polkit_authority_get_finish(result, &error);
    if (bouncer->authority != NULL) {
        g_signal_connect_swapped(bouncer->authority, "changed", G_CALLBACK(on_authority_changed),
                                 bouncer);
        g_signal_connect_swapped(bouncer->authority, "notify::owner",
                                 G_CALLBACK(on_authority_changed), bouncer);
        ask_next(bouncer);
        return;
    }
    while ((task = take_next(bouncer)) != NULL)
        ask_bus_for_user(task, error);
}

/* Asks as many of the waiting questions as may be in flight. */
static void
ask_next(FolioBouncer *bouncer)
{
    GTask *task;

    if (bouncer->connecting)
        return;
    while (bouncer->authority != NULL && (task = take_next(bouncer)) != NULL)
        ask_polkit(task, POLKIT_CHECK_AUTHORIZATION_FLAGS_NONE, on_polkit_answered);
    if (bouncer->authority == NULL && folio_callers_has_waiting(bouncer->callers)) {
        bouncer->connecting = TRUE;
        polkit_authority_get_async(NULL, on_authority, folio_bouncer_ref(bouncer));
    }
}

void
folio_bouncer_ask_async(FolioBouncer *bouncer, const char *sender, const FolioQuestion *question,
                        GAsyncReadyCallback callback, gpointer user_data)
{
    GTask *task = g_task_new(NULL, NULL, callback, user_data);
    gboolean may;

    g_task_set_source_tag(task, folio_bouncer_ask_async);
    g_task_set_task_data(task, question_new(bouncer, sender, question), question_free);
    if (is_look(question->action) &&
        folio_answers_find(bouncer->answers, sender, question->guest_name, question->guest_uuid,
                           g_get_monotonic_time(), &may)) {
        answer(task, may ? NULL : denied(g_task_get_task_data(task), "not authorised"));
        return;
    }
    folio_callers_push(bouncer->callers, sender, task);
    ask_next(bouncer);
}

gboolean
folio_bouncer_ask_finish(FolioBouncer *bouncer, GAsyncResult *result, GError **error)
{
    return g_task_propagate_boolean(G_TASK(result), error);
}
