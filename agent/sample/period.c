/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The period of sampling that keeps its cost within a budget. */
#include "sample/period.h"

#define MOST_UP   4.0
#define LOST_UP   2.0
#define MOST_DOWN 1.5
#define CALM      0.5
/* Where a step up aims: in the middle of what changes nothing. */
#define AIM 0.75

void
folio_period_init(FolioPeriod *period, guint64 floor, guint64 ceiling, double budget, guint64 start)
{
    g_return_if_fail(floor > 0 && ceiling >= floor && budget > 0);
    *period = (FolioPeriod){ .floor = floor, .ceiling = ceiling, .budget = budget };
    period->period = CLAMP(start, floor, ceiling);
}

/* The worst share that is remembered, by what it would be at the period of now. */
static double
worst_share(const FolioPeriod *period)
{
    double worst = 0;

    for (guint i = 0; i < MIN(period->n_shares, FOLIO_PERIOD_MEMORY); i++)
        worst = MAX(worst, period->shares[i]);
    return worst;
}

static void
move_period(FolioPeriod *period, double factor)
{
    const double wanted = (double) period->period * factor;
    const guint64 old = period->period;
    double actual;

    /* Above 2^53 a double does not tell neighbours apart: never trust it beyond the ceiling. */
    if (wanted >= (double) period->ceiling)
        period->period = period->ceiling;
    else
        period->period = CLAMP((guint64) wanted, period->floor, period->ceiling);
    /* The shortest periods would never get longer by a fraction. */
    if (factor > 1 && period->period == old && old < period->ceiling)
        period->period++;
    /* What was measured at the old period would have been this at the new one. */
    actual = (double) period->period / (double) old;
    for (guint i = 0; i < FOLIO_PERIOD_MEMORY; i++)
        period->shares[i] /= actual;
}

guint64
folio_period_next(FolioPeriod *period, guint64 cpu_nsec, guint64 interval_nsec, gboolean lost)
{
    double share, factor = 1;

    if (interval_nsec == 0)
        return period->period;
    share = (double) cpu_nsec / (double) interval_nsec;
    /* A loss counts as the whole budget spent: behind the step up no room is left to come down. */
    if (lost)
        share = MAX(share, period->budget);
    period->shares[period->n_shares++ % FOLIO_PERIOD_MEMORY] = share;
    if (share > period->budget)
        factor = CLAMP(share / (period->budget * AIM), 1, MOST_UP);
    if (lost)
        factor = MAX(factor, LOST_UP);
    if (factor <= 1 && period->n_shares >= FOLIO_PERIOD_MEMORY &&
        worst_share(period) < period->budget * CALM)
        factor = 1 / MOST_DOWN;
    if (factor > 1 || factor < 1)
        move_period(period, factor);
    return period->period;
}
