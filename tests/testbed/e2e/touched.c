/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* touched PID: how many pages of the guest of that QEMU its programs and its kernel have accessed
 * until now, by the unit's counts. */
#include <stdio.h>
#include <stdlib.h>

#include "guest-ram.h"
#include "mapping.h"
#include "unit.h"

static bool
is_touched(uint64_t frame)
{
    uint64_t pa = frame * PAGE_SIZE;

    return frame != 0 && (unit_count(pa, UNIT_GUEST_EL0) > 0 || unit_count(pa, UNIT_GUEST_EL1) > 0);
}

int
main(int argc, char **argv)
{
    struct guest_ram ram;
    uint64_t *frames;
    size_t n = 0;

    if (argc != 2) {
        fputs("usage: touched PID\n", stderr);
        return 2;
    }
    unit_open();
    ram = guest_ram_open((pid_t) strtol(argv[1], NULL, 10));
    frames = guest_ram_frames(&ram);
    for (size_t i = 0; i < ram.bytes / PAGE_SIZE; i++)
        n += is_touched(frames[i]);
    printf("%zu\n", n);
    free(frames);
    return 0;
}
