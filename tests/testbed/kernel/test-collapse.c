/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DAMOS_COLLAPSE to the PMD order, of what was split and of what never was huge. */
#include <sys/mman.h>

#include "../common/check.h"
#include "../common/frames.h"
#include "../common/mapping.h"
#include "../common/system.h"
#include "../common/test.h"

/* Each order to which a block can have been split, and both ways to ask for the PMD order. */
static void
after_a_split(void **state)
{
    static const int orders[] = { 0, 2, 4, 8 };
    static const int targets[] = { 0, PMD_ORDER };

    for (size_t i = 0; i < 4; i++) {
        struct mapping map = mapping_for(state, 4, STEP_EVERY_WORD);
        struct damon_stats stats;

        damon_act_range("split", orders[i], mapping_block(&map, 1), 2 * BLOCK_BYTES);
        assert_int_equal(frames_order(&map, 1), orders[i]);
        assert_int_equal(frames_order(&map, 2), orders[i]);
        stats =
            damon_act_range("collapse", targets[i % 2], mapping_block(&map, 1), 2 * BLOCK_BYTES);
        assert_int_equal(stats.sz_tried, 2 * BLOCK_BYTES);
        assert_int_equal(stats.sz_applied, 2 * BLOCK_BYTES);
        check_collapsed(&map, 1);
        check_collapsed(&map, 2);
        check_untouched(&map, 0, 1);
        check_untouched(&map, 3, 4);
        mapping_free(&map);
    }
}

/* Small pages from the start: those of anonymous memory lie anywhere. */
static void
never_huge(void **state)
{
    struct mapping map = mapping_anon(2, STEP_EVERY_WORD);
    void *addr = (void *) mapping_block(&map, 0);
    struct damon_stats stats;

    assert_int_equal(madvise(addr, 2 * BLOCK_BYTES, MADV_NOHUGEPAGE), 0);
    assert_int_equal(madvise(addr, 2 * BLOCK_BYTES, MADV_DONTNEED), 0);
    mapping_fill(&map, 0, 2 * BLOCK_BYTES);
    assert_int_equal(folio_order_now(addr), 0);
    assert_int_equal(madvise(addr, 2 * BLOCK_BYTES, MADV_HUGEPAGE), 0);
    frames_record(&map);
    stats = damon_act_range("collapse", PMD_ORDER, mapping_block(&map, 0), BLOCK_BYTES);
    assert_int_equal(stats.sz_applied, BLOCK_BYTES);
    check_collapsed(&map, 0);
    assert_int_equal(frames_moved(&map, 1), 0);
    assert_int_equal(folio_order_now((void *) mapping_block(&map, 1)), 0);
    assert_int_equal(mapping_wrong_block(&map, 1), 0);
    mapping_free(&map);
}

/* Where the owner said that he wants no huge pages, there are none: nothing is applied. */
static void
not_where_it_is_forbidden(void **state)
{
    struct mapping map = mapping_for(state, 2, STEP_EVERY_WORD);
    struct damon_stats stats;

    damon_act_range("split", 0, mapping_block(&map, 0), 2 * BLOCK_BYTES);
    assert_int_equal(madvise((void *) mapping_block(&map, 0), BLOCK_BYTES, MADV_NOHUGEPAGE), 0);
    stats = damon_act_range("collapse", PMD_ORDER, mapping_block(&map, 0), 2 * BLOCK_BYTES);
    assert_int_equal(stats.sz_tried, 2 * BLOCK_BYTES);
    assert_int_equal(stats.sz_applied, BLOCK_BYTES);
    assert_int_equal(frames_order(&map, 0), 0);
    assert_int_equal(frames_moved(&map, 0), 0);
    check_collapsed(&map, 1);
    mapping_free(&map);
}

/* Clamped inwards: only the blocks that lie in the range whole. */
static void
not_beyond_the_range(void **state)
{
    struct mapping map = mapping_for(state, 4, STEP_EVERY_WORD);
    uintptr_t start = mapping_block(&map, 0) + PAGE_SIZE;
    uintptr_t end = mapping_block(&map, 3) - PAGE_SIZE;
    struct damon_stats stats;

    damon_act_range("split", 0, mapping_block(&map, 0), 4 * BLOCK_BYTES);
    stats = damon_act_range("collapse", PMD_ORDER, start, end - start);
    assert_int_equal(stats.sz_tried, end - start);
    assert_int_equal(stats.sz_applied, BLOCK_BYTES);
    check_collapsed(&map, 1);
    for (size_t block = 0; block < 4; block++) {
        if (block == 1)
            continue;
        assert_int_equal(frames_order(&map, block), 0);
        assert_int_equal(frames_moved(&map, block), 0);
        assert_int_equal(mapping_wrong_block(&map, block), 0);
    }
    mapping_free(&map);
}

/* Smaller than a block, anywhere: nothing to do. */
static void
range_below_a_block(void **state)
{
    struct mapping map = mapping_for(state, 2, STEP_EVERY_WORD);
    struct damon_stats stats;

    damon_act_range("split", 0, mapping_block(&map, 0), 2 * BLOCK_BYTES);
    stats = damon_act_range("collapse", PMD_ORDER, mapping_block(&map, 0), BLOCK_BYTES - PAGE_SIZE);
    assert_int_equal(stats.sz_applied, 0);
    stats = damon_act_range("collapse", PMD_ORDER, mapping_block(&map, 0) + BLOCK_BYTES / 2,
                            BLOCK_BYTES);
    assert_int_equal(stats.sz_applied, 0);
    for (size_t block = 0; block < 2; block++) {
        assert_int_equal(frames_order(&map, block), 0);
        assert_int_equal(mapping_wrong_block(&map, block), 0);
    }
    mapping_free(&map);
}

/* A hole in the address space, and what cannot collapse, end nothing. */
static void
over_a_hole(void **state)
{
    struct mapping map = mapping_for(state, 4, STEP_EVERY_WORD);
    struct damon_stats stats;

    damon_act_range("split", 0, mapping_block(&map, 0), 4 * BLOCK_BYTES);
    assert_int_equal(munmap((void *) mapping_block(&map, 1), BLOCK_BYTES), 0);
    assert_int_equal(mprotect((void *) mapping_block(&map, 2), PAGE_SIZE, PROT_READ), 0);
    stats = damon_act_range("collapse", PMD_ORDER, mapping_block(&map, 0), 4 * BLOCK_BYTES);
    assert_int_equal(stats.sz_applied, 2 * BLOCK_BYTES);
    check_collapsed(&map, 0);
    check_collapsed(&map, 3);
    assert_int_equal(frames_order(&map, 2), 0);
    assert_int_equal(mapping_wrong_block(&map, 2), 0);
    mapping_free(&map);
}

/* Splitting and collapsing the same blocks again and again loses nothing. */
static void
there_and_back(void **state)
{
    struct mapping map = mapping_for(state, 8, STEP_EVERY_WORD);

    for (int order = 0; order < PMD_ORDER; order++) {
        struct damon_stats stats;

        frames_record(&map);
        stats = damon_act_range("split", order == 1 ? 0 : order, mapping_block(&map, 0),
                                8 * BLOCK_BYTES);
        assert_int_equal(stats.sz_applied, 8 * BLOCK_BYTES);
        assert_int_equal(mapping_wrong(&map), 0);
        stats = damon_act_range("collapse", PMD_ORDER, mapping_block(&map, 0), 8 * BLOCK_BYTES);
        assert_int_equal(stats.sz_applied, 8 * BLOCK_BYTES);
        for (size_t block = 0; block < 8; block++)
            check_collapsed(&map, block);
    }
    mapping_free(&map);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(after_a_split),
        TEST(never_huge),
        TEST_BOTH(not_where_it_is_forbidden),
        TEST_BOTH(not_beyond_the_range),
        TEST_BOTH(range_below_a_block),
        TEST_BOTH(over_a_hole),
        TEST_BOTH(there_and_back),
    };

    return cmocka_run_group_tests_name("collapse", tests, khugepaged_quiet, NULL);
}
