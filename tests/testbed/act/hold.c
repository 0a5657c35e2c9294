/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A second process that maps the RAM of a guest, as vhost-user's and virtiofsd do, and does
 * something with blocks of it that bears no split, or brings khugepaged to it.
 *
 * hold pin PID FIRST COUNT    pins them for as long as it lives (buffers of io_uring)
 * hold lock PID FIRST COUNT   mlocks them
 * hold map PID FIRST COUNT    wants huge pages there, and uses each page ten times a second
 *
 * Says "ready", and stays until it is killed. */
#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "guest-ram.h"
#include "mapping.h"
#include "test.h"

#define USES_PAUSE_USEC 100000

/* Each of a block, since a buffer may not be larger than 1 GiB. */
static void
pin(unsigned char *addr, size_t blocks)
{
    struct io_uring_params params = { 0 };
    struct iovec *buffers = calloc(blocks, sizeof *buffers);
    int ring = (int) syscall(SYS_io_uring_setup, 1, &params);

    assert_true(ring >= 0);
    assert_non_null(buffers);
    for (size_t i = 0; i < blocks; i++)
        buffers[i] = (struct iovec){ addr + i * BLOCK_BYTES, BLOCK_BYTES };
    if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, buffers, blocks) != 0)
        fail_msg("IORING_REGISTER_BUFFERS: %s", strerror(errno));
}

static void
lock(unsigned char *addr, size_t blocks)
{
    if (mlock(addr, blocks * BLOCK_BYTES) != 0)
        fail_msg("mlock: %s", strerror(errno));
}

static void
use(unsigned char *addr, size_t blocks)
{
    for (size_t at = 0; at < blocks * BLOCK_BYTES; at += PAGE_SIZE)
        (void) *(volatile unsigned char *) (addr + at);
}

int
main(int argc, char **argv)
{
    size_t first, blocks;
    struct guest_ram ram;
    unsigned char *addr;

    if (argc != 5) {
        fputs("usage: hold pin|lock|map PID FIRST COUNT\n", stderr);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    ram = guest_ram_open((pid_t) strtol(argv[2], NULL, 10));
    first = strtoul(argv[3], NULL, 10);
    blocks = strtoul(argv[4], NULL, 10);
    assert_in_range((first + blocks) * BLOCK_BYTES, BLOCK_BYTES, ram.bytes);
    addr = guest_ram_map(&ram) + first * BLOCK_BYTES;
    if (strcmp(argv[1], "pin") == 0)
        pin(addr, blocks);
    else if (strcmp(argv[1], "lock") == 0)
        lock(addr, blocks);
    else if (strcmp(argv[1], "map") == 0)
        assert_int_equal(madvise(addr, blocks * BLOCK_BYTES, MADV_HUGEPAGE), 0);
    else
        return 2;
    puts("ready");
    for (;; usleep(USES_PAUSE_USEC)) {
        if (strcmp(argv[1], "map") == 0)
            use(addr, blocks);
        else
            pause();
    }
}
