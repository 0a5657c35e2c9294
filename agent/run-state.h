/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an administrator has set until the next boot: a pause, and modes of guests. It is kept in
 * one file of foliod's own run directory, which is in memory, so that it outlives foliod and not
 * the host. */
#pragma once

#include "mode.h"

/* Guests that a mode can be set of at a time: their file then has some 50 KiB. */
#define FOLIO_RUN_STATE_MODES_MAX 1024

typedef struct _FolioRunState FolioRunState;

/* Of DIRECTORY/administrator. A file that is not there says nothing. One that cannot be read or
 * understood counts as a pause, because whoever set something meant to hold foliod back; it is
 * logged, and the next change writes it anew. */
FolioRunState *folio_run_state_load(const char *directory);

/* What was asked for before is still written. */
void folio_run_state_free(FolioRunState *state);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioRunState, folio_run_state_free)

gboolean folio_run_state_get_paused(const FolioRunState *state);

/* TRUE and *mode when one is set of that guest. uuid is in lower case. */
gboolean folio_run_state_get_mode(const FolioRunState *state, const char *uuid, FolioMode *mode);

/* error NULL: it is written down, and holds from now on. Otherwise it could not be, and nothing has
 * changed. */
typedef void (*FolioRunStateDone)(const GError *error, gpointer user_data);

/* These have the file written by a task, one change after the other in the order of the calls, and
 * call done on the main context. mode NULL: none is set any more. BUSY: there are too many modes.
 */
void folio_run_state_set_paused(FolioRunState *state, gboolean paused, FolioRunStateDone done,
                                gpointer user_data);
void folio_run_state_set_mode(FolioRunState *state, const char *uuid, const FolioMode *mode,
                              FolioRunStateDone done, gpointer user_data);
