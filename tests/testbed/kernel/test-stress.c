/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Splits and collapses without pause, against everything else that changes the same memory: writes,
 * truncation, holes, MADV_DONTNEED, fork, migration (compaction) and khugepaged. Each kind of
 * change has memory of its own, so that what every byte must be is known at any time. Ends when
 * both were done often enough: 10,000 times, or 100,000 with KTESTS_LONG. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "damon.h"
#include "event-count.h"
#include "frames.h"
#include "mapping.h"
#include "system.h"
#include "test.h"

#define KHUGEPAGED   THP_DIR "khugepaged/"
#define BLOCKS       16 /* of a role */
#define ENOUGH       10000
#define ENOUGH_LONG  100000
#define ENOUGH_DEBUG 500 /* with lockdep and KASAN each takes a hundred times as long */
#define LIMIT_S      1200
#define LIMIT_LONG   7200
#define PHASE_S      5 /* then the splits get another target order */
#define PASS_US      5000
#define SIZE         (BLOCKS * BLOCK_BYTES)

struct role {
    const char *name;
    void (*round)(struct role *role);
    useconds_t pause_us; /* after each round: splits and collapses must get on */
    bool anon;
    struct mapping map;
    uint64_t seeds[BLOCKS];
    unsigned random;
    unsigned long rounds;
    pthread_t thread;
};

static atomic_bool done;
static atomic_ulong wrong;

static size_t
random_below(struct role *role, size_t limit)
{
    return (size_t) rand_r(&role->random) % limit;
}

/* One block of a role's memory, which has contents of its own. */
static struct mapping
block_of(const struct role *role, size_t i)
{
    struct mapping block = role->map;

    block.addr += i * BLOCK_BYTES;
    block.blocks = 1;
    block.seed = role->seeds[i];
    return block;
}

static void
complain(const struct role *role, size_t words, const char *when)
{
    if (!words)
        return;
    wrong += words;
    printf("%s: %zu wrong words %s, round %lu\n", role->name, words, when, role->rounds);
}

static void
check_block(const struct role *role, size_t i, const char *when)
{
    struct mapping block = block_of(role, i);

    complain(role, mapping_wrong(&block), when);
}

static void
fill_block(struct role *role, size_t i)
{
    struct mapping block;

    role->seeds[i] += 1ULL << 20;
    block = block_of(role, i);
    mapping_fill(&block, 0, BLOCK_BYTES);
}

static size_t
not_zero(const unsigned char *start, size_t size)
{
    size_t n = 0;

    for (size_t at = 0; at + sizeof(uint64_t) <= size; at += PAGE_SIZE / 8)
        n += *(const volatile uint64_t *) (start + at) != 0;
    return n;
}

static void
write_round(struct role *role)
{
    size_t i = random_below(role, BLOCKS);

    check_block(role, i, "before they were written anew");
    fill_block(role, i);
    check_block(role, i, "just written");
}

/* Takes a few pages out of a block, reads zeros there and the contents elsewhere, and fills it. */
static void
punch_round(struct role *role)
{
    size_t i = random_below(role, BLOCKS), first = random_below(role, BLOCK_PAGES);
    size_t pages = 1 + random_below(role, BLOCK_PAGES - first);
    struct mapping block = block_of(role, i);
    unsigned char *hole = block.addr + first * PAGE_SIZE;
    int error;

    complain(role, mapping_wrong(&block), "before the hole");
    if (role->anon)
        error = madvise(hole, pages * PAGE_SIZE, MADV_DONTNEED);
    else
        error =
            fallocate(role->map.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                      (off_t) (i * BLOCK_BYTES + first * PAGE_SIZE), (off_t) (pages * PAGE_SIZE));
    complain(role, error ? 1 : 0, "(not punched)");
    complain(role, not_zero(hole, pages * PAGE_SIZE), "in the hole");
    mapping_fill(&block, first * PAGE_SIZE, pages * PAGE_SIZE);
    complain(role, mapping_wrong(&block), "after the hole");
}

/* Cuts the file anywhere, lets it grow again, and fills what was lost. */
static void
truncate_round(struct role *role)
{
    size_t size = random_below(role, SIZE / sizeof(uint64_t)) * sizeof(uint64_t);
    int error = ftruncate(role->map.fd, (off_t) size);

    usleep(1000);
    error |= ftruncate(role->map.fd, (off_t) SIZE);
    complain(role, error ? 1 : 0, "(not truncated)");
    complain(role, not_zero(role->map.addr + size, SIZE - size), "behind the end");
    for (size_t i = size / BLOCK_BYTES; i < BLOCKS; i++) {
        struct mapping block = block_of(role, i);
        size_t from = i == size / BLOCK_BYTES ? size % BLOCK_BYTES : 0;

        mapping_fill(&block, from, BLOCK_BYTES - from);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        check_block(role, i, "after truncation");
}

static size_t
child_check(const struct role *role)
{
    size_t n = 0;

    for (size_t i = 0; i < BLOCKS; i++) {
        struct mapping block = block_of(role, i);

        n += mapping_wrong(&block);
        block.seed = ~block.seed;
        if (!role->anon)
            continue;
        mapping_fill(&block, 0, BLOCK_BYTES);
        n += mapping_wrong(&block);
    }
    return n;
}

/* The child sees what the parent has, and writes to its own copy of anonymous memory. */
static void
fork_round(struct role *role)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(child_check(role) ? 1 : 0);
    if (pid > 0)
        waitpid(pid, &status, 0);
    complain(role, status ? 1 : 0, "in a child");
    for (size_t i = 0; i < BLOCKS; i++)
        check_block(role, i, "after a fork");
    write_round(role);
}

static void
compact_round(struct role *role)
{
    complain(role, file_write("/proc/sys/vm/compact_memory", "1") ? 1 : 0, "(not compacted)");
}

static void *
run_role(void *data)
{
    struct role *role = data;

    while (!done) {
        role->round(role);
        role->rounds++;
        usleep(role->pause_us);
    }
    return NULL;
}

static struct role roles[] = {
    { .name = "write, tmpfs", .round = write_round, .pause_us = 100000 },
    { .name = "write, anonymous", .round = write_round, .pause_us = 100000, .anon = true },
    { .name = "punch, tmpfs", .round = punch_round, .pause_us = 100000 },
    { .name = "zap, anonymous", .round = punch_round, .pause_us = 100000, .anon = true },
    { .name = "truncate, tmpfs", .round = truncate_round, .pause_us = 500000 },
    { .name = "fork, tmpfs", .round = fork_round, .pause_us = 1000000 },
    { .name = "fork, anonymous", .round = fork_round, .pause_us = 1000000, .anon = true },
    { .name = "compact", .round = compact_round, .pause_us = 500000 },
};

#define ROLES (sizeof(roles) / sizeof(roles[0]) - 1) /* those with memory */

static void
take_memory(struct role *role, size_t n)
{
    size_t step = n < 2 ? STEP_EVERY_WORD : STEP_SPARSE;

    role->map = role->anon ? mapping_anon(BLOCKS, step) : mapping_shmem(BLOCKS, step);
    role->random = (unsigned) n + 1;
    for (size_t i = 0; i < BLOCKS; i++) {
        role->seeds[i] = role->map.seed + (i << 32);
        fill_block(role, i);
    }
}

static int
by_address(const void *a, const void *b)
{
    uintptr_t x = ((const struct damon_range *) a)->start;
    uintptr_t y = ((const struct damon_range *) b)->start;

    return x < y ? -1 : x > y;
}

/* A kdamond that goes over the memory of all roles, for ever. */
static void
start_damon(unsigned slot, const char *action)
{
    struct damon_range ranges[ROLES];
    struct damon_job job = {
        .slot = slot, .action = action, .ranges = ranges, .interval_us = PASS_US
    };

    for (size_t i = 0; i < ROLES; i++) {
        uintptr_t start = mapping_block(&roles[i].map, 0);

        ranges[job.n_ranges++] = (struct damon_range){ start, start + SIZE };
    }
    qsort(ranges, job.n_ranges, sizeof(ranges[0]), by_address);
    assert_int_equal(damon_configure(&job), 0);
    assert_int_equal(damon_state(slot, "on"), 0);
}

/* Whole huge pages only, and only what DAMON did itself: khugepaged collapses beside it, and a
 * range that is huge already counts as applied. */
static void
start_counting(void)
{
    char filter[64];

    event_count_add("splits", "damon/damos_result",
                    "result == 0 && order == 9 && target_order < 9");
    snprintf(filter, sizeof(filter), "status == 1 && common_pid == %d", damon_pid(1));
    event_count_add("collapses", "huge_memory/mm_collapse_huge_page", filter);
    /* SCAN_SUCCEED; of a file SCAN_PTE_MAPPED_HUGEPAGE, what the caller has to map yet. */
    snprintf(filter, sizeof(filter), "result == 10 && common_pid == %d", damon_pid(1));
    event_count_add("collapses", "huge_memory/mm_khugepaged_collapse_file", filter);
}

static void
end_counting(void)
{
    event_count_remove("splits");
    event_count_remove("collapses");
}

/* Orders that anonymous memory and tmpfs both take. */
static void
next_order(unsigned phase)
{
    static const char *const orders[] = { "0", "4", "2", "0", "8", "3" };

    assert_int_equal(damon_write(0, DAMON_SCHEME "target_order",
                                 orders[phase % (sizeof(orders) / sizeof(orders[0]))]),
                     0);
    assert_int_equal(damon_state(0, "commit"), 0);
}

/* Until both kdamonds have done enough. */
static void
until_enough(unsigned long enough, time_t limit)
{
    time_t start = time(NULL);
    unsigned long split = 0, collapsed = 0;

    for (unsigned phase = 0; split < enough || collapsed < enough; phase++) {
        if (time(NULL) > start + limit)
            fail_msg("%lu splits, %lu collapses in %ld s", split, collapsed, (long) limit);
        sleep(PHASE_S);
        split = event_count_read("splits");
        collapsed = event_count_read("collapses");
        printf("%3ld s: %lu splits, %lu collapses, %lu wrong words\n", (long) (time(NULL) - start),
               split, collapsed, (unsigned long) wrong);
        next_order(phase);
    }
}

static struct {
    const char *key;
    uint64_t from;
} counters[] = {
    { .key = "thp_split_page" },
    { .key = "thp_split_page_failed" },
    { .key = "thp_collapse_alloc" },
    { .key = "pgmigrate_success" },
};

/* What the kernel itself counts, beside what DAMON does. */
static void
count(bool print)
{
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
        if (print)
            printf("vmstat %s: %llu\n", counters[i].key,
                   (unsigned long long) (vmstat(counters[i].key) - counters[i].from));
        else
            counters[i].from = vmstat(counters[i].key);
    }
}

static void
start_roles(void)
{
    for (size_t i = 0; i <= ROLES; i++)
        assert_int_equal(pthread_create(&roles[i].thread, NULL, run_role, &roles[i]), 0);
}

static void
end_roles(void)
{
    done = true;
    for (size_t i = 0; i <= ROLES; i++) {
        pthread_join(roles[i].thread, NULL);
        printf("%s: %lu rounds\n", roles[i].name, roles[i].rounds);
        assert_true(roles[i].rounds > 0);
    }
    for (size_t i = 0; i < ROLES; i++)
        for (size_t block = 0; block < BLOCKS; block++)
            check_block(&roles[i], block, "at the end");
}

static void
no_wrong_byte_under_stress(void **state)
{
    bool more = getenv("KTESTS_LONG") != NULL;
    const char *variant = getenv("TESTBED_VARIANT");
    bool slow = variant && !strcmp(variant, "debug");
    uint64_t by_khugepaged = file_read_u64(KHUGEPAGED "pages_collapsed");
    uint64_t migrated = vmstat("pgmigrate_success");

    (void) state;
    damon_slots(2);
    for (size_t i = 0; i < ROLES; i++)
        take_memory(&roles[i], i);
    count(false);
    start_roles();
    start_damon(0, "split");
    start_damon(1, "collapse");
    start_counting();
    until_enough(slow ? ENOUGH_DEBUG : more ? ENOUGH_LONG : ENOUGH, more ? LIMIT_LONG : LIMIT_S);
    damon_stop(0);
    damon_stop(1);
    end_roles();
    by_khugepaged = file_read_u64(KHUGEPAGED "pages_collapsed") - by_khugepaged;
    count(true);
    printf("collapsed by khugepaged: %llu\n", (unsigned long long) by_khugepaged);
    assert_int_equal(wrong, 0);
    assert_true(by_khugepaged > 0);
    assert_true(vmstat("pgmigrate_success") > migrated);
}

static int
set_up(void **state)
{
    (void) state;
    setting(THP_DIR "enabled", "madvise");
    setting(KHUGEPAGED "pages_to_scan", "4096");
    setting(KHUGEPAGED "alloc_sleep_millisecs", "100");
    setting(KHUGEPAGED "scan_sleep_millisecs", "500");
    return 0;
}

static int
tear_down(void **state)
{
    done = true;
    end_counting();
    return damon_teardown(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(no_wrong_byte_under_stress, tear_down),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("stress", tests, set_up, NULL);
}
