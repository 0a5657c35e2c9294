/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frames: entries of pagemap, from a file made up here and through a kernel that lies. */
#include "base/error.h"
#include "base/file-io.h"
#include "cmocka-all.h"
#include "memory/frames.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PRESENT    (G_GUINT64_CONSTANT(1) << 63)
#define SWAPPED    (G_GUINT64_CONSTANT(1) << 62)
#define FILE_PAGE  (G_GUINT64_CONSTANT(1) << 61)
#define SOFT_DIRTY (G_GUINT64_CONSTANT(1) << 55)

/* A file that looks like a pagemap with these entries from page 16 on. */
static int
make_pagemap(const guint64 *entries, guint n)
{
    int fd = memfd_create("pagemap", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, entries, n * sizeof(*entries), 16 * sizeof(*entries)),
                     n * sizeof(*entries));
    return fd;
}

static gboolean
read_frames(int fd, guint64 *frames, guint n, GError **error)
{
    gboolean done = folio_frames_read(fd, 16 * 4096, frames, n, error);

    close(fd);
    return done;
}

static void
test_entries(void **state)
{
    const guint64 entries[] = { PRESENT | 0x12345, 0, SWAPPED | 0x99, PRESENT | FILE_PAGE | 7,
                                PRESENT | SOFT_DIRTY | ((G_GUINT64_CONSTANT(1) << 55) - 1) };
    guint64 frames[G_N_ELEMENTS(entries)];
    g_autoptr(GError) error = NULL;

    assert_true(read_frames(make_pagemap(entries, 5), frames, 5, &error));
    assert_no_error(error);
    assert_int_equal(frames[0], 0x12345);
    assert_int_equal(frames[1], FOLIO_NO_FRAME);
    assert_int_equal(frames[2], FOLIO_NO_FRAME);
    assert_int_equal(frames[3], 7);
    assert_int_equal(frames[4], (G_GUINT64_CONSTANT(1) << 55) - 1);
}

/* Without CAP_SYS_ADMIN the kernel shows what is present, and 0 for where. */
static void
test_hidden(void **state)
{
    const guint64 entries[] = { 0, PRESENT | FILE_PAGE };
    guint64 frames[G_N_ELEMENTS(entries)];
    g_autoptr(GError) error = NULL;

    assert_false(read_frames(make_pagemap(entries, 2), frames, 2, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_PERMITTED);
    assert_non_null(strstr(error->message, "CAP_SYS_ADMIN"));
}

static void
test_end(void **state)
{
    const guint64 entries[] = { PRESENT | 1 };
    guint64 frames[2];
    g_autoptr(GError) error = NULL;

    assert_false(read_frames(make_pagemap(entries, 1), frames, 2, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
}

static guint reads;

/* Interrupted first, then a byte at a time. */
static ssize_t
slow_pread(int fd, void *buffer, size_t size, off_t offset)
{
    if (reads++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return pread(fd, buffer, MIN(size, 1), offset);
}

static ssize_t
failing_pread(int fd, void *buffer, size_t size, off_t offset)
{
    errno = EIO;
    return -1;
}

static void
test_reading(void **state)
{
    const FolioFileCalls slow = { .pread = slow_pread }, failing = { .pread = failing_pread };
    const guint64 entries[] = { PRESENT | 0x123456789a, PRESENT | 5 };
    guint64 frames[2];
    g_autoptr(GError) error = NULL;

    folio_file_set_calls(&slow);
    assert_true(read_frames(make_pagemap(entries, 2), frames, 2, &error));
    assert_int_equal(frames[0], 0x123456789a);
    assert_int_equal(frames[1], 5);
    folio_file_set_calls(&failing);
    assert_false(read_frames(make_pagemap(entries, 2), frames, 2, &error));
    folio_file_set_calls(NULL);
    assert_folio_error(error, FOLIO_ERROR_FAILED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_reading),
    };

    return cmocka_run_group_tests_name("frames", tests, NULL, NULL);
}
