/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Put into a QEMU by LD_PRELOAD: as long as the file of the environment's ARM_WHILE is there, a
 * userfaultfd is armed for ARM_COUNT blocks of the guest's RAM from block ARM_FIRST on, as one is
 * while a guest arrives by postcopy. Only who owns memory can arm it, hence this. All that is
 * wrong shows by its not being armed. */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BLOCK_BYTES ((uint64_t) 2 << 20)
#define PAUSE_USEC  100000

/* The largest shared memory that this process may write; 0 when there is none yet. */
static uint64_t
find_ram(void)
{
    uint64_t addr = 0, bytes = 0, start, end;
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[512];

    while (maps != NULL && fgets(line, sizeof line, maps)) {
        int shared = 0;

        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " rw-s%n", &start, &end, &shared) == 2 &&
            shared != 0 && end - start > bytes) {
            addr = start;
            bytes = end - start;
        }
    }
    if (maps != NULL)
        fclose(maps);
    return addr;
}

static uint64_t
number(const char *name)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

/* Returns the descriptor, which holds it, or -1. */
static int
arm(void)
{
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register range = {
        .range = { .start = find_ram() + number("ARM_FIRST") * BLOCK_BYTES,
                   .len = number("ARM_COUNT") * BLOCK_BYTES },
        .mode = UFFDIO_REGISTER_MODE_MISSING,
    };
    int fd = (int) syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

    if (fd >= 0 && ioctl(fd, UFFDIO_API, &api) == 0 && ioctl(fd, UFFDIO_REGISTER, &range) == 0)
        return fd;
    perror("arm: userfaultfd");
    close(fd);
    return -1;
}

static void *
arm_while_told(void *file)
{
    int fd = -1;

    for (;; usleep(PAUSE_USEC)) {
        bool wanted = access(file, F_OK) == 0;

        if (wanted && fd < 0) {
            fd = arm();
        } else if (!wanted && fd >= 0) {
            close(fd);
            fd = -1;
        }
    }
    return NULL;
}

__attribute__((constructor)) static void
begin(void)
{
    char *file = getenv("ARM_WHILE");
    pthread_t thread;

    if (file != NULL && pthread_create(&thread, NULL, arm_while_told, file) == 0)
        pthread_detach(thread);
}
