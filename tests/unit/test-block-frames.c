/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frame numbers of memory that is mapped in known ways, and of a kernel that hides them. */
#include "base/error.h"
#include "base/file-io.h"
#include "memory/block-frames.h"
#include "memory/pagemap.h"
#include "private-tmpfs.h"

#include <errno.h>
#include <linux/kernel-page-flags.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static char *huge_dir;
static char *small_dir;
static int pagemap_fd; /* our own */
static int kpageflags_fd;

typedef struct {
    FolioBlockFrames blocks[8];
    guint n;
    guint64 skipped; /* see skip_at */
} Seen;

static void
collect(const FolioBlockFrames *block, gpointer user_data)
{
    Seen *seen = user_data;

    assert_true(seen->n < G_N_ELEMENTS(seen->blocks));
    seen->blocks[seen->n++] = *block;
}

static void
read_frames(const char *start, gsize bytes, Seen *seen)
{
    g_autoptr(GError) error = NULL;

    seen->n = 0;
    folio_block_frames_read(pagemap_fd, (gsize) start, (gsize) start + bytes, NULL, collect, seen,
                            &error);
    assert_no_error(error);
}

/* By a plain read of one entry. */
static guint64
frame_at(const char *address)
{
    guint64 entry = 0;

    assert_int_equal(pread(pagemap_fd, &entry, sizeof entry, (off_t) ((gsize) address / PAGE * 8)),
                     sizeof entry);
    return entry >> 63 ? entry & ((G_GUINT64_CONSTANT(1) << 55) - 1) : 0;
}

static void
assert_like_pagemap(const char *start, const Seen *seen)
{
    for (guint b = 0; b < seen->n; b++) {
        const FolioBlockFrames *block = &seen->blocks[b];
        guint present = 0;

        assert_int_equal(block->address, (gsize) start + b * BLOCK);
        for (guint i = 0; i < block->n_pages; i++) {
            const guint64 frame = frame_at(start + b * BLOCK + i * PAGE);
            const guint64 told = block->in_one ? block->frames[0] + i : block->frames[i];

            present += frame != 0;
            if (block->n_present > 0)
                assert_int_equal(told, frame);
        }
        assert_int_equal(block->n_present, present);
    }
}

/* Counts what is read of pagemap. */
static gsize bytes_read;

static ssize_t
counting_pread(int fd, void *buffer, size_t size, off_t offset)
{
    bytes_read += size;
    return pread(fd, buffer, size, offset);
}

static int
real_ioctl(int fd, unsigned long request, void *argument)
{
    return ioctl(fd, request, argument);
}

static int
no_ioctl(int fd, unsigned long request, void *argument)
{
    errno = ENOTTY;
    return -1;
}

static const FolioFileCalls counting = { .ioctl = real_ioctl, .pread = counting_pread };
static const FolioFileCalls counting_old_kernel = { .ioctl = no_ioctl, .pread = counting_pread };

static void
test_huge(void **state)
{
    char *start = reserve(4 * BLOCK);
    Seen seen;

    map_file_at(start, 4 * BLOCK, huge_dir, "huge", MAP_SHARED);
    start[0] = start[2 * BLOCK] = start[3 * BLOCK] = 1;
    bytes_read = 0;
    folio_file_set_calls(&counting);
    read_frames(start, 4 * BLOCK, &seen);
    folio_file_set_calls(NULL);

    assert_int_equal(seen.n, 4);
    assert_true(seen.blocks[0].in_one && seen.blocks[2].in_one && seen.blocks[3].in_one);
    assert_int_equal(seen.blocks[1].n_present, 0);
    assert_like_pagemap(start, &seen);
    if (folio_pagemap_can_scan(pagemap_fd))
        assert_int_equal(bytes_read, 3 * 8);
    munmap(start, 4 * BLOCK);
}

static gboolean
skip_at(guint64 address, gpointer user_data)
{
    return address % (2 * BLOCK) == ((Seen *) user_data)->skipped;
}

/* What is wholly mapped is not read if it need not be, and not told of. */
static void
test_skipped(void **state)
{
    char *start = reserve(6 * BLOCK);
    Seen seen = { .skipped = (gsize) start % (2 * BLOCK) };
    g_autoptr(GError) error = NULL;

    map_file_at(start, 6 * BLOCK, huge_dir, "skipped", MAP_SHARED);
    start[0] = start[BLOCK] = start[5 * BLOCK] = 1;
    assert_int_equal(madvise(start + 4 * BLOCK, BLOCK, MADV_NOHUGEPAGE), 0);
    start[4 * BLOCK] = 1; /* one page of it */
    bytes_read = 0;
    folio_file_set_calls(&counting);
    folio_block_frames_read(pagemap_fd, (gsize) start, (gsize) start + 6 * BLOCK, skip_at, collect,
                            &seen, &error);
    folio_file_set_calls(NULL);
    assert_no_error(error);
    if (folio_pagemap_can_scan(pagemap_fd)) {
        assert_int_equal(seen.n, 5);
        assert_int_equal(seen.blocks[0].address, (gsize) start + BLOCK);
        assert_true(seen.blocks[0].in_one && seen.blocks[4].in_one);
        assert_int_equal(seen.blocks[1].n_present, 0); /* nothing there: told of */
        assert_int_equal(seen.blocks[3].n_present, 1);
        assert_int_equal(bytes_read, 3 * 8);
    } else {
        assert_int_equal(seen.n, 6);
    }
    munmap(start, 6 * BLOCK);
}

/* Without PAGEMAP_SCAN all entries are read, and the same comes out. */
static void
test_old_kernel(void **state)
{
    char *start = reserve(4 * BLOCK);
    Seen seen;

    map_file_at(start, 4 * BLOCK, huge_dir, "old", MAP_SHARED);
    start[0] = start[2 * BLOCK] = 1;
    bytes_read = 0;
    folio_file_set_calls(&counting_old_kernel);
    read_frames(start, 4 * BLOCK, &seen);
    folio_file_set_calls(NULL);

    assert_int_equal(seen.n, 4);
    assert_true(seen.blocks[0].in_one && seen.blocks[2].in_one);
    assert_int_equal(seen.blocks[3].n_present, 0);
    assert_like_pagemap(start, &seen);
    assert_int_equal(bytes_read, 4 * PAGE);
    munmap(start, 4 * BLOCK);
}

static void
test_small(void **state)
{
    const gsize bytes = 3 * BLOCK + 5 * PAGE;
    char *start = reserve(4 * BLOCK);
    Seen seen;

    map_file_at(start, bytes, small_dir, "small", MAP_SHARED);
    start[3 * PAGE] = start[BLOCK - PAGE] = start[BLOCK] = start[3 * BLOCK + 4 * PAGE] = 1;
    bytes_read = 0;
    folio_file_set_calls(&counting);
    read_frames(start, bytes, &seen);
    folio_file_set_calls(NULL);

    assert_int_equal(seen.n, 4);
    assert_int_equal(seen.blocks[0].n_present, 2);
    assert_int_equal(seen.blocks[1].n_present, 1);
    assert_int_equal(seen.blocks[2].n_present, 0);
    assert_int_equal(seen.blocks[3].n_present, 1);
    assert_int_equal(seen.blocks[3].n_pages, 5);
    assert_like_pagemap(start, &seen);
    if (folio_pagemap_can_scan(pagemap_fd))
        assert_int_equal(bytes_read, 4 * 8);
    munmap(start, 4 * BLOCK);
}

/* RAM that starts in the middle of 2 MiB: its blocks reach over two huge pages each. */
static void
test_misaligned(void **state)
{
    char *start = reserve(4 * BLOCK);
    Seen seen;

    map_file_at(start, 4 * BLOCK, huge_dir, "middle", MAP_SHARED);
    memset(start, 1, 3 * BLOCK);
    read_frames(start + BLOCK / 2, 3 * BLOCK, &seen);
    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.blocks[0].n_present, 512);
    assert_int_equal(seen.blocks[2].n_present, 256);
    assert_like_pagemap(start + BLOCK / 2, &seen);
    munmap(start, 4 * BLOCK);
}

/* Huge pages mapped page by page stand in one all the same. */
static void
test_in_one_by_pages(void **state)
{
    char *start = reserve(2 * BLOCK);
    Seen seen;

    map_file_at(start, 2 * BLOCK, huge_dir, "pages", MAP_SHARED);
    memset(start, 1, 2 * BLOCK);
    assert_int_equal(mprotect(start + 7 * PAGE, PAGE, PROT_READ), 0); /* splits the PMD */
    memset(start, 1, 7 * PAGE);
    for (gsize at = 0; at < 2 * BLOCK; at += PAGE)
        g_atomic_int_get((gint *) (gpointer) (start + at)); /* maps it again */
    read_frames(start, 2 * BLOCK, &seen);
    assert_true(seen.blocks[0].in_one && seen.blocks[1].in_one);
    assert_like_pagemap(start, &seen);
    munmap(start, 2 * BLOCK);
}

static ssize_t
hiding_pread(int fd, void *buffer, size_t size, off_t offset)
{
    const ssize_t got = pread(fd, buffer, size, offset);

    for (ssize_t i = 0; i < got / 8; i++)
        ((guint64 *) buffer)[i] &= ~((G_GUINT64_CONSTANT(1) << 55) - 1);
    return got;
}

static void
test_hidden(void **state)
{
    static const FolioFileCalls hiding = { .ioctl = real_ioctl, .pread = hiding_pread };
    g_autoptr(GError) error = NULL;
    char *start = reserve(BLOCK);
    Seen seen = { .n = 0 };

    map_file_at(start, BLOCK, small_dir, "hidden", MAP_SHARED);
    start[0] = 1;
    folio_file_set_calls(&hiding);
    assert_false(folio_block_frames_read(pagemap_fd, (gsize) start, (gsize) start + BLOCK, NULL,
                                         collect, &seen, &error));
    folio_file_set_calls(NULL);
    assert_folio_error(error, FOLIO_ERROR_NOT_PERMITTED);
    assert_non_null(strstr(error->message, "CAP_SYS_ADMIN"));
    munmap(start, BLOCK);
}

static void
assert_ended(int fd, const FolioFileCalls *calls)
{
    g_autoptr(GError) error = NULL;
    Seen seen = { .n = 0 };

    folio_file_set_calls(calls);
    assert_false(folio_block_frames_read(fd, 16 * BLOCK, 17 * BLOCK, NULL, collect, &seen, &error));
    folio_file_set_calls(NULL);
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
}

static void
test_ended(void **state)
{
    const pid_t child = fork();
    g_autofree char *path = g_strdup_printf("/proc/%d/pagemap", child);
    int fd;

    if (child == 0) {
        pause();
        _exit(0);
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_ended(fd, NULL);
    assert_ended(fd, &counting_old_kernel);
    close(fd);
}

static void
test_flags(void **state)
{
    g_autoptr(GError) error = NULL;
    char *start = reserve(BLOCK);
    char *anonymous = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    guint64 flags[2] = { 0, 0 };
    guint64 frame;

    map_file_at(start, BLOCK, huge_dir, "flags", MAP_SHARED);
    start[0] = anonymous[0] = 1;
    frame = frame_at(start);
    assert_true(folio_frame_flags_read(kpageflags_fd, frame, 2, flags, &error));
    assert_true(folio_frame_may_be_shmem(flags[0]));

    /* Out of the page tables, and still the file's. */
    assert_int_equal(madvise(start, BLOCK, MADV_DONTNEED), 0);
    assert_int_equal(frame_at(start), 0);
    assert_true(folio_frame_flags_read(kpageflags_fd, frame, 2, flags, &error));
    assert_true(folio_frame_may_be_shmem(flags[0]) && folio_frame_may_be_shmem(flags[1]));

    assert_true(folio_frame_flags_read(kpageflags_fd, frame_at(anonymous), 1, flags, &error));
    assert_false(folio_frame_may_be_shmem(flags[0]));
    assert_false(
        folio_frame_flags_read(kpageflags_fd, G_GUINT64_CONSTANT(1) << 50, 1, flags, &error));
    assert_folio_error(error, FOLIO_ERROR_FAILED);
    munmap(start, BLOCK);
    munmap(anonymous, PAGE);
}

static void
test_what_is_free(void **state)
{
    const guint64 shmem = 1 << KPF_SWAPBACKED | 1 << KPF_LRU | 1 << KPF_UPTODATE;

    assert_true(folio_frame_may_be_shmem(shmem));
    assert_true(folio_frame_may_be_shmem(shmem | 1 << KPF_THP | 1 << KPF_COMPOUND_TAIL));
    assert_false(folio_frame_may_be_shmem(shmem | 1 << KPF_ANON));
    assert_false(folio_frame_may_be_shmem(1 << KPF_BUDDY));
    assert_false(folio_frame_may_be_shmem(1 << KPF_SLAB));
    assert_false(folio_frame_may_be_shmem(1 << KPF_NOPAGE));
    assert_false(folio_frame_may_be_shmem(1 << KPF_LRU | 1 << KPF_UPTODATE)); /* file cache */
    assert_false(folio_frame_may_be_shmem(0)); /* in a list of free pages of some CPU */
}

static int
set_up(void **state)
{
    enter_mount_namespace();
    huge_dir = mount_tmpfs("huge=always");
    small_dir = mount_tmpfs("huge=never");
    pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    kpageflags_fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
    assert_true(pagemap_fd >= 0 && kpageflags_fd >= 0);
    return 0;
}

static int
tear_down(void **state)
{
    close(pagemap_fd);
    close(kpageflags_fd);
    unmount_tmpfs(huge_dir);
    unmount_tmpfs(small_dir);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_huge),       cmocka_unit_test(test_skipped),
        cmocka_unit_test(test_old_kernel), cmocka_unit_test(test_small),
        cmocka_unit_test(test_misaligned), cmocka_unit_test(test_in_one_by_pages),
        cmocka_unit_test(test_hidden),     cmocka_unit_test(test_ended),
        cmocka_unit_test(test_flags),      cmocka_unit_test(test_what_is_free),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
