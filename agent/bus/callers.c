/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is calling: pending calls of each sender, and turns among them. */
#include "bus/callers.h"

#include "base/error.h"

typedef struct {
    char *name;
    guint calls;
    guint dialogs;
    GQueue waiting; /* items, not owned */
} Sender;

struct _FolioCallers {
    GHashTable *senders; /* name -> Sender */
    GQueue turns;        /* the Senders that have something waiting */
    guint dialogs;
};

static void
sender_free(gpointer data)
{
    Sender *sender = data;

    g_assert(g_queue_is_empty(&sender->waiting));
    g_free(sender->name);
    g_free(sender);
}

FolioCallers *
folio_callers_new(void)
{
    FolioCallers *callers = g_new0(FolioCallers, 1);

    callers->senders = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, sender_free);
    g_queue_init(&callers->turns);
    return callers;
}

void
folio_callers_free(FolioCallers *callers)
{
    g_hash_table_unref(callers->senders);
    g_free(callers);
}

static Sender *
find_sender(FolioCallers *callers, const char *name)
{
    Sender *sender = g_hash_table_lookup(callers->senders, name);

    g_assert(sender != NULL);
    return sender;
}

gboolean
folio_callers_enter(FolioCallers *callers, const char *name, GError **error)
{
    Sender *sender = g_hash_table_lookup(callers->senders, name);

    if (sender == NULL) {
        if (g_hash_table_size(callers->senders) >= FOLIO_SENDERS_MAX) {
            g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_BUSY,
                                "too many clients are calling at once");
            return FALSE;
        }
        sender = g_new0(Sender, 1);
        sender->name = g_strdup(name);
        g_queue_init(&sender->waiting);
        g_hash_table_insert(callers->senders, sender->name, sender);
    }
    if (sender->calls >= FOLIO_CALLS_PER_SENDER) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "%d of your calls are pending already",
                    FOLIO_CALLS_PER_SENDER);
        return FALSE;
    }
    sender->calls++;
    return TRUE;
}

void
folio_callers_leave(FolioCallers *callers, const char *name)
{
    Sender *sender = find_sender(callers, name);

    g_assert(sender->calls > 0);
    sender->calls--;
    if (sender->calls == 0)
        g_hash_table_remove(callers->senders, name);
}

guint
folio_callers_count_calls(FolioCallers *callers, const char *name)
{
    return find_sender(callers, name)->calls;
}

gboolean
folio_callers_enter_dialog(FolioCallers *callers, const char *name, GError **error)
{
    Sender *sender = find_sender(callers, name);

    if (sender->dialogs >= FOLIO_DIALOGS_PER_SENDER || callers->dialogs >= FOLIO_DIALOGS_MAX) {
        g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_BUSY,
                            "another authentication dialog is open");
        return FALSE;
    }
    sender->dialogs++;
    callers->dialogs++;
    return TRUE;
}

void
folio_callers_leave_dialog(FolioCallers *callers, const char *name)
{
    Sender *sender = find_sender(callers, name);

    g_assert(sender->dialogs > 0 && callers->dialogs > 0);
    sender->dialogs--;
    callers->dialogs--;
}

void
folio_callers_push(FolioCallers *callers, const char *name, gpointer item)
{
    Sender *sender = find_sender(callers, name);

    if (g_queue_is_empty(&sender->waiting))
        g_queue_push_tail(&callers->turns, sender);
    g_queue_push_tail(&sender->waiting, item);
}

gpointer
folio_callers_pop(FolioCallers *callers)
{
    Sender *sender = g_queue_pop_head(&callers->turns);
    gpointer item;

    if (sender == NULL)
        return NULL;
    item = g_queue_pop_head(&sender->waiting);
    if (!g_queue_is_empty(&sender->waiting))
        g_queue_push_tail(&callers->turns, sender);
    return item;
}

gboolean
folio_callers_has_waiting(FolioCallers *callers)
{
    return !g_queue_is_empty(&callers->turns);
}

guint
folio_callers_count(FolioCallers *callers)
{
    return g_hash_table_size(callers->senders);
}
