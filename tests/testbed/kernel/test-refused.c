/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Orders and actions that cannot be: on and commit say EINVAL, and what runs goes on as before. */
#include <errno.h>
#include <stdio.h>

#include "../common/check.h"
#include "../common/frames.h"
#include "../common/mapping.h"
#include "../common/system.h"
#include "../common/test.h"

struct combination {
    const char *action;
    int order;
};

/* All that a scheme of virtual address ranges must not be. */
static const struct combination refused[] = {
    { "collapse", 1 },   { "collapse", 2 }, { "collapse", 3 }, { "collapse", 4 },
    { "collapse", 5 },   { "collapse", 6 }, { "collapse", 7 }, { "collapse", 8 },
    { "collapse", 10 },  { "split", 9 },    { "split", 10 },   { "stat", 4 },
    { "pageout", 9 },    { "cold", 1 },     { "willneed", 2 }, { "hugepage", 9 },
    { "nohugepage", 3 },
};

/* Shorter than the interval that commit_is_all_or_nothing() writes. */
#define WAIT_S 15

#define N_REFUSED (sizeof(refused) / sizeof(refused[0]))

static void
set_scheme(const char *action, int order)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", order);
    assert_int_equal(damon_write(0, DAMON_SCHEME "action", action), 0);
    assert_int_equal(damon_write(0, DAMON_SCHEME "target_order", text), 0);
}

/* A job over the second and the last block of four. */
static struct damon_job
job_of(const struct mapping *map, struct damon_range *ranges, const char *action)
{
    ranges[0] = (struct damon_range){ mapping_block(map, 1), mapping_block(map, 2) };
    ranges[1] = (struct damon_range){ mapping_block(map, 3), mapping_block(map, 4) };
    return (struct damon_job){ .action = action, .ranges = ranges, .n_ranges = 2 };
}

/* The ranges of the job, and nothing else. */
static void
assert_split(struct mapping *map, int order)
{
    for (size_t block = 0; block < map->blocks; block++)
        assert_int_equal(frames_order(map, block), block % 2 ? order : PMD_ORDER);
    assert_int_equal(mapping_wrong(map), 0);
}

static void
on(void **state)
{
    struct mapping map = mapping_for(state, 4, STEP_EVERY_WORD);
    struct damon_range ranges[2];
    struct damon_job job = job_of(&map, ranges, "stat");

    assert_int_equal(damon_configure(&job), 0);
    for (size_t i = 0; i < N_REFUSED; i++) {
        set_scheme(refused[i].action, refused[i].order);
        if (damon_state(0, "on") != -EINVAL)
            fail_msg("%s to order %d was not refused", refused[i].action, refused[i].order);
        assert_int_equal(damon_pid(0), -1);
    }
    check_untouched(&map, 0, map.blocks);
    /* Nothing of the refusals sticks. */
    set_scheme("split", 0);
    assert_int_equal(damon_state(0, "on"), 0);
    damon_wait_tried(0, 2, WAIT_S);
    damon_stop(0);
    assert_split(&map, 0);
    mapping_free(&map);
}

/* kdamond goes on, the same one, and still applies the old scheme to the old range. */
static void
assert_running(pid_t pid)
{
    struct damon_stats stats;

    assert_int_equal(damon_read_stats(0, &stats), 0);
    damon_wait_tried(0, stats.nr_tried + 2, WAIT_S);
    assert_int_equal(damon_pid(0), pid);
}

static void
commit(void **state)
{
    struct mapping map = mapping_for(state, 4, STEP_EVERY_WORD);
    struct damon_range ranges[2];
    struct damon_job job = job_of(&map, ranges, "stat");
    pid_t pid;

    assert_int_equal(damon_configure(&job), 0);
    assert_int_equal(damon_state(0, "on"), 0);
    pid = damon_pid(0);
    assert_true(pid > 0);
    assert_running(pid);
    for (size_t i = 0; i < N_REFUSED; i++) {
        set_scheme(refused[i].action, refused[i].order);
        if (damon_state(0, "commit") != -EINVAL)
            fail_msg("%s to order %d was not refused", refused[i].action, refused[i].order);
        assert_int_equal(damon_pid(0), pid);
    }
    assert_running(pid);
    check_untouched(&map, 0, map.blocks);
    set_scheme("split", 2);
    assert_int_equal(damon_state(0, "commit"), 0);
    assert_running(pid);
    damon_stop(0);
    assert_split(&map, 2);
    mapping_free(&map);
}

/* What else makes a commit bad leaves a kdamond alone as well: before, it died of it. */
static void
commit_of_bad_attributes(void **state)
{
    struct mapping map = mapping_anon(4, STEP_EVERY_WORD);
    struct damon_range ranges[2];
    struct damon_job job = job_of(&map, ranges, "stat");
    pid_t pid;

    assert_int_equal(damon_configure(&job), 0);
    assert_int_equal(damon_state(0, "on"), 0);
    pid = damon_pid(0);
    assert_int_equal(damon_write(0, DAMON_CONTEXT "monitoring_attrs/nr_regions/min", "1"), 0);
    assert_int_equal(damon_state(0, "commit"), -EINVAL);
    assert_running(pid);
    assert_int_equal(damon_write(0, DAMON_CONTEXT "monitoring_attrs/nr_regions/min", "3"), 0);
    assert_int_equal(damon_state(0, "commit"), 0);
    assert_running(pid);
    mapping_free(&map);
}

/* A refused commit applies nothing of what was written, the harmless rest of it included. */
static void
commit_is_all_or_nothing(void **state)
{
    struct mapping map = mapping_anon(4, STEP_EVERY_WORD);
    struct damon_range ranges[2];
    struct damon_job job = job_of(&map, ranges, "stat");
    pid_t pid;

    assert_int_equal(damon_configure(&job), 0);
    assert_int_equal(damon_state(0, "on"), 0);
    pid = damon_pid(0);
    /* So slow that it would be seen. */
    assert_int_equal(damon_write(0, DAMON_CONTEXT "monitoring_attrs/intervals/aggr_us", "60000000"),
                     0);
    set_scheme("collapse", 4);
    assert_int_equal(damon_state(0, "commit"), -EINVAL);
    assert_running(pid);
    check_untouched(&map, 0, map.blocks);
    mapping_free(&map);
}

/* The operations of physical addresses know no split and no collapse. */
static void
physical_addresses(void **state)
{
    static const char *const actions[] = { "split", "collapse" };
    struct mapping map = mapping_anon(4, STEP_EVERY_WORD);
    struct damon_range ranges[2];
    struct damon_job job = job_of(&map, ranges, "stat");

    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(damon_configure(&job), 0);
        assert_int_equal(damon_write(0, DAMON_CONTEXT "operations", "paddr"), 0);
        set_scheme(actions[i], 0);
        assert_int_equal(damon_state(0, "on"), -EINVAL);
        assert_int_equal(damon_pid(0), -1);
    }
    check_untouched(&map, 0, map.blocks);
    mapping_free(&map);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(on),
        TEST_BOTH(commit),
        TEST(commit_of_bad_attributes),
        TEST(commit_is_all_or_nothing),
        TEST(physical_addresses),
    };

    return cmocka_run_group_tests_name("refused", tests, khugepaged_quiet, NULL);
}
