/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an event of the emulated SPE unit delivers: samples of the task, the levels and the
 * operations that were asked for. */
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "load.h"
#include "spe-event.h"
#include "test.h"
#include "unit-sampling.h"

#define PERIOD    16384
#define CPU       1 /* where the loads run; the tests themselves are on the other */
#define AUX_PAGES 64
#define ROUNDS    40 /* of a load: 16 samples at EL0 in each, and some at EL2 */

struct sums {
    size_t all, no_context, no_pa, no_time, loads, stores;
    size_t level[4];
    size_t of[LOADS];     /* context is that of a load */
    size_t in[LOADS];     /* VA is in the area of a load */
    size_t both[LOADS];   /* both */
    size_t backwards;     /* in time */
    uint64_t first, last; /* times */
};

static void
sum_up(const struct spe_record *record, void *data)
{
    uint64_t time = record->field[SPE_TIME];
    struct sums *sums = data;

    sums->all++;
    sums->no_context += !spe_has(record, SPE_CONTEXT2);
    sums->no_pa += !spe_has(record, SPE_PA);
    sums->no_time += !spe_has(record, SPE_TIME);
    sums->loads += spe_is_load(record);
    sums->stores += spe_is_store(record);
    sums->level[spe_el(record)]++;
    for (size_t i = 0; i < LOADS; i++) {
        uint64_t offset = record->field[SPE_VA] - (uintptr_t) loads[i].area;
        bool in = loads[i].pid && spe_el(record) == 0 && offset < LOAD_AREA;
        bool of = loads[i].pid && record->field[SPE_CONTEXT2] == (uint64_t) loads[i].pid;

        sums->in[i] += in;
        sums->of[i] += of;
        sums->both[i] += in && of;
    }
    sums->backwards += time < sums->last;
    sums->first = sums->first ? sums->first : time;
    sums->last = time;
}

/* All that the hardware ever took. */
static uint64_t
samples_taken(void)
{
    uint64_t n = 0;

    for (unsigned cpu = 0; cpu < unit_header()->cpus; cpu++)
        n += unit_cpu(cpu)->samples;
    return n;
}

/* What an event that was on while the loads worked has brought: every sample, once. */
static struct sums
sample(struct perf_event_attr attr, pid_t pid, int cpu)
{
    struct spe_event event = spe_event_open(&attr, pid, cpu, AUX_PAGES, true);
    uint64_t before = samples_taken();
    struct sums sums = { 0 };

    spe_event_enable(&event, true);
    for (int i = 0; i < ROUNDS; i += 8) {
        loads_wait(8);
        spe_event_read(&event, sum_up, &sums);
    }
    spe_event_enable(&event, false);
    spe_event_read(&event, sum_up, &sums);
    assert_int_equal(event.truncated, 0);
    assert_int_equal(sums.all, samples_taken() - before);
    spe_event_close(&event);
    return sums;
}

static void
test_own_task_alone(void **state)
{
    struct sums sums;

    load_start(0, CPU);
    load_start(1, CPU);
    sums = sample(spe_attr(PERIOD), loads[1].pid, -1);
    assert_true(sums.all > 100);
    assert_int_equal(sums.of[1], sums.all);
    assert_int_equal(sums.in[0], 0);
    assert_true(sums.in[1] > sums.all / 4);
    assert_int_equal(sums.no_pa + sums.no_time + sums.no_context, 0);
}

/* Its records say whose each access is. */
static void
test_cpu(void **state)
{
    struct sums sums;

    load_start(0, CPU);
    load_start(1, CPU);
    sums = sample(spe_attr(PERIOD), -1, CPU);
    assert_true(sums.in[0] > 100 && sums.in[1] > 100);
    assert_int_equal(sums.both[0], sums.in[0]);
    assert_int_equal(sums.both[1], sums.in[1]);
    assert_true(sums.level[0] && sums.level[2]);
    assert_int_equal(sums.level[1] + sums.level[3], 0);
}

static void
test_levels(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    struct sums sums;

    load_start(0, CPU);
    attr.exclude_kernel = 1;
    sums = sample(attr, loads[0].pid, -1);
    assert_true(sums.all > 50);
    assert_int_equal(sums.level[0], sums.all);

    attr.exclude_kernel = 0;
    attr.exclude_user = 1;
    sums = sample(attr, loads[0].pid, -1);
    assert_true(sums.all > 50);
    assert_int_equal(sums.level[2], sums.all);

    attr.exclude_user = 0;
    attr.exclude_host = 1;
    sums = sample(attr, loads[0].pid, -1);
    assert_int_equal(sums.all, 0);
}

static void
test_operations(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    struct sums sums;

    load_start(0, CPU);
    attr.config |= SPE_LOAD_FILTER;
    sums = sample(attr, loads[0].pid, -1);
    assert_true(sums.all > 50);
    assert_int_equal(sums.loads, sums.all);

    attr.config ^= SPE_LOAD_FILTER | SPE_STORE_FILTER;
    sums = sample(attr, loads[0].pid, -1);
    assert_true(sums.all > 50);
    assert_int_equal(sums.stores, sums.all);

    attr.config ^= SPE_STORE_FILTER | SPE_BRANCH_FILTER;
    sums = sample(attr, loads[0].pid, -1);
    assert_int_equal(sums.all, 0);
}

static void
test_times(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    uint64_t before = unit_counter();
    struct sums sums;

    load_start(0, CPU);
    sums = sample(attr, -1, CPU);
    assert_true(sums.all > 50);
    assert_int_equal(sums.backwards, 0);
    assert_in_range(sums.first, before, sums.last);
    assert_in_range(sums.last, sums.first + 1, unit_counter());

    attr.config = 0;
    sums = sample(attr, -1, CPU);
    assert_true(sums.all > 50);
    assert_int_equal(sums.no_time, sums.all);
    assert_int_equal(sums.no_pa, sums.all);
}

/* The countdown goes on in the task's next turn: here no turn is as long as a period. */
static void
test_short_turns(void **state)
{
    struct perf_event_attr attr = spe_attr(1 << 20);
    static uint64_t area[LOAD_AREA / sizeof(uint64_t)];
    struct spe_event event;
    int pipes[2][2];
    char byte = 0;
    pid_t pid;
    size_t n;

    attr.exclude_kernel = 1;
    assert_int_equal(pipe(pipes[0]) | pipe(pipes[1]), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (read(pipes[0][0], &byte, 1) == 1) {
            load_touch(area); /* a load and a store each */
            if (write(pipes[1][1], &byte, 1) != 1)
                break;
        }
        _exit(0);
    }
    loads[0].pid = pid;
    event = spe_event_open(&attr, pid, -1, AUX_PAGES, true);
    spe_event_enable(&event, true);
    for (int i = 0; i < 64; i++) {
        assert_int_equal(write(pipes[0][1], &byte, 1), 1);
        assert_int_equal(read(pipes[1][0], &byte, 1), 1);
    }
    spe_event_enable(&event, false);
    n = spe_event_read(&event, NULL, NULL);
    /* 64 turns of a quarter of a period each, and what else the process does. */
    assert_in_range(n, 16, 18);
    spe_event_close(&event);
    for (int i = 0; i < 4; i++)
        close(pipes[i / 2][i % 2]);
}

static int
prepare(void **state)
{
    pin_to_cpu(1 - CPU);
    unit_open();
    return 0;
}

static int
stop(void **state)
{
    loads_stop();
    return 0;
}

#define TEST_OF_LOADS(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OF_LOADS(test_own_task_alone), TEST_OF_LOADS(test_cpu),
        TEST_OF_LOADS(test_levels),         TEST_OF_LOADS(test_operations),
        TEST_OF_LOADS(test_times),          TEST_OF_LOADS(test_short_turns),
    };

    return cmocka_run_group_tests_name("samples", tests, prepare, NULL);
}
