/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first process of a nested guest: a memory checker. It fills most of the guest's memory with a
 * pattern, and then reads it all, again and again, and writes a quarter of it anew in each pass, so
 * that the host's changes below it meet reads and writes. Each pass reports one line on the
 * console.
 *
 * On the kernel's command line, PERCENT=N is how much of the free memory it takes (default 75), and
 * PASSES=N after how many passes it rests (default: never).
 */
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define PAGE_WORDS      512
#define ERRORS_IN_FULL  10
#define REWRITE_ONE_OF  4
#define DEFAULT_PERCENT 75

struct area {
    uint64_t (*pages)[PAGE_WORDS];
    uint32_t *generations; /* of each page: how often it was written */
    size_t n;
    unsigned long errors;
};

/* The first word of a page: never the same for two pages, nor for two generations of one. */
static uint64_t
seed_of(size_t page, uint32_t generation)
{
    uint64_t z = ((uint64_t) page << 32 | generation) + 0x9e3779b97f4a7c15;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint64_t
word_of(uint64_t seed, unsigned word)
{
    return seed + word * 0xda942042e4dd58b5;
}

static void
write_page(struct area *area, size_t page)
{
    uint64_t seed = seed_of(page, ++area->generations[page]);

    for (unsigned i = 0; i < PAGE_WORDS; i++)
        area->pages[page][i] = word_of(seed, i);
}

static void
check_page(struct area *area, size_t page)
{
    uint64_t seed = seed_of(page, area->generations[page]);

    for (unsigned i = 0; i < PAGE_WORDS; i++) {
        /* Read once: the value that is printed must be the one that was wrong. */
        uint64_t got = *(volatile uint64_t *) &area->pages[page][i];

        if (got == word_of(seed, i))
            continue;
        if (area->errors++ < ERRORS_IN_FULL)
            printf("memcheck: wrong: page %zu word %u is %016llx, should be %016llx\n", page, i,
                   (unsigned long long) got, (unsigned long long) word_of(seed, i));
    }
}

static size_t
pages_to_take(void)
{
    const char *text = getenv("PERCENT");
    unsigned long percent = text ? strtoul(text, NULL, 10) : DEFAULT_PERCENT;
    struct sysinfo info;

    if (percent == 0 || percent > 95)
        percent = DEFAULT_PERCENT;
    sysinfo(&info);
    return (uint64_t) info.freeram * info.mem_unit / sizeof(uint64_t[PAGE_WORDS]) * percent / 100;
}

static bool
take_memory(struct area *area)
{
    area->n = pages_to_take();
    area->pages = mmap(NULL, area->n * sizeof *area->pages, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    area->generations = calloc(area->n, sizeof *area->generations);
    return area->pages != MAP_FAILED && area->generations;
}

static unsigned long
passes_to_make(void)
{
    const char *text = getenv("PASSES");
    unsigned long passes = text ? strtoul(text, NULL, 10) : 0;

    return passes != 0 ? passes : ULONG_MAX;
}

int
main(void)
{
    const unsigned long passes = passes_to_make();
    struct area area = { 0 };

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!take_memory(&area)) {
        puts("memcheck: no memory");
        pause();
    }
    for (size_t page = 0; page < area.n; page++)
        write_page(&area, page);
    for (unsigned long pass = 1; pass <= passes; pass++) {
        for (size_t page = 0; page < area.n; page++) {
            check_page(&area, page);
            if ((page + pass) % REWRITE_ONE_OF == 0)
                write_page(&area, page);
        }
        printf("memcheck: pass %lu pages %zu errors %lu\n", pass, area.n, area.errors);
    }
    for (;;)
        pause();
}
