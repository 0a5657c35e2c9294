/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What something cost, printed beside what it is compared with. */
#include "cost.h"

#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static double
now(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double) t.tv_sec + (double) t.tv_nsec * 1e-9;
}

struct cost
cost_start(void)
{
    return (struct cost){ .wall = -now(CLOCK_MONOTONIC), .cpu = -now(CLOCK_THREAD_CPUTIME_ID) };
}

void
cost_stop(struct cost *cost, size_t items)
{
    cost->wall += now(CLOCK_MONOTONIC);
    cost->cpu += now(CLOCK_THREAD_CPUTIME_ID);
    cost->items = items;
}

int
task_clock_open(pid_t pid)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof(attr),
        .config = PERF_COUNT_SW_TASK_CLOCK,
    };

    return (int) syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

double
task_clock_read(int fd)
{
    uint64_t ns = 0;

    if (read(fd, &ns, sizeof(ns)) != sizeof(ns))
        return 0;
    return (double) ns * 1e-9;
}

void
cost_print(const char *name, const struct cost *cost)
{
    double items = cost->items ? (double) cost->items : 1;

    printf("cost: %s: %zu items, wall %.1f us each, cpu %.1f us each\n", name, cost->items,
           cost->wall / items * 1e6, cost->cpu / items * 1e6);
}
