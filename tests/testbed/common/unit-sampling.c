/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit-sampling.h"

#include <sched.h>
#include <stdlib.h>

#include "test.h"

#define ALL_KINDS   (UNIT_LOADS | UNIT_STORES)
#define ALL_CLASSES ((1u << UNIT_CLASSES) - 1)

static struct unit_tally at_start[UNIT_MAX_CPUS];

void
pin_to_cpu(unsigned cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    assert_int_equal(sched_setaffinity(0, sizeof set, &set), 0);
}

uint64_t
unit_counter(void)
{
#ifdef __aarch64__
    uint64_t counter;

    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(counter));
    return counter;
#else
    fail_msg("no processor of the emulated host with a unit");
    return 0;
#endif
}

static struct unit_tally
read_counters(const volatile struct unit_cpu *words)
{
    return (struct unit_tally){
        .samples = words->samples,
        .filtered = words->filtered,
        .collisions = words->collisions,
        .lost = words->lost,
        .elsewhere = words->elsewhere,
    };
}

static void
write_words(volatile struct unit_cpu *words, const struct unit_setup *setup)
{
    words->flags = setup->flags;
    words->kinds = setup->kinds ? setup->kinds : ALL_KINDS;
    words->classes = setup->classes ? setup->classes : ALL_CLASSES;
    words->min_latency = setup->min_latency;
    words->event_filter = setup->event_filter;
    words->period = setup->period;
    words->context = setup->context;
    words->tail = words->head;
    words->events = 0;
    words->left = 0;
    words->counter = unit_counter();
    words->generation++;
}

void
unit_start(unsigned cpu, const struct unit_setup *setup)
{
    volatile struct unit_cpu *words = unit_cpu(cpu);
    uint64_t accesses;

    pin_to_cpu(cpu);
    assert_int_equal(words->enable, 0);
    write_words(words, setup);
    at_start[cpu] = read_counters(words);
    /* One after the other, so that nothing comes between. */
    accesses = words->accesses;
    words->enable = 1;
    at_start[cpu].accesses = accesses;
}

struct unit_tally
unit_stop(unsigned cpu)
{
    volatile struct unit_cpu *words = unit_cpu(cpu);
    struct unit_tally tally, *start = &at_start[cpu];
    uint64_t accesses;

    pin_to_cpu(cpu);
    words->enable = 0;
    accesses = words->accesses;
    tally = read_counters(words);
    tally.accesses = accesses - start->accesses;
    tally.samples -= start->samples;
    tally.filtered -= start->filtered;
    tally.collisions -= start->collisions;
    tally.lost -= start->lost;
    tally.elsewhere -= start->elsewhere;
    tally.events = words->events;
    tally.selected = tally.samples + tally.filtered + tally.collisions + tally.lost;
    return tally;
}

struct spe_record *
unit_take_records(unsigned cpu, size_t *n)
{
    size_t room = unit_header()->ring_size, size, at = 0;
    uint8_t *data = malloc(room);
    /* No record is shorter than its PC. */
    struct spe_record *records = calloc(room / 8, sizeof *records);

    assert_non_null(data);
    assert_non_null(records);
    pin_to_cpu(cpu);
    size = unit_take(cpu, data, room);
    for (*n = 0; at < size; (*n)++) {
        size_t length = spe_record_read(data + at, size - at, &records[*n]);

        if (length == 0)
            fail_msg("record %zu, at byte %zu of %zu, is none", *n, at, size);
        at += length;
    }
    free(data);
    return records;
}
