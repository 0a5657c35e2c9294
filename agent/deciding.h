/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod does to guests of its own accord: to those whose mode acts, which can be served, and
 * of which there is evidence; within one budget for all of them. Of the main context. */
#pragma once

#include "acting.h"
#include "policy/plan.h"

typedef struct _FolioDeciding FolioDeciding;

/* acting is borrowed, and outlives it. state_dir: foliod's own run directory, where what plans
 * remember is kept. */
FolioDeciding *folio_deciding_new(FolioActing *acting, const char *proc_root,
                                  const char *state_dir);

/* All guests have left. What is under way still is waited for by folio_acting_free. */
void folio_deciding_free(FolioDeciding *deciding);

/* What the configuration says. */
void folio_deciding_configure(FolioDeciding *deciding, const FolioActingConfig *config);

/* Something of the guest may be another: a window has ended, or it may not be acted on any more. */
void folio_deciding_notice(FolioDeciding *deciding, FolioGuest *guest);

/* Somebody has had that done to these blocks of the guest: automation lets them rest. */
void folio_deciding_note(FolioDeciding *deciding, FolioGuest *guest, FolioActKind kind,
                         const FolioBlockResult *results, guint n);

/* The guest is not served any more: what is under way is cancelled. */
void folio_deciding_leave(FolioDeciding *deciding, FolioGuest *guest);

/* Nothing is begun any more, and what is under way is cancelled. */
void folio_deciding_stop(FolioDeciding *deciding);

/* The last decisions on the guest, the oldest first: FolioPlanDecision; borrowed. NULL: none. */
const GArray *folio_deciding_get_decisions(FolioDeciding *deciding, FolioGuest *guest);

/* What the last window had to say of its blocks, see decision.h, or why nothing can be planned; ""
 * for nothing. */
char *folio_deciding_print_counts(FolioDeciding *deciding, FolioGuest *guest);
