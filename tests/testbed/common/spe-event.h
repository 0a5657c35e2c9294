/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of the PMU arm_spe_0, opened and read as a program would. */
#pragma once

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "spe-record.h"

#define SPE_PMU_DIR "/sys/bus/event_source/devices/arm_spe_0/"

/* config; the tests of the PMU's files look that they are these. */
#define SPE_TS_ENABLE     (UINT64_C(1) << 0)
#define SPE_PA_ENABLE     (UINT64_C(1) << 1)
#define SPE_PCT_ENABLE    (UINT64_C(1) << 2)
#define SPE_JITTER        (UINT64_C(1) << 16)
#define SPE_BRANCH_FILTER (UINT64_C(1) << 32)
#define SPE_LOAD_FILTER   (UINT64_C(1) << 33)
#define SPE_STORE_FILTER  (UINT64_C(1) << 34)

struct spe_event {
    int fd;
    struct perf_event_mmap_page *page;
    uint8_t *aux;
    size_t aux_size;
    uint64_t read; /* up to where, of all bytes that the AUX area ever had */

    unsigned aux_records; /* PERF_RECORD_AUX */
    unsigned truncated, partial, collisions;
    uint64_t bytes; /* that they told of */
};

/* An event that is off, with addresses and times, for all that the hardware can see. */
struct perf_event_attr spe_attr(uint64_t period);
/* perf_event_open(). Returns the descriptor or -errno. */
int spe_try_open(const struct perf_event_attr *attr, pid_t pid, int cpu);

/* aux_pages: a power of two. writable: the kernel waits for the reader; otherwise it overwrites.
 * Fails the running test. */
struct spe_event spe_event_open(const struct perf_event_attr *attr, pid_t pid, int cpu,
                                size_t aux_pages, bool writable);
void spe_event_close(struct spe_event *event);
void spe_event_enable(struct spe_event *event, bool enabled);

typedef void (*spe_record_func)(const struct spe_record *record, void *data);
/* Hands on each record that PERF_RECORD_AUX has told of since the last call, and frees their room.
 * Each of these must consist of whole records. Returns the number of records. */
size_t spe_event_read(struct spe_event *event, spe_record_func func, void *data);
