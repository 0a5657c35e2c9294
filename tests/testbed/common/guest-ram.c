/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest-ram.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frames.h"
#include "mapping.h"
#include "test.h"

struct guest_ram
guest_ram_open(pid_t pid)
{
    struct guest_ram ram = { .pid = pid }, found = { .pid = pid };
    char path[64], line[512];
    unsigned long inode = 0;
    FILE *maps;

    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    maps = fopen(path, "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        uintptr_t start, end;
        uint64_t offset;
        unsigned long of;

        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " rw-s %" SCNx64 " %*s %lu", &start, &end,
                   &offset, &of) != 4)
            continue;
        /* What is done to a part of it makes several lines of one mapping. */
        if (of == inode && start == found.addr + found.bytes &&
            offset == found.offset + found.bytes) {
            found.bytes += end - start;
        } else {
            found.addr = start;
            found.bytes = end - start;
            found.offset = offset;
            found.first_end = end;
            inode = of;
        }
        if (found.bytes > ram.bytes)
            ram = found;
    }
    fclose(maps);
    assert_int_not_equal(ram.bytes, 0);
    return ram;
}

unsigned char *
guest_ram_map(const struct guest_ram *ram)
{
    unsigned char *addr;
    char path[100];
    int fd;

    /* The file may have no name any more. */
    snprintf(path, sizeof path, "/proc/%d/map_files/%" PRIxPTR "-%" PRIxPTR, ram->pid, ram->addr,
             ram->first_end);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        fail_msg("%s cannot be opened", path);
    addr = map_aligned(ram->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t) ram->offset);
    close(fd);
    return addr;
}

uint64_t
guest_ram_pa(const struct guest_ram *ram, uint64_t guest_pa)
{
    uint64_t offset = guest_pa - GUEST_RAM_BASE, frame;

    assert_true(offset < ram->bytes);
    frames_of_process(ram->pid, ram->addr + offset, 1, &frame);
    return frame == 0 ? 0 : frame * PAGE_SIZE + offset % PAGE_SIZE;
}

uint64_t *
guest_ram_frames(const struct guest_ram *ram)
{
    size_t pages = ram->bytes / PAGE_SIZE;
    uint64_t *frames = calloc(pages, sizeof *frames);

    assert_non_null(frames);
    frames_of_process(ram->pid, ram->addr, pages, frames);
    return frames;
}

/* The kernel must not take what a look at it touches for used. */
uint64_t *
guest_ram_file_frames(const struct guest_ram *ram)
{
    size_t pages = ram->bytes / PAGE_SIZE;
    unsigned char *view = guest_ram_map(ram), *present = malloc(pages);
    uint64_t *frames = calloc(pages, sizeof *frames);

    assert_non_null(present);
    assert_non_null(frames);
    if (madvise(view, ram->bytes, MADV_RANDOM) < 0 || mincore(view, ram->bytes, present) < 0)
        fail_msg("mincore of the guest's RAM");
    for (size_t i = 0; i < pages; i++)
        if (present[i] & 1)
            (void) *(volatile unsigned char *) (view + i * PAGE_SIZE);
    frames_of_process(getpid(), (uintptr_t) view, pages, frames);
    munmap(view, ram->bytes);
    free(present);
    return frames;
}
