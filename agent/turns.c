/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose turn it is with a guest. */
#include "turns.h"

struct _FolioTurns {
    GHashTable *by_guest; /* uuid -> Turn */
    void (*changed)(const char *uuid, gboolean taken, gpointer user_data);
    gpointer user_data;
};

typedef struct {
    gpointer owner;
    void (*wanted)(gpointer user_data); /* NULL: the owner goes first, or has been told */
    gpointer waiter;                    /* NULL: nobody waits */
    void (*given)(gpointer user_data);
} Turn;

FolioTurns *
folio_turns_new(void (*changed)(const char *uuid, gboolean taken, gpointer user_data),
                gpointer user_data)
{
    FolioTurns *turns = g_rc_box_new0(FolioTurns);

    turns->by_guest = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    turns->changed = changed;
    turns->user_data = user_data;
    return turns;
}

void
folio_turns_stop(FolioTurns *turns)
{
    turns->changed = NULL;
}

FolioTurns *
folio_turns_ref(FolioTurns *turns)
{
    return g_rc_box_acquire(turns);
}

static void
turns_clear(gpointer data)
{
    g_hash_table_unref(((FolioTurns *) data)->by_guest);
}

void
folio_turns_unref(FolioTurns *turns)
{
    g_rc_box_release_full(turns, turns_clear);
}

static void
tell(const FolioTurns *turns, const char *uuid, gboolean taken)
{
    if (turns->changed != NULL)
        turns->changed(uuid, taken, turns->user_data);
}

static void
add(FolioTurns *turns, const char *uuid, void (*wanted)(gpointer user_data), gpointer user_data)
{
    Turn *turn = g_new0(Turn, 1);

    turn->owner = user_data;
    turn->wanted = wanted;
    g_hash_table_insert(turns->by_guest, g_strdup(uuid), turn);
    tell(turns, uuid, TRUE);
}

gboolean
folio_turns_is_taken(const FolioTurns *turns, const char *uuid)
{
    return g_hash_table_contains(turns->by_guest, uuid);
}

gboolean
folio_turns_take(FolioTurns *turns, const char *uuid, void (*wanted)(gpointer user_data),
                 gpointer user_data)
{
    if (folio_turns_is_taken(turns, uuid))
        return FALSE;
    add(turns, uuid, wanted, user_data);
    return TRUE;
}

gboolean
folio_turns_claim(FolioTurns *turns, const char *uuid, void (*given)(gpointer user_data),
                  gpointer user_data)
{
    Turn *turn = g_hash_table_lookup(turns->by_guest, uuid);
    void (*wanted)(gpointer user_data);

    if (turn == NULL) {
        add(turns, uuid, NULL, user_data);
        return TRUE;
    }
    turn->waiter = user_data;
    turn->given = given;
    wanted = turn->wanted;
    turn->wanted = NULL;
    if (wanted != NULL)
        wanted(turn->owner);
    return FALSE;
}

void
folio_turns_leave(FolioTurns *turns, const char *uuid, gpointer user_data)
{
    Turn *turn = g_hash_table_lookup(turns->by_guest, uuid);

    if (turn == NULL)
        return;
    if (turn->waiter == user_data) {
        turn->waiter = NULL;
        return;
    }
    if (turn->owner != user_data)
        return;
    if (turn->waiter == NULL) {
        g_hash_table_remove(turns->by_guest, uuid);
        tell(turns, uuid, FALSE);
        return;
    }
    turn->owner = turn->waiter;
    turn->waiter = NULL;
    turn->given(turn->owner);
}
