/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which sessions sample next, when the budget does not suffice for all at once. Pure.
 *
 * Time goes in slots. Each slot brings the budget as credit; sessions take their turns in the order
 * of their ids and pay what they cost. One whose cost exceeds the credit waits until enough slots
 * have passed, and the others wait behind it: nobody starves, nobody is passed over, and the mean
 * cost over time is not above the budget. When the budget suffices, all sample in every slot. */
#pragma once

#include <glib.h>

typedef struct {
    guint64 id;  /* of the session; ids are unique and ascending */
    double cost; /* share of a core that it takes while it samples, as measured or guessed */
    gboolean on; /* out: samples in this slot */
} FolioDutySession;

/* All zero at the start. */
typedef struct {
    guint64 last;  /* private: id of the last session that had its turn */
    double credit; /* private: share of a core, of one slot */
} FolioDuty;

/* Decides one slot; budget is a share of a core. Sessions may come and go between slots. */
void folio_duty_next(FolioDuty *duty, double budget, FolioDutySession *sessions, gsize n_sessions);
