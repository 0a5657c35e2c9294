/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* weighted ROUNDS: loads pages as often as their weights say, and then prints for each its physical
 * address and how often the SPE unit saw it accessed by a program of this host. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "frames.h"
#include "mapping.h"
#include "unit.h"
#include "weights.h"

int
main(int argc, char **argv)
{
    uint64_t pa[WEIGHTS_PAGES], before[WEIGHTS_PAGES];
    uint8_t *pages = weights_pages();

    if (argc != 2 || !pages) {
        fputs(pages ? "usage: weighted ROUNDS\n" : "weighted: no memory\n", stderr);
        return 2;
    }
    unit_open();
    for (size_t i = 0; i < WEIGHTS_PAGES; i++) {
        pa[i] = frame_of(pages + i * PAGE_SIZE) * PAGE_SIZE;
        before[i] = unit_count(pa[i], UNIT_HOST_EL0);
    }
    weights_load(pages, strtoul(argv[1], NULL, 10));
    for (size_t i = 0; i < WEIGHTS_PAGES; i++)
        printf("%#" PRIx64 " %" PRIu64 "\n", pa[i], unit_count(pa[i], UNIT_HOST_EL0) - before[i]);
    return 0;
}
