/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The model of a TLB that the emulated host is measured by (tests/testbed/unit/tlb.h), and what
 * feeds it. */
#include <string.h>

#include "cmocka-all.h"
#include "testbed/unit/gauge.h"

#define RAM   UINT64_C(0x40000000)
#define SMALL UINT64_C(4096)
#define HUGE  (UINT64_C(1) << METER_HUGE_SHIFT)

static struct meter_cpu words;
static struct meter_control control;
static struct gauge gauge;

static int
set_up(void **state)
{
    words = (struct meter_cpu){ 0 };
    control = (struct meter_control){ .tlb = 1 };
    gauge = (struct gauge){ .words = &words, .control = &control, .ram_base = RAM };
    return 0;
}

/* Pages one after the other, from a multiple of 2 MiB on, and that in rounds. */
static void
go_through(guint pages, guint64 step, guint rounds)
{
    for (guint i = 0; i < pages * rounds; i++)
        gauge_access(&gauge, RAM + i % pages * step, UNIT_GUEST_EL0);
}

static void
expect(guint64 lookups, guint64 l1_misses, guint64 walks)
{
    assert_int_equal(words.lookups, lookups);
    assert_int_equal(words.l1_misses, l1_misses);
    assert_int_equal(words.walks, walks);
}

static void
test_first_level(void **state)
{
    go_through(TLB_L1, SMALL, 10);
    expect(TLB_L1 * 10, TLB_L1, TLB_L1);
}

/* One page more than there are entries, in turn: each is the one that was used longest ago. */
static void
test_second_level(void **state)
{
    go_through(TLB_L1 + 1, SMALL, 10);
    expect((TLB_L1 + 1) * 10, (TLB_L1 + 1) * 10, TLB_L1 + 1);
}

static void
test_reach_of_small_pages(void **state)
{
    go_through(TLB_L2_SETS * TLB_L2_WAYS, SMALL, 3);
    expect(3 * 2048, 3 * 2048, 2048);
    set_up(state);
    go_through(TLB_L2_SETS * (TLB_L2_WAYS + 1), SMALL, 3);
    expect(3 * 2304, 3 * 2304, 3 * 2304);
}

/* The same 9 MiB are five entries when they are mapped huge; the last of them half. */
static void
test_reach_of_huge_pages(void **state)
{
    control.huge[0] = 0x1f;
    go_through(TLB_L2_SETS * (TLB_L2_WAYS + 1), SMALL, 3);
    expect(3 * 2304, 5, 5);
}

static void
test_blocks_by_place(void **state)
{
    control.huge[1] = 1; /* the block number 64 */
    gauge_access(&gauge, RAM + 64 * HUGE, UNIT_GUEST_EL1);
    gauge_access(&gauge, RAM + 65 * HUGE - 8, UNIT_GUEST_EL1);
    expect(2, 1, 1);
    gauge_access(&gauge, RAM + 65 * HUGE, UNIT_GUEST_EL1);
    gauge_access(&gauge, RAM + 66 * HUGE - 8, UNIT_GUEST_EL1);
    expect(4, 3, 3);
    /* Beyond what there are bits for. */
    gauge_access(&gauge, RAM + METER_HUGE_WORDS * 64 * HUGE, UNIT_GUEST_EL1);
    expect(5, 4, 4);
}

static void
test_off_host_and_anew(void **state)
{
    gauge_access(&gauge, RAM, UNIT_HOST_EL0);
    gauge_access(&gauge, RAM, UNIT_HOST_EL2);
    control.tlb = 0;
    gauge_access(&gauge, RAM, UNIT_GUEST_EL0);
    expect(0, 0, 0);
    assert_int_equal(words.accesses[UNIT_HOST_EL0], 1);
    assert_int_equal(words.accesses[UNIT_GUEST_EL0], 1);
    assert_int_equal(words.accesses[UNIT_GUEST_EL1], 0);
    control.tlb = 1;
    go_through(1, SMALL, 2);
    expect(2, 1, 1);
    control.tlb = 2;
    go_through(1, SMALL, 2);
    expect(4, 2, 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_first_level, set_up),
        cmocka_unit_test_setup(test_second_level, set_up),
        cmocka_unit_test_setup(test_reach_of_small_pages, set_up),
        cmocka_unit_test_setup(test_reach_of_huge_pages, set_up),
        cmocka_unit_test_setup(test_blocks_by_place, set_up),
        cmocka_unit_test_setup(test_off_host_and_anew, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
