/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples by hand, without the PMU driver: writes a CPU's words in its place. No event may be
 * active there. All of these pin the caller to the CPU, where it stays, and fail the running test
 * when something is wrong. */
#pragma once

#include "spe-record.h"
#include "unit.h"

struct unit_setup { /* as in unit_cpu; 0 as its kinds or classes stands for all */
    uint32_t flags, kinds, classes, min_latency;
    uint64_t event_filter, period, context;
};

/* What a CPU's counters grew by. */
struct unit_tally {
    uint64_t selected; /* the sum of the next four */
    uint64_t samples, filtered, collisions, lost;
    uint64_t accesses, elsewhere;
    uint32_t events; /* UNIT_EVENT_*, since the start */
};

/* Empties the ring, and starts with a whole interval. */
void unit_start(unsigned cpu, const struct unit_setup *setup);
/* Stops, and tells what happened since the start. */
struct unit_tally unit_stop(unsigned cpu);

/* Takes all records out of the ring of a CPU; to be freed by the caller. */
struct spe_record *unit_take_records(unsigned cpu, size_t *n);

/* CNTVCT_EL0, and what is written to a CPU's words for it. */
uint64_t unit_counter(void);

void pin_to_cpu(unsigned cpu);
