/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test plays QEMU, with real memory on real tmpfs mounts, and the kernel's own files about
 * itself below a made-up /proc. */
#pragma once

#include "base/error.h"
#include "fake-proc.h"
#include "memory/guest-ram.h"
#include "private-tmpfs.h"

/* Lengths that no other mapping of the test has, sanitizer's included. */
#define RAM_BYTES  (23 * BLOCK)
#define CELL_BYTES (7 * BLOCK)

static char *huge_dir;   /* a tmpfs mounted huge=always */
static char *plain_dir;  /* without huge= */
static char *never_dir;  /* huge=never */
static char *within_dir; /* huge=within_size */

typedef struct {
    FakeHost *host;
    FolioProcess *process;
    char *sys_root;
} Fixture;

static inline void
write_shmem_enabled(const Fixture *fixture, const char *text)
{
    g_autofree char *dir =
        g_build_filename(fixture->sys_root, "kernel/mm/transparent_hugepage", NULL);
    g_autofree char *path = g_build_filename(dir, "shmem_enabled", NULL);

    assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
    fake_write(path, text, -1);
}

/* The files of process pid stand below the made-up /proc/PID. */
static inline void
link_proc(const FakeHost *host, pid_t pid)
{
    static const char *const names[] = { "maps", "smaps", "pagemap", "status", "mountinfo", "fd" };

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *target = g_strdup_printf("/proc/%d/%s", pid, names[i]);

        fake_proc_link(host, names[i], target);
    }
}

static inline void
fixture_init(Fixture *fixture, pid_t pid)
{
    fixture->host = fake_host_new(pid);
    fixture->sys_root = g_build_filename(fixture->host->root, "sys", NULL);
    link_proc(fixture->host, pid);
    write_shmem_enabled(fixture, "always within_size advise [never] deny force\n");
    fixture->process = fake_locate(fixture->host, 0, &(FolioReason){ 0 }, NULL);
    assert_non_null(fixture->process);
}

static inline int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    fixture_init(fixture, getpid());
    *state = fixture;
    return 0;
}

static inline int
tear_down(void **state)
{
    Fixture *fixture = *state;

    folio_process_unref(fixture->process);
    fake_host_free(fixture->host);
    g_free(fixture->sys_root);
    g_free(fixture);
    return 0;
}

static const FolioRamSpec main_file = { FOLIO_RAM_MAIN, FOLIO_BACKING_FILE, 0, RAM_BYTES, NULL };

static inline FolioGuestRam *
locate(const Fixture *fixture, const FolioRamSpec *specs, guint n_specs)
{
    g_autoptr(GError) error = NULL;
    FolioReason reason = FOLIO_REASON_NONE;
    FolioGuestRam *ram = folio_guest_ram_locate(fixture->process, specs, n_specs, fixture->sys_root,
                                                &reason, &error);

    assert_no_error(error);
    assert_non_null(ram);
    assert_int_equal(reason, FOLIO_REASON_NONE);
    return ram;
}

static inline void
assert_not_located(const Fixture *fixture, const FolioRamSpec *specs, guint n_specs,
                   FolioReason expected)
{
    g_autoptr(GError) error = NULL;
    FolioReason reason = FOLIO_REASON_NONE;

    assert_null(folio_guest_ram_locate(fixture->process, specs, n_specs, fixture->sys_root, &reason,
                                       &error));
    assert_non_null(error);
    if (reason != expected)
        fail_msg("%s (%s)", folio_reason_token(reason), error->message);
}

static inline const FolioRamBlock *
block_at(const FolioGuestRam *ram, guint i)
{
    assert_true(i < ram->blocks->len);
    return g_ptr_array_index(ram->blocks, i);
}

static inline gboolean
kernel_can_scan(void)
{
    const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    const gboolean can = folio_pagemap_can_scan(fd);

    close(fd);
    return can;
}

/* Measures in all ways that this kernel has; each gives what smaps gives for every block. */
static inline void
assert_measured(const Fixture *fixture, FolioGuestRam *ram, guint64 present, guint64 pmd_mapped)
{
    static const FolioScan ways[] = { FOLIO_SCAN_SMAPS, FOLIO_SCAN_AUTO, FOLIO_SCAN_PAGEMAP };
    const guint n_ways = kernel_can_scan() ? 3 : 2;

    for (guint i = 0; i < n_ways; i++) {
        g_autoptr(GError) error = NULL;
        const gint64 before = g_get_monotonic_time();

        folio_guest_ram_measure(ram, fixture->process, ways[i], &error);
        assert_no_error(error);
        assert_true(ram->scan == FOLIO_SCAN_SMAPS || ram->scan == FOLIO_SCAN_PAGEMAP);
        assert_true(ram->measured_usec >= before);
        assert_int_equal(ram->now.present, present);
        assert_int_equal(ram->now.pmd_mapped, pmd_mapped);
        for (guint j = 0; j < ram->blocks->len; j++) {
            const FolioRamBlock *block = block_at(ram, j);
            SmapsSum smaps;

            sum_smaps((const char *) (gsize) block->hva, block->bytes, &smaps);
            assert_int_equal(block->now.present, smaps.present);
            assert_int_equal(block->now.pmd_mapped, smaps.pmd_mapped);
        }
    }
}

/* Makes a memfd on the given CPU if it is there: inode numbers come from batches of each CPU. */
static inline int
memfd_on_cpu(int cpu)
{
    cpu_set_t before;
    cpu_set_t one;
    int fd;

    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (sched_setaffinity(0, sizeof(one), &one) != 0)
        print_message("no CPU %d to make a memfd on\n", cpu);
    fd = memfd_create("memory-backend-memfd", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
    assert_int_equal(ftruncate(fd, (off_t) CELL_BYTES), 0);
    return fd;
}

static inline void
map_memfd(char *at, int fd)
{
    assert_ptr_equal(mmap(at, CELL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0),
                     at);
}

static const FolioRamSpec memfd_cells[] = {
    { FOLIO_RAM_CELL, FOLIO_BACKING_MEMFD, 0, CELL_BYTES, NULL },
    { FOLIO_RAM_CELL, FOLIO_BACKING_MEMFD, 1, CELL_BYTES, NULL },
    { FOLIO_RAM_CELL, FOLIO_BACKING_MEMFD, 2, CELL_BYTES, NULL },
};

static inline void
assert_no_measurement(const Fixture *fixture, FolioGuestRam *ram, FolioErrorCode expected)
{
    static const FolioScan ways[] = { FOLIO_SCAN_SMAPS, FOLIO_SCAN_AUTO, FOLIO_SCAN_PAGEMAP };
    const FolioResidency before = ram->now;
    const guint n_ways = kernel_can_scan() ? 3 : 2;

    for (guint i = 0; i < n_ways; i++) {
        g_autoptr(GError) error = NULL;

        assert_false(folio_guest_ram_measure(ram, fixture->process, ways[i], &error));
        assert_folio_error(error, expected);
        assert_memory_equal(&ram->now, &before, sizeof(before));
        assert_memory_equal(&block_at(ram, 0)->now, &before, sizeof(before));
    }
}

static inline int
set_up_group(void **state)
{
    enter_mount_namespace();
    huge_dir = mount_tmpfs("huge=always");
    plain_dir = mount_tmpfs("mode=700");
    never_dir = mount_tmpfs("huge=never");
    within_dir = mount_tmpfs("huge=within_size");
    return 0;
}

static inline int
tear_down_group(void **state)
{
    unmount_tmpfs(huge_dir);
    unmount_tmpfs(plain_dir);
    unmount_tmpfs(never_dir);
    unmount_tmpfs(within_dir);
    return 0;
}

#define RAM_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
