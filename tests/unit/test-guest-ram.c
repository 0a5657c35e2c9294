/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding guest RAM, and why it cannot be served. */
#include "ram-fixture.h"

#include <sys/syscall.h>

static void
test_aligned(void **state)
{
    const Fixture *fixture = *state;
    char *start = reserve(RAM_BYTES);
    g_autoptr(FolioGuestRam) ram = NULL;
    const FolioRamBlock *block = NULL;
    g_autofree char *file = g_build_filename(huge_dir, "pc.ram", NULL);

    map_file_at(start, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    ram = locate(fixture, &main_file, 1);
    block = block_at(ram, 0);
    assert_int_equal(ram->blocks->len, 1);
    assert_int_equal(ram->bytes, RAM_BYTES);
    assert_int_equal(ram->measured_usec, 0);
    assert_string_equal(block->id, "ram");
    assert_int_equal(block->hva, (gsize) start);
    assert_int_equal(block->bytes, RAM_BYTES);
    assert_int_equal(block->offset, 0);
    assert_string_equal(block->file, file);
    assert_false(block->file_deleted);
    assert_true(block->shared);
    assert_false(block->locked);
    assert_string_equal(block->fs_type, "tmpfs");
    assert_string_equal(block->huge, "always");
    assert_non_null(strstr(block->fs_options, "huge=always"));
    assert_true(block->alignment >= BLOCK && (gsize) start % block->alignment == 0);
    assert_int_equal(block->reason, FOLIO_REASON_NONE);
    assert_int_equal(ram->reason, FOLIO_REASON_NONE);
    assert_measured(fixture, ram, 0, 0);
    start[0] = start[5 * BLOCK] = 1;
    assert_measured(fixture, ram, 2 * BLOCK, 2 * BLOCK);
    memset(start, 1, RAM_BYTES);
    assert_measured(fixture, ram, RAM_BYTES, RAM_BYTES);
    munmap(start, RAM_BYTES);
    g_unlink(file);
}

/* As QEMU does it when nobody tells it to align. */
static void
test_misaligned(void **state)
{
    const Fixture *fixture = *state;
    char *space = reserve(RAM_BYTES + BLOCK);
    char *start = space + BLOCK - PAGE;
    g_autoptr(FolioGuestRam) ram = NULL;

    map_file_at(start, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    memset(start, 1, RAM_BYTES);
    ram = locate(fixture, &main_file, 1);
    assert_int_equal(block_at(ram, 0)->alignment, PAGE);
    assert_int_equal(ram->reason, FOLIO_REASON_MISALIGNED);
    assert_measured(fixture, ram, RAM_BYTES, 0);
    munmap(space, RAM_BYTES + BLOCK);
}

/* madvise splits a mapping into VMAs; it stays one block, wherever its file has gone. */
static void
test_split_and_unlinked(void **state)
{
    const Fixture *fixture = *state;
    char *start = reserve(RAM_BYTES);
    g_autofree char *file = g_build_filename(huge_dir, "pc.ram", NULL);
    g_autoptr(FolioGuestRam) ram = NULL;

    map_file_at(start, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    assert_int_equal(madvise(start + 2 * BLOCK, 3 * BLOCK, MADV_DONTDUMP), 0);
    assert_int_equal(madvise(start + 9 * BLOCK, BLOCK, MADV_DONTFORK), 0);
    g_unlink(file);
    start[0] = start[2 * BLOCK] = start[9 * BLOCK] = 1;
    ram = locate(fixture, &main_file, 1);
    assert_int_equal(ram->blocks->len, 1);
    assert_true(block_at(ram, 0)->file_deleted);
    assert_string_equal(block_at(ram, 0)->file, file);
    assert_int_equal(ram->reason, FOLIO_REASON_NONE);
    assert_measured(fixture, ram, 3 * BLOCK, 3 * BLOCK);
    munmap(start, RAM_BYTES);
}

static void
test_obstacles(void **state)
{
    const Fixture *fixture = *state;
    const struct {
        const char *dir;
        const char *shmem_enabled;
        int flags;
        gsize shift; /* of the mapping, from a multiple of 2 MiB */
        FolioReason reason;
    } cases[] = {
        { huge_dir, "[never]", MAP_SHARED, 0, FOLIO_REASON_NONE },
        { within_dir, "[never]", MAP_SHARED, 0, FOLIO_REASON_NONE },
        { plain_dir, "[never]", MAP_SHARED, 0, FOLIO_REASON_TMPFS_NOT_HUGE },
        { never_dir, "[always]", MAP_SHARED, 0, FOLIO_REASON_TMPFS_NOT_HUGE },
        { never_dir, "x [force]", MAP_SHARED, 0, FOLIO_REASON_NONE },
        { huge_dir, "x [deny] y", MAP_SHARED, 0, FOLIO_REASON_TMPFS_NOT_HUGE },
        { huge_dir, "not in brackets", MAP_SHARED, 0, FOLIO_REASON_NONE },
        { huge_dir, "[never]", MAP_PRIVATE, 0, FOLIO_REASON_PRIVATE },
        /* Of several the gravest. */
        { huge_dir, "[never]", MAP_SHARED, PAGE, FOLIO_REASON_MISALIGNED },
        { never_dir, "[never]", MAP_SHARED, PAGE, FOLIO_REASON_TMPFS_NOT_HUGE },
        { never_dir, "[never]", MAP_PRIVATE, PAGE, FOLIO_REASON_PRIVATE },
        { fixture->host->root, "[never]", MAP_PRIVATE, PAGE, FOLIO_REASON_NOT_TMPFS },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        char *space = reserve(RAM_BYTES + BLOCK);
        g_autoptr(FolioGuestRam) ram = NULL;

        write_shmem_enabled(fixture, cases[i].shmem_enabled);
        map_file_at(space + cases[i].shift, RAM_BYTES, cases[i].dir, "pc.ram", cases[i].flags);
        ram = locate(fixture, &main_file, 1);
        if (ram->reason != cases[i].reason)
            fail_msg("case %u: %s", i, folio_reason_token(ram->reason));
        assert_int_equal(block_at(ram, 0)->reason, cases[i].reason);
        assert_measured(fixture, ram, 0, 0);
        munmap(space, RAM_BYTES + BLOCK);
    }
}

static void
test_locked(void **state)
{
    const Fixture *fixture = *state;
    char *start = reserve(RAM_BYTES);
    g_autoptr(FolioGuestRam) ram = NULL;
    g_autoptr(FolioGuestRam) unlocked = NULL;

    map_file_at(start, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    /* The sanitizers make the library's mlock do nothing. */
    if (syscall(SYS_mlock, start + 4 * BLOCK, PAGE) != 0)
        fail_msg("mlock: %s", g_strerror(errno));
    ram = locate(fixture, &main_file, 1);
    assert_true(block_at(ram, 0)->locked);
    assert_int_equal(ram->reason, FOLIO_REASON_LOCKED);
    assert_int_equal(syscall(SYS_munlock, start + 4 * BLOCK, PAGE), 0);
    unlocked = locate(fixture, &main_file, 1);
    assert_false(block_at(unlocked, 0)->locked);
    munmap(start, RAM_BYTES);
}

/* hugetlbfs by its name and by what libvirt says; no hugetlb page is needed to tell. */
static void
test_hugetlb(void **state)
{
    const Fixture *fixture = *state;
    const FolioRamSpec spec = { FOLIO_RAM_MAIN, FOLIO_BACKING_HUGETLB, 0, 128 << 20, NULL };
    g_autoptr(FolioGuestRam) ram = NULL;

    fake_proc_link(fixture->host, "maps", "maps2");
    fake_proc_link(fixture->host, "mountinfo", "mountinfo2");
    fake_proc_write(fixture->host, "maps2",
                    "40000000-48000000 rw-s 00000000 00:63 5 "
                    "/dev/hugepages/libvirt/qemu/1-g/qemu_back_mem.pc.ram.aXKD9j (deleted)\n",
                    -1);
    fake_proc_write(fixture->host, "mountinfo2",
                    "9 1 0:99 / /dev/hugepages rw - hugetlbfs hugetlbfs rw,pagesize=2M\n", -1);
    ram = locate(fixture, &spec, 1);
    assert_string_equal(block_at(ram, 0)->fs_type, "hugetlbfs");
    assert_int_equal(ram->reason, FOLIO_REASON_HUGETLB);
}

/* A device that is in no mount table we can see: its file system stays unknown. */
static void
test_unknown_file_system(void **state)
{
    const Fixture *fixture = *state;
    const FolioRamSpec spec = { FOLIO_RAM_MAIN, FOLIO_BACKING_FILE, 0, 128 << 20, NULL };
    g_autoptr(FolioGuestRam) ram = NULL;

    fake_proc_link(fixture->host, "maps", "maps2");
    fake_proc_write(fixture->host, "maps2", "40000000-48000000 rw-s 00000000 ffff:63 5 /pc.ram\n",
                    -1);
    ram = locate(fixture, &spec, 1);
    assert_string_equal(block_at(ram, 0)->fs_type, "");
    assert_string_equal(block_at(ram, 0)->huge, "");
    assert_int_equal(ram->reason, FOLIO_REASON_NOT_TMPFS);
}

/* The mount of QEMU's namespace is not there; ours has it. */
static void
test_own_mountinfo(void **state)
{
    const Fixture *fixture = *state;
    char *start = reserve(RAM_BYTES);
    g_autoptr(FolioGuestRam) ram = NULL;

    fake_proc_link(fixture->host, "mountinfo", "/dev/null");
    map_file_at(start, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    ram = locate(fixture, &main_file, 1);
    assert_string_equal(block_at(ram, 0)->huge, "always");
    assert_int_equal(ram->reason, FOLIO_REASON_NONE);
    munmap(start, RAM_BYTES);
}

static void
test_cells_and_devices(void **state)
{
    static char dimm[] = "dimm0";
    static char nvdimm[] = "nvdimm0";
    const Fixture *fixture = *state;
    const FolioRamSpec specs[] = {
        { FOLIO_RAM_CELL, FOLIO_BACKING_FILE, 0, CELL_BYTES, NULL },
        { FOLIO_RAM_CELL, FOLIO_BACKING_FILE, 1, CELL_BYTES, NULL },
        { FOLIO_RAM_OTHER, FOLIO_BACKING_FILE, 0, 999 * BLOCK, nvdimm },
        { FOLIO_RAM_DIMM, FOLIO_BACKING_FILE, 0, CELL_BYTES, dimm },
    };
    char *space = reserve(4 * CELL_BYTES);
    g_autoptr(FolioGuestRam) ram = NULL;
    g_autoptr(FolioGuestRam) copy = NULL;

    map_file_at(space, CELL_BYTES, huge_dir, "ram-node1", MAP_SHARED);
    map_file_at(space + CELL_BYTES, CELL_BYTES, huge_dir, "dimm0", MAP_SHARED);
    map_file_at(space + 3 * CELL_BYTES - PAGE, CELL_BYTES, huge_dir, "ram-node0", MAP_SHARED);
    space[0] = space[3 * CELL_BYTES] = 1;
    ram = locate(fixture, specs, G_N_ELEMENTS(specs));
    assert_int_equal(ram->blocks->len, 3);
    assert_string_equal(block_at(ram, 0)->id, "cell0");
    assert_int_equal(block_at(ram, 0)->hva, (gsize) space + 3 * CELL_BYTES - PAGE);
    assert_int_equal(block_at(ram, 0)->reason, FOLIO_REASON_MISALIGNED);
    assert_string_equal(block_at(ram, 1)->id, "cell1");
    assert_int_equal(block_at(ram, 1)->hva, (gsize) space);
    assert_int_equal(block_at(ram, 1)->reason, FOLIO_REASON_NONE);
    assert_string_equal(block_at(ram, 2)->id, "dimm0");
    assert_null(block_at(ram, 2)->spec.alias);
    assert_int_equal(ram->bytes, 3 * CELL_BYTES);
    assert_int_equal(ram->reason, FOLIO_REASON_MISALIGNED);
    assert_measured(fixture, ram, BLOCK + PAGE, BLOCK);

    copy = folio_guest_ram_copy(ram);
    g_clear_pointer(&ram, folio_guest_ram_free);
    assert_string_equal(block_at(copy, 2)->id, "dimm0");
    assert_int_equal(copy->now.present, BLOCK + PAGE);
    assert_measured(fixture, copy, BLOCK + PAGE, BLOCK);
    munmap(space, 4 * CELL_BYTES);
}

static void
test_not_located(void **state)
{
    const Fixture *fixture = *state;
    const FolioRamSpec other = { FOLIO_RAM_OTHER, FOLIO_BACKING_FILE, 0, RAM_BYTES, NULL };
    char *start = reserve(RAM_BYTES);
    char *twice = reserve(RAM_BYTES);

    assert_not_located(fixture, &main_file, 1, FOLIO_REASON_RAM_NOT_FOUND);
    assert_not_located(fixture, &other, 1, FOLIO_REASON_RAM_NOT_FOUND);
    map_file_at(start, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    map_file_at(twice, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    assert_not_located(fixture, &main_file, 1, FOLIO_REASON_RAM_AMBIGUOUS);
    fake_proc_link(fixture->host, "maps", "maps2");
    fake_proc_write(fixture->host, "maps2", "1000-2000 rw-p 0", -1);
    assert_not_located(fixture, &main_file, 1, FOLIO_REASON_RAM_UNREADABLE);
    fake_proc_write(fixture->host, "maps2", "", -1);
    assert_not_located(fixture, &main_file, 1, FOLIO_REASON_PROCESS_GONE);
    munmap(start, RAM_BYTES);
    munmap(twice, RAM_BYTES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RAM_TEST(test_aligned),
        RAM_TEST(test_misaligned),
        RAM_TEST(test_split_and_unlinked),
        RAM_TEST(test_obstacles),
        RAM_TEST(test_locked),
        RAM_TEST(test_hugetlb),
        RAM_TEST(test_unknown_file_system),
        RAM_TEST(test_own_mountinfo),
        RAM_TEST(test_cells_and_devices),
        RAM_TEST(test_not_located),
    };

    return cmocka_run_group_tests_name("guest-ram", tests, set_up_group, tear_down_group);
}
