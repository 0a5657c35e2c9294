/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What DAMON's own view of accesses is worth when blocks are chosen by it: T1, a huge page that is
 * hot in one place looks hot as a whole; T2, an access that the TLB serves is not seen; and what it
 * still finds without help, idle memory. The truth stands beside each figure: the test makes the
 * accesses, and after a split the accessed bits of /proc/PID/smaps confirm them.
 *
 * Accessed bits are cleared without a TLB flush. In an emulator, whose TLB is large, nothing is
 * then seen of a process that has a CPU for itself: T1 needs a rival on that CPU, T2 is its
 * absence. */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "damon.h"
#include "frames.h"
#include "mapping.h"
#include "system.h"
#include "test.h"

#define SAMPLE_US   40000
#define SAMPLES     20 /* of an aggregation: the largest nr_accesses */
#define HOT         (SAMPLES / 4)
#define MIN_REGIONS "10"
#define MAX_REGIONS "1000"
#define SETTLE_S    25 /* for the regions to take the shape of the accesses */
#define WORK_CPU    1
#define WATCH_CPU   0
#define HOT_BLOCKS  32
#define AREA_BLOCKS 128
#define SPIN_BYTES  (256 << 10)
#define MIB(bytes)  ((double) (bytes) / (1 << 20))

static pid_t workers[4]; /* that a failed test would leave behind */

struct view {
    size_t seen, hot, idle;          /* bytes: nr_accesses > 0, >= HOT, = 0 */
    size_t hot_outside, idle_inside; /* of hot: outside the hot blocks; of idle: inside them */
    unsigned long most;              /* nr_accesses */
};

/* DAMON's view of a child's memory, over the whole of it in the regions that DAMON makes. */
struct watch {
    uintptr_t start, hot_end, end; /* accesses fall into [start, hot_end) only */
    pid_t worker;
};

static void
stay_on(pid_t pid, int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(pid, sizeof set, &set))
        fail_msg("CPU %d: %s", cpu, strerror(errno));
}

/* Writes one word of every step in [addr, addr + size), for ever. */
static _Noreturn void
work(unsigned char *addr, size_t size, size_t step)
{
    for (;;)
        for (size_t at = 0; at < size; at += step)
            (*(volatile uint64_t *) (addr + at))++;
}

/* A child that has the memory, and stands still until SIGCONT. */
static pid_t
new_worker(unsigned char *addr, size_t size, size_t step)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        raise(SIGSTOP);
        work(addr, size, step);
    }
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        if (workers[i])
            continue;
        workers[i] = pid;
        break;
    }
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    stay_on(pid, WORK_CPU);
    return pid;
}

static void
start_rival(void)
{
    static unsigned char pages[8192];

    kill(new_worker(pages, sizeof pages, PAGE_SIZE), SIGCONT);
}

static void
end_workers(void)
{
    for (size_t i = 0; i < sizeof workers / sizeof workers[0]; i++) {
        if (workers[i] <= 0)
            continue;
        kill(workers[i], SIGKILL);
        waitpid(workers[i], NULL, 0);
        workers[i] = 0;
    }
}

static void
start_damon(const struct watch *watch, const char *min, const char *max)
{
    struct damon_range range = { watch->start, watch->end };
    struct damon_job job = {
        .pid = watch->worker,
        .action = "stat",
        .target_order = -1,
        .ranges = &range,
        .n_ranges = 1,
        .interval_us = SAMPLE_US,
    };
    char aggregation[16];

    snprintf(aggregation, sizeof aggregation, "%d", SAMPLE_US * SAMPLES);
    assert_int_equal(damon_configure(&job), 0);
    assert_int_equal(
        damon_write(0, DAMON_CONTEXT "monitoring_attrs/intervals/aggr_us", aggregation), 0);
    assert_int_equal(damon_write(0, DAMON_CONTEXT "monitoring_attrs/nr_regions/max", max), 0);
    assert_int_equal(damon_write(0, DAMON_CONTEXT "monitoring_attrs/nr_regions/min", min), 0);
    assert_int_equal(damon_state(0, "on"), 0);
    stay_on(damon_pid(0), WATCH_CPU);
}

static bool
read_region(size_t n, const char *what, uint64_t *value)
{
    char file[96], text[32];

    snprintf(file, sizeof file, DAMON_SCHEME "tried_regions/%zu/%s", n, what);
    if (damon_read(0, file, text, sizeof text) < 0)
        return false;
    *value = strtoull(text, NULL, 10);
    return true;
}

static size_t
overlap(uint64_t start, uint64_t end, uint64_t from, uint64_t to)
{
    uint64_t low = start > from ? start : from, high = end < to ? end : to;

    return low < high ? high - low : 0;
}

/* Returns the number of regions. */
static size_t
look_once(const struct watch *watch, struct view *view)
{
    uint64_t start, end, accesses;
    size_t n = 0;

    *view = (struct view){ 0 };
    assert_int_equal(damon_state(0, "update_schemes_tried_regions"), 0);
    for (; read_region(n, "start", &start); n++) {
        size_t inside;

        assert_true(read_region(n, "end", &end) && read_region(n, "nr_accesses", &accesses));
        inside = overlap(start, end, watch->start, watch->hot_end);
        view->seen += accesses > 0 ? end - start : 0;
        view->hot += accesses >= HOT ? end - start : 0;
        view->hot_outside += accesses >= HOT ? end - start - inside : 0;
        view->idle += accesses == 0 ? end - start : 0;
        view->idle_inside += accesses == 0 ? inside : 0;
        view->most = accesses > view->most ? accesses : view->most;
    }
    return n;
}

/* The kernel gives up after two aggregations, without an error: a busy machine may need longer. */
static struct view
look(const struct watch *watch)
{
    struct view view;

    for (int i = 0; look_once(watch, &view) == 0; i++)
        assert_true(i < 20);
    return view;
}

static int
compare_sizes(const void *a, const void *b)
{
    const size_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

#define VIEWS 5

/* The medians of some views: which page a region is sampled at is chance. The rest is of the view
 * that has the median of hot bytes. */
static struct view
look_often(const struct watch *watch)
{
    struct view views[VIEWS];
    size_t seen[VIEWS];

    for (size_t i = 0; i < VIEWS; i++) {
        struct view view = look(watch);
        size_t at = i;

        for (; at > 0 && views[at - 1].hot > view.hot; at--)
            views[at] = views[at - 1];
        views[at] = view;
        seen[i] = view.seen;
        usleep(SAMPLE_US * SAMPLES);
    }
    qsort(seen, VIEWS, sizeof seen[0], compare_sizes);
    views[VIEWS / 2].seen = seen[VIEWS / 2];
    return views[VIEWS / 2];
}

/* Bytes with the accessed bit set in the page tables, of what is mapped at start. */
static size_t
referenced(pid_t pid, uintptr_t start)
{
    char path[64], line[256];
    bool here = false;
    size_t kib = 0;
    FILE *smaps;

    snprintf(path, sizeof path, "/proc/%d/smaps", pid);
    smaps = fopen(path, "r");
    assert_non_null(smaps);
    while (fgets(line, sizeof line, smaps)) {
        uintptr_t from, to;

        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2)
            here = from == start;
        else if (here && sscanf(line, "Referenced: %zu", &kib) == 1)
            break;
    }
    fclose(smaps);
    return kib << 10;
}

static size_t
referenced_in_a_second(pid_t pid, uintptr_t start)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/clear_refs", pid);
    assert_int_equal(file_write(path, "1"), 0);
    sleep(1);
    return referenced(pid, start);
}

static void
print_view(const char *what, const char *when, const struct view *view, size_t bits)
{
    printf("T1, %s, %s: DAMON: %.2f MiB hot (nr_accesses >= %d of %d), %.2f MiB seen at all, "
           "%.1f MiB idle; accessed bits: %.3f MiB; truth: %.3f MiB\n",
           what, when, MIB(view->hot), HOT, SAMPLES, MIB(view->seen), MIB(view->idle), MIB(bits),
           MIB(HOT_BLOCKS * PAGE_SIZE));
}

static void
split_everything(const struct watch *watch)
{
    struct damon_range range = { watch->start, watch->end };
    struct damon_job job = {
        .pid = watch->worker, .action = "split", .ranges = &range, .n_ranges = 1
    };
    struct damon_stats stats;

    /* A block that is in use at that moment is left out, and these are in use all the time. */
    kill(watch->worker, SIGSTOP);
    stats = damon_once(&job);
    kill(watch->worker, SIGCONT);
    assert_int_equal(stats.sz_applied, watch->end - watch->start);
}

/* The worker gets the mapping for itself: anonymous memory that two have is copied when one writes.
 */
static void
give_to_worker(struct watch *watch, struct mapping *map)
{
    watch->worker = new_worker(map->addr, HOT_BLOCKS * BLOCK_BYTES, BLOCK_BYTES);
    mapping_free(map);
    kill(watch->worker, SIGCONT);
    start_rival();
}

static struct view
watch_for_a_while(const struct watch *watch, const char *min, const char *max, unsigned seconds)
{
    struct view view;

    start_damon(watch, min, max);
    sleep(seconds);
    view = look_often(watch);
    damon_stop(0);
    return view;
}

static void
t1_huge(const struct watch *watch, const char *what)
{
    size_t idle = (AREA_BLOCKS - HOT_BLOCKS) * BLOCK_BYTES;
    struct view view = watch_for_a_while(watch, MIN_REGIONS, MAX_REGIONS, SETTLE_S);
    size_t bits = referenced_in_a_second(watch->worker, watch->start);

    print_view(what, "huge", &view, bits);
    printf("T1, %s, huge: what DAMON sees accessed is %.0f times what is\n", what,
           (double) view.seen / (HOT_BLOCKS * PAGE_SIZE));
    printf(
        "DAMON alone, %s, huge: finds %.1f MiB idle of %.1f MiB that are; %.2f MiB of hot blocks "
        "among it, %.2f MiB of idle blocks among the hot\n",
        what, MIB(view.idle - view.idle_inside), MIB(idle), MIB(view.idle_inside),
        MIB(view.hot_outside));
    /* How often an access is seen depends on how often the two workers take turns, which on a busy
     * machine is rarely. That it is seen, and where, does not. */
    assert_in_range(view.seen, HOT_BLOCKS * BLOCK_BYTES * 3 / 4, HOT_BLOCKS * BLOCK_BYTES * 5 / 4);
    assert_int_equal(bits, HOT_BLOCKS * BLOCK_BYTES);
    assert_in_range(view.idle - view.idle_inside, idle * 3 / 4, idle);
}

static void
t1_split(const struct watch *watch, const char *what)
{
    struct view view = watch_for_a_while(watch, MIN_REGIONS, MAX_REGIONS, SETTLE_S);
    size_t bits = referenced_in_a_second(watch->worker, watch->start);

    print_view(what, "split", &view, bits);
    assert_in_range(view.hot, 0, HOT_BLOCKS * BLOCK_BYTES / 16);
    /* A region whose sample meets a hot page, one of 512, counts as seen whole, and a region has up
     * to a tenth of all: one of them is chance, two in most of the views are not. */
    assert_in_range(view.seen, 0, HOT_BLOCKS * BLOCK_BYTES / 2);
    assert_int_equal(bits, HOT_BLOCKS * PAGE_SIZE);
}

/* 32 hot pages, one in each of the first 32 blocks of 128; before and after a split to order 0. */
static void
t1(struct mapping *map, const char *what)
{
    struct watch watch = { mapping_block(map, 0), mapping_block(map, HOT_BLOCKS),
                           mapping_block(map, AREA_BLOCKS), 0 };

    give_to_worker(&watch, map);
    t1_huge(&watch, what);
    split_everything(&watch);
    t1_split(&watch, what);
}

static void
t1_inflation_of_tmpfs(void **state)
{
    struct mapping map = mapping_shmem(AREA_BLOCKS, STEP_SPARSE);

    (void) state;
    t1(&map, "tmpfs");
}

static void
t1_inflation_of_anonymous_memory(void **state)
{
    struct mapping map = mapping_anon(AREA_BLOCKS, STEP_SPARSE);

    (void) state;
    t1(&map, "anonymous");
}

/* A process that has the CPU for itself spins on 256 KiB; then it has to share the CPU. */
static void
t2_accesses_behind_the_tlb(void **state)
{
    unsigned char *spin =
        mmap(NULL, SPIN_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uintptr_t start = (uintptr_t) spin;
    struct watch watch = { start, start + SPIN_BYTES, start + SPIN_BYTES, 0 };
    struct view alone, shared;

    (void) state;
    assert_ptr_not_equal(spin, MAP_FAILED);
    watch.worker = new_worker(spin, SPIN_BYTES, PAGE_SIZE);
    kill(watch.worker, SIGCONT);
    alone = watch_for_a_while(&watch, "3", "10", 3);
    start_rival();
    shared = watch_for_a_while(&watch, "3", "10", 3);
    printf("T2: a process that spins on %d KiB: alone on its CPU %zu KiB seen, nr_accesses at most "
           "%lu of %d; with a rival %zu KiB seen, nr_accesses at most %lu\n",
           SPIN_BYTES >> 10, alone.seen >> 10, alone.most, SAMPLES, shared.seen >> 10, shared.most);
    assert_int_equal(alone.seen, 0);
    assert_in_range(shared.seen, SPIN_BYTES * 3 / 4, SPIN_BYTES);
    munmap(spin, SPIN_BYTES);
}

static int
quiet(void **state)
{
    khugepaged_quiet(state);
    stay_on(0, WATCH_CPU);
    return 0;
}

static int
tear_down(void **state)
{
    end_workers();
    return damon_teardown(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(t1_inflation_of_tmpfs, tear_down),
        cmocka_unit_test_teardown(t1_inflation_of_anonymous_memory, tear_down),
        cmocka_unit_test_teardown(t2_accesses_behind_the_tlb, tear_down),
    };

    setvbuf(stdout, NULL, _IOLBF, 0);
    return cmocka_run_group_tests_name("damon-view", tests, quiet, NULL);
}
