/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sampling of one CPU: counts accesses down and puts records of those selected into its ring,
 * as its words (unit.h) say. */
#pragma once

#include "model.h"
#include "unit.h"

struct sampler {
    struct unit_cpu *words;
    uint8_t *ring;
    uint64_t ring_size;
    bool steady; /* the clock inside does not go with that of this machine */

    uint64_t lands_at;    /* words->accesses when the last sample is no longer in flight */
    uint64_t random;      /* state, never 0 */
    uint32_t generation;  /* which the countdown is of */
    uint64_t counter;     /* words->counter as last seen */
    uint64_t counter_at;  /* when, in ns of the monotonic clock */
    uint64_t latest_time; /* of all records */
    struct model model;
};

struct access {
    uint64_t pc, va, pa; /* pa is of RAM */
    enum unit_class class;
    bool load, store;
    unsigned size; /* bytes */
};

/* To be called for each access of RAM while the words say enable; words->accesses counts it
 * already. */
void sampler_access(struct sampler *sampler, const struct access *access);

/* To be called whenever words->counter may have changed. */
void sampler_look_at_counter(struct sampler *sampler);
