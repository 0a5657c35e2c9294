/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "system.h"
#include "test.h"

#define PCI_DEVICES    "/sys/bus/pci/devices/"
#define IVSHMEM_VENDOR "0x1af4"
#define IVSHMEM_DEVICE "0x1110"

static uint8_t *memory;

static void
read_file_of(const char *device, const char *name, char *text, size_t size)
{
    char path[300];

    snprintf(path, sizeof path, PCI_DEVICES "%s/%s", device, name);
    if (file_read(path, text, size) < 0)
        text[0] = '\0';
}

static bool
is_unit(const char *device)
{
    char vendor_of[16], device_of[16];

    read_file_of(device, "vendor", vendor_of, sizeof vendor_of);
    read_file_of(device, "device", device_of, sizeof device_of);
    return strcmp(vendor_of, IVSHMEM_VENDOR) == 0 && strcmp(device_of, IVSHMEM_DEVICE) == 0;
}

static void
find_unit(char *name, size_t size)
{
    DIR *devices = opendir(PCI_DEVICES);
    struct dirent *entry;
    bool found = false;

    while (devices && !found && (entry = readdir(devices))) {
        found = is_unit(entry->d_name);
        snprintf(name, size, "%s", entry->d_name);
    }
    if (devices)
        closedir(devices);
    if (!found)
        fail_msg("there is no SPE unit: contrib/testbed run --spe");
}

/* The device does not answer before it is enabled. Where a driver has it, it is, and that cannot be
 * asked for. */
static void
enable(const char *device)
{
    char path[300];
    int error;

    snprintf(path, sizeof path, PCI_DEVICES "%s/enable", device);
    error = file_write(path, "1");
    if (error < 0 && error != -EBUSY)
        fail_msg("%s: %s", path, strerror(-error));
}

void
unit_open(void)
{
    char device[256], path[300];
    struct stat stat;
    int fd;

    if (memory)
        return;
    find_unit(device, sizeof device);
    enable(device);
    /* Write-combining makes it normal memory, which takes accesses of any size and alignment. */
    snprintf(path, sizeof path, PCI_DEVICES "%s/resource2_wc", device);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &stat) < 0)
        fail_msg("%s: %s", path, strerror(errno));
    memory = mmap(NULL, (size_t) stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        fail_msg("%s: mmap: %s", path, strerror(errno));
    close(fd);
    if (unit_header()->magic != UNIT_MAGIC || unit_header()->version != UNIT_VERSION)
        fail_msg("%s is not the memory of a unit of version %d", path, UNIT_VERSION);
}

const struct unit_header *
unit_header(void)
{
    return (const struct unit_header *) memory;
}

struct unit_cpu *
unit_cpu(unsigned cpu)
{
    assert_true(cpu < unit_header()->cpus);
    return (struct unit_cpu *) (memory + UNIT_CPUS_AT + (size_t) cpu * UNIT_CPU_SIZE);
}

uint64_t
unit_count(uint64_t pa, enum unit_class class)
{
    const struct unit_header *header = unit_header();
    uint64_t page = (pa - header->ram_base) / 4096, n = 0;

    assert_true(pa - header->ram_base < header->ram_size);
    for (unsigned cpu = 0; cpu < header->cpus; cpu++) {
        const uint8_t *counts = memory + header->counts_at + cpu * header->counts_size;

        n += ((const volatile uint64_t(*)[UNIT_CLASSES]) counts)[page][class];
    }
    return n;
}

uint64_t
unit_count_page(uint64_t pa)
{
    uint64_t n = 0;

    for (unsigned class = 0; class < UNIT_CLASSES; class ++)
        n += unit_count(pa, (enum unit_class) class);
    return n;
}

void
unit_cut(void)
{
    volatile struct unit_header *header = (struct unit_header *) memory;
    uint32_t cut = header->cut + 1;

    /* The plugin serves it before the store ends. */
    header->cut = cut;
    assert_int_equal(header->cuts, cut);
}

size_t
unit_take(unsigned cpu, uint8_t *to, size_t size)
{
    volatile struct unit_cpu *words = unit_cpu(cpu);
    const struct unit_header *header = unit_header();
    const uint8_t *ring = memory + header->rings_at + cpu * header->ring_size;
    uint64_t tail = words->tail, ready = words->head - tail;
    size_t at = tail % header->ring_size, first = header->ring_size - at;

    if (size > ready)
        size = ready;
    if (first > size)
        first = size;
    memcpy(to, ring + at, first);
    memcpy(to + first, ring, size - first);
    words->tail = tail + size;
    return size;
}
