/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory in use in a way that bears no split or collapse, or that is not of the right kind:
 * skipped, counted as tried but not as applied, and told by the tracepoint with the reason. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../common/check.h"
#include "../common/frames.h"
#include "../common/mapping.h"
#include "../common/system.h"
#include "../common/test.h"

#define EXT_MAGIC 0xef53 /* statfs(2) */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

static void
split(const struct mapping *map, size_t first, size_t last, size_t applied, const char *result)
{
    check_run("split", 0, mapping_block(map, first), mapping_block(map, last), applied, result);
}

/* Block 1 of three cannot be split, for that reason, and stays mapped; its neighbours can. */
static void
check_skipped(const struct mapping *map, const char *reason)
{
    split(map, 0, 3, 2 * BLOCK_BYTES, reason);
    check_split(map, 0, 0);
    check_untouched(map, 1, 2);
    check_split(map, 2, 0);
}

/* The reason is gone. */
static void
check_free_again(const struct mapping *map)
{
    split(map, 1, 2, BLOCK_BYTES, "done");
    check_split(map, 1, 0);
}

static void
pinned_by_vmsplice(void **state)
{
    struct mapping map = mapping_for(state, 3, STEP_EVERY_WORD);
    struct iovec page = { (void *) (mapping_block(&map, 1) + 5 * PAGE_SIZE), PAGE_SIZE };
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(vmsplice(ends[1], &page, 1, 0), PAGE_SIZE);
    check_skipped(&map, "pinned");
    close(ends[0]);
    close(ends[1]);
    check_free_again(&map);
    mapping_free(&map);
}

/* As a VM's disk can be: a long-term pin. */
static int
register_buffer(void *addr, size_t size)
{
    struct io_uring_params params = { 0 };
    struct iovec buffer = { addr, size };
    int ring = (int) syscall(SYS_io_uring_setup, 1, &params);

    assert_true(ring >= 0);
    if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1))
        fail_msg("IORING_REGISTER_BUFFERS: %d", errno);
    return ring;
}

/* The ring lets go of its buffers a while after it was closed. */
static void
unregister_buffers(int ring)
{
    assert_int_equal(syscall(SYS_io_uring_register, ring, IORING_UNREGISTER_BUFFERS, NULL, 0), 0);
    close(ring);
}

static void
pinned_by_io_uring(void **state)
{
    struct mapping map = mapping_for(state, 3, STEP_EVERY_WORD);
    int ring = register_buffer((void *) mapping_block(&map, 1), BLOCK_BYTES);

    check_skipped(&map, "pinned");
    unregister_buffers(ring);
    check_free_again(&map);
    mapping_free(&map);
}

/* One pinned page of a block that was split keeps it from collapsing; its neighbour does. */
static void
pinned_against_collapse(void **state)
{
    struct mapping map = mapping_for(state, 2, STEP_EVERY_WORD);
    int ring;

    split(&map, 0, 2, 2 * BLOCK_BYTES, "done");
    ring = register_buffer((void *) (mapping_block(&map, 0) + 11 * PAGE_SIZE), PAGE_SIZE);
    check_run("collapse", 0, mapping_block(&map, 0), mapping_block(&map, 2), BLOCK_BYTES, "busy");
    check_split(&map, 0, 0);
    assert_int_equal(folio_order_now((void *) mapping_block(&map, 1)), PMD_ORDER);
    assert_int_equal(mapping_wrong(&map), 0);
    unregister_buffers(ring);
    check_run("collapse", 0, mapping_block(&map, 0), mapping_block(&map, 1), BLOCK_BYTES, "done");
    assert_int_equal(folio_order_now((void *) mapping_block(&map, 0)), PMD_ORDER);
    assert_int_equal(mapping_wrong(&map), 0);
    mapping_free(&map);
}

/* A split would unmap locked memory of a file, whose owner wants it mapped. */
static void
locked_file(void **state)
{
    struct mapping map = mapping_shmem(3, STEP_EVERY_WORD);

    assert_int_equal(mlock((void *) mapping_block(&map, 1), BLOCK_BYTES), 0);
    check_skipped(&map, "mlocked");
    assert_int_equal(munlock((void *) mapping_block(&map, 1), BLOCK_BYTES), 0);
    check_free_again(&map);
    mapping_free(&map);
}

/* Somebody else's lock on the same memory counts as well. */
static void
locked_in_another_view(void **state)
{
    struct mapping map = mapping_shmem(3, STEP_EVERY_WORD);
    void *view = map_aligned(BLOCK_BYTES, PROT_READ, MAP_SHARED, map.fd, BLOCK_BYTES);

    assert_int_equal(mlock(view, BLOCK_BYTES), 0);
    check_skipped(&map, "mlocked");
    munmap(view, BLOCK_BYTES);
    check_free_again(&map);
    mapping_free(&map);
}

/* Anonymous memory stays mapped, so being locked is no reason; it stays locked too. */
static void
locked_anon(void **state)
{
    struct mapping map = mapping_anon(3, STEP_EVERY_WORD);
    uint64_t locked;

    assert_int_equal(mlock((void *) mapping_block(&map, 1), BLOCK_BYTES), 0);
    locked = file_field("/proc/self/status", "VmLck");
    assert_int_equal(locked, BLOCK_BYTES / 1024);
    split(&map, 1, 2, BLOCK_BYTES, "done");
    check_split(&map, 1, 0);
    check_untouched(&map, 0, 1);
    check_untouched(&map, 2, 3);
    assert_int_equal(file_field("/proc/self/status", "VmLck"), locked);
    for (size_t i = 0; i < BLOCK_PAGES; i++)
        assert_int_not_equal(frame_of((char *) mapping_block(&map, 1) + i * PAGE_SIZE), 0);
    assert_int_equal(munlock((void *) mapping_block(&map, 1), BLOCK_BYTES), 0);
    mapping_free(&map);
}

static int
arm_userfaultfd(uintptr_t start, size_t size)
{
    struct uffdio_api api = { .api = UFFD_API };
    struct uffdio_register range = { .range = { start, size },
                                     .mode = UFFDIO_REGISTER_MODE_MISSING };
    int fd = (int) syscall(SYS_userfaultfd, O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, UFFDIO_API, &api), 0);
    assert_int_equal(ioctl(fd, UFFDIO_REGISTER, &range), 0);
    return fd;
}

static void
armed_by_userfaultfd(void **state)
{
    struct mapping map = mapping_for(state, 3, STEP_EVERY_WORD);
    int fd = arm_userfaultfd(mapping_block(&map, 1), BLOCK_BYTES);

    check_skipped(&map, "userfaultfd");
    close(fd);
    check_free_again(&map);
    mapping_free(&map);
}

static void
armed_in_another_view(void **state)
{
    struct mapping map = mapping_shmem(3, STEP_EVERY_WORD);
    void *view = map_aligned(BLOCK_BYTES, PROT_READ, MAP_SHARED, map.fd, BLOCK_BYTES);
    int fd = arm_userfaultfd((uintptr_t) view, BLOCK_BYTES);

    check_skipped(&map, "userfaultfd");
    close(fd);
    check_free_again(&map);
    munmap(view, BLOCK_BYTES);
    mapping_free(&map);
}

/* Pages that are missing must stay so for whoever waits to be asked for them. */
static void
armed_against_collapse(void **state)
{
    struct mapping map = mapping_anon(1, STEP_EVERY_WORD);
    unsigned char *hole = (unsigned char *) mapping_block(&map, 0) + 3 * PAGE_SIZE;
    int fd;

    split(&map, 0, 1, BLOCK_BYTES, "done");
    assert_int_equal(madvise(hole, PAGE_SIZE, MADV_DONTNEED), 0);
    fd = arm_userfaultfd(mapping_block(&map, 0), BLOCK_BYTES);
    check_run("collapse", 0, mapping_block(&map, 0), mapping_block(&map, 1), 0, "refused");
    assert_int_equal(frame_of(hole), 0);
    assert_int_equal(frames_order_at(&map, 0), 0);
    close(fd);
    mapping_free(&map);
}

static void
hugetlb(void **state)
{
    const size_t size = 2 * BLOCK_BYTES;
    unsigned char *addr;

    setting("/proc/sys/vm/nr_hugepages", "2");
    addr =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    assert_ptr_not_equal(addr, MAP_FAILED);
    for (size_t i = 0; i < size; i++)
        addr[i] = (unsigned char) (i / 7);
    check_run("split", 0, (uintptr_t) addr, (uintptr_t) addr + size, 0, "hugetlb");
    check_run("collapse", 0, (uintptr_t) addr, (uintptr_t) addr + size, 0, "refused");
    for (size_t i = 0; i < size; i++)
        assert_int_equal(addr[i], (unsigned char) (i / 7));
    munmap(addr, size);
    settings_restore();
    khugepaged_quiet(NULL);
}

/* A file of a disk, open for reading only, as the kernel wants it for huge pages. */
static int
disk_file(size_t size)
{
    char path[] = "/var/tmp/in-use-XXXXXX";
    char block[4096] = "x";
    struct statfs fs;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(fstatfs(fd, &fs), 0);
    if (fs.f_type != EXT_MAGIC)
        fail_msg("/var/tmp is not on a disk's file system: type %lx", (unsigned long) fs.f_type);
    for (size_t i = 0; i < size; i += sizeof(block))
        assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
    assert_int_equal(fsync(fd), 0);
    close(fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    unlink(path);
    return fd;
}

static void
file_of_a_disk(void **state)
{
    const size_t size = 2 * BLOCK_BYTES;
    int fd = disk_file(size);
    struct mapping map = { .blocks = 2, .fd = fd };

    map.addr = map_aligned(size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    for (size_t i = 0; i < size; i += PAGE_SIZE)
        (void) *(volatile unsigned char *) (map.addr + i);
    if (madvise(map.addr, BLOCK_BYTES, MADV_COLLAPSE))
        fail_msg("MADV_COLLAPSE of a file: %d", errno);
    assert_int_equal(folio_order_now(map.addr), PMD_ORDER);
    /* Block 0 is a huge folio, block 1 is not. */
    split(&map, 0, 2, 0, "file");
    assert_int_equal(folio_order_now(map.addr), PMD_ORDER);
    for (size_t i = 0; i < size; i += PAGE_SIZE)
        assert_int_equal(map.addr[i], 'x');
    munmap(map.addr, size);
    close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_BOTH(pinned_by_vmsplice),
        TEST_BOTH(pinned_by_io_uring),
        TEST_BOTH(pinned_against_collapse),
        TEST(locked_file),
        TEST(locked_in_another_view),
        TEST(locked_anon),
        TEST_BOTH(armed_by_userfaultfd),
        TEST(armed_in_another_view),
        TEST(armed_against_collapse),
        TEST(hugetlb),
        TEST(file_of_a_disk),
    };

    return cmocka_run_group_tests_name("in use", tests, khugepaged_quiet, NULL);
}
