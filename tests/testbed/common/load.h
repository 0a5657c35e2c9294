/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes whose memory accesses can be told apart, for tests of what samples them. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define LOADS     2
#define LOAD_AREA ((size_t) 1 << 20) /* bytes */

/* A process that reads and writes its own area, and enters the kernel after each round. */
struct load {
    pid_t pid; /* 0: it does not run */
    volatile uint64_t *area;
};
extern struct load loads[LOADS];

/* Loads and stores each word of an area once. */
void load_touch(volatile uint64_t *area);
/* Starts loads[number] on a CPU, with an area where no other's is. */
void load_start(size_t number, int cpu);
void loads_stop(void);
/* Returns when each load that runs has gone through its area so often since the call, which does
 * not depend on what else this machine does. Fails the running test after two minutes. */
void loads_wait(uint64_t rounds);
