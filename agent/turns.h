/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose turn it is with a guest: one run at a time, whoever wants it. What somebody asks for goes
 * before what foliod does of its own accord, which then ends at its next chunk. */
#pragma once

#include <glib.h>

typedef struct _FolioTurns FolioTurns;

/* changed is called whenever somebody takes the turn with a guest, and when nobody has it any more;
 * NULL: it is not. */
FolioTurns *folio_turns_new(void (*changed)(const char *uuid, gboolean taken, gpointer user_data),
                            gpointer user_data);
/* Nothing is told any more. */
void folio_turns_stop(FolioTurns *turns);

FolioTurns *folio_turns_ref(FolioTurns *turns);
void folio_turns_unref(FolioTurns *turns);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioTurns, folio_turns_unref)

/* Takes the turn with that guest for as long as nobody else wants it; FALSE when somebody has it.
 * wanted is called once, when somebody does: the run is to be ended then, and the turn left. Of two
 * turns with a guest, user_data tells which is which. */
gboolean folio_turns_take(FolioTurns *turns, const char *uuid, void (*wanted)(gpointer user_data),
                          gpointer user_data);

/* The same for one who goes first, of whom there may be one a guest. FALSE: who has it is asked to
 * end, and given is called when the turn has been left. */
gboolean folio_turns_claim(FolioTurns *turns, const char *uuid, void (*given)(gpointer user_data),
                           gpointer user_data);

/* The turn is over, or is waited for no more. Whoever waits for it has it then. */
void folio_turns_leave(FolioTurns *turns, const char *uuid, gpointer user_data);

/* Has anybody the turn with that guest? */
gboolean folio_turns_is_taken(const FolioTurns *turns, const char *uuid);
