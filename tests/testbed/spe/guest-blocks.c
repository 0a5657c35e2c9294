/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-blocks PID: for each block of 2 MiB of the guest of that QEMU how often it was accessed
 * until now, by whomever. One number a line, in the guest's order. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest-ram.h"
#include "mapping.h"
#include "unit.h"

static uint64_t
count_block(const struct guest_ram *ram, uint64_t gpa)
{
    uint64_t count = 0;

    for (size_t page = 0; page < BLOCK_PAGES; page++) {
        uint64_t pa = guest_ram_pa(ram, gpa + page * PAGE_SIZE);

        if (pa != 0)
            count += unit_count_page(pa);
    }
    return count;
}

int
main(int argc, char **argv)
{
    struct guest_ram ram;

    if (argc != 2) {
        fputs("usage: guest-blocks PID\n", stderr);
        return 2;
    }
    unit_open();
    ram = guest_ram_open((pid_t) strtol(argv[1], NULL, 10));
    for (size_t at = 0; at < ram.bytes; at += BLOCK_BYTES)
        printf("%" PRIu64 "\n", count_block(&ram, GUEST_RAM_BASE + at));
    return 0;
}
