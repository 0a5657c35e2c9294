/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A real KVM guest, nested in the emulated host, accesses pages as often as it is told
 * (guest/hammer.c). The SPE unit must count and sample just that, as the guest's, at the frames of
 * the host that are below the guest's pages. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "guest.h"
#include "guest-ram.h"
#include "mapping.h"
#include "test.h"
#include "unit-sampling.h"

#define GUEST_MIB    256
#define PAGES        4
#define BOOT_SECONDS 600
#define PERIOD       997
#define GUEST_ONLY   (1u << UNIT_GUEST_EL0 | 1u << UNIT_GUEST_EL1)

static struct guest guest;
static struct guest_ram ram;
static uint64_t va_of[PAGES], pa_of[PAGES]; /* in the guest, in the host; bytes */

static void
tell(unsigned long loads, unsigned long stores)
{
    assert_true(dprintf(guest.input, "%lu %lu\n", loads, stores) > 0);
    guest_wait_for(&guest, "hammer: done", BOOT_SECONDS);
}

static void
the_guest_starts(void **state)
{
    uint64_t guest_pa[PAGES];

    guest_start(&guest, GUEST_MIB, "hammer", "", false);
    for (size_t page = 0; page < PAGES; page++) {
        guest_wait_for(&guest, "hammer: page", BOOT_SECONDS);
        assert_int_equal(sscanf(guest.line, "hammer: page %*u va %" SCNx64 " pa %" SCNx64,
                                &va_of[page], &guest_pa[page]),
                         2);
    }
    guest_wait_for(&guest, "hammer: ready", BOOT_SECONDS);
    ram = guest_ram_open(guest.pid);
    assert_int_equal(ram.bytes, (size_t) GUEST_MIB << 20);
    for (size_t page = 0; page < PAGES; page++) {
        pa_of[page] = guest_ram_pa(&ram, guest_pa[page]);
        assert_int_not_equal(pa_of[page], 0);
    }
}

static void
its_program_is_guest_el0(void **state)
{
    uint64_t before[PAGES][UNIT_CLASSES];

    for (size_t page = 0; page < PAGES; page++)
        for (unsigned class = 0; class < UNIT_CLASSES; class ++)
            before[page][class] = unit_count(pa_of[page], (enum unit_class) class);
    tell(54321, 12345);
    for (size_t page = 0; page < PAGES; page++)
        for (unsigned class = 0; class < UNIT_CLASSES; class ++)
            assert_int_equal(unit_count(pa_of[page], (enum unit_class) class) - before[page][class],
                             class == UNIT_GUEST_EL0 ? 54321 + 12345 : 0);
}

static int
compare_frames(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Checks a record, and counts it when it is of a page of the program. */
static void
check_record(const struct spe_record *record, const uint64_t *sorted, size_t of_page[PAGES])
{
    uint64_t frame = spe_pa(record) / PAGE_SIZE;

    assert_true(spe_is_guest(record));
    assert_in_range(spe_el(record), 0, 1);
    assert_non_null(bsearch(&frame, sorted, ram.bytes / PAGE_SIZE, sizeof *sorted, compare_frames));
    for (size_t page = 0; page < PAGES; page++) {
        uint64_t offset = record->field[SPE_VA] - va_of[page];

        if (spe_el(record) != 0 || offset >= PAGE_SIZE)
            continue;
        assert_int_equal(spe_pa(record), pa_of[page] + offset);
        of_page[page]++;
    }
}

static void
its_samples_are_in_its_ram(void **state)
{
    struct unit_setup setup = { .flags = UNIT_WITH_PA | UNIT_WITH_TIME | UNIT_WITH_CONTEXT,
                                .classes = GUEST_ONLY,
                                .period = PERIOD };
    size_t pages = ram.bytes / PAGE_SIZE, of_page[PAGES] = { 0 };
    size_t expected = (200000 + 100000) * PAGES / PERIOD / PAGES;
    uint64_t *sorted = guest_ram_frames(&ram);

    qsort(sorted, pages, sizeof *sorted, compare_frames);
    for (unsigned cpu = 0; cpu < unit_header()->cpus; cpu++)
        unit_start(cpu, &setup);
    tell(200000, 100000);
    for (unsigned cpu = 0; cpu < unit_header()->cpus; cpu++) {
        struct unit_tally tally = unit_stop(cpu);
        struct spe_record *records;
        size_t n;

        records = unit_take_records(cpu, &n);
        assert_int_equal(n, tally.selected);
        for (size_t i = 0; i < n; i++)
            check_record(&records[i], sorted, of_page);
        printf("CPU %u: %zu samples of the guest\n", cpu, n);
        free(records);
    }
    free(sorted);
    for (size_t page = 0; page < PAGES; page++)
        assert_in_range(of_page[page], expected * 9 / 10, expected * 11 / 10);
}

/* Nothing that the host does while its guest sleeps is the guest's. */
static void
the_host_is_not_the_guest(void **state)
{
    struct unit_setup setup = { .flags = UNIT_WITH_PA, .period = PERIOD };
    struct spe_record *records;
    size_t n, of_guest = 0;

    unit_start(0, &setup);
    for (volatile int i = 0; i < 3000000; i++)
        continue;
    unit_stop(0);
    records = unit_take_records(0, &n);
    for (size_t i = 0; i < n; i++) {
        of_guest += spe_is_guest(&records[i]);
        assert_int_equal(spe_is_guest(&records[i]),
                         spe_el(&records[i]) == 1 || spe_has(&records[i], SPE_CONTEXT1));
    }
    free(records);
    printf("%zu of %zu samples are of the sleeping guest\n", of_guest, n);
    assert_true(n > 1000);
    assert_in_range(of_guest, 0, n / 10);
}

static int
set_up(void **state)
{
    unit_open();
    return 0;
}

static int
stop(void **state)
{
    for (unsigned cpu = 0; cpu < unit_header()->cpus; cpu++)
        unit_stop(cpu);
    return 0;
}

static int
tear_down(void **state)
{
    guest_end(&guest);
    return 0;
}

int
main(void)
{
    /* Each builds on what the one before it left. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_guest_starts),
        cmocka_unit_test(its_program_is_guest_el0),
        cmocka_unit_test_teardown(its_samples_are_in_its_ram, stop),
        cmocka_unit_test_teardown(the_host_is_not_the_guest, stop),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("unit-guest", tests, set_up, tear_down);
}
