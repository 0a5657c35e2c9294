/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The period of sampling that keeps its cost within a budget. Pure: measurements in, a period out.
 *
 * The cost of draining and decoding grows with the rate of samples, that is with 1 / period. Up
 * (fewer samples) it goes at once, as far as the excess asks, four times at most. Down (more
 * samples) it goes only when the worst of the last FOLIO_PERIOD_MEMORY intervals was below half of
 * the budget, by a half at most. Between half and whole nothing changes: one step down from below
 * a half cannot lead above the whole, so that a steady load settles, and bursts that come back
 * within the memory hold the period that they need. */
#pragma once

#include <glib.h>

#define FOLIO_PERIOD_MEMORY 8

typedef struct {
    guint64 floor, ceiling;             /* events */
    double budget;                      /* share of one core, such as 0.01 */
    guint64 period;                     /* now */
    double shares[FOLIO_PERIOD_MEMORY]; /* private: of the last intervals */
    guint n_shares;                     /* private */
} FolioPeriod;

/* floor is what the hardware takes (caps/min_interval), at least 1; ceiling is at least floor,
 * budget above 0. start is brought between the two. */
void folio_period_init(FolioPeriod *period, guint64 floor, guint64 ceiling, double budget,
                       guint64 start);

/* To be told after each interval: the processor time that sampling took in it, and whether samples
 * were lost (a full AUX buffer, a full ring, throttling), which asks for twice the period even if
 * there was time. Returns the period from now on. An interval of 0 changes nothing. */
guint64 folio_period_next(FolioPeriod *period, guint64 cpu_nsec, guint64 interval_nsec,
                          gboolean lost);
