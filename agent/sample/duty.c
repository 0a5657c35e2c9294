/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which sessions sample next, when the budget does not suffice for all at once. */
#include "sample/duty.h"

/* Index of the first session behind the last that had its turn. */
static gsize
find_next(const FolioDuty *duty, const FolioDutySession *sessions, gsize n_sessions)
{
    for (gsize i = 0; i < n_sessions; i++)
        if (sessions[i].id > duty->last)
            return i;
    return 0;
}

static double
largest_cost(const FolioDutySession *sessions, gsize n_sessions)
{
    double largest = 0;

    for (gsize i = 0; i < n_sessions; i++)
        largest = MAX(largest, sessions[i].cost);
    return largest;
}

void
folio_duty_next(FolioDuty *duty, double budget, FolioDutySession *sessions, gsize n_sessions)
{
    gsize next;

    for (gsize i = 0; i < n_sessions; i++)
        sessions[i].on = FALSE;
    if (n_sessions == 0)
        return;
    /* No more is saved up than the dearest turn needs: idle times buy no burst. */
    duty->credit = MIN(duty->credit + budget, MAX(budget, largest_cost(sessions, n_sessions)));
    next = find_next(duty, sessions, n_sessions);
    for (gsize n = 0; n < n_sessions; n++) {
        FolioDutySession *session = &sessions[(next + n) % n_sessions];

        if (session->cost > duty->credit)
            return;
        session->on = TRUE;
        duty->credit -= session->cost;
        duty->last = session->id;
    }
}
