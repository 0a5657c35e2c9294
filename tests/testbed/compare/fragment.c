/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fragments the host's free memory, and holds it so until it is ended by a signal:
 *
 * fragment LEFT-MIB      most of the memory is taken away in huge pages, and what is left of it is
 *                        pages of which one in each 2 MiB cannot be moved; "fragmented N", N of
 *                        those, when it is done
 *
 * A page of which a pipe has a reference (vmsplice) cannot be moved: compaction leaves it, and no
 * huge page can be there. All others are free, so that what compaction may move has room. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <unistd.h>

#include "frames.h"
#include "mapping.h"
#include "test.h"

#define PIPE_BYTES (1 << 20) /* the most that a pipe may have; one page is one place of it */
#define MAX_BLOCKS 4096      /* of the host's memory, up to 8 GiB */
#define SPARE_MIB  24        /* never taken: enough for the kernel not to reclaim any */

static size_t
free_bytes(void)
{
    struct sysinfo info;

    sysinfo(&info);
    return (size_t) info.freeram * info.mem_unit;
}

/* Memory of whole blocks that is all there; advice: of what pages. */
static unsigned char *
take(size_t size, int advice)
{
    unsigned char *memory =
        map_aligned(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (madvise(memory, size, advice) < 0)
        fail_msg("madvise: %s", strerror(errno));
    for (size_t at = 0; at < size; at += PAGE_SIZE)
        memory[at] = 1;
    return memory;
}

/* Huge pages, by which that many bytes stay free. */
static void
take_away(size_t left)
{
    size_t size = (free_bytes() - left) & ~(BLOCK_BYTES - 1);

    /* Of no use to anybody, and not to be swapped out. */
    if (mlock(take(size, MADV_HUGEPAGE), size) < 0)
        fail_msg("mlock: %s", strerror(errno));
}

static int
new_pipe(void)
{
    int ends[2];

    if (pipe(ends) < 0 || fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES) < 0)
        fail_msg("pipe: %s", strerror(errno));
    return ends[1];
}

static void
pin(unsigned char *page, size_t nth)
{
    static int pipe_end;
    struct iovec one = { page, PAGE_SIZE };

    if (nth % (PIPE_BYTES / PAGE_SIZE) == 0)
        pipe_end = new_pipe();
    if (vmsplice(pipe_end, &one, 1, SPLICE_F_NONBLOCK) != (ssize_t) PAGE_SIZE)
        fail_msg("vmsplice: %s", strerror(errno));
}

/* One page in each 2 MiB of the host of which any is ours. */
static size_t
pin_one_in_each(unsigned char *memory, size_t size)
{
    static bool pinned[MAX_BLOCKS];
    uint64_t *frames = calloc(size / PAGE_SIZE, sizeof *frames);
    size_t n = 0;

    assert_non_null(frames);
    frames_of_process(getpid(), (uintptr_t) memory, size / PAGE_SIZE, frames);
    for (size_t i = 0; i < size / PAGE_SIZE; i++) {
        size_t block = frames[i] / BLOCK_PAGES;

        assert_true(frames[i] != 0 && block < MAX_BLOCKS);
        if (pinned[block])
            continue;
        pinned[block] = true;
        pin(memory + i * PAGE_SIZE, n++);
    }
    free(frames);
    return n;
}

int
main(int argc, char **argv)
{
    size_t left, size, n;
    unsigned char *memory;

    if (argc != 2) {
        fputs("usage: fragment LEFT-MIB\n", stderr);
        return 2;
    }
    left = (size_t) strtoul(argv[1], NULL, 10) << 20;
    assert_true(left > (size_t) SPARE_MIB << 20 && free_bytes() > left);
    take_away(left);
    size = (free_bytes() - ((size_t) SPARE_MIB << 20)) & ~(BLOCK_BYTES - 1);
    memory = take(size, MADV_NOHUGEPAGE);
    n = pin_one_in_each(memory, size);
    /* The pages that pipes have stay. */
    munmap(memory, size);
    printf("fragmented %zu\n", n);
    fflush(stdout);
    for (;;)
        pause();
}
