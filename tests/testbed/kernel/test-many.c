/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A thousand ranges, in chunks and in one run; and what a range costs, beside debugfs
 * split_huge_pages and process_madvise(MADV_COLLAPSE) in the same run. Time decides no test. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../common/cost.h"
#include "../common/frames.h"
#include "../common/mapping.h"
#include "../common/system.h"
#include "../common/test.h"
#include "../common/trace.h"

#define MANY  1000
#define CHUNK 256

#define COST_BLOCKS 16
#define ROUNDS      24
#define ROUNDS_LONG 100
/* kdamond applies after the first interval: time to find out who it is and to attach a clock. */
#define ATTACH_US 300000

#define DEBUGFS_SPLIT "/sys/kernel/debug/split_huge_pages"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static struct damon_range *
list_blocks(const struct mapping *map)
{
    struct damon_range *ranges = calloc(map->blocks, sizeof(*ranges));

    assert_non_null(ranges);
    for (size_t i = 0; i < map->blocks; i++)
        ranges[i] = (struct damon_range){ mapping_block(map, i), mapping_block(map, i + 1) };
    return ranges;
}

static void
assert_all_split(const struct mapping *map)
{
    for (size_t i = 0; i < map->blocks; i++)
        assert_int_equal(frames_order(map, i), 0);
}

static void
assert_all_huge(struct mapping *map)
{
    assert_int_equal(mapping_wrong(map), 0);
    for (size_t i = 0; i < map->blocks; i++)
        assert_true(mapped_by_pmd((void *) mapping_block(map, i)));
    frames_record(map);
    assert_int_equal(frames_not_whole(map, 0, map->blocks), 0);
}

/* One run of a job, measured from the first range to the last result by the traces of kdamond,
 * which the caller gets and frees. */
static struct cost
run_damon(const struct damon_job *job, char **lines)
{
    struct trace *trace = trace_start("damon:damos_before_apply", "damon:" RESULT_EVENT, NULL);
    struct cost cost = { .items = job->n_ranges };
    struct damon_job once = *job;
    struct damon_stats stats;
    int clock;

    once.max_snapshots = 1;
    once.interval_us = ATTACH_US;
    assert_int_equal(damon_configure(&once), 0);
    assert_int_equal(damon_state(job->slot, "on"), 0);
    clock = task_clock_open(damon_pid(job->slot));
    assert_true(clock >= 0);
    stats = damon_wait(&once);
    cost.cpu = task_clock_read(clock);
    close(clock);
    damon_stop(job->slot);
    *lines = trace_stop(trace);
    cost.wall = trace_seconds(*lines, "damos_before_apply:", RESULT_EVENT ":");
    assert_true(cost.wall > 0);
    assert_int_equal(stats.nr_tried, job->n_ranges);
    assert_int_equal(stats.nr_applied, job->n_ranges);
    assert_int_equal(stats.sz_applied, job->n_ranges * BLOCK_BYTES);
    return cost;
}

static void
add(struct cost *sum, struct cost cost)
{
    sum->wall += cost.wall;
    sum->cpu += cost.cpu;
    sum->items += cost.items;
}

static struct cost
run_chunks(const char *action, const struct damon_range *ranges, size_t chunk)
{
    struct cost sum = { 0 };
    char *lines;

    for (size_t i = 0; i < MANY; i += chunk) {
        struct damon_job job = { .action = action,
                                 .ranges = ranges + i,
                                 .n_ranges = MANY - i < chunk ? MANY - i : chunk };

        add(&sum, run_damon(&job, &lines));
        free(lines);
    }
    return sum;
}

static void
thousand_ranges(size_t chunk, const char *how)
{
    struct mapping map = mapping_shmem(MANY, STEP_SPARSE);
    struct damon_range *ranges = list_blocks(&map);
    uint64_t splits = vmstat("thp_split_page");
    char name[64];
    struct cost cost;

    cost = run_chunks("split", ranges, chunk);
    snprintf(name, sizeof(name), "DAMOS_SPLIT, 1000 ranges %s", how);
    cost_print(name, &cost);
    assert_all_split(&map);
    assert_int_equal(vmstat("thp_split_page"), splits + MANY);
    for (size_t i = 0; i < MANY; i += 50)
        assert_int_equal(frames_moved(&map, i), 0);
    cost = run_chunks("collapse", ranges, chunk);
    snprintf(name, sizeof(name), "DAMOS_COLLAPSE, 1000 ranges %s", how);
    cost_print(name, &cost);
    assert_all_huge(&map);
    free(ranges);
    mapping_free(&map);
}

static void
thousand_in_chunks(void **state)
{
    thousand_ranges(CHUNK, "by 256");
}

static void
thousand_at_once(void **state)
{
    thousand_ranges(MANY, "in one run");
}

/* Seconds that each range took, for as many rounds as there are. */
struct samples {
    double *seconds;
    size_t n;
};

/* DAMON does a run of ranges at once; its rival does a range a call, or all ranges in one call.
 * Single ranges are compared with single ranges, and whole runs with whole runs, by the mean of a
 * range. */
enum series { DAMON_SINGLE, DAMON_RUN, RIVAL_SINGLE, RIVAL_RUN, N_SERIES };

static void
sample(struct samples *samples, double seconds)
{
    samples->seconds[samples->n++] = seconds;
}

/* Of a range, from calls that each do some of them. */
static void
sample_debugfs(struct samples *samples, const struct damon_range *ranges, size_t per_write)
{
    char text[96];

    for (size_t i = 0; i < COST_BLOCKS; i += per_write) {
        struct cost cost = cost_start();

        snprintf(text, sizeof(text), "%d,0x%lx,0x%lx,0", getpid(), ranges[i].start,
                 ranges[i + per_write - 1].end);
        assert_int_equal(file_write(DEBUGFS_SPLIT, text), 0);
        cost_stop(&cost, per_write);
        sample(samples, cost.wall / (double) per_write);
    }
}

static void
sample_madvise(struct samples *samples, const struct damon_range *ranges, size_t per_call)
{
    int self = (int) syscall(SYS_pidfd_open, getpid(), 0);
    struct iovec iov[COST_BLOCKS];

    assert_true(self >= 0);
    for (size_t i = 0; i < COST_BLOCKS; i++)
        iov[i] = (struct iovec){ (void *) ranges[i].start, BLOCK_BYTES };
    for (size_t i = 0; i < COST_BLOCKS; i += per_call) {
        struct cost cost = cost_start();

        assert_int_equal(syscall(SYS_process_madvise, self, iov + i, per_call, MADV_COLLAPSE, 0),
                         per_call * BLOCK_BYTES);
        cost_stop(&cost, per_call);
        sample(samples, cost.wall / (double) per_call);
    }
    close(self);
}

/* process_madvise() maps what it has collapsed by PMDs. After DAMOS_COLLAPSE of tmpfs memory the
 * next access does that, so that is a part of the price. */
static double
touch_seconds(const struct damon_range *range)
{
    struct cost cost = cost_start();

    (void) *(volatile unsigned char *) range->start;
    cost_stop(&cost, 1);
    return cost.wall;
}

/* From range to range in one run of kdamond, which the traces tell: so the work of DAMON's core
 * between two ranges, and of tracing, is in it. */
static void
sample_damon(struct samples samples[N_SERIES], const char *action, bool touch,
             const struct damon_range *ranges)
{
    struct damon_job job = { .action = action, .ranges = ranges, .n_ranges = COST_BLOCKS };
    double seconds[COST_BLOCKS], sum = 0;
    char *lines;

    run_damon(&job, &lines);
    assert_int_equal(trace_intervals(lines, "damos_before_apply:", seconds, COST_BLOCKS),
                     COST_BLOCKS - 1);
    free(lines);
    for (size_t i = 0; i < COST_BLOCKS - 1; i++) {
        seconds[i] += touch ? touch_seconds(&ranges[i]) : 0;
        sum += seconds[i];
        sample(&samples[DAMON_SINGLE], seconds[i]);
    }
    sample(&samples[DAMON_RUN], sum / (COST_BLOCKS - 1));
}

static int
by_value(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return (x > y) - (x < y);
}

/* The median, which the machine below can disturb least. */
static double
median(const struct samples *samples)
{
    qsort(samples->seconds, samples->n, sizeof(*samples->seconds), by_value);
    return samples->seconds[samples->n / 2];
}

static void
print_costs(const char *memory, const char *action, const char *rival,
            struct samples samples[N_SERIES])
{
    double single = median(&samples[DAMON_SINGLE]), run = median(&samples[DAMON_RUN]),
           each = median(&samples[RIVAL_SINGLE]), together = median(&samples[RIVAL_RUN]);

    printf("cost: %s a range of %s memory: DAMON %.0f us, %s by call %.0f us, ratio %.2f\n", action,
           memory, single * 1e6, rival, each * 1e6, single / each);
    printf(
        "cost: %s %d ranges of %s memory, each: DAMON %.0f us, %s in one call %.0f us, ratio %.2f\n",
        action, COST_BLOCKS, memory, run * 1e6, rival, together * 1e6, run / together);
}

static void
new_samples(struct samples samples[N_SERIES], size_t rounds)
{
    for (enum series i = 0; i < N_SERIES; i++) {
        samples[i].seconds = calloc(rounds * COST_BLOCKS, sizeof(double));
        samples[i].n = 0;
        assert_non_null(samples[i].seconds);
    }
}

static void
free_samples(struct samples samples[N_SERIES])
{
    for (enum series i = 0; i < N_SERIES; i++)
        free(samples[i].seconds);
}

/* Every way in turn, a few ranges each time, so that all see the same machine. */
static void
one_round(struct mapping *map, const struct damon_range *ranges, struct samples *split,
          struct samples *collapse)
{
    sample_damon(split, "split", false, ranges);
    assert_all_split(map);
    sample_damon(collapse, "collapse", true, ranges);
    assert_all_huge(map);
    sample_debugfs(&split[RIVAL_SINGLE], ranges, 1);
    assert_all_split(map);
    sample_madvise(&collapse[RIVAL_SINGLE], ranges, 1);
    assert_all_huge(map);
    sample_debugfs(&split[RIVAL_RUN], ranges, COST_BLOCKS);
    assert_all_split(map);
    sample_madvise(&collapse[RIVAL_RUN], ranges, COST_BLOCKS);
    assert_all_huge(map);
}

static void
cost_of_a_range(void **state)
{
    size_t rounds = getenv("KTESTS_LONG") ? ROUNDS_LONG : ROUNDS;
    struct mapping map = mapping_for(state, COST_BLOCKS, STEP_SPARSE);
    const char *memory = *state ? "tmpfs" : "anonymous";
    struct damon_range *ranges = list_blocks(&map);
    struct samples split[N_SERIES], collapse[N_SERIES];

    new_samples(split, rounds);
    new_samples(collapse, rounds);
    for (size_t i = 0; i < rounds; i++)
        one_round(&map, ranges, split, collapse);
    print_costs(memory, "split", "debugfs", split);
    print_costs(memory, "collapse", "process_madvise", collapse);
    free_samples(split);
    free_samples(collapse);
    free(ranges);
    mapping_free(&map);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(thousand_in_chunks),
        TEST(thousand_at_once),
        TEST_BOTH(cost_of_a_range),
    };

    return cmocka_run_group_tests_name("many", tests, khugepaged_quiet, NULL);
}
