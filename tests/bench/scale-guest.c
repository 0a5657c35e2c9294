/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scale-guest: what foliod sees of QEMU, many times over, for agent-scale.
 *   -uuid UUID NAME FILE BYTES VCPUS   maps the file, at SCALE_RAM_START, with all that is in its
 * page cache, starts threads that do nothing and have the names of vCPUs, and writes NAME.pid,
 *       locked, in the directory where it runs
 *   -fill FILE BYTES SMALL             makes the file, of huge pages but for the SMALL blocks of 2
 * MiB from its first on, which are of pages of 4 KiB -punch FILE BLOCKS PAGES           gives back
 * so many pages of each of its first blocks, here and there */
#include "scale-memory.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define BLOCK       ((size_t) 2 << 20)
#define PAGE        4096
#define BLOCK_PAGES (BLOCK / PAGE)

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static void *
wait_for_ever(void *name)
{
    prctl(PR_SET_NAME, name);
    while (1)
        pause();
    return NULL;
}

static char *
map_file(const char *path, size_t bytes, int flags)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC | flags, 0600);
    char *ram;

    if (fd < 0 || (flags != 0 && ftruncate(fd, (off_t) bytes) != 0))
        return NULL;
    ram = mmap((void *) SCALE_RAM_START, bytes, PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
    close(fd);
    return ram != MAP_FAILED ? ram : NULL;
}

static int
fill(const char *path, size_t bytes, size_t small)
{
    char *ram = map_file(path, bytes, O_CREAT);

    if (ram == NULL || small > bytes || (small > 0 && madvise(ram, small, MADV_NOHUGEPAGE) != 0))
        return 2;
    if (madvise(ram, bytes, MADV_POPULATE_WRITE) != 0)
        return 2;
    /* Where none was free at once. */
    return madvise(ram + small, bytes - small, MADV_COLLAPSE) == 0 ? 0 : 3;
}

static int
punch(const char *path, size_t n_blocks, size_t n_pages)
{
    const int fd = open(path, O_RDWR | O_CLOEXEC);

    for (size_t i = 0; fd >= 0 && i < n_blocks * BLOCK_PAGES; i++) {
        if (i * 37 % BLOCK_PAGES < n_pages &&
            fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t) (i * PAGE), PAGE) !=
                0)
            return 2;
    }
    return fd >= 0 ? 0 : 2;
}

static int
write_pid_file(const char *name)
{
    const struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
    char new[64], path[64];
    int fd;

    snprintf(new, sizeof new, "%s.new", name);
    snprintf(path, sizeof path, "%s.pid", name);
    fd = open(new, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 && dprintf(fd, "%d\n", getpid()) > 0 &&
           rename(new, path) == 0;
}

static int
play(const char *name, const char *path, size_t bytes, int n_vcpus)
{
    char *ram = map_file(path, bytes, 0);
    static char names[256][16];
    pthread_attr_t small;

    if (ram == NULL || madvise(ram, bytes, MADV_POPULATE_READ) != 0)
        return 2;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 * 1024);
    for (int i = 0; i < n_vcpus && i < 256; i++) {
        pthread_t thread;

        snprintf(names[i], sizeof names[i], "CPU %d/KVM", i);
        if (pthread_create(&thread, &small, wait_for_ever, names[i]) != 0)
            return 2;
    }
    usleep(20000); /* until they have their names */
    if (!write_pid_file(name))
        return 2;
    while (1)
        pause();
    return 0;
}

int
main(int argc, char **argv)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (argc == 5 && strcmp(argv[1], "-fill") == 0)
        return fill(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10) * BLOCK);
    if (argc == 5 && strcmp(argv[1], "-punch") == 0)
        return punch(argv[2], strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    if (argc == 7 && strcmp(argv[1], "-uuid") == 0)
        return play(argv[3], argv[4], strtoull(argv[5], NULL, 10), atoi(argv[6]));
    fprintf(stderr, "scale-guest: see the top of its source\n");
    return 2;
}
