/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A first process of a nested guest (rdinit=/patchwork) whose blocks of 2 MiB are of three kinds:
 * sparse ones, of which it uses 1, 2, 4, 16 or 48 pages, dense ones, of which it uses all, and idle
 * ones. Told "move" on its console, the kinds move: most of the sparse ones become dense, the
 * others idle, and blocks that were idle become sparse, and a few that were dense. It says at the
 * start which blocks these are, by their address in the guest, each with its pages in use before
 * and after the move. Each block in use is used as often as any other; one access in two dozen
 * stores.
 *
 * With SWITCHES=yes on the kernel's command line there is a second process, which does nothing but
 * wake up every 5 ms: so that address spaces are switched, as in a guest that does more than one
 * thing.
 *
 * All of its memory has contents that are known, and every word that it loads is checked. Told
 * "check" it goes through all of it, idle blocks too. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mapping.h"

/* Blocks before the move, and what becomes of them: of the sparse ones SPARSE_TO_DENSE are dense
 * after it and the others idle, of the dense ones DENSE_TO_SPARSE are sparse, of the idle ones
 * IDLE_TO_SPARSE. */
#define N_SPARSE        220
#define N_DENSE         120
#define N_IDLE          240
#define N_BLOCKS        (N_SPARSE + N_DENSE + N_IDLE)
#define SPARSE_TO_DENSE 160
#define DENSE_TO_SPARSE 20
#define IDLE_TO_SPARSE  200

/* Blocks that are taken: a few may not be whole ones of the guest's memory. */
#define N_TAKEN (N_BLOCKS + 12)

#define PAGE_WORDS     (PAGE_SIZE / sizeof(uint64_t))
#define ROUNDS         15000
#define BURST          4  /* pages of a block, one after the other */
#define VISIT          12 /* words of each */
#define STORE_ONE_OF   2  /* visits */
#define PAGEMAP_FRAMES ((UINT64_C(1) << 55) - 1)

struct block {
    uint64_t *words;
    uint64_t gpa;
    unsigned hot[2];             /* pages in use before and after the move */
    uint8_t stored[BLOCK_PAGES]; /* how often the page's own word was stored, modulo 256 */
};

static struct block blocks[N_BLOCKS];
static struct block *used[N_BLOCKS];
static size_t n_used;
static uint64_t wrong;

/* The address that the memory below one of this process has in the guest; 0: not known. */
static uint64_t
physical_address(int pagemap, const void *addr)
{
    uint64_t entry = 0;
    off_t at = (off_t) ((uintptr_t) addr / PAGE_SIZE * sizeof(entry));

    if (pread(pagemap, &entry, sizeof(entry), at) != sizeof(entry))
        return 0;
    return (entry & PAGEMAP_FRAMES) * PAGE_SIZE;
}

/* Memory that is one block of the guest's. */
static bool
is_whole(int pagemap, const uint8_t *memory)
{
    uint64_t first = physical_address(pagemap, memory);

    if (first == 0 || first % BLOCK_BYTES != 0)
        return false;
    for (size_t at = 0; at < BLOCK_BYTES; at += PAGE_SIZE)
        if (physical_address(pagemap, memory + at) != first + at)
            return false;
    return true;
}

static size_t
take_blocks(void)
{
    const int pagemap = open("/proc/self/pagemap", O_RDONLY);
    const size_t bytes = (N_TAKEN + 1) * BLOCK_BYTES;
    uint8_t *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    size_t n = 0;

    if (memory == MAP_FAILED)
        return 0;
    memory += -(uintptr_t) memory % BLOCK_BYTES;
    madvise(memory, N_TAKEN * BLOCK_BYTES, MADV_HUGEPAGE);
    if (mlock(memory, N_TAKEN * BLOCK_BYTES) < 0)
        return 0;
    for (size_t i = 0; i < N_TAKEN && n < N_BLOCKS; i++) {
        uint8_t *at = memory + i * BLOCK_BYTES;

        if (!is_whole(pagemap, at))
            continue;
        blocks[n].words = (uint64_t *) at;
        blocks[n++].gpa = physical_address(pagemap, at);
    }
    return n;
}

/* Pages in use, in turn: those that a fifth of the sparse blocks have each. */
static unsigned
sparse_pages(size_t i)
{
    static const unsigned pages[] = { 1, 2, 4, 16, 48 };

    return pages[i % (sizeof(pages) / sizeof(pages[0]))];
}

/* Blocks of a kind do not lie together: that they do is nothing to go by. */
static void
choose_kinds(void)
{
    for (size_t i = 0; i < N_BLOCKS; i++) {
        size_t kind = i * 211 % N_BLOCKS;
        unsigned *hot = blocks[i].hot;

        if (kind < N_SPARSE) {
            hot[0] = sparse_pages(kind);
            hot[1] = kind < SPARSE_TO_DENSE ? BLOCK_PAGES : 0;
        } else if (kind < N_SPARSE + N_DENSE) {
            kind -= N_SPARSE;
            hot[0] = BLOCK_PAGES;
            hot[1] = kind < DENSE_TO_SPARSE ? sparse_pages(kind) : BLOCK_PAGES;
        } else {
            kind -= N_SPARSE + N_DENSE;
            hot[1] = kind < IDLE_TO_SPARSE ? sparse_pages(kind) : 0;
        }
        printf("patchwork: block gpa %#llx uses %u then %u\n", (unsigned long long) blocks[i].gpa,
               hot[0], hot[1]);
    }
}

/* The words of a page are as they were filled, but for one, which is stored anew. */
static size_t
own_word(size_t page)
{
    return page * 37 % PAGE_WORDS;
}

static uint64_t
value_of(const uint64_t *word, uint8_t stored)
{
    return ((uintptr_t) word ^ (uint64_t) stored << 56) * UINT64_C(0x9e3779b97f4a7c15);
}

static void
fill(const struct block *block)
{
    for (size_t i = 0; i < BLOCK_PAGES * PAGE_WORDS; i++)
        block->words[i] = value_of(block->words + i, 0);
}

static inline bool
is_wrong(const struct block *block, const uint64_t *words, size_t page, size_t word)
{
    const volatile uint64_t *at = words + page * PAGE_WORDS + word;
    uint8_t stored = word == own_word(page) ? block->stored[page] : 0;

    return *at != value_of((const uint64_t *) at, stored);
}

static void
check_all(void)
{
    for (size_t i = 0; i < N_BLOCKS; i++)
        for (size_t page = 0; page < BLOCK_PAGES; page++)
            for (size_t word = 0; word < PAGE_WORDS; word++)
                wrong += is_wrong(&blocks[i], blocks[i].words, page, word);
    printf("patchwork: checked %zu blocks wrong %llu\n", (size_t) N_BLOCKS,
           (unsigned long long) wrong);
}

/* Marsaglia's xorshift of 64 bits (13, 7, 17). */
static uint64_t
draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Uses one of the block's pages. Returns how many words were wrong. */
static inline unsigned
use_page(struct block *block, uint64_t *words, size_t page, uint64_t drawn)
{
    uint64_t *own = words + page * PAGE_WORDS + own_word(page);
    unsigned bad = is_wrong(block, words, page, own_word(page));

    for (size_t i = 1; i < VISIT; i++)
        bad += is_wrong(block, words, page, ((drawn >> 8) + i * 83) % PAGE_WORDS);
    if (drawn % STORE_ONE_OF == 0)
        *(volatile uint64_t *) own = value_of(own, ++block->stored[page]);
    return bad;
}

/* What the unit counts are accesses: as few as can be are of anything but the blocks. */
static void
use_blocks(uint64_t *state, unsigned phase)
{
    uint64_t drawing = *state, bad = 0;

    for (size_t i = 0; i < ROUNDS; i++) {
        struct block *block = used[(draw(&drawing) & UINT32_MAX) * n_used >> 32];
        uint64_t *words = block->words;
        const unsigned hot = block->hot[phase];
        const size_t first = block->gpa / BLOCK_BYTES * 67;

        for (size_t n = 0; n < BURST; n++) {
            uint64_t drawn = draw(&drawing);
            size_t nth = (drawn >> 32 & 0xffff) * hot >> 16;

            bad += use_page(block, words, (nth * 211 + first) % BLOCK_PAGES, drawn);
        }
    }
    wrong += bad;
    *state = drawing;
}

static void
set_phase(unsigned phase)
{
    n_used = 0;
    for (size_t i = 0; i < N_BLOCKS; i++)
        if (blocks[i].hot[phase] > 0)
            used[n_used++] = &blocks[i];
}

/* What has come of a line on the console. */
static bool
is_told(char *line, size_t size)
{
    ssize_t n = read(STDIN_FILENO, line, size - 1);

    line[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static void
start_switches(void)
{
    if (!getenv("SWITCHES") || fork() != 0)
        return;
    for (;;)
        usleep(5000);
}

static bool
start(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    if (take_blocks() != N_BLOCKS) {
        puts("patchwork: no memory");
        return false;
    }
    choose_kinds();
    for (size_t i = 0; i < N_BLOCKS; i++)
        fill(&blocks[i]);
    return fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) == 0;
}

int
main(void)
{
    uint64_t state = 88172645463325252;
    unsigned phase = 0;
    char line[64];

    while (!start())
        pause();
    start_switches();
    set_phase(phase);
    puts("patchwork: ready");
    for (size_t round = 1;; round++) {
        use_blocks(&state, phase);
        if (round % 16 == 0)
            printf("patchwork: round %zu wrong %llu\n", round, (unsigned long long) wrong);
        if (!is_told(line, sizeof(line)))
            continue;
        if (strstr(line, "move")) {
            set_phase(phase = 1);
            printf("patchwork: moved in round %zu\n", round);
        } else if (strstr(line, "check")) {
            check_all();
        }
    }
}
