/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PMU of the emulated SPE unit is, to a program that opens events, that of a Kunpeng 920: its
 * files, what it refuses, who may hold it, and what the hardware is told to do. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "spe-event.h"
#include "system.h"
#include "test.h"
#include "unit-sampling.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define PERIOD        65536
#define NOBODY        65534
#define CPU           1 /* where the tests run */
#define HOST          (1u << UNIT_HOST_EL0 | 1u << UNIT_HOST_EL2)
#define GUEST         (1u << UNIT_GUEST_EL0 | 1u << UNIT_GUEST_EL1)

static void
test_files(void **state)
{
    static const char *const files[][2] = {
        { "cpumask", "0-1" },
        { "caps/arch_inst", "0" },
        { "caps/ernd", "0" },
        { "caps/count_size", "12" },
        { "caps/min_interval", "1024" },
        { "format/ts_enable", "config:0" },
        { "format/pa_enable", "config:1" },
        { "format/pct_enable", "config:2" },
        { "format/jitter", "config:16" },
        { "format/branch_filter", "config:32" },
        { "format/load_filter", "config:33" },
        { "format/store_filter", "config:34" },
        { "format/event_filter", "config1:0-63" },
        { "format/min_latency", "config2:0-11" },
    };
    char path[160], text[64];

    for (size_t i = 0; i < LENGTH(files); i++) {
        snprintf(path, sizeof(path), SPE_PMU_DIR "%s", files[i][0]);
        assert_true(file_read(path, text, sizeof(text)) >= 0);
        assert_string_equal(text, files[i][1]);
    }
}

static size_t
files_in(const char *dir)
{
    struct dirent *entry;
    DIR *list = opendir(dir);
    size_t n = 0;

    assert_non_null(list);
    while ((entry = readdir(list)))
        n += entry->d_name[0] != '.';
    closedir(list);
    return n;
}

/* SPEv1.0 has no inverted event filter. */
static void
test_no_other_files(void **state)
{
    assert_int_equal(files_in(SPE_PMU_DIR "format"), 9);
    assert_int_equal(files_in(SPE_PMU_DIR "caps"), 4);
}

static int
open_and_close(const struct perf_event_attr *attr, pid_t pid, int cpu)
{
    int fd = spe_try_open(attr, pid, cpu);

    if (fd >= 0)
        close(fd);
    return fd < 0 ? fd : 0;
}

static void
test_refused(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);

    assert_int_equal(open_and_close(&attr, 0, -1), 0);

    attr.freq = 1;
    attr.sample_freq = 1000;
    assert_int_equal(open_and_close(&attr, 0, -1), -EINVAL);

    attr = spe_attr(PERIOD);
    attr.exclude_idle = 1;
    assert_int_equal(open_and_close(&attr, 0, -1), -EOPNOTSUPP);
}

/* config3, which the headers of Linux 6.1 do not know, is for SPEv1.2. */
static void
test_no_inverted_event_filter(void **state)
{
    struct {
        struct perf_event_attr attr;
        uint64_t config3;
    } wide = { spe_attr(PERIOD), 0 };

    wide.attr.size = sizeof(wide);
    assert_int_equal(open_and_close(&wide.attr, 0, -1), 0);
    wide.config3 = 1 << 1;
    assert_int_equal(open_and_close(&wide.attr, 0, -1), -EOPNOTSUPP);
}

/* Of SPEv1.0: retired, L1D refill, TLB walk and mispredicted; the rest is what an implementation
 * may define. */
static void
test_event_filter(void **state)
{
    const uint64_t allowed = UINT64_C(0xffff0000ff00f0aa);

    for (unsigned bit = 0; bit < 64; bit++) {
        struct perf_event_attr attr = spe_attr(PERIOD);

        attr.config1 = UINT64_C(1) << bit;
        assert_int_equal(open_and_close(&attr, 0, -1), allowed & attr.config1 ? 0 : -EOPNOTSUPP);
    }
}

static void
test_aux_area_of_one_page(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    struct perf_event_mmap_page *page;
    int fd = spe_try_open(&attr, 0, -1);

    assert_true(fd >= 0);
    page = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(page != MAP_FAILED);
    page->aux_offset = 2 * 4096;
    page->aux_size = 4096;
    assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 2 * 4096) == MAP_FAILED);
    assert_int_equal(errno, ENOMEM);
    munmap(page, 2 * 4096);
    close(fd);
}

/* One user for each CPU, and not tasks and CPUs at once. */
static void
test_busy(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    int first = spe_try_open(&attr, -1, 0), second;

    assert_true(first >= 0);
    assert_int_equal(open_and_close(&attr, -1, 0), -EBUSY);
    assert_int_equal(open_and_close(&attr, 0, -1), -EBUSY);
    assert_int_equal(open_and_close(&attr, -1, 1), 0);
    close(first);

    first = spe_try_open(&attr, 0, -1);
    assert_true(first >= 0);
    assert_int_equal(open_and_close(&attr, 0, -1), -EBUSY);
    assert_int_equal(open_and_close(&attr, -1, 0), -EBUSY);
    second = spe_try_open(&attr, getppid(), -1);
    assert_true(second >= 0);
    close(second);
    close(first);
    assert_int_equal(open_and_close(&attr, -1, 0), 0);
}

/* The words of the unit while an event of this task, which stays on CPU, is on. */
static struct unit_cpu
words_of(const struct perf_event_attr *attr)
{
    struct spe_event event = spe_event_open(attr, 0, -1, 16, true);
    struct unit_cpu words;

    spe_event_enable(&event, true);
    words = *unit_cpu(CPU);
    assert_int_equal(words.enable, 1);
    spe_event_enable(&event, false);
    assert_int_equal(unit_cpu(CPU)->enable, 0);
    spe_event_close(&event);
    return words;
}

static void
test_period(void **state)
{
    static const uint64_t periods[][2] = {
        { 0, 1024 },      { 1, 1024 },          { 1023, 1024 },
        { 1024, 1024 },   { 5000, 4864 },       { 65536, 65536 },
        { 70000, 69888 }, { 1 << 24, 1 << 24 }, { UINT64_C(1) << 40, 0xffffff00 },
    };

    for (size_t i = 0; i < LENGTH(periods); i++) {
        struct perf_event_attr attr = spe_attr(periods[i][0]);

        assert_int_equal(words_of(&attr).period, periods[i][1]);
    }
}

static void
test_period_of_a_running_event(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD);
    struct spe_event event = spe_event_open(&attr, 0, -1, 16, true);
    uint64_t period = 5000;
    unsigned generation;

    spe_event_enable(&event, true);
    generation = unit_cpu(CPU)->generation;
    assert_int_equal(ioctl(event.fd, PERF_EVENT_IOC_PERIOD, &period), 0);
    assert_int_equal(unit_cpu(CPU)->period, 4864);
    assert_int_not_equal(unit_cpu(CPU)->generation, generation);
    assert_int_equal(unit_cpu(CPU)->enable, 1);
    spe_event_close(&event);
    assert_int_equal(unit_cpu(CPU)->enable, 0);
}

static void
test_packets(void **state)
{
    static const struct {
        uint64_t config;
        unsigned flags;
    } cases[] = {
        { 0, UNIT_WITH_CONTEXT },
        { SPE_TS_ENABLE, UNIT_WITH_CONTEXT | UNIT_WITH_TIME },
        { SPE_PA_ENABLE, UNIT_WITH_CONTEXT | UNIT_WITH_PA },
        { SPE_TS_ENABLE | SPE_PCT_ENABLE, UNIT_WITH_CONTEXT | UNIT_WITH_TIME },
        { SPE_JITTER, UNIT_WITH_CONTEXT | UNIT_JITTER },
    };

    for (size_t i = 0; i < LENGTH(cases); i++) {
        struct perf_event_attr attr = spe_attr(PERIOD);

        attr.config = cases[i].config;
        assert_int_equal(words_of(&attr).flags, cases[i].flags);
    }
}

static void
test_filters(void **state)
{
    static const struct {
        uint64_t config;
        unsigned kinds;
    } cases[] = {
        { 0, UNIT_LOADS | UNIT_STORES },
        { SPE_LOAD_FILTER, UNIT_LOADS },
        { SPE_STORE_FILTER, UNIT_STORES },
        { SPE_LOAD_FILTER | SPE_STORE_FILTER, UNIT_LOADS | UNIT_STORES },
        { SPE_BRANCH_FILTER, 0 },
        { SPE_BRANCH_FILTER | SPE_LOAD_FILTER, UNIT_LOADS },
    };
    struct perf_event_attr attr;
    struct unit_cpu words;

    for (size_t i = 0; i < LENGTH(cases); i++) {
        attr = spe_attr(PERIOD);
        attr.config |= cases[i].config;
        assert_int_equal(words_of(&attr).kinds, cases[i].kinds);
    }
    attr.config1 = 0x2a;
    attr.config2 = 0x5678; /* 12 bits of it are the latency */
    words = words_of(&attr);
    assert_int_equal(words.event_filter, 0x2a);
    assert_int_equal(words.min_latency, 0x678);
}

/* The guest's levels follow the same two exclusions as the host's. */
static void
test_classes(void **state)
{
    const unsigned user = 1u << UNIT_HOST_EL0 | 1u << UNIT_GUEST_EL0;

    for (unsigned mask = 0; mask < 16; mask++) {
        struct perf_event_attr attr = spe_attr(PERIOD);
        unsigned classes = HOST | GUEST;

        attr.exclude_user = mask & 1;
        attr.exclude_kernel = mask >> 1 & 1;
        attr.exclude_guest = mask >> 2 & 1;
        attr.exclude_host = mask >> 3 & 1;
        classes &= attr.exclude_user ? ~user : ~0u;
        classes &= attr.exclude_kernel ? user : ~0u;
        classes &= attr.exclude_guest ? ~GUEST : ~0u;
        classes &= attr.exclude_host ? ~HOST : ~0u;
        assert_int_equal(words_of(&attr).classes, classes);
    }
}

static void
test_nobody(void **state)
{
    struct perf_event_attr attr = spe_attr(PERIOD), plain = attr, guest;
    struct unit_cpu words;
    int pa, pct, guest_only;

    unit_open();
    attr.exclude_kernel = 1;
    plain = guest = attr;
    plain.config = SPE_TS_ENABLE;
    guest.config = SPE_TS_ENABLE;
    guest.exclude_host = 1;
    assert_int_equal(seteuid(NOBODY), 0);
    pa = open_and_close(&attr, 0, -1);
    attr.config = SPE_PCT_ENABLE;
    pct = open_and_close(&attr, 0, -1);
    guest_only = open_and_close(&guest, 0, -1);
    words = words_of(&plain);
    assert_int_equal(seteuid(0), 0);

    assert_int_equal(pa, -EACCES);
    assert_int_equal(pct, -EACCES);
    assert_int_equal(guest_only, -EACCES);
    /* Neither the task's id, nor guests: those take what sampling the kernel takes. */
    assert_int_equal(words.flags, UNIT_WITH_TIME);
    assert_int_equal(words.classes, 1u << UNIT_HOST_EL0);
}

/* A test that fails as nobody must not leave the others so. */
static int
be_root(void **state)
{
    return seteuid(0);
}

static int
prepare(void **state)
{
    unit_open();
    pin_to_cpu(CPU);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_no_other_files),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_event_filter),
        cmocka_unit_test(test_no_inverted_event_filter),
        cmocka_unit_test(test_aux_area_of_one_page),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_period),
        cmocka_unit_test(test_period_of_a_running_event),
        cmocka_unit_test(test_packets),
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_classes),
        cmocka_unit_test_teardown(test_nobody, be_root),
    };

    return cmocka_run_group_tests_name("pmu", tests, prepare, NULL);
}
