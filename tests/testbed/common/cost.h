/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What something cost, printed beside what it is compared with. Prints only: no test depends on
 * time. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct cost {
    double wall, cpu; /* seconds */
    size_t items;
};

/* Of the calling thread. */
struct cost cost_start(void);
void cost_stop(struct cost *cost, size_t items);

/* CPU time that another task (a kdamond) uses from here on. Returns a descriptor, or -1. */
int task_clock_open(pid_t pid);
double task_clock_read(int fd);

/* "cost: NAME: n items, wall us each, cpu us each" */
void cost_print(const char *name, const struct cost *cost);
