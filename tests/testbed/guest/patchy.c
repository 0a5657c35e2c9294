/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A first process of a nested guest (rdinit=/patchy) that uses some blocks of the guest's memory
 * all over, and of others four pages only. It says which blocks these are, by their address in the
 * guest, and then loads their pages for ever, and says now and then how many words were wrong.
 *
 * Each block is loaded as often as any other, unless the kernel's command line says ZIPF=1: then
 * the first of either kind most often, the second half as often, the third a third. With TICK_MS=N
 * a second process runs for a moment all N milliseconds. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "mapping.h"

#define N_SPARSE       20
#define N_DENSE        12
#define HOT_PAGES      4
#define PERCENT        70 /* of the free memory, so that whole blocks are among it */
#define MAX_BLOCKS     4096
#define ROUNDS         2000000
#define PAGEMAP_FRAMES ((UINT64_C(1) << 55) - 1)

struct block {
    uint64_t *pages[BLOCK_PAGES]; /* where they are here */
    size_t n;
};

static struct block *blocks[MAX_BLOCKS]; /* by address in the guest */
static struct block *used[N_SPARSE + N_DENSE];

/* The place of a block among used, by a number that is drawn. */
static uint8_t chosen[4096];

static uint64_t *
take_memory(size_t *n_pages)
{
    struct sysinfo info;
    uint64_t *memory;

    sysinfo(&info);
    *n_pages = (uint64_t) info.freeram * info.mem_unit / PAGE_SIZE * PERCENT / 100;
    memory = mmap(NULL, *n_pages * PAGE_SIZE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return memory != MAP_FAILED && mlock(memory, *n_pages * PAGE_SIZE) == 0 ? memory : NULL;
}

/* Writes all of it, and finds where it is. */
static bool
map_blocks(uint64_t *memory, size_t n_pages)
{
    const int pagemap = open("/proc/self/pagemap", O_RDONLY);

    for (size_t i = 0; i < n_pages; i++) {
        uint64_t *page = memory + i * PAGE_SIZE / sizeof(*memory);
        off_t at = (off_t) ((uintptr_t) page / PAGE_SIZE * sizeof(uint64_t));
        uint64_t entry, frame;
        struct block **block;

        *page = (uintptr_t) page;
        if (pread(pagemap, &entry, sizeof(entry), at) != sizeof(entry))
            return false;
        frame = entry & PAGEMAP_FRAMES;
        if (frame / BLOCK_PAGES >= MAX_BLOCKS)
            return false;
        block = &blocks[frame / BLOCK_PAGES];
        if (!*block && !(*block = calloc(1, sizeof(**block))))
            return false;
        (*block)->pages[(*block)->n++] = page;
    }
    return true;
}

/* The first ones that are wholly ours; the others stay idle. */
static size_t
choose_blocks(void)
{
    size_t n = 0;

    for (size_t i = 0; i < MAX_BLOCKS && n < N_SPARSE + N_DENSE; i++) {
        if (!blocks[i] || blocks[i]->n != BLOCK_PAGES)
            continue;
        printf("patchy: %s block gpa %#llx\n", n < N_SPARSE ? "sparse" : "dense",
               (unsigned long long) i * BLOCK_BYTES);
        used[n++] = blocks[i];
    }
    return n;
}

/* Marsaglia's xorshift of 32 bits (13, 17, 5). */
static uint32_t
draw(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static double
weight(size_t block, bool zipf)
{
    return zipf ? 1.0 / (double) (1 + (block < N_SPARSE ? block : block - N_SPARSE)) : 1;
}

static void
fill_chosen(bool zipf)
{
    double all = 0, below = 0;
    size_t n = 0;

    for (size_t block = 0; block < N_SPARSE + N_DENSE; block++)
        all += weight(block, zipf);
    for (size_t block = 0; block < N_SPARSE + N_DENSE; block++) {
        below += weight(block, zipf);
        while (n < sizeof chosen && (double) n < below / all * sizeof chosen)
            chosen[n++] = (uint8_t) block;
    }
}

/* Each time that it runs the processor changes to its address space and back. */
static void
start_ticking(const char *ms)
{
    if (!ms || fork() != 0)
        return;
    for (;;)
        usleep((unsigned) strtoul(ms, NULL, 10) * 1000);
}

static size_t
load(uint32_t *state)
{
    size_t wrong = 0;

    for (size_t i = 0; i < ROUNDS; i++) {
        uint32_t drawn = draw(state);
        size_t block = chosen[(drawn >> 9) % sizeof chosen];
        size_t page = block < N_SPARSE ? drawn % HOT_PAGES * 100 + block : drawn % BLOCK_PAGES;
        const volatile uint64_t *word = used[block]->pages[page];

        wrong += *word != (uintptr_t) word;
    }
    return wrong;
}

int
main(void)
{
    uint32_t state = 2463534242u;
    size_t n_pages = 0, wrong = 0;
    uint64_t *memory;

    setvbuf(stdout, NULL, _IOLBF, 0);
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    memory = take_memory(&n_pages);
    if (!memory || !map_blocks(memory, n_pages) || choose_blocks() != N_SPARSE + N_DENSE) {
        puts("patchy: no memory");
        for (;;)
            pause();
    }
    fill_chosen(getenv("ZIPF") != NULL);
    start_ticking(getenv("TICK_MS"));
    puts("patchy: ready");
    for (size_t round = 1;; round++) {
        wrong += load(&state);
        printf("patchy: round %zu wrong %zu\n", round, wrong);
    }
}
