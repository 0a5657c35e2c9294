/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The AUX area of an event of the emulated SPE unit, and PERF_RECORD_AUX, are as the driver of the
 * hardware leaves them: at the area's end, when it is full, when its CPU goes. */
#include <errno.h>
#include <poll.h>

#include "load.h"
#include "spe-event.h"
#include "system.h"
#include "test.h"
#include "unit-sampling.h"

#define PERIOD      1024
#define AUX_PAGES   4
#define LONG_PERIOD 16384
#define LARGE_AREA  64
#define CPU         1  /* where the load runs; the tests themselves are on the other */
#define ROUNDS      20 /* of a load: enough for more than an area */
#define CPU_ONLINE  "/sys/devices/system/cpu/cpu1/online"

static void
count_of_load(const struct spe_record *record, void *count)
{
    *(size_t *) count += record->field[SPE_CONTEXT2] == (uint64_t) loads[0].pid;
}

/* Many times round a small area, with wakeups at a quarter of it. */
static void
test_laps(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    size_t all = 0, of_load = 0;
    struct spe_event event;

    load_start(0, CPU);
    attr.aux_watermark = 4096;
    event = spe_event_open(&attr, loads[0].pid, -1, AUX_PAGES, true);
    spe_event_enable(&event, true);
    while (event.bytes < 20 * event.aux_size) {
        struct pollfd wait = { .fd = event.fd, .events = POLLIN };
        unsigned truncated = event.truncated;

        assert_int_equal(poll(&wait, 1, 60000), 1);
        all += spe_event_read(&event, count_of_load, &of_load);
        if (event.truncated == truncated)
            continue;
        spe_event_enable(&event, false);
        spe_event_enable(&event, true);
    }
    spe_event_enable(&event, false);
    assert_true(all >= 20 * event.aux_size / 128);
    assert_int_equal(of_load, all);
    spe_event_close(&event);
}

/* Nobody reads: sampling ends with the area, and begins again when it was read and the event turned
 * off and on. */
static void
fill_up(pid_t pid, int cpu)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    struct spe_event event = spe_event_open(&attr, pid, cpu, AUX_PAGES, true);
    uint64_t samples;
    size_t first;

    spe_event_enable(&event, true);
    loads_wait(ROUNDS);
    assert_int_equal(unit_cpu(CPU)->enable, 0);
    samples = unit_cpu(CPU)->samples;
    loads_wait(1);
    assert_int_equal(unit_cpu(CPU)->samples, samples);

    first = spe_event_read(&event, NULL, NULL);
    assert_int_equal(event.truncated, 1);
    assert_int_equal(event.partial, 0);
    /* Whole pages are filled, but for the last bytes of each. */
    assert_in_range(event.bytes, 2 * 4096, event.aux_size);
    assert_true(first > 2 * 4096 / 128);

    spe_event_enable(&event, false);
    spe_event_enable(&event, true);
    loads_wait(ROUNDS);
    spe_event_enable(&event, false);
    assert_true(spe_event_read(&event, NULL, NULL) > 10);
    spe_event_close(&event);
}

static void
test_full_of_a_task(void **state)
{
    load_start(0, CPU);
    fill_up(loads[0].pid, -1);
}

static void
test_full_of_a_cpu(void **state)
{
    load_start(0, CPU);
    fill_up(-1, CPU);
}

/* As if the hardware had said so; its words may be written on its own CPU only. */
static void
report(unsigned events)
{
    pin_to_cpu(CPU);
    unit_cpu(CPU)->events |= events;
    pin_to_cpu(1 - CPU);
}

/* When the unit's ring was full, samples are missing, and sampling goes on. */
static void
test_overrun(void **state)
{
    struct perf_event_attr attr = spe_attr(LONG_PERIOD);
    struct spe_event event = spe_event_open(&attr, -1, CPU, LARGE_AREA, true);
    uint64_t samples;

    load_start(0, CPU);
    spe_event_enable(&event, true);
    report(UNIT_EVENT_FULL);
    loads_wait(ROUNDS);
    assert_int_equal(unit_cpu(CPU)->events & UNIT_EVENT_FULL, 0);
    samples = unit_cpu(CPU)->samples;
    loads_wait(ROUNDS);
    assert_true(unit_cpu(CPU)->samples > samples);
    spe_event_enable(&event, false);
    spe_event_read(&event, NULL, NULL);
    assert_int_equal(event.partial, 1);
    assert_int_equal(event.truncated, 0);
    spe_event_close(&event);
}

/* A collision is told of with the buffer that is full next. */
static void
test_collision(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    struct spe_event event = spe_event_open(&attr, -1, CPU, AUX_PAGES, true);

    report(UNIT_EVENT_COLLISION);
    load_start(0, CPU);
    spe_event_enable(&event, true);
    loads_wait(ROUNDS);
    spe_event_enable(&event, false);
    spe_event_read(&event, NULL, NULL);
    assert_int_equal(event.truncated, 1);
    assert_true(event.collisions > 0);
    assert_int_equal(unit_cpu(CPU)->events & UNIT_EVENT_COLLISION, 0);
    spe_event_close(&event);
}

/* An area that the kernel overwrites: the newest half at least can be read. */
static void
test_snapshot(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    struct spe_record record;
    struct spe_event event;
    size_t head, at, count = 0;

    load_start(0, CPU);
    event = spe_event_open(&attr, loads[0].pid, -1, AUX_PAGES, false);
    spe_event_enable(&event, true);
    loads_wait(ROUNDS);
    spe_event_enable(&event, false);
    head = event.page->aux_head;
    assert_in_range(head, 1, event.aux_size);
    at = head > event.aux_size / 2 ? event.aux_size / 2 : 0;
    for (size_t n; at < head; at += n, count++) {
        n = spe_record_read(event.aux + at, head - at, &record);
        assert_int_not_equal(n, 0);
        assert_int_equal(record.field[SPE_CONTEXT2], loads[0].pid);
    }
    assert_int_not_equal(count, 0);
    spe_event_close(&event);
}

static size_t
sample_cpu(struct spe_event *event)
{
    size_t count = 0;

    load_start(0, CPU);
    spe_event_enable(event, true);
    loads_wait(ROUNDS);
    spe_event_enable(event, false);
    spe_event_read(event, count_of_load, &count);
    loads_stop();
    return count;
}

/* The event of a CPU that goes ends with it, as any event does; the next one has its samples. */
static void
test_hotplug(void **state)
{
    struct perf_event_attr attr = spe_attr(LONG_PERIOD);
    struct spe_event event = spe_event_open(&attr, -1, CPU, LARGE_AREA, true);
    size_t count = 0;

    load_start(0, CPU);
    spe_event_enable(&event, true);
    loads_wait(ROUNDS);
    assert_int_equal(file_write(CPU_ONLINE, "0"), 0);
    assert_int_equal(unit_cpu(CPU)->enable, 0);
    spe_event_read(&event, count_of_load, &count);
    assert_true(count > 50);
    assert_int_equal(spe_try_open(&attr, -1, CPU), -ENODEV);
    loads_stop();

    assert_int_equal(file_write(CPU_ONLINE, "1"), 0);
    load_start(0, CPU);
    loads_wait(1);
    loads_stop();
    assert_int_equal(unit_cpu(CPU)->enable, 0);
    assert_int_equal(spe_event_read(&event, NULL, NULL), 0);
    spe_event_close(&event);

    event = spe_event_open(&attr, -1, CPU, LARGE_AREA, true);
    assert_true(sample_cpu(&event) > 50);
    spe_event_close(&event);
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
    return file_write(CPU_ONLINE, "1");
}

#define TEST_OF_LOADS(test) cmocka_unit_test_teardown(test, stop)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_OF_LOADS(test_laps),          TEST_OF_LOADS(test_full_of_a_task),
        TEST_OF_LOADS(test_full_of_a_cpu), TEST_OF_LOADS(test_snapshot),
        TEST_OF_LOADS(test_overrun),       TEST_OF_LOADS(test_collision),
        TEST_OF_LOADS(test_hotplug),
    };

    return cmocka_run_group_tests_name("aux", tests, prepare, NULL);
}
