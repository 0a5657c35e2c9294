/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hammer.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "frames.h"
#include "test.h"

#define HAMMER_CODE __attribute__((noinline, section("hammer_code")))

struct hammer
hammer_new(size_t pages)
{
    struct hammer hammer = { .pages = pages };
    size_t size = pages * PAGE_SIZE;

    hammer.addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    hammer.pa = calloc(pages, sizeof *hammer.pa);
    assert_ptr_not_equal(hammer.addr, MAP_FAILED);
    assert_non_null(hammer.pa);
    assert_int_equal(madvise(hammer.addr, size, MADV_NOHUGEPAGE), 0);
    memset(hammer.addr, 1, size);
    assert_int_equal(mlock(hammer.addr, size), 0);
    for (size_t i = 0; i < pages; i++) {
        hammer.pa[i] = frame_of(hammer.addr + i * PAGE_SIZE) * PAGE_SIZE;
        assert_int_not_equal(hammer.pa[i], 0);
    }
    return hammer;
}

void
hammer_free(struct hammer *hammer)
{
    munmap(hammer->addr, hammer->pages * PAGE_SIZE);
    free(hammer->pa);
}

/* No other memory is accessed within the loops. */
HAMMER_CODE void
hammer_load(const struct hammer *hammer, size_t pages, size_t rounds, size_t words)
{
    const uint8_t *addr = hammer->addr;

    for (size_t round = 0; round < rounds; round++)
        for (size_t page = 0; page < pages; page++)
            (void) *(const volatile uint64_t *) (addr + page * PAGE_SIZE +
                                                 (round & (words - 1)) * sizeof(uint64_t));
}

HAMMER_CODE void
hammer_store(const struct hammer *hammer, size_t pages, size_t rounds, size_t words)
{
    uint8_t *addr = hammer->addr;

    for (size_t round = 0; round < rounds; round++)
        for (size_t page = 0; page < pages; page++)
            *(volatile uint64_t *) (addr + page * PAGE_SIZE +
                                    (round & (words - 1)) * sizeof(uint64_t)) = round;
}

uint64_t
hammer_pa(const struct hammer *hammer, uint64_t va)
{
    uint64_t offset = va - (uintptr_t) hammer->addr;

    return offset < hammer->pages * PAGE_SIZE ? hammer->pa[offset / PAGE_SIZE] + offset % PAGE_SIZE
                                              : 0;
}
