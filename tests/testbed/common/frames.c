/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The oracle: /proc/kpageflags at frames that were recorded from /proc/self/pagemap. */
#include "frames.h"

#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "test.h"

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (1ULL << 63)
#define PAGEMAP_FRAME   ((1ULL << 55) - 1)

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define BIT(n)    (1ULL << (n))
#define HEAD      BIT(KPF_COMPOUND_HEAD)
#define TAIL      BIT(KPF_COMPOUND_TAIL)
#define NOT_MEMORY \
    (BIT(KPF_BUDDY) | BIT(KPF_NOPAGE) | BIT(KPF_HUGE) | BIT(KPF_SLAB) | BIT(KPF_PGTABLE))

static void
read_entries(const char *path, uint64_t first, size_t n, uint64_t *entries)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = (ssize_t) (n * sizeof(*entries));

    if (fd < 0)
        fail_msg("%s cannot be opened", path);
    if (pread(fd, entries, (size_t) size, (off_t) (first * sizeof(*entries))) != size)
        fail_msg("%s: entry %llu: short read", path, (unsigned long long) first);
    close(fd);
}

void
frames_of_process(pid_t pid, uintptr_t addr, size_t pages, uint64_t *frames)
{
    char path[40];

    snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
    read_entries(path, addr / PAGE_SIZE, pages, frames);
    for (size_t i = 0; i < pages; i++)
        frames[i] = frames[i] & PAGEMAP_PRESENT ? frames[i] & PAGEMAP_FRAME : 0;
}

static void
read_frames(const void *addr, size_t pages, uint64_t *frames)
{
    frames_of_process(getpid(), (uintptr_t) addr, pages, frames);
}

void
frames_record(struct mapping *map)
{
    read_frames(map->addr, map->blocks * BLOCK_PAGES, map->frame);
}

uint64_t
frame_flags(uint64_t frame)
{
    uint64_t flags;

    read_entries("/proc/kpageflags", frame, 1, &flags);
    return flags;
}

uint64_t
frame_of(const void *addr)
{
    uint64_t frame;

    read_frames(addr, 1, &frame);
    return frame;
}

/* A page that is in use but on no LRU list, mapped by nobody and in no file was freed to some
 * cache. */
static bool
is_memory(uint64_t flags)
{
    if (flags & NOT_MEMORY)
        return false;
    return flags &
           (HEAD | TAIL | BIT(KPF_LRU) | BIT(KPF_MMAP) | BIT(KPF_ANON) | BIT(KPF_SWAPBACKED));
}

/* Folios are aligned to their size and not larger than PMD_ORDER here, so all of the folio of a
 * frame is among the 2 MiB-aligned frames around it. flags are theirs, and at is the place among
 * them. */
static int
order_among(const uint64_t *flags, size_t at)
{
    size_t head = at, end;

    if (!is_memory(flags[at]))
        return FRAMES_GONE;
    if (!(flags[at] & (HEAD | TAIL)))
        return 0;
    while (head && !(flags[head] & HEAD))
        head--;
    for (end = head + 1; end < BLOCK_PAGES && flags[end] & TAIL; end++)
        ;
    return __builtin_ctzl(end - head);
}

static int
order_of_frame(uint64_t frame)
{
    uint64_t flags[BLOCK_PAGES];

    if (!frame)
        return FRAMES_GONE;
    read_entries("/proc/kpageflags", frame & ~(BLOCK_PAGES - 1), BLOCK_PAGES, flags);
    return order_among(flags, frame % BLOCK_PAGES);
}

int
frames_order_at(const struct mapping *map, size_t page)
{
    return order_of_frame(map->frame[page]);
}

/* How many of n frames follow on each other. */
static size_t
in_a_row(const uint64_t *frames, size_t n)
{
    size_t i = 1;

    while (i < n && frames[i] == frames[0] + i)
        i++;
    return i;
}

int
frames_order_of(const uint64_t *frames)
{
    uint64_t flags[BLOCK_PAGES], chunk = UINT64_MAX; /* the frames that flags are of */
    int order = FRAMES_GONE, other;

    for (size_t i = 0; i < BLOCK_PAGES; i++) {
        if (frames[i] == 0)
            return FRAMES_GONE;
        if (frames[i] / BLOCK_PAGES != chunk) {
            chunk = frames[i] / BLOCK_PAGES;
            read_entries("/proc/kpageflags", chunk * BLOCK_PAGES, BLOCK_PAGES, flags);
        }
        other = order_among(flags, frames[i] % BLOCK_PAGES);
        if (other == FRAMES_GONE)
            return FRAMES_GONE;
        order = i == 0 || other == order ? other : FRAMES_MIXED;
        /* A whole folio from its first frame on need not be looked at frame by frame. */
        if (flags[frames[i] % BLOCK_PAGES] & HEAD)
            i += in_a_row(frames + i, MIN((size_t) 1 << other, BLOCK_PAGES - i)) - 1;
    }
    return order;
}

int
frames_order(const struct mapping *map, size_t block)
{
    const uint64_t *frame = map->frame + block * BLOCK_PAGES;

    if (!frame[0] || frame[0] % BLOCK_PAGES)
        fail_msg("block %zu was not a PMD-sized folio when its frames were recorded", block);
    for (size_t i = 0; i < BLOCK_PAGES; i++)
        assert_int_equal(frame[i], frame[0] + i);
    return frames_order_of(frame);
}

size_t
frames_not_whole(const struct mapping *map, size_t first, size_t last)
{
    size_t n = 0;

    for (size_t block = first; block < last; block++)
        n += frames_order(map, block) != PMD_ORDER;
    return n;
}

static void
touch(const void *addr)
{
    (void) *(const volatile unsigned char *) addr;
}

size_t
frames_moved(const struct mapping *map, size_t block)
{
    const unsigned char *addr = map->addr + block * BLOCK_BYTES;
    uint64_t now[BLOCK_PAGES];
    size_t n = 0;

    for (size_t i = 0; i < BLOCK_PAGES; i++)
        touch(addr + i * PAGE_SIZE);
    read_frames(addr, BLOCK_PAGES, now);
    for (size_t i = 0; i < BLOCK_PAGES; i++)
        n += now[i] != map->frame[block * BLOCK_PAGES + i];
    return n;
}

int
folio_order_now(const void *addr)
{
    touch(addr);
    return order_of_frame(frame_of(addr));
}
