/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PAGEMAP_SCAN on memory that is touched in known patterns, and with a kernel that lies. */
#include "base/error.h"
#include "base/file-io.h"
#include "memory/pagemap-abi.h"
#include "memory/pagemap.h"
#include "private-tmpfs.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

static char *huge_dir;  /* a tmpfs that gives huge pages */
static char *small_dir; /* one that gives none */
static int pagemap_fd;  /* our own */

/* A kernel without PAGEMAP_SCAN says so; there is nothing to measure with, then. */
static void
need_scan(void)
{
    g_autoptr(GError) error = NULL;
    FolioResidency unused;

    if (folio_pagemap_can_scan(pagemap_fd))
        return;
    assert_false(folio_pagemap_scan(pagemap_fd, PAGE, 2 * PAGE, &unused, &error));
    assert_folio_error(error, FOLIO_ERROR_UNSUPPORTED);
    g_clear_error(&error); /* skip() does not come back */
    print_message("this kernel (before 6.7) does not have PAGEMAP_SCAN\n");
    skip();
}

/* Scans, and expects these figures and the same from smaps. */
static void
assert_residency(const char *start, gsize bytes, guint64 present, guint64 pmd_mapped)
{
    g_autoptr(GError) error = NULL;
    FolioResidency residency = { 1, 1, 1 };
    SmapsSum smaps;

    folio_pagemap_scan(pagemap_fd, (gsize) start, (gsize) start + bytes, &residency, &error);
    assert_no_error(error);
    sum_smaps(start, bytes, &smaps);
    assert_int_equal(residency.present, present);
    assert_int_equal(residency.pmd_mapped, pmd_mapped);
    assert_int_equal(residency.swapped, 0);
    assert_int_equal(smaps.present, present);
    assert_int_equal(smaps.pmd_mapped, pmd_mapped);
}

static void
test_huge(void **state)
{
    const gsize bytes = 8 * BLOCK;
    char *start = reserve(bytes);

    need_scan();
    map_file_at(start, bytes, huge_dir, "huge", MAP_SHARED);
    assert_residency(start, bytes, 0, 0);
    start[0] = start[3 * BLOCK + 12345] = start[8 * BLOCK - 1] = 1;
    assert_residency(start, bytes, 3 * BLOCK, 3 * BLOCK);
    assert_residency(start + BLOCK, 2 * BLOCK, 0, 0);
    memset(start, 1, bytes);
    assert_residency(start, bytes, bytes, bytes);
    munmap(start, bytes);
}

/* A huge page whose file offset does not fit its address is mapped by small ones. */
static void
test_misaligned(void **state)
{
    const gsize bytes = 4 * BLOCK;
    char *space = reserve(bytes + BLOCK);
    char *start = space + BLOCK - PAGE;

    need_scan();
    map_file_at(start, bytes, huge_dir, "misaligned", MAP_SHARED);
    memset(start, 1, bytes);
    assert_residency(start, bytes, bytes, 0);
    munmap(space, bytes + BLOCK);
}

/* More regions than one answer holds. */
static void
test_small_pages(void **state)
{
    const gsize bytes = 4 * BLOCK;
    char *start = reserve(bytes);

    need_scan();
    map_file_at(start, bytes, small_dir, "small", MAP_SHARED);
    for (gsize page = 0; page < bytes / PAGE; page += 2)
        start[page * PAGE] = 1;
    assert_residency(start, bytes, bytes / 2, 0);
    assert_residency(start + PAGE, PAGE, 0, 0);
    munmap(start, bytes);
}

/* Huge, small, private and absent memory and holes in one range. */
static void
test_mixed(void **state)
{
    const gsize bytes = 16 * BLOCK;
    char *start = reserve(bytes);
    char *small = start + 8 * BLOCK;
    char *anonymous = start + 12 * BLOCK;
    guint64 present = 2 * BLOCK;
    SmapsSum smaps;
    FolioResidency residency;

    need_scan();
    map_file_at(start, 4 * BLOCK, huge_dir, "mixed", MAP_SHARED);
    start[0] = start[2 * BLOCK] = 1;
    map_file_at(small, 2 * BLOCK, small_dir, "mixed", MAP_PRIVATE);
    for (gsize page = 3; page < 100; page += 3, present += PAGE)
        small[page * PAGE] = 1;
    assert_ptr_equal(mmap(anonymous, 16 * PAGE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
                     anonymous);
    anonymous[0] = 1;
    present += PAGE;
    assert_int_equal(((volatile char *) anonymous)[PAGE], 0); /* the zero page */
    assert_residency(start, bytes, present, 2 * BLOCK);

    /* A VMA that no longer covers the block: what is touched again there is small. */
    assert_int_equal(munmap(start + 7 * PAGE, PAGE), 0);
    start[0] = start[9 * PAGE] = 1;
    sum_smaps(start, bytes, &smaps);
    assert_true(
        folio_pagemap_scan(pagemap_fd, (gsize) start, (gsize) start + bytes, &residency, NULL));
    assert_int_equal(residency.present, smaps.present);
    assert_true(residency.present < present);
    assert_int_equal(residency.pmd_mapped, BLOCK);
    munmap(start, bytes);
}

static guint n_ioctls;

static int
count_ioctl(int fd, unsigned long request, void *argument)
{
    n_ioctls++;
    return ioctl(fd, request, argument);
}

/* A range of several GiB is walked in steps, none longer than 1 GiB. */
static void
test_steps(void **state)
{
    const FolioFileCalls calls = { .ioctl = count_ioctl };
    const gsize gib = 512 * BLOCK;
    const gsize bytes = 3 * gib;
    char *start = reserve(bytes);
    char *border = (char *) (((gsize) start / gib + 1) * gib);

    need_scan();
    map_file_at(start, bytes, small_dir, "large", MAP_SHARED);
    start[0] = border[-1] = border[0] = start[bytes - 1] = 1;
    n_ioctls = 0;
    folio_file_set_calls(&calls);
    assert_residency(start, bytes, (border == start + PAGE ? 3 : 4) * PAGE, 0);
    folio_file_set_calls(NULL);
    assert_true(n_ioctls >= 3 && n_ioctls <= 4);
    munmap(start, bytes);
}

static void
test_process_ends(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    FolioResidency residency = { 1, 2, 3 };
    const pid_t pid = fork();
    int fd;

    assert_true(pid >= 0);
    if (pid == 0) {
        for (;;)
            pause();
    }
    path = g_strdup_printf("/proc/%d/pagemap", pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    if (folio_pagemap_can_scan(pagemap_fd)) {
        assert_false(folio_pagemap_scan(fd, PAGE, 1024 * PAGE, &residency, &error));
        assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
        assert_int_equal(residency.present, 1);
    }
    assert_false(folio_pagemap_can_scan(fd));
    close(fd);
}

static void
test_cannot_scan(void **state)
{
    const int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    g_autoptr(GError) error = NULL;
    FolioResidency residency;

    assert_false(folio_pagemap_can_scan(fd));
    assert_false(folio_pagemap_can_scan(-1));
    assert_false(folio_pagemap_scan(fd, PAGE, 2 * PAGE, &residency, &error));
    assert_folio_error(error, FOLIO_ERROR_UNSUPPORTED);
    close(fd);
}

/* What the kernel played by the test answers. */
static FolioPageRegion answer[4];
static int answer_n;
static guint64 answer_walk_end; /* 0: the end that was asked for */
static int answer_errno;
static int n_interrupted;

static int
answer_ioctl(int fd, unsigned long request, void *argument)
{
    FolioScanArgument *scan = argument;

    assert_true(request == FOLIO_PAGEMAP_SCAN);
    assert_int_equal(scan->size, sizeof(*scan));
    if (n_interrupted > 0) {
        n_interrupted--;
        errno = EINTR;
        return -1;
    }
    errno = answer_errno;
    if (answer_errno != 0)
        return -1;
    memcpy((void *) (gsize) scan->vec, answer, sizeof(answer));
    scan->walk_end = answer_walk_end != 0 ? answer_walk_end : scan->end;
    return answer_n;
}

static gboolean
scan_answer(FolioResidency *residency, GError **error)
{
    const FolioFileCalls calls = { .ioctl = answer_ioctl };
    gboolean scanned;

    folio_file_set_calls(&calls);
    scanned = folio_pagemap_scan(-1, 0x10000, 0x20000, residency, error);
    folio_file_set_calls(NULL);
    return scanned;
}

static void
test_categories(void **state)
{
    static const struct {
        guint64 categories;
        FolioResidency residency;
    } cases[] = {
        { FOLIO_PAGE_IS_PRESENT, { 0x1000, 0, 0 } },
        { FOLIO_PAGE_IS_PRESENT | FOLIO_PAGE_IS_HUGE, { 0x1000, 0x1000, 0 } },
        { FOLIO_PAGE_IS_PRESENT | FOLIO_PAGE_IS_PFNZERO, { 0, 0, 0 } },
        { FOLIO_PAGE_IS_SWAPPED, { 0, 0, 0x1000 } },
        { FOLIO_PAGE_IS_SWAPPED | FOLIO_PAGE_IS_HUGE, { 0, 0, 0x1000 } },
        { 0, { 0, 0, 0 } },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        FolioResidency residency;

        answer[0] = (FolioPageRegion){ 0x11000, 0x12000, cases[i].categories };
        answer_n = 1;
        n_interrupted = 2;
        assert_true(scan_answer(&residency, &error));
        assert_memory_equal(&residency, &cases[i].residency, sizeof(residency));
        assert_int_equal(n_interrupted, 0);
    }
}

static void
test_senseless_answers(void **state)
{
    static const struct {
        int n;
        guint64 walk_end;
        FolioPageRegion regions[2];
    } cases[] = {
        { 0, 0x10000, { { 0, 0, 0 } } },                                /* no progress */
        { 0, 0x8000, { { 0, 0, 0 } } },                                 /* backwards */
        { 0, 0x21000, { { 0, 0, 0 } } },                                /* too far */
        { 1000, 0, { { 0, 0, 0 } } },                                   /* more than fits */
        { 1, 0, { { 0xf000, 0x11000, 8 } } },                           /* before the start */
        { 1, 0, { { 0x1f000, 0x21000, 8 } } },                          /* beyond the end */
        { 1, 0, { { 0x12000, 0x11000, 8 } } },                          /* turned round */
        { 1, 0, { { 0x11000, 0x11000, 8 } } },                          /* empty */
        { 2, 0, { { 0x11000, 0x13000, 8 }, { 0x12000, 0x14000, 8 } } }, /* twice the same */
        { 2, 0, { { 0x13000, 0x14000, 8 }, { 0x11000, 0x12000, 8 } } }, /* out of order */
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        FolioResidency residency = { 1, 2, 3 };

        memcpy(answer, cases[i].regions, sizeof(cases[i].regions));
        answer_n = cases[i].n;
        answer_walk_end = cases[i].walk_end;
        assert_false(scan_answer(&residency, &error));
        assert_folio_error(error, FOLIO_ERROR_FAILED);
        assert_int_equal(residency.present, 1);
    }
    answer_walk_end = 0;
}

static void
test_errors(void **state)
{
    static const struct {
        int code;
        FolioErrorCode expected;
    } cases[] = {
        { ESRCH, FOLIO_ERROR_NOT_FOUND },     { ENOTTY, FOLIO_ERROR_UNSUPPORTED },
        { EPERM, FOLIO_ERROR_NOT_PERMITTED }, { ENOMEM, FOLIO_ERROR_FAILED },
        { EFAULT, FOLIO_ERROR_FAILED },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        FolioResidency residency = { 1, 2, 3 };

        answer_errno = cases[i].code;
        assert_false(scan_answer(&residency, &error));
        assert_folio_error(error, cases[i].expected);
        assert_non_null(strstr(error->message, "PAGEMAP_SCAN: "));
        assert_int_equal(residency.present, 1);
    }
    answer_errno = 0;
}

static int
set_up(void **state)
{
    enter_mount_namespace();
    huge_dir = mount_tmpfs("huge=always");
    small_dir = mount_tmpfs("huge=never");
    pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    assert_true(pagemap_fd >= 0);
    return 0;
}

static int
tear_down(void **state)
{
    close(pagemap_fd);
    unmount_tmpfs(huge_dir);
    unmount_tmpfs(small_dir);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_huge),
        cmocka_unit_test(test_misaligned),
        cmocka_unit_test(test_small_pages),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_process_ends),
        cmocka_unit_test(test_cannot_scan),
        cmocka_unit_test(test_categories),
        cmocka_unit_test(test_senseless_answers),
        cmocka_unit_test(test_errors),
    };

    return cmocka_run_group_tests_name("pagemap", tests, set_up, tear_down);
}
