/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events on the threads of a nested KVM guest's QEMU: whose code they sample is for the event to
 * say, as on a VHE host with kernel/patches. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest.h"
#include "spe-event.h"
#include "test.h"
#include "unit-sampling.h"

#define GUEST_MIB    256
#define BOOT_SECONDS 600
#define PERIOD       2048
#define AUX_PAGES    256
#define MAX_THREADS  32
#define LOADS_OF_ALL 1000000 /* of a word of each of the program's pages */

static struct guest guest;
static struct spe_event events[MAX_THREADS];
static size_t n_events;

struct sums {
    size_t all, guest, level[4];
    uint32_t context; /* of the guest's records, which are all of one vCPU */
};

static void
sum_up(const struct spe_record *record, void *data)
{
    struct sums *sums = data;
    uint32_t context = (uint32_t) record->field[SPE_CONTEXT2];

    sums->all++;
    sums->level[spe_el(record)]++;
    assert_true(spe_has(record, SPE_CONTEXT2));
    if (!spe_is_guest(record))
        return;
    sums->guest++;
    sums->context = sums->context ? sums->context : context;
    assert_int_equal(context, sums->context);
}

static void
open_on_each_thread(const struct perf_event_attr *attr)
{
    char path[64];
    struct dirent *entry;
    DIR *threads;

    snprintf(path, sizeof(path), "/proc/%d/task", (int) guest.pid);
    threads = opendir(path);
    assert_non_null(threads);
    while ((entry = readdir(threads))) {
        if (entry->d_name[0] == '.')
            continue;
        assert_in_range(n_events, 0, MAX_THREADS - 1);
        events[n_events++] = spe_event_open(attr, atoi(entry->d_name), -1, AUX_PAGES, true);
    }
    closedir(threads);
}

static struct sums
sample(const struct perf_event_attr *attr)
{
    struct sums sums = { 0 };

    open_on_each_thread(attr);
    for (size_t i = 0; i < n_events; i++)
        spe_event_enable(&events[i], true);
    assert_true(dprintf(guest.input, "%d 0\n", LOADS_OF_ALL) > 0);
    guest_wait_for(&guest, "hammer: done", BOOT_SECONDS);
    for (size_t i = 0; i < n_events; i++) {
        spe_event_enable(&events[i], false);
        spe_event_read(&events[i], sum_up, &sums);
        assert_int_equal(events[i].truncated, 0);
        spe_event_close(&events[i]);
    }
    n_events = 0;
    return sums;
}

static void
test_guest_alone(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    struct sums sums;

    attr.exclude_host = 1;
    sums = sample(&attr);
    assert_true(sums.all > 4 * LOADS_OF_ALL / PERIOD);
    assert_int_equal(sums.guest, sums.all);
    assert_int_equal(sums.level[0] + sums.level[1], sums.all);
    assert_true(sums.level[0] > 4 * LOADS_OF_ALL / PERIOD * 9 / 10);
    assert_int_not_equal(sums.level[1], 0);

    attr.exclude_user = 1;
    sums = sample(&attr);
    assert_int_not_equal(sums.guest, 0);
    assert_int_equal(sums.level[1], sums.all);

    attr.exclude_user = 0;
    attr.exclude_kernel = 1;
    sums = sample(&attr);
    assert_true(sums.all > 4 * LOADS_OF_ALL / PERIOD * 9 / 10);
    assert_int_equal(sums.guest, sums.all);
    assert_int_equal(sums.level[0], sums.all);
}

static void
test_host_alone(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    struct sums sums;

    attr.exclude_guest = 1;
    sums = sample(&attr);
    assert_int_not_equal(sums.all, 0);
    assert_int_equal(sums.guest, 0);
    assert_int_equal(sums.level[1], 0);
}

/* A zeroed attribute excludes nothing: both are in, and told apart. */
static void
test_both(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    struct sums sums = sample(&attr);

    assert_true(sums.guest > 4 * LOADS_OF_ALL / PERIOD * 9 / 10);
    assert_int_not_equal(sums.level[2], 0);
    assert_true(sums.all - sums.guest >= sums.level[2]);
}

static int
start(void **state)
{
    unit_open();
    guest_start(&guest, GUEST_MIB, "hammer", "", false);
    guest_wait_for(&guest, "hammer: ready", BOOT_SECONDS);
    return 0;
}

static int
end(void **state)
{
    guest_end(&guest);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guest_alone),
        cmocka_unit_test(test_host_alone),
        cmocka_unit_test(test_both),
    };

    return cmocka_run_group_tests_name("guest", tests, start, end);
}
