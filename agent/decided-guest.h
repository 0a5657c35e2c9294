/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is decided for one guest of its own accord: at the end of each window it is planned anew by
 * its heat and by how its blocks are in memory, in a task; then the plan is carried out, round by
 * round, as the budget allows. Collapses come first, for wrong splits are among them. Of the main
 * context. */
#pragma once

#include "planner.h"
#include "policy/budget.h"
#include "turns.h"

/* Of the host, shared by all of its guests. */
typedef struct {
    const FolioActuators *actuators; /* borrowed */
    FolioTurns *turns;
    char *proc_root;
    FolioBudget budget;
    FolioBudgetLimits limits;
    gboolean stopped; /* nothing is begun any more */
    FolioPlannerCalls calls;
} FolioDecidingHost;

/* Free with folio_deciding_host_unref; guests keep references. */
FolioDecidingHost *folio_deciding_host_new(FolioTurns *turns, const char *proc_root);
void folio_deciding_host_unref(FolioDecidingHost *host);

/* What is needed of whoever knows the guest. */
typedef struct {
    /* All that it takes to do that; free with folio_act_request_free. */
    FolioActRequest *(*request)(FolioActKind kind, guint order, GArray *ranges, gpointer user_data);
    /* A run has ended. */
    void (*acted)(gpointer user_data);
    /* How its blocks were found to be at the end of a window: FolioCostClass of n of them, to be
     * freed with g_free. */
    void (*follow)(guint8 *classes, guint n, gpointer user_data);
} FolioDecidedCalls;

typedef struct _FolioDecidedGuest FolioDecidedGuest;

FolioDecidedGuest *folio_decided_guest_new(FolioDecidingHost *host, const char *uuid,
                                           const char *name, const FolioDecidedCalls *calls,
                                           gpointer user_data);

/* A run under way is cancelled; nothing is called any more. */
void folio_decided_guest_free(FolioDecidedGuest *decided);

/* Something of the guest may be another: a window has ended, its mode has changed, whoever acted on
 * it has ended. With a mode that does nothing a run under way is cancelled; with OBSERVE windows
 * are still counted, so that a verdict that stands has stood when the mode becomes one that acts.
 *
 * When runs of a kind fail, the next one is tried ever later (policy/trouble.h), and it is logged
 * once an hour; a mode that does nothing ends that. */
void folio_decided_guest_notice(FolioDecidedGuest *decided, const FolioDecidedView *view);

/* Somebody has had that done to blocks of that process: those that are as they were to be rest as
 * if the plan had acted on them. */
void folio_decided_guest_note(FolioDecidedGuest *decided, FolioProcess *process,
                              const FolioGuestRam *ram, FolioActKind kind,
                              const FolioBlockResult *results, guint n);

/* Is something being planned or done? */
gboolean folio_decided_guest_is_busy(const FolioDecidedGuest *decided);

/* Ends what is under way. */
void folio_decided_guest_cancel(FolioDecidedGuest *decided);

/* The last decisions, the oldest first: FolioPlanDecision; borrowed. NULL: none. */
const GArray *folio_decided_guest_get_decisions(const FolioDecidedGuest *decided);

/* As folio_decision_print_counts of the last window, and what fails; or why there is no plan. */
char *folio_decided_guest_print_counts(const FolioDecidedGuest *decided);
