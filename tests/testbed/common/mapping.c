/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory of the test itself, in 2 MiB THPs with contents that can be checked. */
#include "mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "frames.h"
#include "test.h"

/* The PAGEMAP_SCAN ioctl, from include/uapi/linux/fs.h of Linux 6.7 and later: the headers to build
 * with may be older than that. */
struct scan_region {
    uint64_t start, end, categories;
};

struct scan_argument {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
    uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN         _IOWR('f', 16, struct scan_argument)
#define PAGE_IS_HUGE (1 << 6)

int
shmem_file(size_t size)
{
    char dir[] = "/tmp/tmpfs-XXXXXX";
    int fd, error;

    assert_non_null(mkdtemp(dir));
    if (mount("tmpfs", dir, "tmpfs", 0, "huge=always,size=100%,mode=0700"))
        fail_msg("tmpfs with huge=always: %s", strerror(errno));
    fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    error = errno;
    umount2(dir, MNT_DETACH);
    rmdir(dir);
    if (fd < 0)
        fail_msg("%s: %s", dir, strerror(error));
    assert_int_equal(ftruncate(fd, (off_t) size), 0);
    return fd;
}

void *
map_aligned(size_t size, int prot, int flags, int fd, off_t offset)
{
    size_t room = size + BLOCK_BYTES;
    unsigned char *start, *addr;

    start = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_ptr_not_equal(start, MAP_FAILED);
    addr = (unsigned char *) (((uintptr_t) start + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1));
    if (addr > start)
        munmap(start, (size_t) (addr - start));
    if (addr + size < start + room)
        munmap(addr + size, (size_t) (start + room - (addr + size)));
    if (mmap(addr, size, prot, flags | MAP_FIXED, fd, offset) == MAP_FAILED)
        fail_msg("mmap of %zu bytes: %s", size, strerror(errno));
    return addr;
}

bool
mapped_by_pmd_in(pid_t pid, uintptr_t addr)
{
    struct scan_region region;
    struct scan_argument scan = {
        .size = sizeof(scan),
        .start = addr,
        .end = addr + BLOCK_BYTES,
        .vec = (uintptr_t) &region,
        .vec_len = 1,
        .category_mask = PAGE_IS_HUGE,
        .return_mask = PAGE_IS_HUGE,
    };
    char path[40];
    int fd, n;

    snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = ioctl(fd, SCAN, &scan);
    close(fd);
    if (n < 0)
        fail_msg("PAGEMAP_SCAN: %s", strerror(errno));
    return n == 1 && region.end - region.start == BLOCK_BYTES;
}

bool
mapped_by_pmd(const void *addr)
{
    return mapped_by_pmd_in(getpid(), (uintptr_t) addr);
}

/* A word depends on its place and the seed, so that a page that moved elsewhere does not pass. */
static uint64_t
word(uint64_t seed, size_t at)
{
    return (seed + at) * 0x9e3779b97f4a7c15ULL;
}

void
mapping_fill(const struct mapping *map, size_t start, size_t size)
{
    size_t first = (start + map->step - 1) / map->step * map->step;

    for (size_t at = first; at < start + size; at += map->step)
        *(uint64_t *) (map->addr + at) = word(map->seed, at);
}

static size_t
wrong(const struct mapping *map, size_t start, size_t size)
{
    size_t n = 0;

    for (size_t at = (start + map->step - 1) / map->step * map->step; at < start + size;
         at += map->step)
        n += *(const volatile uint64_t *) (map->addr + at) != word(map->seed, at);
    return n;
}

size_t
mapping_wrong(const struct mapping *map)
{
    return wrong(map, 0, map->blocks * BLOCK_BYTES);
}

size_t
mapping_wrong_block(const struct mapping *map, size_t block)
{
    return wrong(map, block * BLOCK_BYTES, BLOCK_BYTES);
}

static struct mapping
mapping_new(int fd, size_t blocks, size_t step)
{
    static uint64_t seed;
    size_t size = blocks * BLOCK_BYTES;
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    struct mapping map = { .blocks = blocks, .fd = fd, .step = step, .seed = ++seed << 40 };

    map.addr = map_aligned(size, PROT_READ | PROT_WRITE, flags, fd, 0);
    /* A tmpfs mount with huge=always needs no advice. */
    if (fd < 0)
        assert_int_equal(madvise(map.addr, size, MADV_HUGEPAGE), 0);
    mapping_fill(&map, 0, size);
    map.frame = calloc(blocks * BLOCK_PAGES, sizeof(*map.frame));
    assert_non_null(map.frame);
    frames_record(&map);
    for (size_t i = 0; i < blocks; i++)
        if (!mapped_by_pmd(map.addr + i * BLOCK_BYTES))
            fail_msg("block %zu of %zu is not mapped by a PMD: short of huge pages?", i, blocks);
    assert_int_equal(frames_not_whole(&map, 0, blocks), 0);
    return map;
}

struct mapping
mapping_anon(size_t blocks, size_t step)
{
    return mapping_new(-1, blocks, step);
}

struct mapping
mapping_shmem(size_t blocks, size_t step)
{
    return mapping_new(shmem_file(blocks * BLOCK_BYTES), blocks, step);
}

struct mapping
mapping_for(void **state, size_t blocks, size_t step)
{
    return *state ? mapping_shmem(blocks, step) : mapping_anon(blocks, step);
}

void
mapping_free(struct mapping *map)
{
    munmap(map->addr, map->blocks * BLOCK_BYTES);
    if (map->fd >= 0)
        close(map->fd);
    free(map->frame);
    *map = (struct mapping){ .fd = -1 };
}
