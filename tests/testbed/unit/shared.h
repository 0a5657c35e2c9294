/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory that the unit shares with the emulated host, as QEMU's side has it (unit.h). */
#pragma once

#include "meter.h"
#include "unit.h"

#include <stdbool.h>

#define UNIT_PAGE_SHIFT 12

struct shared {
    struct unit_header *header;
    unsigned cpus;
    uint64_t ram_base, ram_size; /* bytes */
};

/* Maps the file and writes its header. False, and a message on standard error, when it cannot be
 * mapped or is too small. cpus: 1 to UNIT_MAX_CPUS. */
bool shared_open(struct shared *shared, const char *path, unsigned cpus, uint64_t ram_base,
                 uint64_t ram_size);

struct unit_cpu *shared_cpu(const struct shared *shared, unsigned cpu);
struct meter_cpu *shared_meter(const struct shared *shared, unsigned cpu);
const struct meter_control *shared_control(const struct shared *shared);
uint8_t *shared_ring(const struct shared *shared, unsigned cpu);
/* Of each page of RAM, by enum unit_class. */
uint64_t (*shared_counts(const struct shared *shared, unsigned cpu))[UNIT_CLASSES];

static inline uint64_t
shared_pages(const struct shared *shared)
{
    return shared->ram_size >> UNIT_PAGE_SHIFT;
}
