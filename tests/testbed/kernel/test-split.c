/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DAMOS_SPLIT of exactly the ranges that were asked for: one of many, a list, each order, whatever
 * maps the folio. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common/check.h"
#include "../common/frames.h"
#include "../common/mapping.h"
#include "../common/system.h"
#include "../common/test.h"

#define BLOCKS 128 /* 256 MiB */

/* The RFC's own test. */
static void
one_range(void **state)
{
    struct mapping map = mapping_for(state, BLOCKS, STEP_EVERY_WORD);
    uint64_t splits = vmstat("thp_split_page"), counted = thp_stat(PMD_ORDER, "split");
    const size_t block = 57;
    struct damon_stats stats = damon_act_range("split", 0, mapping_block(&map, block), BLOCK_BYTES);

    assert_int_equal(stats.nr_tried, 1);
    assert_int_equal(stats.sz_tried, BLOCK_BYTES);
    assert_int_equal(stats.nr_applied, 1);
    assert_int_equal(stats.sz_applied, BLOCK_BYTES);
    assert_int_equal(vmstat("thp_split_page"), splits + 1);
    assert_int_equal(thp_stat(PMD_ORDER, "split"), counted + 1);
    check_split(&map, block, 0);
    check_untouched(&map, 0, block);
    check_untouched(&map, block + 1, BLOCKS);
    mapping_free(&map);
}

static size_t
list_huge(const struct mapping *map, struct damon_range *ranges)
{
    size_t n = 0;

    for (size_t i = 0; i < map->blocks; i++) {
        uintptr_t start = mapping_block(map, i);

        if (mapped_by_pmd((void *) start))
            ranges[n++] = (struct damon_range){ start, start + BLOCK_BYTES };
    }
    return n;
}

static void
whole_target_from_list(void **state)
{
    struct mapping map = mapping_for(state, BLOCKS, STEP_EVERY_WORD);
    struct damon_range ranges[BLOCKS];
    struct damon_stats stats;
    const size_t before = 10;

    damon_act_range("split", 0, mapping_block(&map, 3), before * BLOCK_BYTES);
    assert_int_equal(list_huge(&map, ranges), BLOCKS - before);
    stats = damon_act("split", 0, ranges, BLOCKS - before);
    assert_int_equal(stats.nr_tried, BLOCKS - before);
    assert_int_equal(stats.sz_applied, (BLOCKS - before) * BLOCK_BYTES);
    assert_int_equal(list_huge(&map, ranges), 0);
    for (size_t i = 0; i < BLOCKS; i++)
        check_split(&map, i, 0);
    mapping_free(&map);
}

/* One range over many blocks is many folios. */
static void
one_range_many_blocks(void **state)
{
    struct mapping map = mapping_for(state, BLOCKS, STEP_EVERY_WORD);
    struct damon_stats stats =
        damon_act_range("split", 4, mapping_block(&map, 1), (BLOCKS - 2) * BLOCK_BYTES);

    assert_int_equal(stats.nr_tried, 1);
    assert_int_equal(stats.sz_applied, (BLOCKS - 2) * BLOCK_BYTES);
    for (size_t i = 1; i < BLOCKS - 1; i++)
        check_split(&map, i, 4);
    check_untouched(&map, 0, 1);
    check_untouched(&map, BLOCKS - 1, BLOCKS);
    mapping_free(&map);
}

/* Anonymous memory knows no order 1: see the test after this one. */
static void
each_order(void **state)
{
    bool anon = !*state;

    for (int order = 0; order < PMD_ORDER; order++) {
        struct mapping map = mapping_for(state, 4, STEP_EVERY_WORD);
        struct damon_stats stats;

        if (anon && order == 1) {
            mapping_free(&map);
            continue;
        }
        stats = damon_act_range("split", order, mapping_block(&map, 1), 2 * BLOCK_BYTES);
        assert_int_equal(stats.sz_applied, 2 * BLOCK_BYTES);
        check_split(&map, 1, order);
        check_split(&map, 2, order);
        check_untouched(&map, 0, 1);
        check_untouched(&map, 3, 4);
        mapping_free(&map);
    }
}

static void
anon_has_no_order_1(void **state)
{
    struct mapping map = mapping_anon(2, STEP_EVERY_WORD);

    check_run("split", 1, mapping_block(&map, 0), mapping_block(&map, 1), 0, "order");
    check_untouched(&map, 0, 2);
    mapping_free(&map);
}

/* From 9 to 4, then to 2, then to 0: each time what is larger than the order is split. */
static void
again_to_a_lower_order(void **state)
{
    static const int orders[] = { 4, 2, 0 };
    struct mapping map = mapping_for(state, 3, STEP_EVERY_WORD);

    for (size_t i = 0; i < 3; i++) {
        struct damon_stats stats =
            damon_act_range("split", orders[i], mapping_block(&map, 1), BLOCK_BYTES);

        assert_int_equal(stats.sz_applied, BLOCK_BYTES);
        check_split(&map, 1, orders[i]);
        check_untouched(&map, 0, 1);
        check_untouched(&map, 2, 3);
    }
    mapping_free(&map);
}

/* What is as small as the order, or smaller, stays as it is and is not counted as applied. */
static void
nothing_to_split(void **state)
{
    struct mapping map = mapping_for(state, 1, STEP_EVERY_WORD);
    uint64_t splits;

    damon_act_range("split", 2, mapping_block(&map, 0), BLOCK_BYTES);
    check_split(&map, 0, 2);
    splits = vmstat("thp_split_page");
    for (int order = 2; order < PMD_ORDER; order += 2) {
        check_run("split", order, mapping_block(&map, 0), mapping_block(&map, 1), 0, "already");
        check_split(&map, 0, 2);
    }
    assert_int_equal(vmstat("thp_split_page"), splits);
    mapping_free(&map);
}

/* A huge folio whose pages are mapped one by one. */
static void
mapped_by_ptes(void **state)
{
    struct mapping map = mapping_for(state, 3, STEP_EVERY_WORD);
    unsigned char *page = (unsigned char *) mapping_block(&map, 1) + 9 * PAGE_SIZE;
    struct damon_stats stats;

    assert_int_equal(mprotect(page, PAGE_SIZE, PROT_READ), 0);
    assert_int_equal(mprotect(page, PAGE_SIZE, PROT_READ | PROT_WRITE), 0);
    assert_false(mapped_by_pmd((void *) mapping_block(&map, 1)));
    assert_int_equal(frames_order(&map, 1), PMD_ORDER);
    stats = damon_act_range("split", 0, mapping_block(&map, 1), BLOCK_BYTES);
    assert_int_equal(stats.sz_applied, BLOCK_BYTES);
    check_split(&map, 1, 0);
    check_untouched(&map, 0, 1);
    check_untouched(&map, 2, 3);
    mapping_free(&map);
}

/* A huge folio that is in the file and in no page table. */
static void
not_mapped(void **state)
{
    struct mapping map = mapping_shmem(3, STEP_EVERY_WORD);
    struct damon_stats stats;

    assert_int_equal(madvise((void *) mapping_block(&map, 1), BLOCK_BYTES, MADV_DONTNEED), 0);
    assert_int_equal(frame_of((void *) mapping_block(&map, 1)), 0);
    assert_int_equal(frames_order(&map, 1), PMD_ORDER);
    stats = damon_act_range("split", 3, mapping_block(&map, 1), BLOCK_BYTES);
    assert_int_equal(stats.sz_applied, BLOCK_BYTES);
    check_split(&map, 1, 3);
    check_untouched(&map, 0, 1);
    check_untouched(&map, 2, 3);
    mapping_free(&map);
}

/* A hole in the address space ends nothing: what lies behind it is split too. */
static void
over_a_hole(void **state)
{
    struct mapping map = mapping_for(state, 3, STEP_EVERY_WORD);

    assert_int_equal(munmap((void *) mapping_block(&map, 1), BLOCK_BYTES), 0);
    check_run("split", 0, mapping_block(&map, 0), mapping_block(&map, 3), 2 * BLOCK_BYTES,
              "unmapped");
    check_split(&map, 0, 0);
    check_split(&map, 2, 0);
    mapping_free(&map);
}

/* Memory of a child, which has the same anonymous folios (until one writes) or the same file. */
static void
of_another_process(void **state)
{
    struct mapping map = mapping_for(state, 3, STEP_EVERY_WORD);
    struct damon_range range = { mapping_block(&map, 1), mapping_block(&map, 2) };
    struct damon_job job = { .action = "split", .ranges = &range, .n_ranges = 1 };
    int go[2], status;

    assert_int_equal(pipe(go), 0);
    job.pid = fork();
    if (!job.pid) {
        close(go[1]);
        (void) !read(go[0], &status, 1);
        _exit(mapping_wrong(&map) ? 1 : 0);
    }
    assert_int_equal(damon_once(&job).sz_applied, BLOCK_BYTES);
    close(go[1]);
    assert_int_equal(waitpid(job.pid, &status, 0), job.pid);
    assert_int_equal(status, 0);
    close(go[0]);
    check_split(&map, 1, 0);
    check_untouched(&map, 0, 1);
    check_untouched(&map, 2, 3);
    mapping_free(&map);
}

/* With the operations that find the target's memory themselves, regions lie anywhere. What counts
 * as applied is what was split, to the byte. */
static void
of_a_whole_process(void **state)
{
    struct mapping map = mapping_for(state, 64, STEP_EVERY_WORD);
    struct damon_job job = { .action = "split", .max_snapshots = 1 };
    struct damon_stats stats;
    size_t split;

    assert_int_equal(damon_configure(&job), 0);
    assert_int_equal(damon_write(0, DAMON_CONTEXT "operations", "vaddr"), 0);
    assert_int_equal(damon_state(0, "on"), 0);
    /* kdamond answers between two passes only: these are the stats of a whole one. */
    stats = damon_wait_tried(0, 3, 30);
    damon_stop(0);
    split = frames_not_whole(&map, 0, map.blocks);
    assert_true(split > 0);
    assert_int_equal(stats.sz_applied, split * BLOCK_BYTES);
    for (size_t i = 0; i < map.blocks; i++)
        assert_int_equal(frames_moved(&map, i), 0);
    assert_int_equal(mapping_wrong(&map), 0);
    mapping_free(&map);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(one_range),
        TEST_BOTH(whole_target_from_list),
        TEST_BOTH(one_range_many_blocks),
        TEST_BOTH(each_order),
        TEST(anon_has_no_order_1),
        TEST_BOTH(again_to_a_lower_order),
        TEST_BOTH(nothing_to_split),
        TEST_BOTH(mapped_by_ptes),
        TEST(not_mapped),
        TEST_BOTH(over_a_hole),
        TEST_BOTH(of_another_process),
        TEST_BOTH(of_a_whole_process),
    };

    return cmocka_run_group_tests_name("split", tests, khugepaged_quiet, NULL);
}
