/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The samples of the SPE unit, held against accesses that are known: where they are, how many there
 * are, what filters leave of them, and what is said of those that are missing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hammer.h"
#include "mapping.h"
#include "test.h"
#include "unit-sampling.h"

#define CPU         1
#define PAGES       16
#define ALL_WORDS   512 /* of a page */
#define ALL_PACKETS (UNIT_WITH_PA | UNIT_WITH_TIME | UNIT_WITH_CONTEXT)
#define TASK        4711
/* A prime, so that the countdown meets all of a loop alike. */
#define PERIOD 997

/* unit/model.h: an access that hits everywhere takes 7 cycles; nothing of the host takes more than
 * 67. */
#define HIT_CYCLES   7
#define LONGEST      67
#define EVENT_REFILL (1u << 3)

/* Of all host's records, by what the setup asks for. */
#define ALWAYS                                                                            \
    (1u << SPE_PC | 1u << SPE_VA | 1u << SPE_EVENTS | 1u << SPE_TOTAL | 1u << SPE_ISSUE | \
     1u << SPE_TRANSLATION | 1u << SPE_OPERATION)

static struct hammer hammer;

static int
set_up(void **state)
{
    unit_open();
    pin_to_cpu(CPU);
    hammer = hammer_new(PAGES);
    return 0;
}

/* Sampling of a test that failed must not go on. */
static int
stop(void **state)
{
    unit_stop(CPU);
    return 0;
}

static int
tear_down(void **state)
{
    hammer_free(&hammer);
    return 0;
}

/* Between the stores that start and stop, and the reads of the counter, there is next to nothing.
 */
static void
check_period(const struct unit_tally *tally, uint64_t period)
{
    printf("period %lu: %lu accesses: %lu samples, %lu filtered, %lu collisions, %lu lost\n",
           (unsigned long) period, (unsigned long) tally->accesses, (unsigned long) tally->samples,
           (unsigned long) tally->filtered, (unsigned long) tally->collisions,
           (unsigned long) tally->lost);
    assert_in_range(tally->accesses - tally->selected * period, 0, period + 16);
}

/* The places are right, and the number is what so many accesses make. */
static void
samples_are_where_the_accesses_are(void **state)
{
    size_t rounds = 100000, n, here = 0, of_page[PAGES] = { 0 };
    struct unit_setup setup = { .flags = ALL_PACKETS,
                                .classes = 1u << UNIT_HOST_EL0,
                                .period = PERIOD };
    size_t expected = PAGES * rounds / PERIOD;
    struct spe_record *records;

    unit_start(CPU, &setup);
    hammer_load(&hammer, PAGES, rounds, ALL_WORDS);
    unit_stop(CPU);
    records = unit_take_records(CPU, &n);
    for (size_t i = 0; i < n; i++) {
        uint64_t va = records[i].field[SPE_VA], pa = hammer_pa(&hammer, va);

        assert_int_equal(spe_el(&records[i]), 0);
        if (pa == 0)
            continue;
        assert_int_equal(spe_pa(&records[i]), pa);
        here++;
        of_page[(va - (uintptr_t) hammer.addr) / PAGE_SIZE]++;
    }
    free(records);
    printf("%zu of %zu samples are of the pages, expected are %zu\n", here, n, expected);
    /* Each interruption by another program shifts the countdown by less than one. */
    assert_in_range(here, expected * 98 / 100, expected * 102 / 100);
    assert_in_range(n - here, 0, n / 50);
    for (size_t page = 0; page < PAGES; page++)
        assert_in_range(of_page[page], expected / PAGES * 7 / 10, expected / PAGES * 13 / 10);
}

static void
the_period_is_honoured(void **state)
{
    static const uint64_t periods[] = { LONGEST + 1, 100, 1024, 65537, 10000000 };

    for (size_t i = 0; i < sizeof periods / sizeof *periods; i++) {
        struct unit_setup setup = { .flags = ALL_PACKETS, .period = periods[i] };
        struct unit_tally tally;
        struct spe_record *records;
        size_t n;

        unit_start(CPU, &setup);
        hammer_load(&hammer, PAGES, 50000, ALL_WORDS);
        tally = unit_stop(CPU);
        check_period(&tally, periods[i]);
        assert_int_equal(tally.samples, tally.selected);
        assert_int_equal(tally.events, 0);
        records = unit_take_records(CPU, &n);
        assert_int_equal(n, tally.samples);
        free(records);
    }
}

static void
jitter_shortens_the_interval(void **state)
{
    struct unit_setup setup = { .flags = UNIT_JITTER, .period = 1024 };
    struct unit_tally tally;

    unit_start(CPU, &setup);
    hammer_load(&hammer, PAGES, 50000, ALL_WORDS);
    tally = unit_stop(CPU);
    assert_int_equal(tally.samples, tally.selected);
    /* By 127.5 on average. */
    assert_in_range(tally.samples, tally.accesses / (1024 - 118), tally.accesses / (1024 - 138));
}

/* A countdown of a million, in pieces that are each a third of it. */
static void
a_pause_keeps_the_countdown(void **state)
{
    struct unit_setup setup = { .classes = 1u << UNIT_HOST_EL0, .period = 1000000 };
    volatile struct unit_cpu *words = unit_cpu(CPU);
    struct unit_tally tally;

    unit_start(CPU, &setup);
    for (int piece = 1; piece <= 4; piece++) {
        uint32_t left;

        hammer_load(&hammer, 1, 300000, ALL_WORDS);
        tally = unit_stop(CPU);
        left = words->left;
        assert_int_equal(tally.samples, piece == 4);
        hammer_load(&hammer, 1, 1000, ALL_WORDS);
        assert_int_equal(words->left, left);
        words->enable = 1;
    }
    unit_stop(CPU);
    /* The driver's choice for a new generation. */
    words->left = 1000;
    words->generation++;
    words->enable = 1;
    hammer_load(&hammer, 1, 3000, ALL_WORDS);
    tally = unit_stop(CPU);
    assert_int_equal(tally.samples, 2);
}

static size_t
count_records(const struct spe_record *records, size_t n, bool (*holds)(const struct spe_record *))
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += holds(&records[i]);
    return count;
}

/* Loads and stores half and half, of which one kind is asked for. */
static void
kinds_are_filtered(void **state)
{
    static const uint32_t kinds[] = { UNIT_LOADS, UNIT_STORES };

    for (int i = 0; i < 2; i++) {
        struct unit_setup setup = { .kinds = kinds[i],
                                    .classes = 1u << UNIT_HOST_EL0,
                                    .period = PERIOD };
        struct unit_tally tally;
        struct spe_record *records;
        size_t n;

        unit_start(CPU, &setup);
        hammer_load(&hammer, PAGES, 20000, ALL_WORDS);
        hammer_store(&hammer, PAGES, 20000, ALL_WORDS);
        tally = unit_stop(CPU);
        records = unit_take_records(CPU, &n);
        assert_int_equal(n, tally.samples);
        assert_int_equal(count_records(records, n, spe_is_store), kinds[i] == UNIT_STORES ? n : 0);
        free(records);
        assert_in_range(tally.filtered, tally.selected * 45 / 100, tally.selected * 55 / 100);
        assert_in_range(tally.selected, 2 * 20000 * PAGES / PERIOD,
                        2 * 20000 * PAGES / PERIOD * 105 / 100);
    }
}

/* One access at a time that always hits, or 1 MiB line by line, which never does. */
static struct unit_tally
run_cached(bool hits, const struct unit_setup *setup)
{
    static uint8_t large[1 << 20];

    /* Before it was written to, all of it would be one page of zeros. */
    memset(large, 1, sizeof large);
    unit_start(CPU, setup);
    if (hits) {
        hammer_load(&hammer, 1, 400000, 8);
    } else {
        for (int pass = 0; pass < 20; pass++)
            for (size_t at = 0; at < sizeof large; at += 64)
                (void) *(volatile uint8_t *) (large + at);
    }
    return unit_stop(CPU);
}

/* With a filter that hits do not pass, and misses do. Returns what misses left in the ring. */
static struct spe_record *
run_with_filter(uint32_t min_latency, uint64_t event_filter, size_t *n)
{
    struct unit_setup setup = { .classes = 1u << UNIT_HOST_EL0,
                                .period = PERIOD,
                                .min_latency = min_latency,
                                .event_filter = event_filter };
    struct unit_tally tally = run_cached(true, &setup);
    struct spe_record *records;

    assert_in_range(tally.filtered, tally.selected * 95 / 100, tally.selected);
    tally = run_cached(false, &setup);
    assert_in_range(tally.samples, tally.selected * 95 / 100, tally.selected);
    records = unit_take_records(CPU, n);
    assert_int_equal(*n, tally.samples);
    assert_true(*n > 0);
    return records;
}

static void
latency_is_filtered(void **state)
{
    size_t n;
    struct spe_record *records = run_with_filter(HIT_CYCLES + 1, 0, &n);

    for (size_t i = 0; i < n; i++)
        assert_in_range(records[i].field[SPE_TOTAL], HIT_CYCLES + 1, LONGEST);
    free(records);
}

static void
events_are_filtered(void **state)
{
    size_t n;
    struct spe_record *records = run_with_filter(0, EVENT_REFILL, &n);

    for (size_t i = 0; i < n; i++)
        assert_true(records[i].field[SPE_EVENTS] & EVENT_REFILL);
    free(records);
}

static void
what_a_full_ring_loses_is_counted(void **state)
{
    struct unit_setup setup = { .flags = ALL_PACKETS, .period = LONGEST + 1 };
    volatile struct unit_cpu *words = unit_cpu(CPU);
    struct unit_tally tally;
    struct spe_record *records;
    uint64_t samples;
    size_t n;

    unit_start(CPU, &setup);
    hammer_load(&hammer, PAGES, 200000, ALL_WORDS);
    tally = unit_stop(CPU);
    check_period(&tally, setup.period);
    assert_int_equal(tally.events, UNIT_EVENT_FULL);
    assert_int_equal(tally.samples + tally.lost, tally.selected);
    assert_true(tally.lost > tally.samples);
    assert_in_range(words->head - words->tail, UNIT_RING - 64, UNIT_RING);
    samples = tally.samples;

    /* Room alone is not enough, the driver has to have seen that it was full. */
    records = unit_take_records(CPU, &n);
    free(records);
    assert_int_equal(n, samples);
    words->enable = 1;
    hammer_load(&hammer, PAGES, 1000, ALL_WORDS);
    tally = unit_stop(CPU);
    assert_int_equal(tally.samples, samples);
    words->events = 0;
    words->enable = 1;
    hammer_load(&hammer, PAGES, 1000, ALL_WORDS);
    tally = unit_stop(CPU);
    assert_in_range(tally.samples - samples, 1000 * PAGES / setup.period, 2000);
}

/* Selected at each access, while a sample takes at least as long as seven. */
static void
what_is_in_flight_collides(void **state)
{
    struct unit_setup setup = { .period = 1 };
    struct unit_tally tally;

    unit_start(CPU, &setup);
    hammer_load(&hammer, 1, 50000, 8);
    tally = unit_stop(CPU);
    check_period(&tally, 1);
    assert_true(tally.events & UNIT_EVENT_COLLISION);
    assert_in_range(tally.collisions, tally.selected * (HIT_CYCLES - 1) / HIT_CYCLES,
                    tally.selected * (LONGEST - 1) / LONGEST);
    assert_int_equal(tally.lost, 0);
}

/* Between what the counter read before and after, in order, and spread over that time. */
static void
time_goes_on(void **state)
{
    struct unit_setup setup = { .flags = UNIT_WITH_TIME, .period = PERIOD };
    uint64_t before = unit_counter(), after, latest = before;
    struct spe_record *records;
    size_t n;

    unit_start(CPU, &setup);
    hammer_load(&hammer, PAGES, 200000, ALL_WORDS);
    unit_stop(CPU);
    after = unit_counter();
    records = unit_take_records(CPU, &n);
    assert_true(n > 1000);
    for (size_t i = 0; i < n; i++) {
        assert_in_range(records[i].field[SPE_TIME], latest, after);
        latest = records[i].field[SPE_TIME];
    }
    printf("samples over %lu of %lu ticks\n", (unsigned long) (latest - records[0].field[SPE_TIME]),
           (unsigned long) (after - before));
    assert_true(latest - records[0].field[SPE_TIME] > (after - before) / 4);
    free(records);
}

static void
records_have_what_was_asked_for(void **state)
{
    for (unsigned flags = 0; flags < 8; flags++) {
        struct unit_setup setup = { .flags = flags, .period = PERIOD, .context = TASK };
        unsigned present = ALWAYS | (flags & UNIT_WITH_PA ? 1u << SPE_PA : 0) |
                           (flags & UNIT_WITH_TIME ? 1u << SPE_TIME : 0) |
                           (flags & UNIT_WITH_CONTEXT ? 1u << SPE_CONTEXT2 : 0);
        struct spe_record *records;
        size_t n;

        unit_start(CPU, &setup);
        hammer_store(&hammer, PAGES, 20000, ALL_WORDS);
        unit_stop(CPU);
        records = unit_take_records(CPU, &n);
        assert_true(n > 100);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(records[i].present, present);
            assert_true(records[i].field[SPE_PC] & SPE_NON_SECURE);
            assert_int_equal(records[i].field[SPE_CONTEXT2], flags & UNIT_WITH_CONTEXT ? TASK : 0);
        }
        free(records);
    }
}

static bool
pc_is_in_hammer(const struct spe_record *record)
{
    uint64_t pc = record->field[SPE_PC] & SPE_ADDRESS_MASK;

    return pc - (uintptr_t) __start_hammer_code <
           (uintptr_t) __stop_hammer_code - (uintptr_t) __start_hammer_code;
}

static void
the_pc_is_of_the_access(void **state)
{
    struct unit_setup setup = { .classes = 1u << UNIT_HOST_EL0, .period = PERIOD };
    struct spe_record *records;
    size_t n;

    unit_start(CPU, &setup);
    hammer_store(&hammer, PAGES, 50000, ALL_WORDS);
    unit_stop(CPU);
    records = unit_take_records(CPU, &n);
    assert_in_range(count_records(records, n, pc_is_in_hammer), n * 95 / 100, n);
    for (size_t i = 0; i < n; i++)
        if (hammer_pa(&hammer, records[i].field[SPE_VA]) != 0)
            assert_true(pc_is_in_hammer(&records[i]));
    free(records);
}

/* The kernel copies from one of the pages. */
static void
the_kernel_is_at_el2(void **state)
{
    struct unit_setup setup = { .flags = ALL_PACKETS,
                                .classes = 1u << UNIT_HOST_EL2,
                                .period = PERIOD };
    int fd = memfd_create("copy", MFD_CLOEXEC);
    struct spe_record *records;
    size_t n, here = 0;

    assert_true(fd >= 0);
    unit_start(CPU, &setup);
    for (int i = 0; i < 500; i++)
        assert_int_equal(pwrite(fd, hammer.addr, PAGE_SIZE, 0), PAGE_SIZE);
    unit_stop(CPU);
    close(fd);
    records = unit_take_records(CPU, &n);
    for (size_t i = 0; i < n; i++) {
        uint64_t pa = hammer_pa(&hammer, records[i].field[SPE_VA]);

        assert_int_equal(spe_el(&records[i]), 2);
        assert_false(spe_is_guest(&records[i]));
        if (pa == 0)
            continue;
        assert_int_equal(spe_pa(&records[i]), pa);
        assert_false(spe_is_store(&records[i]));
        here++;
    }
    free(records);
    assert_in_range(here, 500 * PAGE_SIZE / 8 / PERIOD * 8 / 10,
                    500 * PAGE_SIZE / 8 / PERIOD * 12 / 10);
}

#define SAMPLING(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SAMPLING(samples_are_where_the_accesses_are),
        SAMPLING(the_period_is_honoured),
        SAMPLING(jitter_shortens_the_interval),
        SAMPLING(a_pause_keeps_the_countdown),
        SAMPLING(kinds_are_filtered),
        SAMPLING(latency_is_filtered),
        SAMPLING(events_are_filtered),
        SAMPLING(what_a_full_ring_loses_is_counted),
        SAMPLING(what_is_in_flight_collides),
        SAMPLING(time_goes_on),
        SAMPLING(records_have_what_was_asked_for),
        SAMPLING(the_pc_is_of_the_access),
        SAMPLING(the_kernel_is_at_el2),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("unit-samples", tests, set_up, tear_down);
}
