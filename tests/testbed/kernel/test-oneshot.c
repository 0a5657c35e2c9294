/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One-shot schemes, and quotas that hold from the first moment. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../common/frames.h"
#include "../common/mapping.h"
#include "../common/system.h"
#include "../common/test.h"

#define BLOCKS 16
#define WAIT_S 30

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static void
list_blocks(const struct mapping *map, struct damon_range *ranges)
{
    for (size_t i = 0; i < map->blocks; i++)
        ranges[i] = (struct damon_range){ mapping_block(map, i), mapping_block(map, i + 1) };
}

static size_t
count_split(const struct mapping *map)
{
    return frames_not_whole(map, 0, map->blocks);
}

static unsigned long
nr_snapshots(void)
{
    char buf[24];

    assert_true(damon_read(0, DAMON_SCHEME "stats/nr_snapshots", buf, sizeof(buf)) > 0);
    return strtoul(buf, NULL, 10);
}

/* Long enough for what should not happen to happen, at 20 ms a snapshot. */
static struct damon_stats
stats_later(void)
{
    struct damon_stats stats;

    usleep(500000);
    assert_int_equal(damon_read_stats(0, &stats), 0);
    return stats;
}

/* Each range is tried as often as there are snapshots, however long kdamond runs on. */
static void
each_range_is_tried(unsigned long snapshots)
{
    struct mapping map = mapping_anon(BLOCKS, STEP_SPARSE);
    struct damon_range ranges[BLOCKS];
    struct damon_job job = {
        .action = "split", .ranges = ranges, .n_ranges = BLOCKS, .max_snapshots = snapshots
    };
    struct damon_stats stats;

    list_blocks(&map, ranges);
    assert_int_equal(damon_configure(&job), 0);
    assert_int_equal(damon_state(0, "on"), 0);
    damon_wait_tried(0, snapshots * BLOCKS, WAIT_S);
    for (int i = 0; i < 3; i++) {
        stats = stats_later();
        assert_int_equal(stats.nr_tried, snapshots * BLOCKS);
        assert_int_equal(stats.sz_tried, snapshots * BLOCKS * BLOCK_BYTES);
        assert_int_equal(stats.nr_applied, BLOCKS);
        assert_int_equal(stats.sz_applied, BLOCKS * BLOCK_BYTES);
        assert_int_equal(nr_snapshots(), snapshots);
    }
    assert_true(damon_pid(0) > 0);
    damon_stop(0);
    assert_int_equal(count_split(&map), BLOCKS);
    assert_int_equal(mapping_wrong(&map), 0);
    mapping_free(&map);
}

static void
one_snapshot(void **state)
{
    each_range_is_tried(1);
}

static void
three_snapshots(void **state)
{
    each_range_is_tried(3);
}

/* Without the limit a scheme goes on for ever: what the two tests above look at can happen. */
static void
no_limit(void **state)
{
    struct mapping map = mapping_anon(3, STEP_SPARSE);
    struct damon_range ranges[3];
    struct damon_job job = { .action = "split", .ranges = ranges, .n_ranges = 3 };

    list_blocks(&map, ranges);
    assert_int_equal(damon_configure(&job), 0);
    assert_int_equal(damon_state(0, "on"), 0);
    damon_wait_tried(0, 30, WAIT_S);
    mapping_free(&map);
}

/* What was collapsed by another hand meanwhile stays so: the run is over. */
static void
nothing_after_the_snapshot(void **state)
{
    struct mapping map = mapping_anon(3, STEP_SPARSE);
    struct damon_range ranges[3];
    struct damon_job job = {
        .action = "split", .ranges = ranges, .n_ranges = 3, .max_snapshots = 1
    };

    list_blocks(&map, ranges);
    assert_int_equal(damon_configure(&job), 0);
    assert_int_equal(damon_state(0, "on"), 0);
    assert_int_equal(damon_wait_tried(0, 3, WAIT_S).nr_applied, 3);
    assert_int_equal(madvise(map.addr, 3 * BLOCK_BYTES, MADV_COLLAPSE), 0);
    frames_record(&map);
    assert_int_equal(stats_later().nr_applied, 3);
    assert_int_equal(count_split(&map), 0);
    mapping_free(&map);
}

/* The quota holds in the first window, which used to ignore it, and in those that follow. */
static void
quota_in_the_first_window(void **state)
{
    struct mapping map = mapping_for(state, BLOCKS, STEP_SPARSE);
    struct damon_range ranges[BLOCKS];
    struct damon_job job = {
        .action = "split",
        .ranges = ranges,
        .n_ranges = BLOCKS,
        .quota_bytes = 4 * BLOCK_BYTES,
        .quota_reset_ms = 60000,
    };
    struct damon_stats stats;

    list_blocks(&map, ranges);
    assert_int_equal(damon_configure(&job), 0);
    assert_int_equal(damon_state(0, "on"), 0);
    damon_wait_tried(0, 4, WAIT_S);
    stats = stats_later();
    assert_int_equal(stats.sz_tried, 4 * BLOCK_BYTES);
    assert_int_equal(stats.sz_applied, 4 * BLOCK_BYTES);
    damon_stop(0);
    assert_int_equal(count_split(&map), 4);
    assert_int_equal(mapping_wrong(&map), 0);
    mapping_free(&map);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_snapshot),
        TEST(three_snapshots),
        TEST(no_limit),
        TEST(nothing_after_the_snapshot),
        TEST_BOTH(quota_in_the_first_window),
    };

    return cmocka_run_group_tests_name("oneshot", tests, khugepaged_quiet, NULL);
}
