/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The oracle of this suite: what stands in the RAM of a guest, whatever foliod says of it.
 *
 * blocks PID            for each block of 2 MiB: "NUMBER ORDER MAPPED", where ORDER is that of its
 *                       folios (0..9), "mixed" when they are of several, "part" when some pages are
 *                       not there, "absent" when none is; MAPPED is "pmd" or "-"
 * blocks PID FILE       with one word more, "same" when all its pages are where they were when FILE
 *                       was recorded, "moved" when not all are, "-" when it was not whole then
 * blocks --record PID FILE
 *
 * It looks at the file that is the RAM, through a view of its own, since a split leaves memory
 * unmapped in QEMU. Pages that are not in the file are not made. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "frames.h"
#include "guest-ram.h"
#include "mapping.h"
#include "test.h"

static void
record(const struct guest_ram *ram, const char *path)
{
    uint64_t *frames = guest_ram_file_frames(ram);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(frames, sizeof *frames, ram->bytes / PAGE_SIZE, file),
                     ram->bytes / PAGE_SIZE);
    assert_int_equal(fclose(file), 0);
    free(frames);
}

static uint64_t *
recorded(const struct guest_ram *ram, const char *path)
{
    size_t pages = ram->bytes / PAGE_SIZE;
    uint64_t *frames = calloc(pages, sizeof *frames);
    FILE *file = fopen(path, "r");

    assert_non_null(frames);
    if (file == NULL || fread(frames, sizeof *frames, pages, file) != pages)
        fail_msg("%s is not a record of this guest", path);
    fclose(file);
    return frames;
}

static size_t
count_present(const uint64_t *frames)
{
    size_t n = 0;

    for (size_t i = 0; i < BLOCK_PAGES; i++)
        n += frames[i] != 0;
    return n;
}

static void
print_order(const uint64_t *frames)
{
    size_t present = count_present(frames);
    int order;

    if (present < BLOCK_PAGES) {
        printf(" %s", present == 0 ? "absent" : "part");
        return;
    }
    order = frames_order_of(frames);
    if (order >= 0)
        printf(" %d", order);
    else
        printf(" %s", order == FRAMES_MIXED ? "mixed" : "gone");
}

static void
print_place(const uint64_t *before, const uint64_t *now)
{
    if (count_present(before) < BLOCK_PAGES)
        printf(" -");
    else
        printf(" %s", memcmp(before, now, BLOCK_PAGES * sizeof *now) == 0 ? "same" : "moved");
}

static void
print_blocks(const struct guest_ram *ram, const uint64_t *before)
{
    uint64_t *now = guest_ram_file_frames(ram);

    for (size_t block = 0; block < ram->bytes / BLOCK_BYTES; block++) {
        size_t page = block * BLOCK_PAGES;

        printf("%zu", block);
        print_order(now + page);
        printf(" %s", mapped_by_pmd_in(ram->pid, ram->addr + block * BLOCK_BYTES) ? "pmd" : "-");
        if (before != NULL)
            print_place(before + page, now + page);
        putchar('\n');
    }
    free(now);
}

int
main(int argc, char **argv)
{
    bool to_record = argc == 4 && strcmp(argv[1], "--record") == 0;
    struct guest_ram ram;

    if (argc != 2 && argc != 3 && !to_record) {
        fputs("usage: blocks [--record] PID [FILE]\n", stderr);
        return 2;
    }
    /* khugepaged must not come to the RAM through this view, and nothing be mapped huge in it. */
    assert_int_equal(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
    ram = guest_ram_open((pid_t) strtol(argv[to_record ? 2 : 1], NULL, 10));
    if (to_record)
        record(&ram, argv[3]);
    else
        print_blocks(&ram, argc == 3 ? recorded(&ram, argv[2]) : NULL);
    return 0;
}
