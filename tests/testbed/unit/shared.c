/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void *
map_whole(const char *path, uint64_t needed)
{
    struct stat stat;
    void *memory;
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &stat) < 0) {
        fprintf(stderr, "SPE unit: cannot open %s: %s\n", path, strerror(errno));
        return NULL;
    }
    if ((uint64_t) stat.st_size < needed) {
        fprintf(stderr, "SPE unit: %s has %llu bytes, needed are %llu\n", path,
                (unsigned long long) stat.st_size, (unsigned long long) needed);
        close(fd);
        return NULL;
    }
    memory = mmap(NULL, needed, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "SPE unit: cannot map %s: %s\n", path, strerror(errno));
        return NULL;
    }
    return memory;
}

bool
shared_open(struct shared *shared, const char *path, unsigned cpus, uint64_t ram_base,
            uint64_t ram_size)
{
    struct unit_header header = {
        .magic = UNIT_MAGIC,
        .version = UNIT_VERSION,
        .cpus = cpus,
        .rings_at = UNIT_CPUS_AT + UNIT_MAX_CPUS * UNIT_CPU_SIZE,
        .ring_size = UNIT_RING,
        .counts_size = (ram_size >> UNIT_PAGE_SHIFT) * sizeof(uint64_t[UNIT_CLASSES]),
        .ram_base = ram_base,
        .ram_size = ram_size,
    };

    header.counts_at = header.rings_at + cpus * header.ring_size;
    shared->header = map_whole(path, header.counts_at + cpus * header.counts_size);
    if (!shared->header)
        return false;
    shared->cpus = cpus;
    shared->ram_base = ram_base;
    shared->ram_size = ram_size;
    *shared->header = header;
    return true;
}

static uint8_t *
at(const struct shared *shared, uint64_t offset)
{
    return (uint8_t *) shared->header + offset;
}

struct unit_cpu *
shared_cpu(const struct shared *shared, unsigned cpu)
{
    return (struct unit_cpu *) at(shared, UNIT_CPUS_AT + (uint64_t) cpu * UNIT_CPU_SIZE);
}

struct meter_cpu *
shared_meter(const struct shared *shared, unsigned cpu)
{
    return (struct meter_cpu *) ((uint8_t *) shared_cpu(shared, cpu) + METER_AT);
}

const struct meter_control *
shared_control(const struct shared *shared)
{
    return (const struct meter_control *) at(shared, METER_AT);
}

uint8_t *
shared_ring(const struct shared *shared, unsigned cpu)
{
    return at(shared, shared->header->rings_at + cpu * shared->header->ring_size);
}

uint64_t (*shared_counts(const struct shared *shared, unsigned cpu))[UNIT_CLASSES]
{
    return (uint64_t(*)[UNIT_CLASSES]) at(shared, shared->header->counts_at +
                                                      cpu * shared->header->counts_size);
}
