/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Telling equal memfds apart by the order in which they were made. */
#include "ram-fixture.h"

/* Equal memfds one after the other, as at QEMU's start, with inode numbers of two CPUs. */
static void
test_memfds_at_start(void **state)
{
    static const int cpus[] = { 1, 0, 1 };
    const Fixture *fixture = *state;
    char *space = reserve(3 * CELL_BYTES);
    int fds[3];
    g_autoptr(FolioGuestRam) ram = NULL;

    for (guint i = 0; i < 3; i++) {
        fds[i] = memfd_on_cpu(cpus[i]);
        map_memfd(space + (i + 1) % 3 * CELL_BYTES, fds[i]);
        space[(i + 1) % 3 * CELL_BYTES + i * PAGE] = 1;
    }
    ram = locate(fixture, memfd_cells, 3);
    for (guint i = 0; i < 3; i++) {
        assert_int_equal(block_at(ram, i)->hva, (gsize) space + (i + 1) % 3 * CELL_BYTES);
        assert_string_equal(block_at(ram, i)->file, "/memfd:memory-backend-memfd");
        assert_string_equal(block_at(ram, i)->fs_type, "");
        assert_string_equal(block_at(ram, i)->huge, "never");
        assert_int_equal(block_at(ram, i)->reason, FOLIO_REASON_NOT_TMPFS);
        close(fds[i]);
    }
    folio_guest_ram_measure(ram, fixture->process, FOLIO_SCAN_AUTO, NULL);
    assert_true(ram->now.present >= 3 * PAGE);

    /* Without descriptors nothing tells them apart. */
    assert_not_located(fixture, memfd_cells, 3, FOLIO_REASON_RAM_AMBIGUOUS);
    assert_not_located(fixture, memfd_cells, 2, FOLIO_REASON_RAM_AMBIGUOUS);
    munmap(space, 2 * CELL_BYTES);
    assert_not_located(fixture, memfd_cells, 2, FOLIO_REASON_RAM_NOT_FOUND);
    munmap(space + 2 * CELL_BYTES, CELL_BYTES);
}

/* A later memfd may get a lower descriptor, as when a DIMM is plugged in. */
static void
test_memfds_later(void **state)
{
    const Fixture *fixture = *state;
    char *space = reserve(2 * CELL_BYTES);
    const int low = memfd_on_cpu(1);
    const int first = fcntl(low, F_DUPFD_CLOEXEC, 500);
    g_autoptr(FolioGuestRam) ram = NULL;
    int second;

    close(low);
    g_usleep(50000); /* some ticks of the kernel's clock */
    second = memfd_on_cpu(0);
    assert_true(second < first);
    map_memfd(space, first);
    map_memfd(space + CELL_BYTES, second);
    ram = locate(fixture, memfd_cells, 2);
    assert_int_equal(block_at(ram, 0)->hva, (gsize) space);
    assert_int_equal(block_at(ram, 1)->hva, (gsize) space + CELL_BYTES);
    munmap(space, 2 * CELL_BYTES);
    close(first);
    close(second);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RAM_TEST(test_memfds_at_start),
        RAM_TEST(test_memfds_later),
    };

    return cmocka_run_group_tests_name("memfd-order", tests, set_up_group, tear_down_group);
}
