/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs of an actuator whose way the kernel has: in chunks, each written down in the ledger,
 * recorded, done, verified at its frames, and written down again. */
#pragma once

#include "act/khugepaged.h"
#include "act/ledger.h"
#include "act/way.h"

/* What all actuators of a host share; borrowed by them, outlives them. */
typedef struct {
    const char *proc_root; /* for kpageflags */
    FolioLedger *ledger;
    FolioKhugepagedControl *khugepaged;
} FolioActContext;

/* An actuator (act/actuator.h) that uses the way, which it takes. The probe answers from what the
 * way said last, see folio_act_probe_async; "not known yet" before.
 *
 * SPLIT: khugepaged is kept away from the guest first, as the request allows; when it would undo
 * the split and the request is not forced, the run fails UNSUPPORTED and nothing is changed.
 * RESTORE: what the ledger says is split within the ranges is collapsed; then khugepaged is given
 * back as it was, if nothing of the guest is left split. A block that is left busy, or left without
 * a word, is tried again a few times, after all others. */
FolioActuator *folio_way_actuator_new(FolioWay *way, const FolioActContext *context);

/* Asks the way of such an actuator what it can do, in a task; so does each run before it begins.
 * These and those below do nothing with an actuator of another make. */
void folio_act_probe_async(FolioActuator *actuator, GAsyncReadyCallback callback,
                           gpointer user_data);
void folio_act_probe_finish(FolioActuator *actuator, GAsyncResult *result);

/* Is a run's thread under way? It is for a moment after the run was cancelled. */
gboolean folio_way_actuator_is_busy(FolioActuator *actuator);

/* Gives back what the way has set up on the host; blocking, no run is under way. */
void folio_way_actuator_close(FolioActuator *actuator);
