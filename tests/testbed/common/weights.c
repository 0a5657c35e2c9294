/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "weights.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mapping.h"

#define LEAST 20
#define TOTAL (WEIGHTS_PAGES * LEAST + WEIGHTS_PAGES * (WEIGHTS_PAGES - 1) / 2)

uint8_t *
weights_pages(void)
{
    const size_t size = WEIGHTS_PAGES * PAGE_SIZE;
    uint8_t *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED || madvise(pages, size, MADV_NOHUGEPAGE) != 0)
        return NULL;
    memset(pages, 1, size);
    return mlock(pages, size) == 0 ? pages : NULL;
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

void
weights_load(const uint8_t *pages, size_t rounds)
{
    static uint8_t page_of[TOTAL];
    static uint32_t state = 2463534242u;
    size_t n = 0;

    for (size_t page = 0; page < WEIGHTS_PAGES; page++)
        for (size_t i = 0; i < LEAST + page; i++)
            page_of[n++] = (uint8_t) page;
    while (rounds-- > 0) {
        uint32_t drawn = draw(&state);
        size_t page = page_of[(uint64_t) drawn * TOTAL >> 32];

        (void) *(const volatile uint64_t *) (pages + page * PAGE_SIZE + (drawn & 0xff8));
    }
}
