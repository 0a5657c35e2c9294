/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nomination: what huge pages map of RAM that can be served, on real memory. */
#include "nomination.h"
#include "ram-fixture.h"

#include <sys/wait.h>

static FolioNomination
nominate(const Fixture *fixture, const FolioGuestRam *ram)
{
    FolioNomination nomination;

    folio_nomination_take(&nomination, ram, fixture->process);
    return nomination;
}

static void
assert_nominated(const Fixture *fixture, const FolioGuestRam *ram, guint ranges, guint n_blocks)
{
    const FolioNomination nomination = nominate(fixture, ram);

    assert_true(nomination.known);
    assert_int_equal(nomination.ranges, ranges);
    assert_int_equal(nomination.bytes, n_blocks * BLOCK);
}

static void
test_ranges(void **state)
{
    const Fixture *fixture = *state;
    char *address = reserve(RAM_BYTES);
    g_autoptr(FolioGuestRam) ram = NULL;
    FolioRamBlock *block;

    map_file_at(address, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    ram = locate(fixture, &main_file, 1);
    block = g_ptr_array_index(ram->blocks, 0);
    assert_int_equal(block->reason, FOLIO_REASON_NONE);
    assert_nominated(fixture, ram, 0, 0);
    address[0] = address[BLOCK] = address[5 * BLOCK] = 1;
    if (kernel_can_scan())
        assert_nominated(fixture, ram, 2, 3);
    assert_int_equal(nominate(fixture, ram).bytes, 3 * BLOCK);

    /* A block that cannot be served is not worth a word. */
    block->reason = FOLIO_REASON_LOCKED;
    assert_nominated(fixture, ram, 0, 0);
    munmap(address, RAM_BYTES);
}

/* Small pages are no candidates. */
static void
test_small_pages(void **state)
{
    const Fixture *fixture = *state;
    char *address = reserve(RAM_BYTES);
    g_autoptr(FolioGuestRam) ram = NULL;

    map_file_at(address, RAM_BYTES, never_dir, "pc.ram", MAP_SHARED);
    memset(address, 1, RAM_BYTES);
    ram = locate(fixture, &main_file, 1);
    ((FolioRamBlock *) g_ptr_array_index(ram->blocks, 0))->reason = FOLIO_REASON_NONE;
    assert_nominated(fixture, ram, 0, 0);
    munmap(address, RAM_BYTES);
}

/* Nothing is known of a process that has ended; that is not the same as nothing huge. */
static void
test_ended(void **state)
{
    const Fixture *fixture = *state;
    char *address = reserve(RAM_BYTES);
    g_autoptr(FolioGuestRam) ram = NULL;
    Fixture child = { NULL };
    pid_t pid;

    map_file_at(address, RAM_BYTES, huge_dir, "pc.ram", MAP_SHARED);
    ram = locate(fixture, &main_file, 1);
    pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    fixture_init(&child, pid);
    assert_nominated(&child, ram, 0, 0);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_false(nominate(&child, ram).known);
    folio_process_unref(child.process);
    fake_host_free(child.host);
    g_free(child.sys_root);
    munmap(address, RAM_BYTES);
}

#define RAM_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RAM_TEST(test_ranges),
        RAM_TEST(test_small_pages),
        RAM_TEST(test_ended),
    };

    return cmocka_run_group_tests_name("nomination", tests, set_up_group, tear_down_group);
}
