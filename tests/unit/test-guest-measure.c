/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Measuring guest RAM while it changes, its process ends, and calls fail. */
#include "ram-fixture.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void
test_anonymous(void **state)
{
    const FolioRamSpec spec = { FOLIO_RAM_MAIN, FOLIO_BACKING_ANONYMOUS, 0, RAM_BYTES, NULL };
    const Fixture *fixture = *state;
    char *start = reserve(RAM_BYTES);
    g_autoptr(FolioGuestRam) ram = NULL;
    SmapsSum smaps;

    assert_int_equal(mprotect(start, RAM_BYTES, PROT_READ | PROT_WRITE), 0);
    madvise(start, RAM_BYTES, MADV_HUGEPAGE);
    start[0] = 1;
    assert_int_equal(((volatile char *) start)[5 * BLOCK], 0); /* perhaps the huge zero page */
    ram = locate(fixture, &spec, 1);
    assert_int_equal(ram->reason, FOLIO_REASON_NOT_TMPFS);
    assert_int_equal(block_at(ram, 0)->inode, 0);
    assert_string_equal(block_at(ram, 0)->file, "");
    sum_smaps(start, RAM_BYTES, &smaps);
    assert_true(smaps.present > 0 && smaps.present <= BLOCK);
    assert_measured(fixture, ram, smaps.present, smaps.pmd_mapped);
    assert_int_equal(ram->scan, FOLIO_SCAN_SMAPS);
    munmap(start, RAM_BYTES);
}

/* Figures are only taken of what was located. */
static void
test_mapping_changes(void **state)
{
    const Fixture *fixture = *state;
    char *start = reserve(RAM_BYTES);
    g_autoptr(FolioGuestRam) ram = NULL;

    map_file_at(start, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    start[0] = 1;
    ram = locate(fixture, &main_file, 1);
    assert_measured(fixture, ram, BLOCK, BLOCK);

    /* A hole, another file, the same file by another offset, a private mapping, nothing at all. */
    munmap(start + BLOCK, PAGE);
    assert_no_measurement(fixture, ram, FOLIO_ERROR_NOT_FOUND);
    map_file_at(start, RAM_BYTES, huge_dir, "other", MAP_SHARED);
    assert_no_measurement(fixture, ram, FOLIO_ERROR_NOT_FOUND);
    map_file_at(start, 2 * BLOCK, huge_dir, "pc.ram", MAP_SHARED);
    map_file_at(start + 2 * BLOCK, RAM_BYTES - 2 * BLOCK, huge_dir, "pc.ram", MAP_SHARED);
    assert_no_measurement(fixture, ram, FOLIO_ERROR_NOT_FOUND);
    map_file_at(start, RAM_BYTES, huge_dir, "pc.ram", MAP_PRIVATE);
    assert_no_measurement(fixture, ram, FOLIO_ERROR_NOT_FOUND);
    assert_ptr_equal(
        mmap(start, RAM_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), start);
    assert_no_measurement(fixture, ram, FOLIO_ERROR_NOT_FOUND);

    /* And then as it was. */
    map_file_at(start, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    start[0] = start[BLOCK] = 1;
    assert_measured(fixture, ram, 2 * BLOCK, 2 * BLOCK);
    munmap(start, RAM_BYTES);
}

/* A child has the RAM, and dies. */
static void
test_process_ends(void **state)
{
    Fixture fixture = { NULL, NULL, NULL };
    char *start = reserve(RAM_BYTES);
    g_autoptr(FolioGuestRam) ram = NULL;
    g_autoptr(GError) error = NULL;
    struct pollfd ended = { .events = POLLIN };
    pid_t pid;

    map_file_at(start, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    start[0] = 1;
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    fixture_init(&fixture, pid);
    ram = locate(&fixture, &main_file, 1);
    folio_guest_ram_measure(ram, fixture.process, FOLIO_SCAN_SMAPS, &error);
    assert_no_error(error);

    kill(pid, SIGKILL);
    ended.fd = folio_process_get_pidfd(fixture.process);
    assert_int_equal(poll(&ended, 1, 10000), 1);
    assert_no_measurement(&fixture, ram, FOLIO_ERROR_NOT_FOUND); /* a zombie */
    assert_not_located(&fixture, &main_file, 1, FOLIO_REASON_PROCESS_GONE);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_no_measurement(&fixture, ram, FOLIO_ERROR_NOT_FOUND);
    assert_not_located(&fixture, &main_file, 1, FOLIO_REASON_PROCESS_GONE);
    folio_process_unref(fixture.process);
    fake_host_free(fixture.host);
    g_free(fixture.sys_root);
    munmap(start, RAM_BYTES);
}

static int pagemap_errno;

static int
openat_without_pagemap(int dir_fd, const char *path, int flags)
{
    errno = pagemap_errno;
    return g_str_equal(path, "pagemap") ? -1 : openat(dir_fd, path, flags);
}

/* pagemap wants more rights than smaps; for lack of them smaps serves. */
static void
test_pagemap_not_permitted(void **state)
{
    const FolioFileCalls calls = { .openat = openat_without_pagemap,
                                   .read = read,
                                   .ioctl = faulty_ioctl };
    const Fixture *fixture = *state;
    char *start = reserve(RAM_BYTES);
    g_autoptr(FolioGuestRam) ram = NULL;
    g_autoptr(GError) error = NULL;

    map_file_at(start, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    start[0] = 1;
    ram = locate(fixture, &main_file, 1);
    folio_file_set_calls(&calls);
    pagemap_errno = EACCES;
    assert_true(folio_guest_ram_measure(ram, fixture->process, FOLIO_SCAN_AUTO, NULL));
    assert_int_equal(ram->scan, FOLIO_SCAN_SMAPS);
    assert_int_equal(ram->now.pmd_mapped, BLOCK);
    assert_false(folio_guest_ram_measure(ram, fixture->process, FOLIO_SCAN_PAGEMAP, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_PERMITTED);
    g_clear_error(&error);
    pagemap_errno = ESRCH;
    assert_false(folio_guest_ram_measure(ram, fixture->process, FOLIO_SCAN_AUTO, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    folio_file_set_calls(NULL);
    munmap(start, RAM_BYTES);
}

static FolioReason
reason_of_fault(int code)
{
    if (code == ESRCH || code == ENOENT)
        return FOLIO_REASON_PROCESS_GONE;
    return code == EACCES || code == EPERM ? FOLIO_REASON_NO_ACCESS : FOLIO_REASON_RAM_UNREADABLE;
}

/* Locates while call number n fails; TRUE when it came to that call. */
static gboolean
locate_with_fault(const Fixture *fixture, int n, int code)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioGuestRam) ram = NULL;
    FolioReason reason = FOLIO_REASON_NONE;
    gboolean came;

    arm_fault(n, code);
    ram = folio_guest_ram_locate(fixture->process, memfd_cells, 3, fixture->sys_root, &reason,
                                 &error);
    came = disarm_fault();
    assert_true((ram == NULL) == (error != NULL));
    if (ram == NULL) {
        assert_true(came);
        assert_int_equal(reason, reason_of_fault(code));
    } else {
        assert_int_equal(reason, FOLIO_REASON_NONE);
        assert_int_equal(ram->blocks->len, 3);
        /* What may fail is to read what the kernel need not have: shmem_enabled. */
        assert_string_equal(block_at(ram, 0)->huge, came ? "" : "never");
    }
    return came;
}

static gboolean
measure_with_fault(const Fixture *fixture, FolioGuestRam *ram, FolioScan scan, int n, int code)
{
    g_autoptr(GError) error = NULL;
    gboolean measured;
    gboolean came;

    ram->now = (FolioResidency){ 1, 2, 3 };
    arm_fault(n, code);
    measured = folio_guest_ram_measure(ram, fixture->process, scan, &error);
    came = disarm_fault();
    assert_true(measured == (error == NULL));
    if (!measured) {
        assert_true(came);
        assert_int_equal(ram->now.present, 1);
        assert_true(error->domain == FOLIO_ERROR);
    } else {
        /* Without PAGEMAP_SCAN smaps serves, unless that was asked for. */
        assert_true(!came || (scan == FOLIO_SCAN_AUTO && ram->scan == FOLIO_SCAN_SMAPS));
        assert_true(ram->now.present >= 3 * PAGE);
    }
    return came;
}

/* Whichever call fails, in whichever way: an error and nothing else, and nothing is left open. */
static void
test_every_call_fails(void **state)
{
    static const int codes[] = { ESRCH, ENOENT, EACCES, EIO, EMFILE, ENOTTY, ENOMEM };
    static const FolioScan ways[] = { FOLIO_SCAN_SMAPS, FOLIO_SCAN_AUTO, FOLIO_SCAN_PAGEMAP };
    const Fixture *fixture = *state;
    const guint n_ways = kernel_can_scan() ? 3 : 2;
    char *space = reserve(3 * CELL_BYTES);
    int fds[3];
    g_autoptr(FolioGuestRam) ram = NULL;
    guint n_fds;

    for (guint i = 0; i < 3; i++) {
        fds[i] = memfd_on_cpu(0);
        map_memfd(space + i * CELL_BYTES, fds[i]);
        space[i * CELL_BYTES] = 1;
    }
    n_fds = count_fds();
    ram = locate(fixture, memfd_cells, 3);
    for (guint i = 0; i < G_N_ELEMENTS(codes); i++) {
        int n_faults = 0;

        while (locate_with_fault(fixture, n_faults, codes[i]))
            n_faults++;
        /* status, maps, mountinfo, shmem_enabled: an open and two or more reads each; fd: an open.
         */
        assert_true(n_faults >= 13);
        for (guint j = 0; j < n_ways; j++) {
            for (n_faults = 0; measure_with_fault(fixture, ram, ways[j], n_faults, codes[i]);)
                n_faults++;
            assert_true(n_faults >= 3);
        }
        assert_int_equal(count_fds(), n_fds);
    }
    munmap(space, 3 * CELL_BYTES);
    for (guint i = 0; i < 3; i++)
        close(fds[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RAM_TEST(test_anonymous),
        RAM_TEST(test_mapping_changes),
        RAM_TEST(test_pagemap_not_permitted),
        cmocka_unit_test(test_process_ends),
        RAM_TEST(test_every_call_fails),
    };

    return cmocka_run_group_tests_name("guest-measure", tests, set_up_group, tear_down_group);
}
