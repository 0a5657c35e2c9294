/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* khugepaged against splits: the ping-pong without help, what the prctl flag stops and what it does
 * not, and the hold that covers the rest. khugepaged scans as fast as it can all the time. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "damon.h"
#include "frames.h"
#include "mapping.h"
#include "system.h"
#include "test.h"

#ifndef PR_THP_DISABLE_KHUGEPAGED
#define PR_THP_DISABLE_KHUGEPAGED (1UL << 16)
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define KHUGEPAGED THP_DIR "khugepaged/"
#define BLOCKS     8
#define ROUNDS     10
#define BACK_S     30 /* khugepaged does its work within this, or does not do it */
#define QUIET_S \
    15 /* so long nothing may come back with the flag alone; a round takes well under 1 s */
#define HELD_S  60
#define HOLD_MS 4000

static const char *program;

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static int
thp_disable(unsigned long disable, unsigned long flags)
{
    return prctl(PR_SET_THP_DISABLE, disable, flags, 0, 0);
}

static int
thp_disabled(void)
{
    return prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
}

static size_t
blocks_back(const struct mapping *map)
{
    size_t n = 0;

    for (size_t i = 0; i < map->blocks; i++)
        n += folio_order_now((const void *) mapping_block(map, i)) == PMD_ORDER;
    return n;
}

/* Until n blocks are huge again: the seconds that it took, or -1 when they are not in time. */
static double
wait_back(const struct mapping *map, size_t n, double seconds)
{
    double start = now();

    while (now() < start + seconds) {
        if (blocks_back(map) >= n)
            return now() - start;
        usleep(50000);
    }
    return -1;
}

/* Splits until as many were split as there are: one that khugepaged has in hand is left out by a
 * pass. Returns the number of splits. */
static size_t
split_all(const struct mapping *map)
{
    struct damon_range ranges[BLOCKS];
    size_t n = 0;

    for (size_t i = 0; i < map->blocks; i++)
        ranges[i] = (struct damon_range){ mapping_block(map, i), mapping_block(map, i + 1) };
    for (int pass = 0; n < map->blocks; pass++) {
        assert_true(pass < 20);
        n += damon_act("split", 0, ranges, map->blocks).sz_applied / BLOCK_BYTES;
    }
    return n;
}

/* A process without the flag. Returns its pid when what it does is prepared. */
static pid_t
other_process(bool (*prepare)(const struct mapping *map), const struct mapping *map)
{
    int ready[2];
    char byte = 0;
    pid_t pid;

    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        thp_disable(0, 0);
        byte = prepare(map);
        if (write(ready[1], &byte, 1) == 1)
            pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    assert_true(byte);
    return pid;
}

static void
end_process(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

/* The file as vhost-user or virtiofsd would map it. */
static bool
map_the_file(const struct mapping *map)
{
    size_t size = map->blocks * BLOCK_BYTES;
    volatile unsigned char *view;

    munmap(map->addr, size);
    view = map_aligned(size, PROT_READ | PROT_WRITE, MAP_SHARED, map->fd, 0);
    for (size_t i = 0; i < map->blocks; i++)
        (void) view[i * BLOCK_BYTES];
    return true;
}

/* Memory that khugepaged has every reason to collapse: true when it does. */
static bool
bait_is_taken(const struct mapping *unused)
{
    unsigned char *bait =
        map_aligned(BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    double end = now() + BACK_S;

    (void) unused;
    madvise(bait, BLOCK_BYTES, MADV_NOHUGEPAGE);
    for (size_t at = 0; at < BLOCK_BYTES; at += PAGE_SIZE)
        bait[at] = 1;
    madvise(bait, BLOCK_BYTES, MADV_HUGEPAGE);
    while (now() < end) {
        if (mapped_by_pmd(bait))
            return true;
        for (size_t at = 0; at < BLOCK_BYTES; at += PAGE_SIZE)
            bait[at]++;
        usleep(50000);
    }
    return false;
}

/* Fails when khugepaged has not been at work all the time: then "nothing came back" says nothing.
 */
static void
nothing_comes_back(const struct mapping *map, double seconds, const char *what)
{
    uint64_t scans = file_read_u64(KHUGEPAGED "full_scans");

    if (wait_back(map, 1, seconds) >= 0)
        fail_msg("%s: %zu of %zu blocks came back", what, blocks_back(map), map->blocks);
    end_process(other_process(bait_is_taken, NULL));
    scans = file_read_u64(KHUGEPAGED "full_scans") - scans;
    printf("%s: 0 of %zu blocks back in %.0f s and %llu full scans\n", what, map->blocks, seconds,
           (unsigned long long) scans);
    assert_true(scans >= 10);
}

static void
wrong_arguments_are_refused(void **state)
{
    static const unsigned long wrong[][4] = {
        { 0, PR_THP_DISABLE_KHUGEPAGED, 0, 0 },
        { 1, PR_THP_DISABLE_KHUGEPAGED, 1, 0 },
        { 1, PR_THP_DISABLE_KHUGEPAGED, 0, 1 },
        { 1, PR_THP_DISABLE_KHUGEPAGED | 1, 0, 0 },
        { 1, PR_THP_DISABLE_KHUGEPAGED | PR_THP_DISABLE_KHUGEPAGED << 1, 0, 0 },
        { 1, PR_THP_DISABLE_KHUGEPAGED << 1, 0, 0 },
        { 1, PR_THP_DISABLE_KHUGEPAGED << 32, 0, 0 },
        { 1, 1, 0, 0 },
        { 1, 2, 0, 0 },
        { 1, -1UL, 0, 0 },
        { 1, 0, 1, 0 },
        { 0, 0, 0, 1 },
    };

    (void) state;
    assert_int_equal(thp_disable(1, PR_THP_DISABLE_KHUGEPAGED), 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const unsigned long *w = wrong[i];

        errno = 0;
        if (prctl(PR_SET_THP_DISABLE, w[0], w[1], w[2], w[3]) != -1 || errno != EINVAL)
            fail_msg("%#lx %#lx %#lx %#lx: not refused", w[0], w[1], w[2], w[3]);
        assert_int_equal(thp_disabled(), 1 | PR_THP_DISABLE_KHUGEPAGED);
    }
    assert_int_equal(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0), -1);
    assert_int_equal(prctl(PR_GET_THP_DISABLE, 0, PR_THP_DISABLE_KHUGEPAGED, 0, 0), -1);
}

/* What PR_GET and /proc say after each call, whatever stood there before. */
static void
each_call_replaces_the_last(void **state)
{
    static const struct {
        unsigned long disable, flags;
        uint64_t get, enabled, khugepaged;
    } calls[] = {
        { 0, 0, 0, 1, 1 }, { 1, PR_THP_DISABLE_KHUGEPAGED, 1 | PR_THP_DISABLE_KHUGEPAGED, 1, 0 },
        { 1, 0, 1, 0, 0 }, { 1, PR_THP_DISABLE_KHUGEPAGED, 1 | PR_THP_DISABLE_KHUGEPAGED, 1, 0 },
        { 0, 0, 0, 1, 1 }, { 1, 0, 1, 0, 0 },
        { 0, 0, 0, 1, 1 },
    };

    (void) state;
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        assert_int_equal(thp_disable(calls[i].disable, calls[i].flags), 0);
        assert_int_equal(thp_disabled(), calls[i].get);
        assert_int_equal(file_field("/proc/self/status", "THP_enabled"), calls[i].enabled);
        assert_int_equal(file_field("/proc/self/status", "THP_khugepaged"), calls[i].khugepaged);
    }
}

/* The exit status of a child that asks, itself or after an exec of this program. */
static int
ask_in_child(bool exec)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        if (exec)
            execl(program, program, "--khugepaged-disabled", (char *) NULL);
        _exit(thp_disabled() != (1 | PR_THP_DISABLE_KHUGEPAGED));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
fork_and_exec_inherit_the_flag(void **state)
{
    (void) state;
    assert_int_equal(ask_in_child(false), 1);
    assert_int_equal(ask_in_child(true), 1);
    assert_int_equal(thp_disable(1, PR_THP_DISABLE_KHUGEPAGED), 0);
    assert_int_equal(ask_in_child(false), 0);
    assert_int_equal(ask_in_child(true), 0);
}

/* Splits ten times what khugepaged collapses ten times. */
static void
without_help_it_is_ping_pong(void **state)
{
    uint64_t collapsed = file_read_u64(KHUGEPAGED "pages_collapsed");
    struct mapping map = mapping_shmem(BLOCKS, STEP_SPARSE);
    double slowest = 0, sum = 0;
    size_t splits = 0;

    (void) state;
    for (int i = 0; i < ROUNDS; i++) {
        double took;

        splits += split_all(&map);
        took = wait_back(&map, BLOCKS, BACK_S);
        assert_true(took >= 0);
        sum += took;
        slowest = took > slowest ? took : slowest;
    }
    collapsed = file_read_u64(KHUGEPAGED "pages_collapsed") - collapsed;
    printf("neither flag nor hold: %zu splits, %llu collapses by khugepaged; %d of %d blocks back "
           "after %.2f s on average, %.2f s at most\n",
           splits, (unsigned long long) collapsed, BLOCKS, BLOCKS, sum / ROUNDS, slowest);
    assert_true(collapsed >= ROUNDS * BLOCKS);
    assert_int_equal(mapping_wrong(&map), 0);
    mapping_free(&map);
}

static void
flag_stops_the_owners_scan_only(void **state)
{
    struct mapping map = mapping_shmem(BLOCKS, STEP_SPARSE);
    double took;
    pid_t other;

    (void) state;
    assert_int_equal(thp_disable(1, PR_THP_DISABLE_KHUGEPAGED), 0);
    split_all(&map);
    nothing_comes_back(&map, QUIET_S, "flag, no hold, tmpfs, one mapper");
    other = other_process(map_the_file, &map);
    took = wait_back(&map, BLOCKS, BACK_S);
    end_process(other);
    assert_true(took >= 0);
    printf("flag, no hold, tmpfs, a second mapper without the flag: %d of %d blocks back after "
           "%.2f s\n",
           BLOCKS, BLOCKS, took);
    assert_int_equal(mapping_wrong(&map), 0);
    mapping_free(&map);
}

/* Anonymous memory has no second mapper: here the flag is enough, and needed. */
static void
flag_keeps_anonymous_memory_split(void **state)
{
    struct mapping map = mapping_anon(BLOCKS, STEP_SPARSE);
    double took;

    (void) state;
    assert_int_equal(thp_disable(1, PR_THP_DISABLE_KHUGEPAGED), 0);
    split_all(&map);
    nothing_comes_back(&map, QUIET_S, "flag, anonymous");
    /* The bait's fork has made all pages read-only, and such blocks are never collapsed. */
    mapping_fill(&map, 0, BLOCKS * BLOCK_BYTES);
    assert_int_equal(thp_disable(0, 0), 0);
    took = wait_back(&map, BLOCKS, BACK_S);
    assert_true(took >= 0);
    printf("the flag taken off, anonymous: %d of %d blocks back after %.2f s\n", BLOCKS, BLOCKS,
           took);
    assert_int_equal(mapping_wrong(&map), 0);
    mapping_free(&map);
}

/* All that is wanted of huge pages besides khugepaged, in a process with the flag. */
static void
everything_else_still_works(const struct mapping *map)
{
    struct mapping fresh_shmem = mapping_shmem(2, STEP_SPARSE); /* both fail without a PMD */
    struct mapping fresh_anon = mapping_anon(2, STEP_SPARSE);
    struct damon_stats stats;

    mapping_free(&fresh_shmem);
    mapping_free(&fresh_anon);
    assert_int_equal(madvise((void *) mapping_block(map, 0), BLOCK_BYTES, MADV_COLLAPSE), 0);
    assert_true(mapped_by_pmd((void *) mapping_block(map, 0)));
    stats = damon_act_range("collapse", 0, mapping_block(map, 1), BLOCK_BYTES);
    assert_int_equal(stats.nr_applied, 1);
    assert_int_equal(stats.sz_applied, BLOCK_BYTES);
    assert_int_equal(folio_order_now((void *) mapping_block(map, 1)), PMD_ORDER);
    assert_int_equal(blocks_back(map), 2);
}

static void
flag_and_hold_keep_tmpfs_split(void **state)
{
    struct mapping map = mapping_shmem(BLOCKS, STEP_SPARSE);
    pid_t other = other_process(map_the_file, &map);

    (void) state;
    assert_int_equal(thp_disable(1, PR_THP_DISABLE_KHUGEPAGED), 0);
    assert_int_equal(file_write(KHUGEPAGED "split_backoff_millisecs", "3600000"), 0);
    split_all(&map);
    nothing_comes_back(&map, HELD_S, "flag and hold, tmpfs, a second mapper without the flag");
    everything_else_still_works(&map);
    assert_int_equal(mapping_wrong(&map), 0);
    end_process(other);
    mapping_free(&map);
}

static void
hold_ends_when_its_time_is_over(void **state)
{
    struct mapping map = mapping_shmem(BLOCKS, STEP_SPARSE);
    double start, took;

    (void) state;
    assert_int_equal(file_write_u64(KHUGEPAGED "split_backoff_millisecs", HOLD_MS), 0);
    start = now();
    split_all(&map);
    assert_true(wait_back(&map, 1, BACK_S + HOLD_MS / 1e3) >= 0);
    took = now() - start;
    assert_true(wait_back(&map, BLOCKS, BACK_S) >= 0);
    printf("a hold of %.1f s, no flag: the first block back after %.1f s\n", HOLD_MS / 1e3, took);
    assert_true(took >= HOLD_MS / 1e3);
    assert_int_equal(mapping_wrong(&map), 0);
    mapping_free(&map);
}

/* What foliod does while blocks stay split: an action on one range renews the hold of the file. */
static void
hold_can_be_renewed_and_given_up(void **state)
{
    struct mapping map = mapping_shmem(BLOCKS, STEP_SPARSE);
    double end;

    (void) state;
    assert_int_equal(file_write_u64(KHUGEPAGED "split_backoff_millisecs", HOLD_MS), 0);
    split_all(&map);
    for (end = now() + 3 * HOLD_MS / 1e3; now() < end; usleep(HOLD_MS / 8 * 1000)) {
        damon_act_range("split", 0, mapping_block(&map, 0), BLOCK_BYTES);
        assert_int_equal(blocks_back(&map), 0);
    }
    assert_int_equal(file_write(KHUGEPAGED "split_backoff_millisecs", "0"), 0);
    end = wait_back(&map, BLOCKS, BACK_S);
    printf(
        "a hold of %.1f s renewed for %.1f s: 0 of %d blocks back; with the setting at 0 again all "
        "after %.2f s\n",
        HOLD_MS / 1e3, 3 * HOLD_MS / 1e3, BLOCKS, end);
    assert_true(end >= 0);
    assert_int_equal(mapping_wrong(&map), 0);
    mapping_free(&map);
}

static int
scan_without_pause(void **state)
{
    (void) state;
    setting(THP_DIR "enabled", "madvise");
    setting(KHUGEPAGED "pages_to_scan", "65536");
    setting(KHUGEPAGED "alloc_sleep_millisecs", "0");
    setting(KHUGEPAGED "split_backoff_millisecs", "0");
    setting(KHUGEPAGED "scan_sleep_millisecs", "10");
    return 0;
}

static int
no_flag_no_hold(void **state)
{
    assert_int_equal(file_write(KHUGEPAGED "split_backoff_millisecs", "0"), 0);
    assert_int_equal(thp_disable(0, 0), 0);
    return damon_teardown(state);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(wrong_arguments_are_refused, no_flag_no_hold),
        cmocka_unit_test_teardown(each_call_replaces_the_last, no_flag_no_hold),
        cmocka_unit_test_teardown(fork_and_exec_inherit_the_flag, no_flag_no_hold),
        cmocka_unit_test_teardown(without_help_it_is_ping_pong, no_flag_no_hold),
        cmocka_unit_test_teardown(flag_stops_the_owners_scan_only, no_flag_no_hold),
        cmocka_unit_test_teardown(flag_keeps_anonymous_memory_split, no_flag_no_hold),
        cmocka_unit_test_teardown(flag_and_hold_keep_tmpfs_split, no_flag_no_hold),
        cmocka_unit_test_teardown(hold_ends_when_its_time_is_over, no_flag_no_hold),
        cmocka_unit_test_teardown(hold_can_be_renewed_and_given_up, no_flag_no_hold),
    };

    program = argv[0];
    if (argc == 2 && strcmp(argv[1], "--khugepaged-disabled") == 0)
        return thp_disabled() != (1 | PR_THP_DISABLE_KHUGEPAGED);
    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("khugepaged", tests, scan_without_pause, NULL);
}
