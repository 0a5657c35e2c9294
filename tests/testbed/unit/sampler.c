/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sampler.h"

#include "encode.h"

#include <string.h>
#include <time.h>

/* The counter of QEMU's processors runs at 62.5 MHz. */
#define NS_PER_TICK 16

static uint64_t
monotonic_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

void
sampler_look_at_counter(struct sampler *sampler)
{
    if (sampler->words->counter == sampler->counter)
        return;
    sampler->counter = sampler->words->counter;
    sampler->counter_at = monotonic_ns();
}

/* The driver says now and then what its counter reads; in between it goes on as this machine's
 * clock does. Where the two disagree, time stands still for a while. */
static uint64_t
time_of_sample(struct sampler *sampler)
{
    uint64_t now = sampler->counter;

    if (!sampler->steady)
        now += (monotonic_ns() - sampler->counter_at) / NS_PER_TICK;
    if (now > sampler->latest_time)
        sampler->latest_time = now;
    return sampler->latest_time;
}

static uint32_t
next_interval(struct sampler *sampler)
{
    uint64_t period = sampler->words->period;
    uint64_t shorter;

    if (period > UINT32_MAX)
        period = UINT32_MAX;
    if (!(sampler->words->flags & UNIT_JITTER))
        return period > 0 ? (uint32_t) period : 1;
    /* xorshift64 */
    sampler->random ^= sampler->random << 13;
    sampler->random ^= sampler->random >> 7;
    sampler->random ^= sampler->random << 17;
    shorter = sampler->random >> 56;
    return period > shorter ? (uint32_t) (period - shorter) : 1;
}

static bool
passes_filters(const struct unit_cpu *words, const struct access *access,
               const struct flight *flight)
{
    return ((words->kinds & UNIT_LOADS && access->load) ||
            (words->kinds & UNIT_STORES && access->store)) &&
           (flight->events & words->event_filter) == words->event_filter &&
           flight->total >= words->min_latency;
}

static bool
is_guest(const struct access *access)
{
    return access->class == UNIT_GUEST_EL0 || access->class == UNIT_GUEST_EL1;
}

static unsigned
exception_level(const struct access *access)
{
    static const unsigned levels[UNIT_CLASSES] = { [UNIT_HOST_EL2] = 2, [UNIT_GUEST_EL1] = 1 };

    return levels[access->class];
}

static size_t
encode_access(struct sampler *sampler, const struct access *access, const struct flight *flight,
              uint8_t out[ENCODE_MAX])
{
    uint32_t flags = sampler->words->flags;
    struct record record = {
        .pc = access->pc,
        .va = access->va,
        .pa = access->pa,
        .level = exception_level(access),
        .load = access->load,
        .store = access->store,
        .flight = *flight,
        .has_pa = flags & UNIT_WITH_PA,
        .has_context = flags & UNIT_WITH_CONTEXT,
        .has_guest_context = is_guest(access),
        .has_time = flags & UNIT_WITH_TIME,
        .context = (uint32_t) sampler->words->context,
    };

    if (record.has_time)
        record.time = time_of_sample(sampler);
    return encode_record(out, &record);
}

/* False when there is no room. */
static bool
put_into_ring(struct sampler *sampler, const uint8_t *record, size_t size)
{
    struct unit_cpu *words = sampler->words;
    size_t at = words->head & (sampler->ring_size - 1), first = sampler->ring_size - at;

    if (sampler->ring_size - (words->head - words->tail) < size)
        return false;
    if (first > size)
        first = size;
    memcpy(sampler->ring + at, record, first);
    memcpy(sampler->ring, record + first, size - first);
    words->head += size;
    return true;
}

/* The countdown ended at this access. */
static void
take_sample(struct sampler *sampler, const struct access *access, unsigned missed)
{
    struct unit_cpu *words = sampler->words;
    bool misaligned = (access->va & (access->size - 1)) != 0;
    struct flight flight = model_flight(missed, is_guest(access), misaligned);
    uint8_t record[ENCODE_MAX];

    if (words->accesses < sampler->lands_at) {
        words->collisions++;
        words->events |= UNIT_EVENT_COLLISION;
        return;
    }
    sampler->lands_at = words->accesses + flight.total;
    if (!passes_filters(words, access, &flight)) {
        words->filtered++;
        return;
    }
    if (put_into_ring(sampler, record, encode_access(sampler, access, &flight, record))) {
        words->samples++;
        return;
    }
    words->events |= UNIT_EVENT_FULL;
    words->lost++;
}

void
sampler_access(struct sampler *sampler, const struct access *access)
{
    struct unit_cpu *words = sampler->words;
    unsigned missed = model_access(&sampler->model, access->va, access->pa);

    if (sampler->generation != words->generation) {
        sampler->generation = words->generation;
        if (words->left == 0)
            words->left = next_interval(sampler);
    }
    if (!(words->classes >> access->class & 1) || --words->left > 0)
        return;
    words->left = next_interval(sampler);
    if (words->events & UNIT_EVENT_FULL)
        words->lost++;
    else
        take_sample(sampler, access, missed);
}
