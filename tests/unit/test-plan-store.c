/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of plans: of which guests they are believed, and what becomes of others. */
#include "fake-proc.h"
#include "plan-store.h"

#include "act/ledger-file.h"
#include "act/ledger-lines.h"
#include "base/error.h"

#include <sys/stat.h>

#define N_BLOCKS 8u
#define OTHER    "0f5e3a1c-7b2d-4c6e-9a8f-00112233aabb"

typedef struct {
    FakeHost *host;
    FolioPlanStore *store;
    FolioProcess *process;
    FolioGuestRam *ram;
    char *path, *aside;
} Fixture;

static FolioGuestRam *
make_ram(guint n_blocks, guint64 inode)
{
    FolioRamBlock block = { .id = (char *) "ram",
                            .bytes = n_blocks * FOLIO_BLOCK_BYTES,
                            .inode = inode };
    g_autoptr(GPtrArray) blocks = g_ptr_array_new();
    const FolioGuestRam ram = { .blocks = blocks, .bytes = block.bytes };

    g_ptr_array_add(blocks, &block);
    return folio_guest_ram_copy(&ram);
}

static void
locate(Fixture *fixture)
{
    g_clear_pointer(&fixture->process, folio_process_unref);
    fixture->process = fake_locate(fixture->host, 0, &(FolioReason){ 0 }, NULL);
    assert_non_null(fixture->process);
}

static int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    *state = fixture;
    fixture->host = fake_host_new(getpid());
    locate(fixture);
    fixture->ram = make_ram(N_BLOCKS, 11);
    fixture->store = folio_plan_store_new(fixture->host->root, fixture->host->proc_root);
    fixture->path = g_build_filename(fixture->host->root, "plans", FAKE_UUID, NULL);
    fixture->aside = g_strconcat(fixture->path, ".damaged", NULL);
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    folio_file_set_calls(NULL);
    folio_plan_store_unref(fixture->store);
    folio_guest_ram_free(fixture->ram);
    folio_process_unref(fixture->process);
    fake_host_free(fixture->host);
    g_free(fixture->path);
    g_free(fixture->aside);
    g_free(fixture);
    return 0;
}

/* Of a guest whose block 3 was split five windows ago. */
static FolioPlan *
make_plan(void)
{
    const FolioPlanMark mark = { 3, 5, FOLIO_PLAN_SPLIT, 2 };
    g_autoptr(GArray) marks = g_array_new(FALSE, FALSE, sizeof(FolioPlanMark));
    g_autoptr(GArray) decisions = g_array_new(FALSE, FALSE, sizeof(FolioPlanDecision));
    FolioPlan *plan = folio_plan_new();

    g_array_append_val(marks, mark);
    folio_plan_recall(plan, N_BLOCKS, marks, decisions);
    return plan;
}

static void
keep(Fixture *fixture)
{
    g_autoptr(FolioPlan) plan = make_plan();
    g_autoptr(GError) error = NULL;

    folio_plan_store_keep(fixture->store, FAKE_UUID, fixture->process, fixture->ram, plan, &error);
    assert_no_error(error);
}

/* What another foliod remembers of that guest. */
static gboolean
recall(const Fixture *fixture, const char *uuid, const FolioGuestRam *ram)
{
    g_autoptr(FolioPlanStore) store =
        folio_plan_store_new(fixture->host->root, fixture->host->proc_root);
    g_autoptr(FolioPlan) plan = folio_plan_new();
    g_autoptr(GArray) marks = NULL;

    if (!folio_plan_store_recall(store, uuid, fixture->process, ram, plan)) {
        assert_int_equal(folio_plan_count_blocks(plan), 0);
        return FALSE;
    }
    marks = folio_plan_list_marks(plan);
    assert_int_equal(marks->len, 1);
    assert_int_equal(g_array_index(marks, FolioPlanMark, 0).block, 3);
    assert_int_equal(g_array_index(marks, FolioPlanMark, 0).since, 5);
    assert_int_equal(g_array_index(marks, FolioPlanMark, 0).doublings, 2);
    return TRUE;
}

static void
test_kept(void **state)
{
    Fixture *fixture = *state;
    struct stat info;

    assert_false(recall(fixture, FAKE_UUID, fixture->ram));
    keep(fixture);
    assert_true(recall(fixture, FAKE_UUID, fixture->ram));
    assert_int_equal(stat(fixture->path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
}

/* Only of the same run of the same guest with the same RAM. */
static void
test_of_another(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(FolioGuestRam) larger = make_ram(N_BLOCKS + 1, 11);
    g_autoptr(FolioGuestRam) replaced = make_ram(N_BLOCKS, 12);

    keep(fixture);
    assert_false(recall(fixture, OTHER, fixture->ram));
    assert_false(recall(fixture, "../" FAKE_UUID, fixture->ram));
    assert_false(recall(fixture, FAKE_UUID, larger));
    assert_false(recall(fixture, FAKE_UUID, replaced));
    assert_true(recall(fixture, FAKE_UUID, fixture->ram));
}

/* Its QEMU is another process from now on. */
static void
restart_guest(Fixture *fixture)
{
    g_autofree char *stat = g_strdup_printf(
        "%d (qemu-system-x86) S 1 1 1 0 -1 4194624 1 0 0 0 1 2 0 0 20 0 5 0 987654 1 2 3\n",
        fixture->host->pid);

    fake_proc_write(fixture->host, "stat", stat, -1);
}

static void
test_of_an_earlier_process(void **state)
{
    Fixture *fixture = *state;

    keep(fixture);
    restart_guest(fixture);
    locate(fixture);
    assert_false(recall(fixture, FAKE_UUID, fixture->ram));
    folio_plan_store_forget_gone(fixture->store);
    assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
}

/* What is written last of a guest that has ended is nothing; what its next run has is left alone.
 */
static void
test_ended(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(FolioProcess) before = folio_process_ref(fixture->process);
    g_autoptr(FolioPlan) plan = make_plan();

    keep(fixture);
    folio_plan_store_forget_gone(fixture->store);
    assert_true(recall(fixture, FAKE_UUID, fixture->ram));
    restart_guest(fixture);
    assert_true(folio_plan_store_keep(fixture->store, FAKE_UUID, before, fixture->ram, plan, NULL));
    assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
    locate(fixture);
    keep(fixture);
    assert_true(folio_plan_store_keep(fixture->store, FAKE_UUID, before, fixture->ram, plan, NULL));
    assert_true(recall(fixture, FAKE_UUID, fixture->ram));
}

/* The host has booted since. */
static void
test_of_an_earlier_boot(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *text = NULL;
    g_autoptr(FolioPlanRecord) record = NULL;
    GString *changed;
    gsize length;

    keep(fixture);
    assert_true(g_file_get_contents(fixture->path, &text, &length, NULL));
    record = folio_plan_file_parse(text, length, NULL);
    assert_non_null(record);
    g_free(record->owner.boot);
    record->owner.boot = g_strdup(OTHER);
    changed = folio_plan_file_print(record);
    fake_write(fixture->path, changed->str, (gssize) changed->len);
    g_string_free(changed, TRUE);
    assert_false(recall(fixture, FAKE_UUID, fixture->ram));
    assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
}

/* There is nothing to remember, or it is of other RAM. */
static void
test_nothing(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(FolioPlan) plan = make_plan();
    g_autoptr(FolioPlan) none = folio_plan_new();
    g_autoptr(GArray) empty = g_array_new(FALSE, FALSE, 1);
    g_autoptr(FolioGuestRam) larger = make_ram(N_BLOCKS + 1, 11);

    keep(fixture);
    assert_true(
        folio_plan_store_keep(fixture->store, FAKE_UUID, fixture->process, larger, plan, NULL));
    assert_true(recall(fixture, FAKE_UUID, fixture->ram));
    folio_plan_recall(none, N_BLOCKS, empty, empty);
    assert_true(folio_plan_store_keep(fixture->store, FAKE_UUID, fixture->process, fixture->ram,
                                      none, NULL));
    assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
}

static char *logged;

static GLogWriterOutput
keep_message(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    for (gsize i = 0; i < n_fields; i++) {
        if (g_str_equal(fields[i].key, "MESSAGE")) {
            g_free(logged);
            logged = g_strdup(fields[i].value);
        }
    }
    return G_LOG_WRITER_HANDLED;
}

static void
expect_set_aside(const Fixture *fixture)
{
    g_clear_pointer(&logged, g_free);
    assert_false(recall(fixture, FAKE_UUID, fixture->ram));
    assert_false(g_file_test(fixture->path, G_FILE_TEST_EXISTS));
    assert_true(g_file_test(fixture->aside, G_FILE_TEST_EXISTS));
    assert_non_null(logged);
    if (strstr(logged, fixture->path) == NULL || strstr(logged, "damaged") == NULL)
        fail_msg("logged: %s", logged);
}

/* Cut off and changed at every byte. */
static void
test_damaged(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *text = NULL;
    gsize length;

    keep(fixture);
    assert_true(g_file_get_contents(fixture->path, &text, &length, NULL));
    for (gsize i = 0; i < length; i++) {
        fake_write(fixture->path, text, (gssize) i);
        expect_set_aside(fixture);
        text[i] ^= 4;
        fake_write(fixture->path, text, (gssize) length);
        expect_set_aside(fixture);
        text[i] ^= 4;
    }
    keep(fixture);
    assert_true(recall(fixture, FAKE_UUID, fixture->ram));
}

/* Sound, but in another's name; and one that others may write to. */
static void
test_not_ours(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *text = NULL;
    g_autofree char *other = g_build_filename(fixture->host->root, "plans", OTHER, NULL);
    gsize length;

    keep(fixture);
    assert_true(g_file_get_contents(fixture->path, &text, &length, NULL));
    fake_write(other, text, (gssize) length);
    assert_false(recall(fixture, OTHER, fixture->ram));
    assert_false(g_file_test(other, G_FILE_TEST_EXISTS));
    assert_int_equal(chmod(fixture->path, 0622), 0);
    expect_set_aside(fixture);
}

static int
fail_rename(int from_dir, const char *from, const char *to)
{
    errno = ENOSPC;
    return -1;
}

/* What was there before stays. */
static void
test_cannot_be_written(void **state)
{
    static const FolioFileCalls failing = { .getlk = fake_getlk, .renameat = fail_rename };
    Fixture *fixture = *state;
    g_autoptr(FolioPlan) plan = make_plan();
    g_autoptr(GError) error = NULL;

    keep(fixture);
    folio_file_set_calls(&failing);
    assert_false(folio_plan_store_keep(fixture->store, FAKE_UUID, fixture->process, fixture->ram,
                                       plan, &error));
    assert_non_null(strstr(error->message, FAKE_UUID));
    folio_file_set_calls(NULL);
    assert_true(recall(fixture, FAKE_UUID, fixture->ram));
}

#define store_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        store_test(test_kept),
        store_test(test_of_another),
        store_test(test_of_an_earlier_process),
        store_test(test_ended),
        store_test(test_of_an_earlier_boot),
        store_test(test_nothing),
        store_test(test_damaged),
        store_test(test_not_ours),
        store_test(test_cannot_be_written),
    };

    g_log_set_writer_func(keep_message, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
