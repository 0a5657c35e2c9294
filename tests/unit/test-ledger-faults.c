/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ledger when it cannot be written: nothing is begun then, and what there was stays. */
#include "ledger-stage.h"

#define KNOB "/sys/kernel/mm/transparent_hugepage/khugepaged/split_backoff_millisecs"

/* Every call of a write fails in turn, in every way: nothing is begun, and the old file is whole.
 */
static void
test_faults(void **state)
{
    static const int errnos[] = { ENOSPC, EIO, EACCES, EDQUOT };
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, ledger);
    const FolioLedgerThp thp = { TRUE, TRUE, TRUE };
    g_autofree char *left = g_strconcat(stage->file, ".new", NULL);
    g_autofree char *before = NULL;
    guint n_faults = 0;

    stage_act(stage, guest, FOLIO_ACT_SPLIT, 0, 4, FOLIO_OUTCOME_DONE);
    assert_true(folio_ledger_take_knob(ledger, KNOB, "0", "1", NULL));
    assert_true(g_file_get_contents(stage->file, &before, NULL, NULL));
    for (guint i = 0; i < 2 * G_N_ELEMENTS(errnos); i++) {
        for (int at = 0;; at++) {
            g_autofree char *after = NULL;
            g_autoptr(GError) error = NULL;
            gboolean begun, set, taken;

            stage_arm(at, errnos[i / 2], i % 2 == 1);
            begun = stage_begin(stage, guest, 100, 2, &error);
            if (!stage_disarm()) {
                assert_true(begun);
                break;
            }
            n_faults++;
            assert_false(begun);
            assert_non_null(strstr(error->message, stage->dir));
            stage_arm(MIN(at, 2), errnos[i / 2], FALSE);
            set = folio_ledger_set_thp(guest, &thp, NULL);
            stage_disarm();
            assert_false(set);
            stage_arm(MIN(at, 2), errnos[i / 2], FALSE);
            taken = folio_ledger_take_knob(ledger, KNOB, "0", "2", NULL);
            stage_disarm();
            assert_false(taken);
            assert_split(stage, guest, 0, 4);
            assert_false(folio_ledger_get_thp(guest).changed);
            assert_true(g_file_get_contents(stage->file, &after, NULL, NULL));
            assert_string_equal(after, before);
            assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
        }
        stage_act(stage, guest, FOLIO_ACT_SPLIT, 100, 2, FOLIO_OUTCOME_LEFT);
        g_free(before);
        assert_true(g_file_get_contents(stage->file, &before, NULL, NULL));
    }
    print_message("%u faults\n", n_faults);
    assert_true(n_faults > 100);
}

/* What has happened counts even if it cannot be written; the file says that it may have. */
static void
test_end_not_written(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, ledger);
    FolioActRequest request = request_of(FOLIO_ACT_SPLIT, 4, stage->ram);
    const FolioBlockRange range = range_of(0, 2);
    const FolioOutcome outcomes[] = { FOLIO_OUTCOME_DONE, FOLIO_OUTCOME_LEFT };
    g_autoptr(FolioLedger) meanwhile = NULL;
    g_autoptr(FolioLedgerGuest) adopted = NULL;
    g_autoptr(FolioLedger) later = NULL;
    g_autoptr(FolioLedgerGuest) right = NULL;

    assert_true(folio_ledger_begin(guest, &request, &range, 1, NULL));
    stage_arm(1, ENOSPC, FALSE);
    folio_ledger_ended(guest, &request, &range, 1, outcomes);
    assert_true(stage_disarm());
    assert_split(stage, guest, 0, 1);
    assert_int_equal(folio_ledger_count(guest).split, 1);
    meanwhile = folio_ledger_open(stage->run);
    adopted = stage_guest(stage, meanwhile);
    assert_split(stage, adopted, 0, 2);
    stage_act(stage, guest, FOLIO_ACT_SPLIT, 1, 1, FOLIO_OUTCOME_DONE);
    later = folio_ledger_open(stage->run);
    right = stage_guest(stage, later);
    assert_split(stage, right, 0, 2);
    assert_int_equal(folio_ledger_count(right).split, 2);
}

static void
test_directory_not_ours(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, ledger);
    g_autofree char *elsewhere = g_build_filename(stage->host->root, "elsewhere", NULL);
    g_autoptr(GError) error = NULL;

    /* A link in its place is not followed. */
    assert_int_equal(g_mkdir_with_parents(stage->run, 0700), 0);
    assert_int_equal(g_mkdir(elsewhere, 0700), 0);
    assert_int_equal(symlink(elsewhere, stage->dir), 0);
    assert_false(stage_begin(stage, guest, 0, 1, &error));
    assert_non_null(strstr(error->message, stage->dir));
    g_clear_error(&error);
    assert_int_equal(g_unlink(stage->dir), 0);
    assert_int_equal(g_rmdir(elsewhere), 0); /* and is still empty */

    assert_int_equal(g_mkdir(stage->dir, 0700), 0);
    assert_int_equal(g_chmod(stage->dir, 0777), 0);
    assert_false(stage_begin(stage, guest, 0, 1, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_PERMITTED);
    assert_non_null(strstr(error->message, stage->dir));
    g_clear_error(&error);
    assert_int_equal(g_rmdir(stage->dir), 0);

    fake_write(stage->dir, "a file", -1);
    assert_false(stage_begin(stage, guest, 0, 1, &error));
    assert_non_null(strstr(error->message, stage->dir));
    assert_false(folio_ledger_take_knob(ledger, KNOB, "0", "1", NULL));
    assert_split(stage, guest, 0, 0);
}

static int
no_boot_id(int dir_fd, const char *path, int flags)
{
    errno = EACCES;
    return strstr(path, "boot_id") != NULL ? -1 : openat(dir_fd, path, flags);
}

/* Without knowing the boot nothing new is done; what was done before is known still. */
static void
test_no_boot_id(void **state)
{
    static const FolioFileCalls calls = { .getlk = fake_getlk, .openat = no_boot_id };
    Stage *stage = *state;
    g_autoptr(FolioLedger) first = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) before = stage_guest(stage, first);
    g_autoptr(FolioLedger) second = NULL;
    g_autoptr(FolioLedgerGuest) known = NULL;
    g_autoptr(FolioLedgerGuest) other = NULL;
    g_autoptr(GError) error = NULL;

    stage_act(stage, before, FOLIO_ACT_SPLIT, 0, 4, FOLIO_OUTCOME_DONE);
    folio_file_set_calls(&calls);
    second = folio_ledger_open(stage->run);
    folio_file_set_calls(&fake_calls);
    known = stage_guest(stage, second);
    assert_split(stage, known, 0, 4);
    stage_act(stage, known, FOLIO_ACT_RESTORE, 0, 4, FOLIO_OUTCOME_DONE);
    assert_split(stage, known, 0, 0);
    other = folio_ledger_get_guest(second, "0f5e3a1c-7b2d-4c6e-9a8f-00112233aabb", stage->process);
    assert_false(stage_begin(stage, other, 0, 1, &error));
    assert_non_null(strstr(error->message, "/proc/sys/kernel/random/boot_id"));
    g_clear_error(&error);
    assert_false(folio_ledger_take_knob(second, KNOB, "0", "1", &error));
    assert_non_null(strstr(error->message, "/proc/sys/kernel/random/boot_id"));
}

/* More than a file may hold is refused before anything is done. */
static void
test_too_much(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, ledger);
    const guint n = 4 * 1024 * 1024;
    FolioRamBlock block = fixture_block("huge", RAM_HVA, 13, n);
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    FolioGuestRam ram = { .blocks = list };
    FolioActRequest request = request_of(FOLIO_ACT_SPLIT, 0, &ram);
    g_autofree FolioBlockRange *ranges = g_new(FolioBlockRange, n / 2);
    g_autoptr(GError) error = NULL;

    g_ptr_array_add(list, &block);
    for (guint i = 0; i < n / 2; i++)
        ranges[i] = range_of(2 * i, 1);
    assert_false(folio_ledger_begin(guest, &request, ranges, n / 2, &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    assert_int_equal(folio_ledger_count(guest).split_now, 0);
    assert_false(g_file_test(stage->file, G_FILE_TEST_EXISTS));
    assert_true(folio_ledger_begin(guest, &request, ranges, n / 8, NULL));
    g_clear_error(&error);

    block = fixture_block("larger", RAM_HVA, 13, FOLIO_LEDGER_MAX_BLOCKS + 1);
    assert_false(folio_ledger_begin(guest, &request, ranges, 1, &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
}

static void
test_too_many_guests(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) last = NULL;
    g_autoptr(FolioLedger) reopened = NULL;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < 1024; i++) {
        g_autofree char *uuid = g_strdup_printf("%08x-0d3a-4c57-9a0e-2f4a3b5c6d7e", i);
        g_autoptr(FolioLedgerGuest) guest = folio_ledger_get_guest(ledger, uuid, stage->process);

        assert_true(stage_begin(stage, guest, 0, 1, NULL));
    }
    last = stage_guest(stage, ledger);
    assert_false(stage_begin(stage, last, 0, 1, &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    folio_ledger_forget_guest(ledger, "00000000-0d3a-4c57-9a0e-2f4a3b5c6d7e");
    folio_ledger_guest_unref(g_steal_pointer(&last));
    last = stage_guest(stage, ledger);
    assert_true(stage_begin(stage, last, 0, 1, NULL));
    reopened = folio_ledger_open(stage->run);
    assert_true(folio_ledger_has_split(reopened));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(test_faults),
        STAGE_TEST(test_end_not_written),
        STAGE_TEST(test_directory_not_ours),
        STAGE_TEST(test_no_boot_id),
        STAGE_TEST(test_too_much),
        STAGE_TEST(test_too_many_guests),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
