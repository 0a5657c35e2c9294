/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod does to guests: the actuators of this host, and what they share: the ledger, and the
 * keeper of khugepaged. Of the main context; what blocks runs in tasks. */
#pragma once

#include "act/act-run.h"
#include "guest.h"
#include "turns.h"

typedef struct {
    const char *state_dir; /* foliod's own run directory, where the ledger is */
    const char *proc_root;
    const char *sys_root;
    const char *inject_program; /* foliod-inject */
} FolioActingOptions;

typedef struct _FolioActing FolioActing;

/* changed is called when what actuators can do may be another. */
FolioActing *folio_acting_new(const FolioActingOptions *options,
                              void (*changed)(gpointer user_data), gpointer user_data);

/* Gives back what the actuators have set up on the host: kdamonds and the like. Splits, the flag of
 * a guest's process and the ledger stay. No run is under way. Blocking. */
void folio_acting_free(FolioActing *acting);

/* All actuators, the first choice first. */
FolioActuators *folio_acting_get_actuators(FolioActing *acting);

/* Whose turn it is with a guest: whoever begins a run of an actuator has it. */
FolioTurns *folio_acting_get_turns(FolioActing *acting);

/* Asks them what they can do, now and every few seconds. */
void folio_acting_start(FolioActing *acting);

/* What the configuration says. */
void folio_acting_configure(FolioActing *acting, const FolioActingConfig *config);

/* May foliod have a guest's QEMU change its own setting? Its mode is to act, and Inject= allows it.
 */
gboolean folio_acting_may_inject(FolioActing *acting, FolioGuest *guest);

/* And may it to give back what was changed? */
gboolean folio_acting_may_give_back(FolioActing *acting);

/* What has been done to the guest, as of a moment ago. Zero while its record is not known. */
void folio_acting_count(FolioActing *acting, FolioGuest *guest, FolioLedgerCounters *counters);

/* How khugepaged stands to it, as of some seconds ago. FREE before its process is known. */
FolioKeeper folio_acting_get_keeper(FolioActing *acting, FolioGuest *guest);

/* What the ledger has of its process, borrowed; NULL while that is not known, as of
 * folio_acted_guest_get_record. */
FolioLedgerGuest *folio_acting_get_record(FolioActing *acting, FolioGuest *guest);

/* Can khugepaged be kept from undoing splits of it? As of some seconds ago; TRUE before. */
gboolean folio_acting_can_keep_away(FolioActing *acting, FolioGuest *guest);

/* A task that uses the ledger is under way, or has ended: folio_acting_free waits for it. */
void folio_acting_hold(FolioActing *acting);
void folio_acting_release(FolioActing *acting);

/* Something of the guest may be another: it is told what acting on it would meet with
 * (folio_guest_set_prospect), now and whenever that changes. */
void folio_acting_notice(FolioActing *acting, FolioGuest *guest);

/* Looks at what was done to it, as is done every few seconds anyhow. */
void folio_acting_look(FolioActing *acting, FolioGuest *guest);

/* The guest is not served any more. */
void folio_acting_leave(FolioActing *acting, FolioGuest *guest);
