/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the ledger keeps, over restarts and by several threads. */
#include "ledger-stage.h"

#include "act/ledger-lines.h"

#define OTHER_BOOT "11111111-2222-4333-8444-555555555555"
#define KNOB       "/sys/kernel/mm/transparent_hugepage/khugepaged/split_backoff_millisecs"

static void
test_nothing(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, ledger);

    assert_split(stage, guest, 0, 0);
    assert_false(folio_ledger_has_split(ledger));
    assert_false(folio_ledger_get_thp(guest).changed);
    assert_false(folio_ledger_get_knob(ledger, KNOB, NULL, NULL));
    assert_true(folio_ledger_drop_knob(ledger, KNOB, NULL));
    assert_false(g_file_test(stage->run, G_FILE_TEST_EXISTS));
}

static void
test_is_adopted(void **state)
{
    Stage *stage = *state;
    const FolioLedgerThp thp = { TRUE, TRUE, FALSE };
    g_autoptr(FolioLedger) first = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) before = stage_guest(stage, first);
    g_autoptr(FolioLedger) second = NULL;
    g_autoptr(FolioLedgerGuest) after = NULL;
    g_autoptr(GArray) actions = NULL;
    FolioLedgerCounters counters;
    const FolioLedgerAction *action;
    struct stat info;

    stage_act(stage, before, FOLIO_ACT_SPLIT, 10, 20, FOLIO_OUTCOME_DONE);
    stage_act(stage, before, FOLIO_ACT_RESTORE, 10, 5, FOLIO_OUTCOME_DONE);
    stage_act(stage, before, FOLIO_ACT_SPLIT, 500, 3, FOLIO_OUTCOME_LEFT);
    assert_true(folio_ledger_set_thp(before, &thp, NULL));
    assert_return_code(stat(stage->file, &info), errno);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_return_code(stat(stage->dir, &info), errno);
    assert_int_equal(info.st_mode & 07777, 0700);

    second = folio_ledger_open(stage->run);
    after = stage_guest(stage, second);
    assert_ptr_not_equal(before, after);
    assert_split(stage, after, 15, 15);
    assert_true(folio_ledger_has_split(second));
    assert_true(folio_ledger_get_thp(after).changed);
    assert_true(folio_ledger_get_thp(after).khugepaged_before);
    assert_false(folio_ledger_get_thp(after).enabled_before);
    counters = folio_ledger_count(after);
    assert_int_equal(counters.split, 20);
    assert_int_equal(counters.collapsed, 5);
    assert_int_equal(counters.left, 3);
    assert_int_equal(counters.split_now, 15);
    actions = folio_ledger_list_actions(after);
    assert_int_equal(actions->len, 3);
    action = &g_array_index(actions, FolioLedgerAction, 0);
    assert_string_equal(action->by, "uid 0");
    assert_int_equal(action->kind, FOLIO_ACT_SPLIT);
    assert_int_equal(action->order, 4);
    assert_int_equal(action->blocks, 20);
    assert_int_equal(action->done, 20);
    assert_true(ABS(g_get_real_time() / G_USEC_PER_SEC - action->first) < 60);
}

/* What was begun and never ended may be split; what was begun to be collapsed too. */
static void
test_begun(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) first = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) before = stage_guest(stage, first);
    g_autoptr(FolioLedger) second = NULL;
    g_autoptr(FolioLedgerGuest) after = NULL;
    guint64 address;
    guint order;

    assert_true(stage_begin(stage, before, 3, 2, NULL));
    assert_split(stage, before, 3, 2);
    second = folio_ledger_open(stage->run);
    after = stage_guest(stage, second);
    assert_split(stage, after, 3, 2);
    assert_int_equal(folio_ledger_count(after).split, 0);
    assert_false(folio_ledger_find_split(after, stage->ram->blocks->pdata[0], 0, &address, &order));
    stage_act(stage, after, FOLIO_ACT_RESTORE, 3, 2, FOLIO_OUTCOME_ALREADY);
    assert_split(stage, after, 0, 0);
}

static void
test_other_process(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) before = stage_guest(stage, ledger);
    g_autoptr(FolioLedgerGuest) same = stage_guest(stage, ledger);
    g_autoptr(FolioLedgerGuest) after = NULL;
    g_autoptr(FolioLedger) reopened = NULL;
    g_autoptr(FolioLedgerGuest) once_more = NULL;
    g_autoptr(GError) error = NULL;

    assert_ptr_equal(before, same);
    stage_act(stage, before, FOLIO_ACT_SPLIT, 0, 4, FOLIO_OUTCOME_DONE);
    stage_restart_guest(stage, 4712);
    after = stage_guest(stage, ledger);
    assert_ptr_not_equal(before, after);
    assert_split(stage, after, 0, 0);
    assert_int_equal(folio_ledger_count(after).split, 0);
    assert_false(folio_ledger_has_split(ledger));
    assert_false(g_file_test(stage->file, G_FILE_TEST_EXISTS));
    /* Whoever still holds the old one can do no harm. */
    assert_false(stage_begin(stage, before, 0, 4, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    stage_act(stage, after, FOLIO_ACT_SPLIT, 7, 1, FOLIO_OUTCOME_DONE);
    stage_restart_guest(stage, 4713);
    reopened = folio_ledger_open(stage->run);
    once_more = stage_guest(stage, reopened);
    assert_split(stage, once_more, 0, 0);
}

static void
test_forgotten(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, ledger);
    g_autoptr(FolioLedger) reopened = NULL;
    g_autofree char *upper = g_ascii_strup(FAKE_UUID, -1);

    stage_act(stage, guest, FOLIO_ACT_SPLIT, 0, 4, FOLIO_OUTCOME_DONE);
    reopened = folio_ledger_open(stage->run);
    folio_ledger_forget_gone(reopened, stage->host->proc_root);
    assert_true(folio_ledger_has_split(reopened));
    stage_restart_guest(stage, 4712);
    folio_ledger_forget_gone(reopened, stage->host->proc_root);
    assert_false(folio_ledger_has_split(reopened));
    assert_false(g_file_test(stage->file, G_FILE_TEST_EXISTS));
    folio_ledger_forget_guest(ledger, upper);
    assert_false(folio_ledger_has_split(ledger));
    folio_ledger_forget_guest(ledger, upper);
}

/* Rewrites the guest's file as if it were of another boot. */
static void
rewrite_boot(const Stage *stage)
{
    g_autofree char *text = NULL;
    g_autoptr(FolioLedgerRecord) record = NULL;
    GString *changed;
    gsize length;

    assert_true(g_file_get_contents(stage->file, &text, &length, NULL));
    record = folio_ledger_file_parse_guest(text, length, NULL);
    assert_non_null(record);
    g_free(record->boot);
    record->boot = g_strdup(OTHER_BOOT);
    changed = folio_ledger_file_print_guest(record);
    assert_true(g_file_set_contents(stage->file, changed->str, (gssize) changed->len, NULL));
    g_string_free(changed, TRUE);
}

static void
test_other_boot(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, ledger);
    g_autofree char *host = g_build_filename(stage->dir, "host", NULL);
    g_autofree char *aside = g_strconcat(stage->file, ".damaged", NULL);
    g_autoptr(FolioLedger) reopened = NULL;
    GString *knobs = g_string_new("foliod-ledger 1 host\nboot " OTHER_BOOT "\nknob /a 1 2\n");

    stage_act(stage, guest, FOLIO_ACT_SPLIT, 0, 4, FOLIO_OUTCOME_DONE);
    rewrite_boot(stage);
    folio_lines_seal(knobs);
    assert_true(g_file_set_contents(host, knobs->str, (gssize) knobs->len, NULL));
    g_string_free(knobs, TRUE);
    reopened = folio_ledger_open(stage->run);
    assert_false(folio_ledger_has_split(reopened));
    assert_false(folio_ledger_get_knob(reopened, "/a", NULL, NULL));
    assert_false(g_file_test(stage->file, G_FILE_TEST_EXISTS));
    assert_false(g_file_test(host, G_FILE_TEST_EXISTS));
    assert_false(g_file_test(aside, G_FILE_TEST_EXISTS));
}

static void
test_looked(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) first = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, first);
    g_autoptr(FolioLedger) second = NULL;
    g_autoptr(FolioLedgerGuest) after = NULL;
    FolioLedgerSight sights[] = { { RAM_HVA, TRUE },
                                  { RAM_HVA + 1 * BLOCK, FALSE },
                                  { RAM_HVA + 10 * BLOCK, TRUE },
                                  { RAM_HVA + 11 * BLOCK, FALSE },
                                  { RAM_HVA + 300 * BLOCK, TRUE } };
    guint64 turn, counted, address;
    guint order;

    stage_act(stage, guest, FOLIO_ACT_SPLIT, 0, 2, FOLIO_OUTCOME_DONE);
    assert_true(stage_begin(stage, guest, 10, 2, NULL));
    turn = folio_ledger_get_turn(guest);
    assert_true(folio_ledger_looked(guest, stage->ram, turn, sights, 5, &counted));
    assert_int_equal(counted, 1);
    assert_int_equal(folio_ledger_count(guest).recollapsed, 1);
    assert_int_equal(folio_ledger_count(guest).split_now, 3); /* what is under way stays */
    assert_true(folio_ledger_looked(guest, stage->ram, turn, sights, 5, &counted));
    assert_int_equal(counted, 0);
    /* An action has begun since. */
    assert_true(stage_begin(stage, guest, 20, 1, NULL));
    assert_false(folio_ledger_looked(guest, stage->ram, turn, &sights[1], 1, &counted));

    second = folio_ledger_open(stage->run);
    after = stage_guest(stage, second);
    assert_int_equal(folio_ledger_count(after).recollapsed, 1);
    assert_int_equal(folio_ledger_count(after).split_now, 4);
    turn = folio_ledger_get_turn(after);
    assert_true(folio_ledger_looked(after, stage->ram, turn, sights, 5, &counted));
    assert_int_equal(counted, 0);                             /* nobody knew that 10 was split */
    assert_int_equal(folio_ledger_count(after).split_now, 3); /* 1, 11, 20 */
    assert_true(folio_ledger_find_split(after, stage->ram->blocks->pdata[0], RAM_HVA + BLOCK + 1,
                                        &address, &order));
    assert_int_equal(address, RAM_HVA + 11 * BLOCK); /* now known */
    assert_int_equal(order, 4);
    sights[3].huge = TRUE;
    assert_true(folio_ledger_looked(after, stage->ram, turn, &sights[3], 1, &counted));
    assert_int_equal(counted, 1);
}

/* Without waiting: only what is there, and only of that process. */
static void
test_peek(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = NULL;
    g_autoptr(FolioLedgerGuest) peeked = NULL;

    assert_null(folio_ledger_peek_guest(ledger, FAKE_UUID, stage->process));
    guest = stage_guest(stage, ledger);
    peeked = folio_ledger_peek_guest(ledger, FAKE_UUID, stage->process);
    assert_ptr_equal(peeked, guest);
    stage_restart_guest(stage, 123456);
    assert_null(folio_ledger_peek_guest(ledger, FAKE_UUID, stage->process));
}

static void
test_ram_that_goes(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, ledger);
    FolioActRequest request = request_of(FOLIO_ACT_SPLIT, 0, stage->ram);
    const FolioBlockRange ranges[] = { { DIMM_HVA + BLOCK, 2 * BLOCK }, { RAM_HVA, BLOCK } };
    const FolioOutcome outcomes[] = { FOLIO_OUTCOME_DONE, FOLIO_OUTCOME_DONE, FOLIO_OUTCOME_DONE };
    g_autoptr(GArray) split = NULL;

    assert_true(folio_ledger_begin(guest, &request, ranges, 2, NULL));
    folio_ledger_ended(guest, &request, ranges, 2, outcomes);
    split = folio_ledger_get_split(guest, stage->ram);
    assert_int_equal(split->len, 2);
    assert_memory_equal(split->data, ranges, sizeof ranges);
    folio_guest_ram_free(stage->ram);
    stage->ram = fixture_ram(2, DIMM_BLOCKS + 1);
    g_array_unref(g_steal_pointer(&split));
    split = folio_ledger_get_split(guest, stage->ram);
    assert_int_equal(split->len, 1);
    assert_int_equal(folio_ledger_count(guest).split_now, 1);
    assert_int_equal(folio_ledger_count(guest).split, 3);
}

static void
test_bad_requests(void **state)
{
    static const FolioBlockRange ranges[] = {
        { RAM_HVA - BLOCK, BLOCK },
        { RAM_HVA + RAM_BLOCKS * BLOCK, BLOCK },
        { RAM_HVA, (RAM_BLOCKS + 1) * BLOCK },
        { RAM_HVA + 4096, BLOCK },
        { RAM_HVA, 4096 },
        { RAM_HVA, 0 },
        { G_MAXUINT64 - 4095, BLOCK },
    };
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, ledger);
    g_autoptr(FolioLedgerGuest) nobody =
        folio_ledger_get_guest(ledger, "../../etc/passwd", stage->process);
    const FolioBlockRange range = range_of(0, 1);
    FolioActRequest request = request_of(FOLIO_ACT_SPLIT, 4, stage->ram);
    g_autoptr(GError) error = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(ranges); i++) {
        g_autoptr(GError) refused = NULL;

        if (folio_ledger_begin(guest, &request, &ranges[i], 1, &refused))
            fail_msg("range %zu taken", i);
        assert_folio_error(refused, FOLIO_ERROR_INVALID);
    }
    request.order = 9;
    assert_false(folio_ledger_begin(guest, &request, &range, 1, NULL));
    assert_split(stage, guest, 0, 0);
    assert_false(stage_begin(stage, nobody, 0, 1, &error));
    assert_folio_error(error, FOLIO_ERROR_INVALID);
    assert_false(g_file_test(stage->run, G_FILE_TEST_EXISTS));
}

static void
test_knobs(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) first = folio_ledger_open(stage->run);
    g_autoptr(FolioLedger) second = NULL;
    g_autoptr(FolioLedger) third = NULL;
    g_autofree char *original = NULL;
    g_autofree char *ours = NULL;
    g_autoptr(GError) error = NULL;

    assert_true(folio_ledger_take_knob(first, KNOB, "0", "60000", NULL));
    assert_true(folio_ledger_take_knob(first, "/proc/x", "a b\n", "", NULL));
    second = folio_ledger_open(stage->run);
    assert_true(folio_ledger_take_knob(second, KNOB, "60000", "90000", NULL));
    third = folio_ledger_open(stage->run);
    assert_true(folio_ledger_get_knob(third, KNOB, &original, &ours));
    assert_string_equal(original, "0");
    assert_string_equal(ours, "90000");
    assert_true(folio_ledger_drop_knob(third, KNOB, NULL));
    assert_false(folio_ledger_get_knob(third, KNOB, NULL, NULL));
    assert_true(folio_ledger_get_knob(third, "/proc/x", NULL, NULL));
    assert_false(folio_ledger_take_knob(third, "x", "", "", &error));
    assert_folio_error(error, FOLIO_ERROR_INVALID);
    g_clear_error(&error);
    for (guint i = 1; i < FOLIO_LEDGER_MAX_KNOBS; i++) {
        g_autofree char *path = g_strdup_printf("/%u", i);

        assert_true(folio_ledger_take_knob(third, path, "1", "2", NULL));
    }
    assert_false(folio_ledger_take_knob(third, "/more", "1", "2", &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
}

#define N_THREADS 4
#define N_ROUNDS  100

typedef struct {
    Stage *stage;
    FolioLedger *ledger;
    guint number;
} Worker;

/* Splits 10 blocks of its own and restores 9 of them, again and again, while all look. */
static gpointer
work(gpointer data)
{
    Worker *worker = data;
    Stage *stage = worker->stage;
    g_autofree char *path = g_strdup_printf("/knob/%u", worker->number);
    guint64 split_before = 0;

    for (guint i = 0; i < N_ROUNDS; i++) {
        g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, worker->ledger);
        g_autoptr(FolioLedgerGuest) other = folio_ledger_get_guest(
            worker->ledger, "0f5e3a1c-7b2d-4c6e-9a8f-00112233aabb", stage->process);
        g_autoptr(GArray) split = NULL;
        FolioLedgerCounters counters;

        stage_act(stage, guest, FOLIO_ACT_SPLIT, 100 * worker->number, 10, FOLIO_OUTCOME_DONE);
        stage_act(stage, guest, FOLIO_ACT_RESTORE, 100 * worker->number, 9, FOLIO_OUTCOME_DONE);
        counters = folio_ledger_count(guest);
        g_assert_cmpuint(counters.split, >=, split_before + 10);
        g_assert_cmpuint(counters.split_now, <=, 10 * N_THREADS);
        split_before = counters.split;
        split = folio_ledger_get_split(guest, stage->ram);
        g_assert_cmpuint(split->len, >=, 1);
        g_assert_true(folio_ledger_has_split(worker->ledger));
        g_assert_true(folio_ledger_take_knob(worker->ledger, path, "0", "1", NULL));
        stage_begin(stage, other, 0, 1, NULL);
        folio_ledger_forget_guest(worker->ledger, "0f5e3a1c-7b2d-4c6e-9a8f-00112233aabb");
        g_assert_true(folio_ledger_drop_knob(worker->ledger, path, NULL));
    }
    return NULL;
}

static void
test_threads(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedger) reopened = NULL;
    g_autoptr(FolioLedgerGuest) guest = NULL;
    Worker workers[N_THREADS];
    GThread *threads[N_THREADS];
    FolioLedgerCounters counters;

    for (guint i = 0; i < N_THREADS; i++) {
        workers[i] = (Worker){ stage, ledger, i };
        threads[i] = g_thread_new("worker", work, &workers[i]);
    }
    for (guint i = 0; i < N_THREADS; i++)
        g_thread_join(threads[i]);
    reopened = folio_ledger_open(stage->run);
    guest = stage_guest(stage, reopened);
    counters = folio_ledger_count(guest);
    assert_int_equal(counters.split, N_THREADS * N_ROUNDS * 10);
    assert_int_equal(counters.collapsed, N_THREADS * N_ROUNDS * 9);
    assert_int_equal(counters.split_now, N_THREADS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(test_nothing),       STAGE_TEST(test_is_adopted),    STAGE_TEST(test_begun),
        STAGE_TEST(test_other_process), STAGE_TEST(test_forgotten),     STAGE_TEST(test_other_boot),
        STAGE_TEST(test_looked),        STAGE_TEST(test_ram_that_goes), STAGE_TEST(test_peek),
        STAGE_TEST(test_bad_requests),  STAGE_TEST(test_knobs),         STAGE_TEST(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
