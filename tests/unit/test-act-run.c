/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs of an actuator over a way that fails, is slow, and is busy: what is told, what is written
 * down and when, and how runs end. */
#include "act-stage.h"

/* Three chunks; none of it is touched unless a test does. */
#define N_BLOCKS 600u

static int
set_up(void **state)
{
    *state = stage_new("huge=always", N_BLOCKS);
    return 0;
}

static int
tear_down(void **state)
{
    stage_free(*state);
    return 0;
}

static FolioActRequest *
request_of_all(const Stage *stage, FolioActKind kind)
{
    FolioActRequest *request = act_child_request(
        stage->child, kind, kind == FOLIO_ACT_SPLIT ? 0 : 9, 0, stage->child->n_blocks);

    request->ram = g_new0(FolioGuestRam, 1);
    request->ram->blocks = g_ptr_array_new();
    return request;
}

static void
test_chunks(void **state)
{
    Stage *stage = *state;

    run_request(stage->actuator, request_of_all(stage, FOLIO_ACT_SPLIT), &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_DONE);
    assert_int_equal(stage->way.n_chunks, 3);
    assert_int_equal(stage->told.done, N_BLOCKS);
    assert_int_equal(stage->told.report.outcomes[FOLIO_OUTCOME_ABSENT], N_BLOCKS);
    assert_string_equal(stage->told.report.way, "fake");
    assert_string_equal(fake_ledger.steps->str,
                        "keep away; begin 256; apply; ended 256; begin 256; apply; ended 256; "
                        "begin 88; apply; ended 88; ");
}

static void
test_without_ledger(void **state)
{
    Stage *stage = *state;

    stage->context = (FolioActContext){ .proc_root = "/proc" };
    run_request(stage->actuator, request_of_all(stage, FOLIO_ACT_SPLIT), &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_DONE);
    assert_string_equal(fake_ledger.steps->str, "apply; apply; apply; ");
}

/* Unsorted, and some of it twice. */
static void
test_order_of_ranges(void **state)
{
    Stage *stage = *state;
    FolioActRequest *request = act_child_request(stage->child, FOLIO_ACT_SPLIT, 0, 10, 5);
    const FolioBlockRange more[] = {
        { (gsize) stage->child->ram + 2 * BLOCK, BLOCK },
        { (gsize) stage->child->ram + 12 * BLOCK, 4 * BLOCK },
    };

    g_array_append_vals(request->ranges, more, 2);
    run_request(stage->actuator, request, &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_DONE);
    assert_int_equal(stage->told.done, 7);
    assert_int_equal(stage->way.n_blocks, 7);
}

static void
test_bad_ranges(void **state)
{
    Stage *stage = *state;
    FolioActRequest *request = act_child_request(stage->child, FOLIO_ACT_SPLIT, 0, 10, 5);

    g_array_index(request->ranges, FolioBlockRange, 0).start += PAGE;
    run_request(stage->actuator, request, &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_FAILED);
    assert_non_null(strstr(stage->told.error, "whole blocks"));
    assert_int_equal(stage->way.n_chunks, 0);
    assert_null(stage->told.report.way);
}

static void
test_bad_requests(void **state)
{
    static const struct {
        FolioActKind kind;
        guint order;
    } bad[] = { { FOLIO_ACT_SPLIT, 9 },
                { FOLIO_ACT_SPLIT, 10 },
                { FOLIO_ACT_COLLAPSE, 8 },
                { FOLIO_ACT_COLLAPSE, 0 } };
    Stage *stage = *state;

    for (guint i = 0; i <= G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(FolioActRequest) request =
            act_child_request(stage->child, FOLIO_ACT_SPLIT, 0, 0, 1);

        if (i < G_N_ELEMENTS(bad)) {
            request->kind = bad[i].kind;
            request->order = bad[i].order;
        } else {
            g_clear_pointer(&request->ranges, g_array_unref);
        }
        assert_null(
            stage->actuator->klass->start(stage->actuator, request, &told_events, NULL, &error));
        assert_folio_error(error, FOLIO_ERROR_INVALID);
    }
}

static gboolean
fail_second(FakeWay *self, guint number, FolioChunk *chunk, GCancellable *cancellable,
            GError **error)
{
    if (number != 2)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "the kdamond fell over");
    return FALSE;
}

/* What the failed chunk did is verified and written down all the same. */
static void
test_failure(void **state)
{
    Stage *stage = *state;

    stage->way.act = fail_second;
    run_request(stage->actuator, request_of_all(stage, FOLIO_ACT_SPLIT), &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_FAILED);
    assert_string_equal(stage->told.error, "the kdamond fell over");
    assert_int_equal(sum_outcomes(&stage->told.report), 512);
    assert_string_equal(fake_ledger.steps->str, "keep away; begin 256; apply; ended 256; "
                                                "begin 256; apply; ended 256; ");
}

static gboolean
wait_for_cancel(FakeWay *self, guint number, FolioChunk *chunk, GCancellable *cancellable,
                GError **error)
{
    if (number != 2)
        return TRUE;
    while (!g_cancellable_is_cancelled(cancellable))
        g_usleep(1000);
    return !g_cancellable_set_error_if_cancelled(cancellable, error);
}

static void
test_cancel(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioActRequest) request = request_of_all(stage, FOLIO_ACT_SPLIT);

    stage->way.act = wait_for_cancel;
    begin_run(stage->actuator, request, &stage->told);
    while (g_atomic_int_get(&stage->way.n_chunks) < 2)
        g_main_context_iteration(NULL, FALSE);
    assert_true(folio_way_actuator_is_busy(stage->actuator));
    cancel_run(&stage->told);
    finish_run(&stage->told);
    assert_false(folio_way_actuator_is_busy(stage->actuator));
    assert_int_equal(stage->told.outcome, FOLIO_ACT_CANCELLED);
    assert_int_equal(sum_outcomes(&stage->told.report), 512);
    assert_string_equal(fake_ledger.steps->str, "keep away; begin 256; apply; ended 256; "
                                                "begin 256; apply; ended 256; ");
}

static gboolean
cancel_meanwhile(FakeWay *self, guint number, FolioChunk *chunk, GCancellable *cancellable,
                 GError **error)
{
    g_cancellable_cancel(cancellable);
    return TRUE;
}

/* A way that does not look for it ends its chunk, and no other is begun. */
static void
test_cancel_between(void **state)
{
    Stage *stage = *state;

    stage->way.act = cancel_meanwhile;
    run_request(stage->actuator, request_of_all(stage, FOLIO_ACT_SPLIT), &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_CANCELLED);
    assert_int_equal(sum_outcomes(&stage->told.report), 256);
    assert_int_equal(stage->way.n_chunks, 1);
}

static gboolean
kill_in_second(FakeWay *self, guint number, FolioChunk *chunk, GCancellable *cancellable,
               GError **error)
{
    if (number == 2) {
        kill(self->child->pid, SIGKILL);
        while (folio_process_is_alive(self->child->process))
            g_usleep(1000);
    }
    return TRUE;
}

static void
test_process_killed(void **state)
{
    Stage *stage = *state;

    stage->way.act = kill_in_second;
    assert_true(act_child_tell(stage->child, CHILD_WRITE, 0));
    assert_true(act_child_tell(stage->child, CHILD_WRITE, 300));
    run_request(stage->actuator, request_of_all(stage, FOLIO_ACT_SPLIT), &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_FAILED);
    assert_string_equal(stage->told.error, "the process has ended");
    assert_int_equal(stage->told.report.outcomes[FOLIO_OUTCOME_LEFT], 1);
    assert_int_equal(stage->told.report.outcomes[FOLIO_OUTCOME_ABSENT], 255);
    assert_int_equal(stage->told.report.outcomes[FOLIO_OUTCOME_GONE], 256);
    assert_string_equal(fake_ledger.steps->str, "keep away; begin 256; apply; ended 255; "
                                                "begin 256; apply; ended 256; ended 1; ");
}

static void
test_process_gone_before(void **state)
{
    Stage *stage = *state;

    kill(stage->child->pid, SIGKILL);
    while (folio_process_is_alive(stage->child->process))
        g_usleep(1000);
    run_request(stage->actuator, request_of_all(stage, FOLIO_ACT_COLLAPSE), &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_FAILED);
    assert_string_equal(stage->told.error, "the process has ended");
    assert_string_equal(fake_ledger.steps->str, "");
}

/* Block 1 is busy for ever, of block 2 nothing is said for two tries, the others are refused. */
static gboolean
be_busy(FakeWay *self, guint number, FolioChunk *chunk, GCancellable *cancellable, GError **error)
{
    guint n = 0;

    for (guint i = 0; i < chunk->n_ranges; i++) {
        for (guint64 at = 0; at < chunk->ranges[i].bytes; at += BLOCK, n++) {
            const guint block =
                (guint) ((chunk->ranges[i].start + at - (gsize) self->child->ram) / BLOCK);

            chunk->said[n] = FOLIO_LEFT_REFUSED;
            if (block == 1)
                chunk->said[n] = FOLIO_LEFT_BUSY;
            if (block == 2 && number <= 2)
                chunk->said[n] = FOLIO_LEFT_UNSAID;
        }
    }
    return TRUE;
}

static void
test_busy(void **state)
{
    Stage *stage = *state;
    const gint64 began = g_get_monotonic_time();

    for (guint i = 0; i < 5; i++)
        assert_true(act_child_tell(stage->child, CHILD_WRITE, i));
    stage->way.act = be_busy;
    run_request(stage->actuator, act_child_request(stage->child, FOLIO_ACT_SPLIT, 0, 0, 6),
                &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_DONE);
    assert_int_equal(stage->told.report.outcomes[FOLIO_OUTCOME_LEFT], 5);
    assert_int_equal(stage->told.report.outcomes[FOLIO_OUTCOME_ABSENT], 1);
    assert_int_equal(stage->told.report.left[FOLIO_LEFT_BUSY], 1);
    assert_int_equal(stage->told.report.left[FOLIO_LEFT_REFUSED], 4);
    assert_int_equal(stage->way.n_chunks, 4);
    assert_int_equal(stage->way.n_blocks, 6 + 2 + 2 + 1);
    assert_string_equal(fake_ledger.steps->str, "keep away; begin 6; apply; ended 4; apply; apply; "
                                                "ended 1; apply; ended 1; ");
    assert_true(g_get_monotonic_time() - began < 10 * G_USEC_PER_SEC);
}

/* Cancelled while it waits to try again: what was busy is left. */
static void
test_cancel_of_busy(void **state)
{
    Stage *stage = *state;

    for (guint i = 0; i < 3; i++)
        assert_true(act_child_tell(stage->child, CHILD_WRITE, i));
    stage->way.act = be_busy;
    stage->told.cancel_at = 1;
    run_request(stage->actuator, act_child_request(stage->child, FOLIO_ACT_SPLIT, 0, 0, 3),
                &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_CANCELLED);
    assert_int_equal(stage->told.report.outcomes[FOLIO_OUTCOME_LEFT], 3);
    assert_int_equal(stage->told.report.left[FOLIO_LEFT_BUSY], 1);
    assert_string_equal(fake_ledger.steps->str, "keep away; begin 3; apply; ended 1; ended 2; ");
}

static void
test_probe_before_run(void **state)
{
    Stage *stage = *state;

    stage->way.cannot = "someone else has it";
    run_request(stage->actuator, request_of_all(stage, FOLIO_ACT_SPLIT), &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_FAILED);
    assert_string_equal(stage->told.error, "fake: someone else has it");
    assert_string_equal(fake_ledger.steps->str, "");
}

static void
test_khugepaged_would_undo(void **state)
{
    Stage *stage = *state;
    FolioActRequest *request = act_child_request(stage->child, FOLIO_ACT_SPLIT, 0, 0, 1);

    fake_keeper.keeper = FOLIO_KEEPER_FREE;
    run_request(stage->actuator, request, &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_FAILED);
    assert_string_equal(stage->told.error, "khugepaged would undo splits: nothing keeps it");
    assert_string_equal(fake_ledger.steps->str, "keep away; ");

    stage->told = (Told){ 0 };
    request = act_child_request(stage->child, FOLIO_ACT_SPLIT, 0, 0, 1);
    request->forced = TRUE;
    run_request(stage->actuator, request, &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_DONE);
    assert_string_equal(fake_ledger.steps->str, "keep away; keep away; begin 1; apply; ended 1; ");
}

static void
test_ledger_refuses(void **state)
{
    Stage *stage = *state;

    fake_ledger.refuses = TRUE;
    run_request(stage->actuator, request_of_all(stage, FOLIO_ACT_SPLIT), &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_FAILED);
    assert_string_equal(stage->told.error, "the ledger is full");
    assert_int_equal(stage->way.n_chunks, 0);
    assert_int_equal(sum_outcomes(&stage->told.report), 0);
}

/* khugepaged is told again after a collapse, however that went. */
static void
test_brackets(void **state)
{
    static const struct {
        gboolean before, way, after;
        const char *steps, *error;
    } cases[] = {
        { 0, 0, 0, "begin 1; before; apply; after; ended 1; ", "" },
        { 1, 0, 0, "begin 1; before; ended 1; ", "before: no" },
        { 0, 1, 0, "begin 1; before; apply; after; ended 1; ", "the kdamond fell over" },
        { 0, 0, 1, "begin 1; before; apply; after; ended 1; ", "after: no" },
        { 0, 1, 1, "begin 1; before; apply; after; ended 1; ", "the kdamond fell over" },
    };
    Stage *stage = *state;

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        fake_ledger_reset();
        fake_keeper.fails_before = cases[i].before;
        fake_keeper.fails_after = cases[i].after;
        stage->way.act = cases[i].way ? fail_second : NULL;
        stage->way.n_chunks = 1;
        stage->told = (Told){ 0 };
        run_request(stage->actuator, act_child_request(stage->child, FOLIO_ACT_COLLAPSE, 9, 0, 1),
                    &stage->told);
        assert_string_equal(fake_ledger.steps->str, cases[i].steps);
        assert_string_equal(stage->told.error, cases[i].error);
        assert_int_equal(sum_outcomes(&stage->told.report), 1);
    }
}

/* What the ledger says within the ranges, and nothing else; then khugepaged as before. */
static void
test_restore(void **state)
{
    Stage *stage = *state;
    const FolioBlockRange split[] = {
        { (gsize) stage->child->ram + 5 * BLOCK, 3 * BLOCK },
        { (gsize) stage->child->ram + 300 * BLOCK, BLOCK },
    };
    FolioActRequest *request = request_of_all(stage, FOLIO_ACT_RESTORE);

    g_array_append_vals(fake_ledger.split, split, 2);
    run_request(stage->actuator, request, &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_DONE);
    assert_int_equal(stage->told.done, 4);
    /* What finds no huge page just then is tried again. */
    while (g_string_replace(fake_ledger.steps, "apply; after; before; apply; ", "apply; ", 1) > 0)
        ;
    assert_string_equal(fake_ledger.steps->str,
                        "begin 4; before; apply; after; ended 4; give back; ");

    /* Something is left split. */
    stage->told = (Told){ 0 };
    g_string_truncate(fake_ledger.steps, 0);
    fake_ledger.split_now = 1;
    request = request_of_all(stage, FOLIO_ACT_RESTORE);
    g_array_index(request->ranges, FolioBlockRange, 0).bytes = 100 * BLOCK;
    run_request(stage->actuator, request, &stage->told);
    assert_int_equal(stage->told.done, 3);
    assert_string_equal(fake_ledger.steps->str, "begin 3; before; apply; after; ended 3; ");
}

/* Then the way need not even work. */
static void
test_restore_of_nothing(void **state)
{
    Stage *stage = *state;

    stage->way.cannot = "no way";
    run_request(stage->actuator, request_of_all(stage, FOLIO_ACT_RESTORE), &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_DONE);
    assert_int_equal(stage->told.done, 0);
    assert_string_equal(fake_ledger.steps->str, "give back; ");
}

static void
on_probed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    folio_act_probe_finish(*(FolioActuator **) user_data, result);
    *(FolioActuator **) user_data = NULL;
}

static void
assert_cannot(const Stage *stage, FolioActKind kind, guint order, const char *expected)
{
    g_autofree char *reason = NULL;

    assert_false(stage->actuator->klass->probe(stage->actuator, kind, order, &reason));
    assert_string_equal(reason, expected);
}

static void
probe_again(const Stage *stage)
{
    FolioActuator *actuator = stage->actuator;

    folio_act_probe_async(actuator, on_probed, &actuator);
    while (actuator != NULL)
        g_main_context_iteration(NULL, TRUE);
}

static void
test_probe(void **state)
{
    Stage *stage = *state;
    g_autofree char *reason = NULL;

    assert_string_equal(stage->actuator->klass->name, "fake");
    assert_cannot(stage, FOLIO_ACT_SPLIT, 0, "it is not known yet");
    stage->way.cannot = "no way";
    probe_again(stage);
    assert_cannot(stage, FOLIO_ACT_SPLIT, 8, "no way");
    assert_cannot(stage, FOLIO_ACT_RESTORE, 0, "no way");
    assert_cannot(stage, FOLIO_ACT_SPLIT, 9, "a split is to order 0 to 8, a collapse to order 9");
    stage->way.cannot = NULL;
    assert_cannot(stage, FOLIO_ACT_COLLAPSE, 9, "no way");
    probe_again(stage);
    for (guint order = 0; order < 9; order++)
        assert_true(
            stage->actuator->klass->probe(stage->actuator, FOLIO_ACT_SPLIT, order, &reason));
    assert_true(stage->actuator->klass->probe(stage->actuator, FOLIO_ACT_COLLAPSE, 9, &reason));
    assert_true(stage->actuator->klass->probe(stage->actuator, FOLIO_ACT_RESTORE, 0, &reason));
    assert_false(stage->way.closed);
    folio_way_actuator_close(stage->actuator);
    assert_true(stage->way.closed);
}

/* No flags of frames, no verification: then nothing is done. */
static void
test_no_oracle(void **state)
{
    Stage *stage = *state;

    stage->context.proc_root = stage->child->host->proc_root;
    run_request(stage->actuator, request_of_all(stage, FOLIO_ACT_SPLIT), &stage->told);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_FAILED);
    assert_non_null(strstr(stage->told.error, "kpageflags"));
    assert_string_equal(fake_ledger.steps->str, "");
}

/* Blocks that the steps say were begun, and ended. */
static void
sum_steps(guint *begun, guint *ended)
{
    g_auto(GStrv) steps = g_strsplit(fake_ledger.steps->str, "; ", -1);

    *begun = *ended = 0;
    for (guint i = 0; steps[i] != NULL; i++) {
        guint n = 0;

        if (sscanf(steps[i], "begin %u", &n) == 1)
            *begun += n;
        else if (sscanf(steps[i], "ended %u", &n) == 1)
            *ended += n;
    }
}

/* So that nothing is tried again. */
static gboolean
refuse_all(FakeWay *self, guint number, FolioChunk *chunk, GCancellable *cancellable,
           GError **error)
{
    for (guint i = 0; i < chunk->n_blocks; i++)
        chunk->said[i] = FOLIO_LEFT_REFUSED;
    return TRUE;
}

/* Each call that a run makes below the seam fails in turn: what was begun is always ended, and told
 * of. */
static void
test_faults(void **state)
{
    Stage *stage = *state;
    gboolean came = TRUE;
    guint n_failed = 0;

    stage->way.act = refuse_all;
    for (guint i = 0; i < 3; i++)
        assert_true(act_child_tell(stage->child, CHILD_WRITE, 2 * i));
    for (int at = 0; came; at++) {
        FolioActRequest *request =
            act_child_request(stage->child, at % 2 == 0 ? FOLIO_ACT_SPLIT : FOLIO_ACT_COLLAPSE,
                              at % 2 == 0 ? 0 : 9, 0, 6);
        const guint n_fds = count_fds();
        guint begun, ended;

        g_string_truncate(fake_ledger.steps, 0);
        stage->told = (Told){ 0 };
        arm_fault(at / 2, EIO);
        run_request(stage->actuator, request, &stage->told);
        came = disarm_fault();
        sum_steps(&begun, &ended);
        assert_int_equal(begun, ended);
        assert_int_equal(sum_outcomes(&stage->told.report), ended);
        assert_int_equal(stage->told.outcome == FOLIO_ACT_FAILED, *stage->told.error != '\0');
        assert_true(stage->told.outcome != FOLIO_ACT_DONE || ended == 6);
        assert_int_equal(count_fds(), n_fds);
        n_failed += stage->told.outcome == FOLIO_ACT_FAILED;
    }
    assert_true(n_failed > 10);
}

#define RUN_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        RUN_TEST(test_chunks),
        RUN_TEST(test_without_ledger),
        RUN_TEST(test_order_of_ranges),
        RUN_TEST(test_bad_ranges),
        RUN_TEST(test_bad_requests),
        RUN_TEST(test_failure),
        RUN_TEST(test_cancel),
        RUN_TEST(test_cancel_between),
        RUN_TEST(test_process_killed),
        RUN_TEST(test_process_gone_before),
        RUN_TEST(test_busy),
        RUN_TEST(test_cancel_of_busy),
        RUN_TEST(test_probe_before_run),
        RUN_TEST(test_khugepaged_would_undo),
        RUN_TEST(test_ledger_refuses),
        RUN_TEST(test_brackets),
        RUN_TEST(test_restore),
        RUN_TEST(test_restore_of_nothing),
        RUN_TEST(test_probe),
        RUN_TEST(test_no_oracle),
        RUN_TEST(test_faults),
    };

    enter_mount_namespace();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
