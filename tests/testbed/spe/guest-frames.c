/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-frames PID: reads guest-physical addresses, one a line, and prints for each the physical
 * address that backs it in the QEMU of that process id, and how often guests' programs accessed
 * that page until now. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest-ram.h"
#include "unit.h"

int
main(int argc, char **argv)
{
    struct guest_ram ram;
    uint64_t gpa;

    if (argc != 2) {
        fputs("usage: guest-frames PID\n", stderr);
        return 2;
    }
    unit_open();
    ram = guest_ram_open((pid_t) strtol(argv[1], NULL, 10));
    while (scanf("%" SCNx64, &gpa) == 1) {
        uint64_t pa = guest_ram_pa(&ram, gpa);

        printf("%#" PRIx64 " %" PRIu64 "\n", pa, unit_count(pa, UNIT_GUEST_EL0));
    }
    return 0;
}
