/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* act/khugepaged on a real QEMU of libvirt, with the real foliod-inject and the real ledger, which
 * is opened anew between any two steps, as by a foliod that was started again. The settings of the
 * host are files of the test's own: this machine's are left alone. */
#include "act/khugepaged.h"
#include "base/error.h"
#include "guests.h"

#include <glib/gstdio.h>

#define UUID "d3a1f7c0-52a4-4b1e-8c55-0b8f6f0f7e11"
#define NAME "kept"
#define THP  "kernel/mm/transparent_hugepage/"
#define KNOB THP "khugepaged/split_backoff_millisecs"
#define MIB  (1024 * 1024ULL)

/* As long as foliod's own value: a file here, unlike one of sysfs, keeps what is not written over.
 */
#define NO_HOLD "0000000"
#define AN_HOUR "3600000"

typedef struct {
    virConnectPtr connect;
    virDomainPtr domain;
    char *root, *sys_root, *state_dir;
    FolioProcess *process;
    FolioGuestRam ram;
    FolioActRequest request;

    FolioLedger *ledger;
    FolioLedgerGuest *guest;
    FolioKhugepagedControl *control;
} Fixture;

static void
put(Fixture *fixture, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(fixture->sys_root, name, NULL);
    g_autofree char *dir = g_path_get_dirname(path);

    assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void
close_all(Fixture *fixture)
{
    g_clear_pointer(&fixture->control, folio_khugepaged_free);
    g_clear_pointer(&fixture->guest, folio_ledger_guest_unref);
    g_clear_pointer(&fixture->ledger, folio_ledger_free);
}

/* As a foliod does that starts, with that helper; NULL: foliod-inject. */
static void
start_again(Fixture *fixture, const char *program)
{
    g_autofree char *real =
        g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "inject", "foliod-inject", NULL);

    close_all(fixture);
    fixture->ledger = folio_ledger_open(fixture->state_dir);
    fixture->guest = folio_ledger_get_guest(fixture->ledger, UUID, fixture->process);
    fixture->control =
        folio_khugepaged_new(fixture->sys_root, program != NULL ? program : real, fixture->ledger);
}

static FolioProcess *
locate(void)
{
    const FolioProcessQuery query = {
        .proc_root = "/proc", .run_dir = "/run/libvirt/qemu", .name = NAME, .uuid = UUID
    };
    FolioReason reason = FOLIO_REASON_NONE;
    g_autoptr(GError) error = NULL;
    FolioProcess *process = folio_process_locate(&query, &reason, &error);

    assert_no_error(error);
    return process;
}

static int
set_up(void **state)
{
    const FolioTestGuest guest = {
        .name = NAME, .uuid = UUID, .backing = FOLIO_TEST_ON_TMPFS, .mib = 32
    };
    Fixture *fixture = g_new0(Fixture, 1);

    *state = fixture;
    assert_non_null(g_getenv("FOLIOD_BUILD"));
    fixture->root = g_dir_make_tmp("foliod-keeper.XXXXXX", NULL);
    fixture->sys_root = g_build_filename(fixture->root, "sys", NULL);
    fixture->state_dir = g_build_filename(fixture->root, "state", NULL);
    assert_int_equal(g_mkdir(fixture->state_dir, 0700), 0);
    put(fixture, THP "enabled", "[always] madvise never\n");
    put(fixture, KNOB, NO_HOLD);
    fixture->connect = folio_test_connect("qemu:///system");
    fixture->domain = folio_test_guest_start(fixture->connect, &guest);
    fixture->process = locate();
    fixture->ram =
        (FolioGuestRam){ .bytes = 32 * MIB, .now.present = 32 * MIB, .measured_usec = 1 };
    fixture->request = (FolioActRequest){ .process = fixture->process,
                                          .uuid = (char *) UUID,
                                          .name = (char *) NAME,
                                          .ram = &fixture->ram,
                                          .khugepaged = FOLIO_KHUGEPAGED_STRICT,
                                          .may_inject = TRUE };
    start_again(fixture, NULL);
    return 0;
}

static void
remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        remove_tree(child);
    }
    g_remove(path);
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    close_all(fixture);
    g_clear_pointer(&fixture->process, folio_process_unref);
    if (fixture->domain != NULL)
        folio_test_guest_destroy(fixture->domain);
    virConnectClose(fixture->connect);
    remove_tree(fixture->root);
    g_free(fixture->root);
    g_free(fixture->sys_root);
    g_free(fixture->state_dir);
    g_free(fixture);
    return 0;
}

static FolioThpStatus
status_of(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    FolioThpStatus status;

    assert_true(folio_thp_read_status(fixture->process, &status, &error));
    return status;
}

static void
assert_knob(Fixture *fixture, const char *expected)
{
    g_autofree char *path = g_build_filename(fixture->sys_root, KNOB, NULL);
    g_autofree char *text = NULL;

    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_string_equal(text, expected);
}

static FolioKeeper
keep_away(Fixture *fixture, const char *words)
{
    g_autofree char *reason = NULL;
    FolioKeeper keeper =
        folio_khugepaged_keep_away(fixture->control, &fixture->request, fixture->guest, &reason);

    if (words != NULL && (reason == NULL || strstr(reason, words) == NULL))
        fail_msg("\"%s\" does not say \"%s\"", reason, words);
    if (words == NULL && reason != NULL)
        fail_msg("%s", reason);
    return keeper;
}

static void
give_back(Fixture *fixture)
{
    g_autoptr(GError) error = NULL;

    folio_khugepaged_give_back(fixture->control, &fixture->request, fixture->guest, &error);
    assert_no_error(error);
    assert_true(status_of(fixture).enabled);
    assert_true(status_of(fixture).khugepaged);
    assert_false(folio_ledger_get_thp(fixture->guest).changed);
    assert_knob(fixture, NO_HOLD);
}

static void
test_strict(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;

    assert_true(status_of(fixture).enabled);
    assert_int_equal(keep_away(fixture, NULL), FOLIO_KEEPER_STRICT);
    assert_false(status_of(fixture).enabled);
    assert_knob(fixture, AN_HOUR);

    start_again(fixture, NULL);
    assert_true(folio_ledger_get_thp(fixture->guest).changed);
    assert_int_equal(keep_away(fixture, NULL), FOLIO_KEEPER_STRICT);
    folio_khugepaged_before_collapse(fixture->control, &fixture->request, fixture->guest, &error);
    assert_no_error(error);
    assert_true(status_of(fixture).enabled);
    folio_khugepaged_after_collapse(fixture->control, &fixture->request, fixture->guest, &error);
    assert_no_error(error);
    assert_false(status_of(fixture).enabled);

    start_again(fixture, NULL);
    give_back(fixture);
}

/* The flag, where this kernel has it; elsewhere nothing is done, and the reason says why. */
static void
test_auto(void **state)
{
    Fixture *fixture = *state;

    fixture->request.khugepaged = FOLIO_KHUGEPAGED_AUTO;
    if (status_of(fixture).knows_khugepaged) {
        assert_int_equal(keep_away(fixture, NULL), FOLIO_KEEPER_FLAG);
        assert_false(status_of(fixture).khugepaged);
        assert_true(status_of(fixture).enabled);
    } else {
        assert_int_equal(keep_away(fixture, "this kernel cannot"), FOLIO_KEEPER_FREE);
    }
    start_again(fixture, NULL);
    give_back(fixture);
}

/* A helper that is not there, that refuses, that is killed: QEMU and the knob are as before. */
static void
test_helpers_that_fail(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *killed = g_build_filename(fixture->root, "killed", NULL);

    assert_true(g_file_set_contents(killed, "#!/bin/sh\nkill -9 $$\n", -1, NULL));
    assert_int_equal(g_chmod(killed, 0700), 0);
    start_again(fixture, "/nonexistent/foliod-inject");
    assert_int_equal(keep_away(fixture, "could not be made to keep it away: "), FOLIO_KEEPER_FREE);
    assert_false(folio_ledger_get_thp(fixture->guest).changed);
    assert_knob(fixture, NO_HOLD);

    start_again(fixture, killed);
    assert_int_equal(keep_away(fixture, "signal 9"), FOLIO_KEEPER_FREE);
    assert_true(folio_ledger_get_thp(fixture->guest).changed);
    start_again(fixture, killed);
    give_back(fixture);
}

/* What was written down of a process that has ended counts for nothing. */
static void
test_another_run_of_the_guest(void **state)
{
    Fixture *fixture = *state;
    const FolioTestGuest guest = {
        .name = NAME, .uuid = UUID, .backing = FOLIO_TEST_ON_TMPFS, .mib = 32
    };

    assert_int_equal(keep_away(fixture, NULL), FOLIO_KEEPER_STRICT);
    close_all(fixture);
    folio_test_guest_destroy(fixture->domain);
    folio_process_unref(fixture->process);
    fixture->domain = folio_test_guest_start(fixture->connect, &guest);
    fixture->request.process = fixture->process = locate();
    start_again(fixture, NULL);
    assert_false(folio_ledger_get_thp(fixture->guest).changed);
    assert_true(status_of(fixture).enabled);
    give_back(fixture);
}

#define keeper_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        keeper_test(test_strict),
        keeper_test(test_auto),
        keeper_test(test_helpers_that_fail),
        keeper_test(test_another_run_of_the_guest),
    };

    return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
