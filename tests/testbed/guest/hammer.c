/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first process of a nested guest: accesses pages as often as it is told. It says on the
 * console where its pages are, and that it is ready; then of each line that comes it takes two
 * numbers, how often to load and how often to store a word of each page, and says when that is
 * done.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGES     4
#define PAGE_SIZE ((size_t) 4096)

static uint8_t *pages;

/* Documentation/admin-guide/mm/pagemap.rst */
static uint64_t
physical_address(const void *addr)
{
    int fd = open("/proc/self/pagemap", O_RDONLY);
    uint64_t entry = 0;

    if (pread(fd, &entry, sizeof entry, (off_t) ((uintptr_t) addr / PAGE_SIZE * sizeof entry)) !=
        sizeof entry)
        perror("hammer: pagemap");
    close(fd);
    return (entry & ((1ULL << 55) - 1)) * PAGE_SIZE;
}

static void
hammer(unsigned long loads, unsigned long stores)
{
    uint8_t *addr = pages;

    for (unsigned long i = 0; i < loads; i++)
        for (size_t page = 0; page < PAGES; page++)
            (void) *(volatile uint64_t *) (addr + page * PAGE_SIZE + i % 512 * 8);
    for (unsigned long i = 0; i < stores; i++)
        for (size_t page = 0; page < PAGES; page++)
            *(volatile uint64_t *) (addr + page * PAGE_SIZE + i % 512 * 8) = i;
}

int
main(void)
{
    unsigned long loads, stores;
    char line[100];

    setvbuf(stdout, NULL, _IOLBF, 0);
    mkdir("/proc", 0755);
    if (mount("proc", "/proc", "proc", 0, NULL) < 0)
        perror("hammer: /proc");
    pages =
        mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mlock(pages, PAGES * PAGE_SIZE) < 0)
        perror("hammer: no memory");
    memset(pages, 1, PAGES * PAGE_SIZE);
    for (size_t page = 0; page < PAGES; page++)
        printf("hammer: page %zu va %llx pa %llx\n", page,
               (unsigned long long) (uintptr_t) (pages + page * PAGE_SIZE),
               (unsigned long long) physical_address(pages + page * PAGE_SIZE));
    puts("hammer: ready");
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%lu %lu", &loads, &stores) != 2)
            continue;
        hammer(loads, stores);
        puts("hammer: done");
    }
    pause();
}
