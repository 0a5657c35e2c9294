/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of one guest: made anew at the end of each window by its heat and by how its blocks are
 * in memory, in a task. Of the main context. */
#pragma once

#include "act/ledger.h"
#include "heat/heat-snapshot.h"
#include "plan-store.h"

/* A guest as it is now; all borrowed. */
typedef struct {
    FolioMode mode; /* in force; OFF or OBSERVE: nothing is done, and OFF: nothing is known */
    gboolean can_split, can_collapse;
    const FolioHints *wanted;
    FolioProcess *process; /* the three are known unless the mode is OFF */
    const FolioGuestRam *ram;
    FolioHeatSnapshot *snapshot;
    FolioLedgerGuest *record; /* NULL: nothing is written of it */
} FolioDecidedView;

typedef struct {
    /* A task that uses a record of the ledger is under way, or has ended. */
    void (*hold)(gpointer user_data);
    void (*release)(gpointer user_data);
    gpointer user_data;
    FolioPlanStore *store; /* of which each planner takes a reference; NULL: nothing is kept */
} FolioPlannerCalls;

typedef struct _FolioPlanner FolioPlanner;

/* planned is called when there is another plan, or, with the error, none. What the plan remembers
 * is read when the first window of a process is planned, and written some seconds after something
 * was begun, noted or settled, now and then while time passes, and when the planner is freed. */
FolioPlanner *folio_planner_new(const FolioPlannerCalls *calls, const char *uuid,
                                void (*planned)(const GError *error, gpointer user_data),
                                gpointer user_data);

/* planned is called no more. A task under way is not waited for. */
void folio_planner_free(FolioPlanner *planner);

/* Plans, if a window has ended since the last time, or the last one was only observed, and no task
 * is under way; FALSE otherwise, and the present plan is dropped when it is of another mode, or of
 * other limits. The mode is not OFF. With OBSERVE the window is entered, so that verdicts stand,
 * and the memory is not looked at. */
gboolean folio_planner_enter(FolioPlanner *planner, const FolioDecidedView *view);

/* The plan is being made: there is none meanwhile. */
gboolean folio_planner_is_busy(const FolioPlanner *planner);

/* Nothing more of this plan is done. */
void folio_planner_drop(FolioPlanner *planner);

/* Steps that are left to do, the best first; NULL, and *n is 0, when there are none. Valid until
 * the planner is called to begin them. */
const FolioPlanStep *folio_planner_rest(const FolioPlanner *planner, gboolean splits, guint *n);

/* A block, and where it is in the process. */
typedef struct {
    guint block;
    guint64 address;
} FolioPlannedBlock;

/* The next n steps are about to be done: FolioPlannedBlock, those that can be; free with
 * g_array_unref. */
GArray *folio_planner_begin(FolioPlanner *planner, gboolean splits, guint n);

/* What became of such a block. */
void folio_planner_settle(FolioPlanner *planner, guint block, FolioPlanResult result);

/* Somebody else has made a block of that process, by address, so: folio_plan_note(). */
void folio_planner_note(FolioPlanner *planner, FolioProcess *process, const FolioGuestRam *ram,
                        guint64 address, FolioPlanAction action);

/* The last decisions, the oldest first: FolioPlanDecision; borrowed. NULL: none. */
const GArray *folio_planner_get_decisions(const FolioPlanner *planner);

/* FolioCostClass of each of *n blocks, as the guest was found to be for the present plan,
 * candidates where the mode splits; to be freed with g_free. NULL: it was given out already, or
 * there is none.
 */
guint8 *folio_planner_steal_classes(FolioPlanner *planner, guint *n);

/* Of the last window. */
FolioPlanCounts folio_planner_counts(const FolioPlanner *planner);
