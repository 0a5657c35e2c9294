/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Drives one scheme over address ranges through DAMON's sysfs files. Each slot is a kdamond with
 * one context on the fvaddr operations, one target and one scheme. Errors are negative errno
 * numbers; EBUSY of the files (somebody holds their lock) is retried for a while. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct damon_range {
    uintptr_t start, end;
};

struct damon_job {
    unsigned slot;
    pid_t pid;          /* 0: this process */
    const char *action; /* as in the sysfs file */
    int target_order;   /* negative: the file is not written */
    const struct damon_range *ranges;
    size_t n_ranges;             /* sorted, not overlapping */
    unsigned long max_snapshots; /* 0: for ever */
    unsigned long quota_bytes;   /* 0: none */
    unsigned long quota_reset_ms;
    unsigned long interval_us; /* of sampling, aggregation and applying alike; 0: 20 ms */
};

struct damon_stats {
    unsigned long nr_tried, sz_tried, nr_applied, sz_applied, qt_exceeds;
};

/* Sets the number of kdamonds; all must be off. Fails the running test. Needed once, for slots
 * above 0. */
void damon_slots(unsigned slots);

/* The steps, for tests that look between them. damon_configure() writes all but the state. */
int damon_configure(const struct damon_job *job);
int damon_state(unsigned slot, const char *command); /* as in the sysfs file */
pid_t damon_pid(unsigned slot);                      /* of the kdamond; -1 when none runs */
int damon_read_stats(unsigned slot, struct damon_stats *stats);
/* Waits until that many ranges were tried since the kdamond was started, and returns the stats
 * then. Fails the running test when it takes longer. */
struct damon_stats damon_wait_tried(unsigned slot, unsigned long nr_tried, time_t seconds);
/* off, and waits until the kdamond is gone. Fine when it is off already. */
void damon_stop(unsigned slot);
/* Stops every slot; a teardown of cmocka, so that a failed test leaves no kdamond to the next. */
int damon_teardown(void **state);

/* Waits until every byte of the ranges was tried, no more and no less; fails the running test. */
struct damon_stats damon_wait(const struct damon_job *job);
/* One pass: configure with max_snapshots 1, on, wait until every range was tried, read the stats,
 * off. Fails the running test when the files refuse or when not every byte was tried. */
struct damon_stats damon_once(const struct damon_job *job);
/* The most common runs: one action of an order over consecutive ranges of this process. */
struct damon_stats damon_act(const char *action, int order, const struct damon_range *ranges,
                             size_t n);
struct damon_stats damon_act_range(const char *action, int order, uintptr_t start, size_t size);

/* A file of the scheme, the context or the kdamond, by its path below the slot's directory; with
 * DAMON_SCHEME before it for those of the scheme. Write: 0 or -errno. Read: into buf, without the
 * newline. */
#define DAMON_CONTEXT "contexts/0/"
#define DAMON_SCHEME  DAMON_CONTEXT "schemes/0/"
int damon_write(unsigned slot, const char *file, const char *text);
int damon_read(unsigned slot, const char *file, char *buf, size_t size);
