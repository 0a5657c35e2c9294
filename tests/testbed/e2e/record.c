/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record PID STATE WINDOW: ends a window of the truth, and then prints how the RAM of that QEMU's
 * guest is in memory:
 *
 *   window WINDOW cut CUT at USEC period N samples N collisions N lost N
 *                                      foliod's window that has just ended, the truth's (unit.h),
 *                                      when it was cut, in microseconds since 1970, and the unit's
 *                                      words: the period, the other three since the host started
 *   block NUMBER ORDER MAPPED FRAME    of each block of 2 MiB: ORDER as blocks.c of the suite act
 * has it, 0 to 9, "mixed" or "gone"; MAPPED "pmd" or "-"; the first of its frames, which all follow
 * on each other block NUMBER ORDER MAPPED = N...   or all BLOCK_PAGES of its frames; 0: not there
 *   end USEC
 *
 * A split leaves pages where they are, and unmapped: the frames of the window before, which are in
 * the file STATE, stand for those that QEMU does not map at the moment. A collapse moves all pages
 * of a block: then, and at the first time, they are looked at in the file that is the RAM. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "frames.h"
#include "guest-ram.h"
#include "mapping.h"
#include "test.h"
#include "unit.h"

static uint64_t
now_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

/* The frames of a block in the file, through a view of it. Pages that are not there are not made.
 */
static void
look_in_file(unsigned char *view, size_t block, uint64_t *frames)
{
    unsigned char *at = view + block * BLOCK_BYTES, present[BLOCK_PAGES];

    if (mincore(at, BLOCK_BYTES, present) < 0)
        fail_msg("mincore of the guest's RAM");
    for (size_t i = 0; i < BLOCK_PAGES; i++)
        if (present[i] & 1)
            (void) *(volatile unsigned char *) (at + i * PAGE_SIZE);
    frames_of_process(getpid(), (uintptr_t) at, BLOCK_PAGES, frames);
}

/* Completes what QEMU maps of a block by what was there before. False when that is no longer so. */
static bool
complete(const uint64_t *before, uint64_t *frames)
{
    size_t mapped = 0;

    for (size_t i = 0; i < BLOCK_PAGES; i++) {
        if (frames[i] != 0 && frames[i] != before[i])
            return false;
        mapped += frames[i] != 0;
    }
    if (mapped == 0)
        return false;
    memcpy(frames, before, BLOCK_PAGES * sizeof(*frames));
    return true;
}

static bool
is_mapped_wholly(const uint64_t *frames)
{
    for (size_t i = 0; i < BLOCK_PAGES; i++)
        if (frames[i] == 0)
            return false;
    return true;
}

static void
find_frames(const struct guest_ram *ram, const uint64_t *before, uint64_t *frames)
{
    unsigned char *view = guest_ram_map(ram);

    for (size_t block = 0; block < ram->bytes / BLOCK_BYTES; block++) {
        uint64_t *of = frames + block * BLOCK_PAGES;

        if (!is_mapped_wholly(of) && !complete(before + block * BLOCK_PAGES, of))
            look_in_file(view, block, of);
    }
    munmap(view, ram->bytes);
}

/* All zero at the first time. */
static void
read_state(const char *path, uint64_t *frames, size_t pages)
{
    FILE *file = fopen(path, "r");

    if (!file)
        return;
    if (fread(frames, sizeof(*frames), pages, file) != pages)
        fail_msg("%s is not of this guest", path);
    fclose(file);
}

static void
write_state(const char *path, const uint64_t *frames, size_t pages)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(frames, sizeof(*frames), pages, file), pages);
    assert_int_equal(fclose(file), 0);
}

static void
print_window(const char *window, uint64_t cut_at)
{
    const struct unit_header *header = unit_header();
    uint64_t period = 0, samples = 0, collisions = 0, lost = 0;

    for (unsigned cpu = 0; cpu < header->cpus; cpu++) {
        const struct unit_cpu *words = unit_cpu(cpu);

        period = words->period > period ? words->period : period;
        samples += words->samples;
        collisions += words->collisions;
        lost += words->lost;
    }
    printf("window %s cut %" PRIu32 " at %" PRIu64, window, header->cut, cut_at);
    printf(" period %" PRIu64 " samples %" PRIu64 " collisions %" PRIu64 " lost %" PRIu64 "\n",
           period, samples, collisions, lost);
}

static bool
follow_on_each_other(const uint64_t *frames)
{
    for (size_t i = 1; i < BLOCK_PAGES; i++)
        if (frames[i] != frames[0] + i)
            return false;
    return true;
}

static void
print_block(const struct guest_ram *ram, size_t block, const uint64_t *frames)
{
    const bool pmd = mapped_by_pmd_in(ram->pid, ram->addr + block * BLOCK_BYTES);
    const int order = frames_order_of(frames);

    printf("block %zu ", block);
    if (order >= 0)
        printf("%d", order);
    else
        printf("%s", order == FRAMES_MIXED ? "mixed" : "gone");
    printf(" %s", pmd ? "pmd" : "-");
    if (follow_on_each_other(frames)) {
        printf(" %" PRIu64 "\n", frames[0]);
        return;
    }
    printf(" =");
    for (size_t i = 0; i < BLOCK_PAGES; i++)
        printf(" %" PRIu64, frames[i]);
    putchar('\n');
}

int
main(int argc, char **argv)
{
    uint64_t *before, *frames, cut_at;
    struct guest_ram ram;
    size_t pages;

    if (argc != 4) {
        fputs("usage: record PID STATE WINDOW\n", stderr);
        return 2;
    }
    unit_open();
    unit_cut();
    cut_at = now_usec();
    /* khugepaged must not come to the RAM through the view, and nothing be mapped huge in it. */
    assert_int_equal(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    ram = guest_ram_open((pid_t) strtol(argv[1], NULL, 10));
    pages = ram.bytes / PAGE_SIZE;
    before = calloc(pages, sizeof(*before));
    assert_non_null(before);
    read_state(argv[2], before, pages);
    frames = guest_ram_frames(&ram);
    find_frames(&ram, before, frames);
    print_window(argv[3], cut_at);
    for (size_t block = 0; block < pages / BLOCK_PAGES; block++)
        print_block(&ram, block, frames + block * BLOCK_PAGES);
    write_state(argv[2], frames, pages);
    printf("end %" PRIu64 "\n", now_usec());
    return 0;
}
