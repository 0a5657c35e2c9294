/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Drives one scheme over address ranges through DAMON's sysfs files. */
#include "damon.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "system.h"
#include "test.h"

#define KDAMONDS "/sys/kernel/mm/damon/admin/kdamonds/"

#define INTERVAL_US 20000
/* The files' lock is held for as long as a kdamond takes to answer a command. */
#define RETRY_US    10000
#define MAX_RETRIES 500
/* A pass over 1,000 ranges takes seconds under emulation. */
#define MAX_WAIT_S 120

static int
retry_write(const char *path, const char *text)
{
    int error = -EBUSY;

    for (int i = 0; error == -EBUSY && i < MAX_RETRIES; i++) {
        if (i)
            usleep(RETRY_US);
        error = file_write(path, text);
    }
    return error;
}

int
damon_write(unsigned slot, const char *file, const char *text)
{
    char path[256];

    snprintf(path, sizeof(path), KDAMONDS "%u/%s", slot, file);
    return retry_write(path, text);
}

int
damon_read(unsigned slot, const char *file, char *buf, size_t size)
{
    char path[256];
    int n = -EBUSY;

    snprintf(path, sizeof(path), KDAMONDS "%u/%s", slot, file);
    for (int i = 0; n == -EBUSY && i < MAX_RETRIES; i++) {
        if (i)
            usleep(RETRY_US);
        n = file_read(path, buf, size);
    }
    return n;
}

/* Keeps the first error, so that a row of writes is checked once. */
static void
put(int *error, unsigned slot, const char *file, unsigned long value)
{
    char text[24];

    if (*error)
        return;
    snprintf(text, sizeof(text), "%lu", value);
    *error = damon_write(slot, file, text);
    if (*error)
        print_error("damon: %s: %lu: %s\n", file, value, strerror(-*error));
}

static unsigned
nr_kdamonds(void)
{
    return (unsigned) file_read_u64(KDAMONDS "nr_kdamonds");
}

void
damon_slots(unsigned slots)
{
    char text[16];
    int error;

    snprintf(text, sizeof(text), "%u", slots);
    error = retry_write(KDAMONDS "nr_kdamonds", text);
    if (error)
        fail_msg("nr_kdamonds: %u: %s", slots, strerror(-error));
}

static void
put_context(int *error, const struct damon_job *job)
{
    unsigned long interval = job->interval_us ? job->interval_us : INTERVAL_US;
    /* min = max keeps kdamond from merging or splitting the ranges; it refuses fewer than 3. */
    unsigned long regions = job->n_ranges < 3 ? 3 : job->n_ranges;

    /* The directory is made anew, with every file at its default. */
    put(error, job->slot, "contexts/nr_contexts", 1);
    if (!*error)
        *error = damon_write(job->slot, DAMON_CONTEXT "operations", "fvaddr");
    put(error, job->slot, DAMON_CONTEXT "monitoring_attrs/intervals/sample_us", interval);
    put(error, job->slot, DAMON_CONTEXT "monitoring_attrs/intervals/aggr_us", interval);
    put(error, job->slot, DAMON_CONTEXT "monitoring_attrs/nr_regions/max", regions);
    put(error, job->slot, DAMON_CONTEXT "monitoring_attrs/nr_regions/min", regions);
}

static void
put_target(int *error, const struct damon_job *job)
{
    char file[96];

    put(error, job->slot, DAMON_CONTEXT "targets/nr_targets", 1);
    put(error, job->slot, DAMON_CONTEXT "targets/0/pid_target",
        (unsigned long) (job->pid ? job->pid : getpid()));
    put(error, job->slot, DAMON_CONTEXT "targets/0/regions/nr_regions", job->n_ranges);
    for (size_t i = 0; i < job->n_ranges; i++) {
        snprintf(file, sizeof(file), DAMON_CONTEXT "targets/0/regions/%zu/start", i);
        put(error, job->slot, file, job->ranges[i].start);
        snprintf(file, sizeof(file), DAMON_CONTEXT "targets/0/regions/%zu/end", i);
        put(error, job->slot, file, job->ranges[i].end);
    }
}

static void
put_scheme(int *error, const struct damon_job *job)
{
    put(error, job->slot, DAMON_CONTEXT "schemes/nr_schemes", 1);
    if (!*error)
        *error = damon_write(job->slot, DAMON_SCHEME "action", job->action);
    if (job->target_order >= 0)
        put(error, job->slot, DAMON_SCHEME "target_order", (unsigned long) job->target_order);
    /* Every maximum is 0 at first; what the kernel keeps of the numbers of accesses is 32 bits. */
    put(error, job->slot, DAMON_SCHEME "access_pattern/sz/max", (unsigned long) -1);
    put(error, job->slot, DAMON_SCHEME "access_pattern/nr_accesses/max", UINT32_MAX);
    put(error, job->slot, DAMON_SCHEME "access_pattern/age/max", UINT32_MAX);
    put(error, job->slot, DAMON_SCHEME "quotas/bytes", job->quota_bytes);
    put(error, job->slot, DAMON_SCHEME "quotas/reset_interval_ms", job->quota_reset_ms);
    if (job->max_snapshots)
        put(error, job->slot, DAMON_SCHEME "stats/max_nr_snapshots", job->max_snapshots);
}

int
damon_configure(const struct damon_job *job)
{
    int error = 0;

    if (nr_kdamonds() <= job->slot)
        damon_slots(job->slot + 1);
    put_context(&error, job);
    put_target(&error, job);
    put_scheme(&error, job);
    return error;
}

int
damon_state(unsigned slot, const char *command)
{
    return damon_write(slot, "state", command);
}

pid_t
damon_pid(unsigned slot)
{
    char buf[16];

    return damon_read(slot, "pid", buf, sizeof(buf)) > 0 ? atoi(buf) : -1;
}

int
damon_read_stats(unsigned slot, struct damon_stats *stats)
{
    static const char *const names[] = { "nr_tried", "sz_tried", "nr_applied", "sz_applied",
                                         "qt_exceeds" };
    unsigned long *const values[] = { &stats->nr_tried, &stats->sz_tried, &stats->nr_applied,
                                      &stats->sz_applied, &stats->qt_exceeds };
    char file[64], buf[32];
    int error = damon_state(slot, "update_schemes_stats"), n;

    for (size_t i = 0; !error && i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(file, sizeof(file), DAMON_SCHEME "stats/%s", names[i]);
        n = damon_read(slot, file, buf, sizeof(buf));
        if (n < 0)
            error = n;
        else
            *values[i] = strtoul(buf, NULL, 10);
    }
    return error;
}

void
damon_stop(unsigned slot)
{
    damon_state(slot, "off");
    for (int i = 0; damon_pid(slot) >= 0; i++) {
        if (i == MAX_RETRIES)
            fail_msg("kdamond %u does not stop", slot);
        usleep(RETRY_US);
    }
}

int
damon_teardown(void **state)
{
    for (unsigned slot = 0; slot < nr_kdamonds(); slot++)
        damon_stop(slot);
    return 0;
}

static unsigned long
bytes_of(const struct damon_range *ranges, size_t n)
{
    unsigned long bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += ranges[i].end - ranges[i].start;
    return bytes;
}

struct damon_stats
damon_wait_tried(unsigned slot, unsigned long nr_tried, time_t seconds)
{
    time_t end = time(NULL) + seconds;
    struct damon_stats stats = { 0 };
    int error;

    do {
        error = damon_read_stats(slot, &stats);
        if (error)
            fail_msg("update_schemes_stats: %s", strerror(-error));
    } while (stats.nr_tried < nr_tried && time(NULL) < end);
    if (stats.nr_tried < nr_tried)
        fail_msg("%lu ranges tried of %lu, after %ld s", stats.nr_tried, nr_tried, (long) seconds);
    return stats;
}

struct damon_stats
damon_wait(const struct damon_job *job)
{
    unsigned long bytes = bytes_of(job->ranges, job->n_ranges);
    struct damon_stats stats = damon_wait_tried(job->slot, job->n_ranges, MAX_WAIT_S);

    if (stats.sz_tried != bytes)
        fail_msg("%lu bytes tried of %lu", stats.sz_tried, bytes);
    return stats;
}

struct damon_stats
damon_once(const struct damon_job *job)
{
    struct damon_job once = *job;
    struct damon_stats stats;
    int error;

    once.max_snapshots = 1;
    error = damon_configure(&once);
    if (!error)
        error = damon_state(job->slot, "on");
    if (error)
        fail_msg("%s to order %d: %s", job->action, job->target_order, strerror(-error));
    stats = damon_wait(&once);
    damon_stop(job->slot);
    return stats;
}

struct damon_stats
damon_act(const char *action, int order, const struct damon_range *ranges, size_t n)
{
    return damon_once(&(struct damon_job){
        .action = action, .target_order = order, .ranges = ranges, .n_ranges = n });
}

struct damon_stats
damon_act_range(const char *action, int order, uintptr_t start, size_t size)
{
    return damon_act(action, order, &(struct damon_range){ start, start + size }, 1);
}
