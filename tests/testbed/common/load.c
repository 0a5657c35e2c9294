/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starts and stops processes that access memory. */
#include "load.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

struct load loads[LOADS];

void
load_touch(volatile uint64_t *area)
{
    for (size_t i = 0; i < LOAD_AREA / sizeof(*area); i++)
        area[i] += 1;
}

static void __attribute__((noreturn)) work(volatile uint64_t *area)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        load_touch(area);
        for (int i = 0; i < 2000; i++)
            getppid();
    }
}

static volatile uint64_t *
area_of(size_t number)
{
    static volatile uint64_t *areas;

    if (!areas) {
        void *map = mmap(NULL, LOADS * LOAD_AREA, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert_true(map != MAP_FAILED);
        areas = map;
    }
    return areas + number * LOAD_AREA / sizeof(*areas);
}

void
load_start(size_t number, int cpu)
{
    struct load *load = &loads[number];
    cpu_set_t cpus;

    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    load->area = area_of(number);
    load->pid = fork();
    assert_true(load->pid >= 0);
    if (!load->pid)
        work(load->area);
    assert_int_equal(sched_setaffinity(load->pid, sizeof(cpus), &cpus), 0);
}

void
loads_stop(void)
{
    for (size_t i = 0; i < LOADS; i++) {
        if (loads[i].pid <= 0)
            continue;
        kill(loads[i].pid, SIGKILL);
        waitpid(loads[i].pid, NULL, 0);
        loads[i].pid = 0;
    }
}

/* Each round adds 1 to each word. The one that goes on at the call does not count. */
void
loads_wait(uint64_t rounds)
{
    const struct timespec pause = { .tv_nsec = 10000000 };
    time_t end = time(NULL) + 120;
    uint64_t target[LOADS];

    for (size_t i = 0; i < LOADS; i++)
        target[i] = loads[i].pid > 0 ? loads[i].area[0] + rounds + 1 : 0;
    for (size_t i = 0; i < LOADS; i++) {
        while (loads[i].pid > 0 && loads[i].area[0] < target[i]) {
            if (time(NULL) > end)
                fail_msg("load %zu does not get on", i);
            nanosleep(&pause, NULL);
        }
    }
}
