/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is planned, and what is not: modes, thresholds, order, rank, records. */
#include "cmocka-all.h"
#include "plan-stage.h"

#define MODES    (FOLIO_MODE_ADAPTIVE + 1)
#define STATES   (FOLIO_BLOCK_SMALL + 1)
#define VERDICTS (FOLIO_VERDICT_DENSE + 1)

/* All that is ever done. */
static const struct {
    FolioMode mode;
    FolioBlockState state;
    FolioVerdict verdict;
    FolioPlanAction action;
    FolioPlanCause cause;
} deeds[] = {
    { FOLIO_MODE_SPLIT, FOLIO_BLOCK_HUGE, FOLIO_VERDICT_SPARSE, FOLIO_PLAN_SPLIT,
      FOLIO_PLAN_CAUSE_SPARSE },
    { FOLIO_MODE_SPLIT, FOLIO_BLOCK_SPLIT, FOLIO_VERDICT_DENSE, FOLIO_PLAN_COLLAPSE,
      FOLIO_PLAN_CAUSE_UNDO },
    { FOLIO_MODE_COLLAPSE, FOLIO_BLOCK_SPLIT, FOLIO_VERDICT_DENSE, FOLIO_PLAN_COLLAPSE,
      FOLIO_PLAN_CAUSE_UNDO },
    { FOLIO_MODE_COLLAPSE, FOLIO_BLOCK_SMALL, FOLIO_VERDICT_DENSE, FOLIO_PLAN_COLLAPSE,
      FOLIO_PLAN_CAUSE_DENSE },
    { FOLIO_MODE_ADAPTIVE, FOLIO_BLOCK_HUGE, FOLIO_VERDICT_SPARSE, FOLIO_PLAN_SPLIT,
      FOLIO_PLAN_CAUSE_SPARSE },
    { FOLIO_MODE_ADAPTIVE, FOLIO_BLOCK_SPLIT, FOLIO_VERDICT_DENSE, FOLIO_PLAN_COLLAPSE,
      FOLIO_PLAN_CAUSE_UNDO },
    { FOLIO_MODE_ADAPTIVE, FOLIO_BLOCK_SMALL, FOLIO_VERDICT_DENSE, FOLIO_PLAN_COLLAPSE,
      FOLIO_PLAN_CAUSE_DENSE },
};

/* One block for each state and verdict: block = state * VERDICTS + verdict. */
static void
set_all(Stage *stage)
{
    for (guint b = 0; b < STATES * VERDICTS; b++) {
        stage->states[b] = (guint8) (b / VERDICTS);
        stage_set(stage, b, (FolioVerdict) (b % VERDICTS));
    }
}

static void
check_deed(const Stage *stage, FolioMode mode, guint block, gboolean narrow)
{
    const FolioPlanStep *step = stage_find(stage, block);

    for (guint i = 0; i < G_N_ELEMENTS(deeds); i++) {
        if (deeds[i].mode != mode || deeds[i].state * VERDICTS + deeds[i].verdict != block)
            continue;
        if (narrow && deeds[i].action == FOLIO_PLAN_SPLIT)
            break;
        assert_non_null(step);
        assert_int_equal(step->action, deeds[i].action);
        assert_int_equal(step->cause, deeds[i].cause);
        assert_int_equal(step->verdict, deeds[i].verdict);
        return;
    }
    assert_null(step);
}

static void
test_every_mode_state_and_verdict(void **state)
{
    static const guint below[] = { 1, 7, 8, 40, 512 }; /* the sparse block uses 7 */

    for (guint m = 0; m < MODES * G_N_ELEMENTS(below); m++) {
        Stage stage;

        stage_init(&stage, STATES * VERDICTS);
        set_all(&stage);
        stage.input.mode = (FolioMode) (m % MODES);
        stage.input.sparse_below = below[m / MODES];
        stage_windows(&stage, 3);
        for (guint b = 0; b < STATES * VERDICTS; b++)
            check_deed(&stage, stage.input.mode, b, stage.input.sparse_below <= 7);
        stage_clear(&stage);
    }
}

/* A change of mode counts at once: verdicts were counted all along. */
static void
test_mode_changes(void **state)
{
    Stage stage;

    stage_init_sparse(&stage);
    stage.input.mode = FOLIO_MODE_OFF;
    stage_windows(&stage, 2);
    assert_null(stage_find(&stage, 0));
    stage.input.mode = FOLIO_MODE_SPLIT;
    folio_plan_window(stage.plan, &stage.input);
    assert_non_null(stage_find(&stage, 0));
    stage_clear(&stage);
}

static void
test_sparse_below(void **state)
{
    static const struct {
        FolioHeatEvidence evidence;
        guint below;
        gboolean split;
    } rows[] = {
        { { .seen = 3, .footprint = 39, .age = 40 }, 40, TRUE },
        { { .seen = 3, .footprint = 40, .age = 40 }, 40, FALSE },
        { { .seen = 39, .footprint = 10, .age = 40 }, 40, TRUE },
        { { .seen = 40, .footprint = 10, .age = 40 }, 40, FALSE },
        /* 20 seen, 10 of them once: about 65 in use */
        { { .seen = 20, .once = 10, .footprint = 20, .age = 40 }, 65, FALSE },
        { { .seen = 20, .once = 10, .footprint = 20, .age = 40 }, 66, TRUE },
        { { .age = 40 }, 1, TRUE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        Stage stage;

        stage_init_sparse(&stage);
        stage.evidence[0] = rows[i].evidence;
        stage.input.sparse_below = rows[i].below;
        stage_windows(&stage, 2);
        assert_int_equal(stage_find(&stage, 0) != NULL, rows[i].split);
        assert_int_equal(folio_plan_counts(stage.plan).wide, !rows[i].split);
        stage_clear(&stage);
    }
}

static void
test_orders(void **state)
{
    for (guint order = 0; order <= 8; order++) {
        Stage stage;

        stage_init(&stage, 2);
        stage_set(&stage, 0, FOLIO_VERDICT_SPARSE);
        stage_set(&stage, 1, FOLIO_VERDICT_DENSE);
        stage.states[1] = FOLIO_BLOCK_SMALL;
        stage.input.split_order = order;
        stage_windows(&stage, 2);
        assert_int_equal(stage_get(&stage, 0).order, order);
        assert_int_equal(stage_get(&stage, 1).order, 9);
        stage_clear(&stage);
    }
}

/* ---- Rank */

/* Worse than no step of the list, by the rule. */
static double
worth(const FolioPlanStep *step)
{
    if (step->action == FOLIO_PLAN_COLLAPSE)
        return (double) step->in_use;
    return (512 - (double) step->reach) * (step->held + 1) / (step->held + 2);
}

static void
check_descending(const GArray *steps)
{
    for (guint i = 1; i < steps->len; i++) {
        const FolioPlanStep *a = &g_array_index(steps, FolioPlanStep, i - 1);
        const FolioPlanStep *b = &g_array_index(steps, FolioPlanStep, i);
        const double more = worth(a) - worth(b);

        assert_true(more > -0.001);
        assert_true(more > 0.001 || a->block < b->block);
    }
}

static void
set_random(Stage *stage, GRand *random)
{
    for (guint b = 0; b < STAGE_BLOCKS; b++) {
        const gboolean dense = g_rand_boolean(random);

        stage->verdicts[b] = dense ? FOLIO_VERDICT_DENSE : FOLIO_VERDICT_SPARSE;
        stage->states[b] = dense ? FOLIO_BLOCK_SMALL : FOLIO_BLOCK_HUGE;
        stage->evidence[b] = (FolioHeatEvidence){
            .seen = (guint16) g_rand_int_range(random, 1, 40),
            .footprint = (guint16) g_rand_int_range(random, 1, 40),
            .growth = (guint16) g_rand_int_range(random, 0, 64),
            .age = (guint8) g_rand_int_range(random, 4, 255),
        };
    }
}

/* The first ones of a shorter list are those of the longer one. */
static void
check_cut(Stage *stage, const GArray *all, FolioPlanAction action, guint max)
{
    const gboolean splits = action == FOLIO_PLAN_SPLIT;
    const GArray *cut = splits ? folio_plan_splits(stage->plan) : folio_plan_collapses(stage->plan);

    assert_int_equal(cut->len, MIN(max, all->len));
    for (guint i = 0; i < cut->len; i++)
        assert_int_equal(g_array_index(cut, FolioPlanStep, i).block,
                         g_array_index(all, FolioPlanStep, i).block);
}

static void
test_the_best_come_first(void **state)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(7);

    for (guint round = 0; round < 50; round++) {
        g_autoptr(GArray) splits = NULL;
        g_autoptr(GArray) collapses = NULL;
        Stage stage;

        stage_init(&stage, STAGE_BLOCKS);
        set_random(&stage, random);
        stage_windows(&stage, 2);
        stage_set(&stage, 5, FOLIO_VERDICT_IDLE);
        stage_window(&stage);
        check_descending(folio_plan_splits(stage.plan));
        check_descending(folio_plan_collapses(stage.plan));
        splits = g_array_copy((GArray *) folio_plan_splits(stage.plan));
        collapses = g_array_copy((GArray *) folio_plan_collapses(stage.plan));
        assert_int_equal(splits->len + collapses->len, STAGE_BLOCKS - 1);
        for (guint max = 0; max < STAGE_BLOCKS; max += 5) {
            stage.input.max_splits = stage.input.max_collapses = max;
            folio_plan_window(stage.plan, &stage.input);
            check_cut(&stage, splits, FOLIO_PLAN_SPLIT, max);
            check_cut(&stage, collapses, FOLIO_PLAN_COLLAPSE, max);
            assert_int_equal(folio_plan_counts(stage.plan).splits, splits->len);
            assert_int_equal(folio_plan_counts(stage.plan).collapses, collapses->len);
        }
        stage_clear(&stage);
    }
}

/* Of two that expose the same, the one that has been sparse for longer. */
static void
test_longer_held_first(void **state)
{
    Stage stage;

    stage_init(&stage, 2);
    stage_set(&stage, 1, FOLIO_VERDICT_SPARSE);
    stage_window(&stage);
    stage_set(&stage, 0, FOLIO_VERDICT_SPARSE);
    stage_windows(&stage, 2);
    assert_int_equal(g_array_index(folio_plan_splits(stage.plan), FolioPlanStep, 0).block, 1);
    assert_int_equal(g_array_index(folio_plan_splits(stage.plan), FolioPlanStep, 1).block, 0);
    stage_clear(&stage);
}

/* ---- Records */

static void
check_near(double value, double expected)
{
    assert_true(ABS(value - expected) < 1e-3);
}

static void
test_decisions_have_their_figures(void **state)
{
    g_autoptr(GArray) none = NULL;
    g_autoptr(GArray) list = NULL;
    const FolioPlanDecision *first;
    FolioPlanStep step;
    Stage stage;

    stage_init(&stage, 3);
    stage.snapshot.outcomes.clean = 98;
    stage_set(&stage, 1, FOLIO_VERDICT_SPARSE);
    stage.evidence[1] = (FolioHeatEvidence){ .seen = 4, .footprint = 9, .age = 60 };
    stage_windows(&stage, 5);
    none = folio_plan_list_decisions(stage.plan);
    assert_int_equal(none->len, 0);
    step = stage_get(&stage, 1);
    assert_true(folio_plan_begin(stage.plan, &step, 1234567));
    folio_plan_done(stage.plan, 1, FOLIO_PLAN_LEFT);
    list = folio_plan_list_decisions(stage.plan);
    assert_int_equal(list->len, 1);
    first = &g_array_index(list, FolioPlanDecision, 0);
    assert_int_equal(first->window, 5);
    assert_int_equal(first->usec, 1234567);
    assert_int_equal(first->result, FOLIO_PLAN_LEFT);
    assert_int_equal(first->step.block, 1);
    assert_int_equal(first->step.action, FOLIO_PLAN_SPLIT);
    assert_int_equal(first->step.held, 5);
    assert_int_equal(first->step.seen, 4);
    assert_int_equal(first->step.footprint, 9);
    check_near((double) first->step.in_use, 4);
    check_near((double) first->step.reach, (5 + 9) * (1 + 3 / 60.0));
    check_near(first->step.confidence, 0.99);
    stage_clear(&stage);
}

/* The last 64, the oldest first. */
static void
test_decisions_are_bounded(void **state)
{
    g_autoptr(GArray) list = NULL;
    guint n = 0;
    Stage stage;

    stage_init(&stage, STAGE_BLOCKS);
    for (guint b = 0; b < STAGE_BLOCKS; b++)
        stage_set(&stage, b, FOLIO_VERDICT_SPARSE);
    for (guint w = 0; w < 14; w++) {
        stage_window(&stage);
        for (guint b = 0; b < STAGE_BLOCKS; b++)
            n += stage_begin(&stage, b) == FOLIO_PLAN_SPLIT; /* each one is left */
    }
    assert_int_equal(n, 2 * STAGE_BLOCKS);
    folio_plan_done(stage.plan, 3, FOLIO_PLAN_REFUSED);
    list = folio_plan_list_decisions(stage.plan);
    assert_int_equal(list->len, 64);
    for (guint i = 0; i < 64; i++) {
        const FolioPlanDecision *decision = &g_array_index(list, FolioPlanDecision, i);

        assert_int_equal(decision->step.block, i);
        assert_int_equal(decision->window, 12);
        assert_int_equal(decision->result, i == 3 ? FOLIO_PLAN_REFUSED : FOLIO_PLAN_UNTOLD);
    }
    stage_clear(&stage);
}

/* What became of a block is told of its last decision. */
static void
test_results_are_of_the_last(void **state)
{
    static const FolioPlanResult results[] = { FOLIO_PLAN_VOID, FOLIO_PLAN_DONE, FOLIO_PLAN_LEFT };
    g_autoptr(GArray) list = NULL;
    Stage stage;

    stage_init_sparse(&stage);
    for (guint i = 0; i < G_N_ELEMENTS(results);) {
        stage_window(&stage);
        if (stage_begin(&stage, 0) == FOLIO_PLAN_SPLIT)
            folio_plan_done(stage.plan, 0, results[i++]);
    }
    list = folio_plan_list_decisions(stage.plan);
    assert_int_equal(list->len, 3);
    for (guint i = 0; i < 3; i++)
        assert_int_equal(g_array_index(list, FolioPlanDecision, i).result, results[i]);
    stage_clear(&stage);
}

/* Blocks of another guest: nothing of the former ones is left. */
static void
test_another_number_of_blocks(void **state)
{
    g_autoptr(GArray) list = NULL;
    FolioPlanStep old;
    Stage stage;

    stage_init(&stage, 8);
    for (guint b = 0; b < STAGE_BLOCKS; b++)
        stage_set(&stage, b, FOLIO_VERDICT_SPARSE);
    stage_windows(&stage, 2);
    old = stage_get(&stage, 7);
    old.block = 1u << 30;
    assert_int_equal(stage_begin(&stage, 0), FOLIO_PLAN_SPLIT);
    stage.snapshot.n_blocks = 4;
    folio_plan_window(stage.plan, &stage.input);
    list = folio_plan_list_decisions(stage.plan);
    assert_int_equal(list->len, 0);
    assert_int_equal(folio_plan_counts(stage.plan).unconfirmed, 4);
    assert_false(folio_plan_begin(stage.plan, &old, 0));
    folio_plan_done(stage.plan, 1u << 30, FOLIO_PLAN_LEFT); /* ignored */
    stage_window(&stage);
    assert_int_equal(stage_begin(&stage, 0), FOLIO_PLAN_SPLIT);
    stage.snapshot.n_blocks = 0;
    stage_window(&stage);
    assert_int_equal(folio_plan_splits(stage.plan)->len, 0);
    stage_clear(&stage);
}

static void
test_tokens(void **state)
{
    assert_string_equal(folio_plan_action_token(FOLIO_PLAN_COLLAPSE), "collapse");
    assert_string_equal(folio_plan_cause_token(FOLIO_PLAN_CAUSE_UNDO), "undo");
    assert_string_equal(folio_plan_result_token(FOLIO_PLAN_VOID), "void");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_mode_state_and_verdict),
        cmocka_unit_test(test_mode_changes),
        cmocka_unit_test(test_sparse_below),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_the_best_come_first),
        cmocka_unit_test(test_longer_held_first),
        cmocka_unit_test(test_decisions_have_their_figures),
        cmocka_unit_test(test_decisions_are_bounded),
        cmocka_unit_test(test_results_are_of_the_last),
        cmocka_unit_test(test_another_number_of_blocks),
        cmocka_unit_test(test_tokens),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
