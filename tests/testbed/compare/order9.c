/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How many huge pages this host can make now, compaction included:
 *
 * order9 MOST       "order9 N", at most MOST; all are given back */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mapping.h"
#include "test.h"

#define IN_VAIN 6 /* so many in a row, and there are no more */

/* The kernel makes it of this memory, or says that it cannot. */
static bool
make_one(unsigned char *addr)
{
    return madvise(addr, BLOCK_BYTES, MADV_POPULATE_WRITE) == 0 && mapped_by_pmd(addr);
}

int
main(int argc, char **argv)
{
    size_t most, n = 0, in_vain = 0;
    unsigned char *memory;

    if (argc != 2) {
        fputs("usage: order9 MOST\n", stderr);
        return 2;
    }
    most = (size_t) strtoul(argv[1], NULL, 10);
    memory =
        map_aligned(most * BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_int_equal(madvise(memory, most * BLOCK_BYTES, MADV_HUGEPAGE), 0);
    for (size_t i = 0; i < most && in_vain < IN_VAIN; i++) {
        unsigned char *addr = memory + i * BLOCK_BYTES;

        if (make_one(addr)) {
            n++;
            in_vain = 0;
            continue;
        }
        in_vain++;
        assert_int_equal(madvise(addr, BLOCK_BYTES, MADV_DONTNEED), 0);
    }
    printf("order9 %zu\n", n);
    return 0;
}
