/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When a block is acted on again: dwell, back-off, flapping, windows that are missing. */
#include "cmocka-all.h"
#include "plan-stage.h"

/* One block, and when it was acted on. */
typedef struct {
    guint n;
    guint at[4096]; /* windows */
    FolioPlanAction actions[4096];
} Diary;

static void
note(Diary *diary, guint window, FolioPlanAction action)
{
    if (action == FOLIO_PLAN_NOTHING)
        return;
    assert_true(diary->n < G_N_ELEMENTS(diary->at));
    diary->at[diary->n] = window;
    diary->actions[diary->n++] = action;
}

static void
check_gaps(const Diary *diary, const guint *gaps, guint n)
{
    assert_true(diary->n > n);
    for (guint i = 0; i < n; i++)
        assert_int_equal(diary->at[i + 1] - diary->at[i], gaps[i]);
}

/* ---- Verdicts that stand */

static void
test_a_verdict_must_stand_for_two_windows(void **state)
{
    static const FolioVerdict verdicts[] = { FOLIO_VERDICT_SPARSE, FOLIO_VERDICT_UNDECIDED,
                                             FOLIO_VERDICT_SPARSE, FOLIO_VERDICT_DENSE,
                                             FOLIO_VERDICT_SPARSE, FOLIO_VERDICT_SPARSE };
    Stage stage;

    stage_init(&stage, 1);
    for (guint i = 0; i < G_N_ELEMENTS(verdicts); i++) {
        const gboolean sparse = verdicts[i] == FOLIO_VERDICT_SPARSE;
        const gboolean last = i == G_N_ELEMENTS(verdicts) - 1;

        stage_set(&stage, 0, verdicts[i]);
        stage_window(&stage);
        assert_int_equal(stage_find(&stage, 0) != NULL, last);
        assert_int_equal(folio_plan_counts(stage.plan).unconfirmed, sparse && !last);
    }
    stage_clear(&stage);
}

/* Nor does it stand over a window that was not seen, or seen twice, or of a table made anew. */
static void
test_windows_that_are_missing(void **state)
{
    static const struct {
        guint32 windows[4];
        gboolean planned;
    } rows[] = {
        { { 3, 4, 5, 6 }, TRUE },      { { 3, 3, 3, 3 }, FALSE }, { { 3, 5, 7, 9 }, FALSE },
        { { 7, 8, 9, 1 }, FALSE },     { { 8, 9, 1, 2 }, TRUE },  { { 1, 4, 4, 5 }, TRUE },
        { { 1, 2, 3, 70000 }, FALSE },
    };

    for (guint r = 0; r < G_N_ELEMENTS(rows); r++) {
        Stage stage;

        stage_init_sparse(&stage);
        for (guint i = 0; i < 4; i++) {
            stage.snapshot.windows = rows[r].windows[i];
            folio_plan_window(stage.plan, &stage.input);
        }
        assert_int_equal(stage_find(&stage, 0) != NULL, rows[r].planned);
        stage_clear(&stage);
    }
}

/* The dwell goes on through windows that were not seen. */
static void
test_dwell_over_missing_windows(void **state)
{
    Stage stage;

    stage_init_sparse(&stage);
    stage_windows(&stage, 2);
    assert_int_equal(stage_act(&stage, 0), FOLIO_PLAN_SPLIT);
    stage_set(&stage, 0, FOLIO_VERDICT_DENSE);
    stage.snapshot.windows += 7;
    for (guint w = 0; w < 2; w++) {
        stage_window(&stage);
        assert_null(stage_find(&stage, 0));
    }
    stage_window(&stage);
    assert_int_equal(stage_act(&stage, 0), FOLIO_PLAN_COLLAPSE);
    stage_clear(&stage);
}

/* ---- Once */

static void
test_a_steady_block_is_acted_on_once(void **state)
{
    Diary diary = { 0 };
    Stage stage;

    stage_init_sparse(&stage);
    for (guint w = 0; w < 3000; w++) {
        stage_window(&stage);
        note(&diary, w, stage_act(&stage, 0));
    }
    assert_int_equal(diary.n, 1);
    assert_int_equal(diary.at[0], 1);
    stage_clear(&stage);
}

static void
test_begun_once_a_plan(void **state)
{
    FolioPlanStep step;
    Stage stage;

    stage_init_sparse(&stage);
    stage_windows(&stage, 2);
    step = stage_get(&stage, 0);
    assert_true(folio_plan_begin(stage.plan, &step, 0));
    assert_false(folio_plan_begin(stage.plan, &step, 0));
    stage_window(&stage);
    assert_null(stage_find(&stage, 0));
    assert_int_equal(folio_plan_counts(stage.plan).resting, 1);
    stage_clear(&stage);
}

/* What the caller has no room for is planned again. */
static void
test_not_begun_is_planned_again(void **state)
{
    Stage stage;

    stage_init_sparse(&stage);
    stage_window(&stage);
    for (guint w = 0; w < 600; w++) {
        stage_window(&stage);
        assert_non_null(stage_find(&stage, 0));
    }
    stage_clear(&stage);
}

/* ---- Back-off */

static const guint doubling[] = { 10, 20, 40, 80, 160, 320, 640, 640, 640 };

/* An action that changes nothing, and nobody says so: the states do. */
static void
test_left_without_a_word(void **state)
{
    static const struct {
        FolioBlockState is;
        FolioVerdict verdict;
    } rows[] = {
        { FOLIO_BLOCK_HUGE, FOLIO_VERDICT_SPARSE },
        { FOLIO_BLOCK_SMALL, FOLIO_VERDICT_DENSE },
    };

    for (guint r = 0; r < G_N_ELEMENTS(rows); r++) {
        Diary diary = { 0 };
        Stage stage;

        stage_init(&stage, 1);
        stage_set(&stage, 0, rows[r].verdict);
        stage.states[0] = (guint8) rows[r].is;
        for (guint w = 0; w < 4000; w++) {
            stage_window(&stage);
            note(&diary, w, stage_begin(&stage, 0));
        }
        check_gaps(&diary, doubling, G_N_ELEMENTS(doubling));
        stage_clear(&stage);
    }
}

static void
test_results_that_are_told(void **state)
{
    static const struct {
        FolioPlanResult result;
        guint gaps[4];
    } rows[] = {
        { FOLIO_PLAN_DONE, { 10, 20, 40, 80 } }, /* and undone by others */
        { FOLIO_PLAN_LEFT, { 20, 40, 80, 160 } },
        { FOLIO_PLAN_REFUSED, { 640, 640, 640, 640 } },
        { FOLIO_PLAN_VOID, { 10, 10, 10, 10 } },
    };

    for (guint r = 0; r < G_N_ELEMENTS(rows); r++) {
        Diary diary = { 0 };
        Stage stage;

        stage_init_sparse(&stage);
        for (guint w = 0; w < 3000; w++) {
            FolioPlanAction action;

            stage_window(&stage);
            action = stage_begin(&stage, 0);
            if (action != FOLIO_PLAN_NOTHING)
                folio_plan_done(stage.plan, 0, rows[r].result);
            note(&diary, w, action);
        }
        check_gaps(&diary, rows[r].gaps, G_N_ELEMENTS(rows[r].gaps));
        stage_clear(&stage);
    }
}

/* Told twice is told once; and of a block that nothing was begun with, not at all. */
static void
test_told_too_often(void **state)
{
    Stage stage;

    stage_init_sparse(&stage);
    stage_windows(&stage, 2);
    folio_plan_done(stage.plan, 0, FOLIO_PLAN_REFUSED);
    assert_int_equal(stage_begin(&stage, 0), FOLIO_PLAN_SPLIT);
    for (guint i = 0; i < 5; i++)
        folio_plan_done(stage.plan, 0, FOLIO_PLAN_LEFT);
    stage_windows(&stage, 20);
    assert_int_equal(stage_get(&stage, 0).doublings, 1);
    stage_clear(&stage);
}

/* ---- Flapping */

/* Sparse for so many windows, then dense for as many. */
static void
flap(Diary *diary, guint period, guint windows, guint *small)
{
    Stage stage;

    stage_init(&stage, 1);
    for (guint w = 0; w < windows; w++) {
        stage_set(&stage, 0, w / period % 2 == 0 ? FOLIO_VERDICT_SPARSE : FOLIO_VERDICT_DENSE);
        stage_window(&stage);
        note(diary, w, stage_act(&stage, 0));
        *small += stage.states[0] == FOLIO_BLOCK_SPLIT;
    }
    stage_clear(&stage);
}

static void
check_flapping(const Diary *diary, guint period)
{
    guint splits = 0;

    for (guint i = 0; i + 1 < diary->n; i++) {
        const guint gap = diary->at[i + 1] - diary->at[i];

        if (diary->actions[i] == FOLIO_PLAN_SPLIT) {
            assert_int_equal(diary->actions[i + 1], FOLIO_PLAN_COLLAPSE);
            assert_in_range(gap, FOLIO_PLAN_DWELL, FOLIO_PLAN_DWELL + 2 * period + 1);
            splits++;
        } else {
            assert_int_equal(diary->actions[i + 1], FOLIO_PLAN_SPLIT);
            assert_true(gap >= FOLIO_PLAN_DWELL << MIN(splits, FOLIO_PLAN_DOUBLINGS));
        }
    }
}

static void
test_a_flapping_block_is_left_alone(void **state)
{
    enum { WINDOWS = 20000 };

    for (guint period = 2; period <= 20; period++) {
        Diary diary = { 0 };
        guint small = 0;

        flap(&diary, period, WINDOWS, &small);
        check_flapping(&diary, period);
        assert_in_range(diary.n, 20, 2 * (WINDOWS / 640 + 7));
        /* It rests as a huge one. */
        assert_true(small < WINDOWS / 10);
    }
}

/* One whose working set moves now and then is not held back for ever. */
static void
test_slow_changes_are_followed(void **state)
{
    Diary diary = { 0 };
    guint small = 0;

    flap(&diary, 100, 20000, &small);
    assert_int_equal(diary.n, 200);
}

/* What flapped once and is quiet now: each split that lasts takes a doubling back. */
static void
test_doublings_are_taken_back(void **state)
{
    guint doublings = G_MAXUINT;
    Stage stage;

    stage_init(&stage, 1);
    for (guint w = 0; w < 400; w++) {
        stage_set(&stage, 0, w / 5 % 2 == 0 ? FOLIO_VERDICT_SPARSE : FOLIO_VERDICT_DENSE);
        stage_window(&stage);
        stage_act(&stage, 0);
    }
    for (guint w = 0; w < 20000; w++) {
        const FolioPlanStep *step;

        stage_set(&stage, 0, w / 1000 % 2 == 0 ? FOLIO_VERDICT_SPARSE : FOLIO_VERDICT_DENSE);
        stage_window(&stage);
        step = stage_find(&stage, 0);
        if (step != NULL && step->action == FOLIO_PLAN_SPLIT) {
            assert_true(doublings == G_MAXUINT || step->doublings + 1 == doublings ||
                        step->doublings == 0);
            doublings = step->doublings;
        }
        stage_act(&stage, 0);
    }
    assert_int_equal(doublings, 0);
    stage_clear(&stage);
}

/* ---- At random */

typedef struct {
    guint verdict, held, last_at;
    gboolean acted;
} Known;

/* What must hold of a step whatever came before. */
static void
check_step(const Stage *stage, const FolioPlanStep *step, const Known *known)
{
    const guint window = stage->snapshot.windows;
    const guint8 is = stage->states[step->block];

    assert_int_equal(step->verdict, known->verdict);
    assert_true(known->held >= FOLIO_PLAN_HELD);
    assert_true(!known->acted || window - known->last_at >= FOLIO_PLAN_DWELL);
    if (step->action == FOLIO_PLAN_SPLIT) {
        assert_true(step->verdict == FOLIO_VERDICT_SPARSE && is == FOLIO_BLOCK_HUGE);
        assert_true(step->footprint < stage->input.sparse_below);
        assert_true(stage->input.mode == FOLIO_MODE_SPLIT ||
                    stage->input.mode == FOLIO_MODE_ADAPTIVE);
        return;
    }
    assert_true(step->verdict == FOLIO_VERDICT_DENSE);
    assert_true(is == FOLIO_BLOCK_SPLIT || is == FOLIO_BLOCK_SMALL);
    assert_true(stage->input.mode >= FOLIO_MODE_SPLIT);
    assert_true(is == FOLIO_BLOCK_SPLIT || stage->input.mode != FOLIO_MODE_SPLIT);
}

static void
shake(Stage *stage, GRand *random, Known *known)
{
    for (guint b = 0; b < STAGE_BLOCKS; b++) {
        if (g_rand_int_range(random, 0, 4) == 0)
            stage_set(stage, b, (FolioVerdict) g_rand_int_range(random, 0, 4));
        if (g_rand_int_range(random, 0, 8) == 0)
            stage->states[b] = (guint8) g_rand_int_range(random, 0, 4);
        known[b].held = known[b].verdict == stage->verdicts[b] ? known[b].held + 1 : 1;
        known[b].verdict = stage->verdicts[b];
    }
    if (g_rand_int_range(random, 0, 20) == 0)
        stage->input.mode = (FolioMode) g_rand_int_range(random, 0, FOLIO_MODE_ADAPTIVE + 1);
    stage->input.sparse_below = g_rand_boolean(random) ? 512 : 7;
    stage->input.max_splits = (guint) g_rand_int_range(random, 0, 10);
    stage->input.max_collapses = (guint) g_rand_int_range(random, 0, 10);
}

static guint
act_on(Stage *stage, GRand *random, Known *known, const GArray *steps)
{
    guint n = 0;

    for (guint i = 0; i < steps->len; i++) {
        const FolioPlanStep *step = &g_array_index(steps, FolioPlanStep, i);

        check_step(stage, step, &known[step->block]);
        if (g_rand_boolean(random))
            continue;
        assert_true(folio_plan_begin(stage->plan, step, 0));
        known[step->block].acted = TRUE;
        known[step->block].last_at = stage->snapshot.windows;
        if (g_rand_boolean(random))
            folio_plan_done(
                stage->plan, step->block,
                (FolioPlanResult) g_rand_int_range(random, FOLIO_PLAN_DONE, FOLIO_PLAN_VOID + 1));
        n++;
    }
    return n;
}

static void
test_whatever_happens(void **state)
{
    for (guint32 seed = 1; seed <= 20; seed++) {
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        Known known[STAGE_BLOCKS] = { 0 };
        guint n = 0;
        Stage stage;

        stage_init(&stage, STAGE_BLOCKS);
        for (guint w = 0; w < 500; w++) {
            shake(&stage, random, known);
            stage_window(&stage);
            assert_true(folio_plan_splits(stage.plan)->len <= stage.input.max_splits);
            assert_true(folio_plan_collapses(stage.plan)->len <= stage.input.max_collapses);
            n += act_on(&stage, random, known, folio_plan_splits(stage.plan));
            n += act_on(&stage, random, known, folio_plan_collapses(stage.plan));
        }
        assert_true(n > 100);
        stage_clear(&stage);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_verdict_must_stand_for_two_windows),
        cmocka_unit_test(test_windows_that_are_missing),
        cmocka_unit_test(test_dwell_over_missing_windows),
        cmocka_unit_test(test_a_steady_block_is_acted_on_once),
        cmocka_unit_test(test_begun_once_a_plan),
        cmocka_unit_test(test_not_begun_is_planned_again),
        cmocka_unit_test(test_left_without_a_word),
        cmocka_unit_test(test_results_that_are_told),
        cmocka_unit_test(test_told_too_often),
        cmocka_unit_test(test_a_flapping_block_is_left_alone),
        cmocka_unit_test(test_slow_changes_are_followed),
        cmocka_unit_test(test_doublings_are_taken_back),
        cmocka_unit_test(test_whatever_happens),
    };

    return cmocka_run_group_tests_name("plan-time", tests, NULL, NULL);
}
