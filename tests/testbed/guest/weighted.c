/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A first process of a nested guest (rdinit=/weighted) that says where in the guest its pages are,
 * and then loads them for ever, as often as their weights say. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mapping.h"
#include "weights.h"

#define ROUNDS         10000000
#define PAGEMAP_FRAMES ((UINT64_C(1) << 55) - 1)

int
main(void)
{
    uint8_t *pages = weights_pages();
    int pagemap;

    setvbuf(stdout, NULL, _IOLBF, 0);
    mkdir("/proc", 0755);
    mount("proc", "/proc", "proc", 0, NULL);
    pagemap = open("/proc/self/pagemap", O_RDONLY);
    for (size_t i = 0; pages && i < WEIGHTS_PAGES; i++) {
        uint64_t entry = 0;
        off_t at = (off_t) (((uintptr_t) pages / PAGE_SIZE + i) * sizeof(entry));

        if (pread(pagemap, &entry, sizeof(entry), at) == sizeof(entry))
            printf("weighted: page %zu gpa %#llx\n", i,
                   (unsigned long long) (entry & PAGEMAP_FRAMES) * PAGE_SIZE);
    }
    puts(pages ? "weighted: ready" : "weighted: no memory");
    for (;;) {
        if (pages)
            weights_load(pages, ROUNDS);
        else
            pause();
    }
}
