/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is planned by what splits were measured to cost. */
#include "cmocka-all.h"
#include "decision.h"
#include "plan-stage.h"
#include "policy/split-cost.h"

#define N 20u

typedef struct {
    Stage stage;
    FolioCosts *costs;
} Costing;

/* So many samples of so many cycles, give or take two. */
static FolioBlockCost
cost(guint n, guint cycles)
{
    return (FolioBlockCost){ .samples = n,
                             .cycles = (guint64) n * cycles,
                             .squares = (guint64) n * (cycles * cycles + 4) };
}

/* Of 20 blocks the first is split and sparse, and all others are candidates. Of each sample there
 * are a million accesses a second: it is worth a cycle for a few. */
static int
set_up(void **state)
{
    Costing *costing = g_new0(Costing, 1);

    stage_init(&costing->stage, N);
    costing->costs = g_malloc0(sizeof *costing->costs + N * sizeof(FolioCostEntry));
    costing->costs->n_entries = N;
    for (guint b = 0; b < N; b++) {
        stage_set(&costing->stage, b, FOLIO_VERDICT_UNDECIDED);
        costing->costs->entries[b] = (FolioCostEntry){ .block = b, .before = cost(100, 10) };
    }
    stage_set(&costing->stage, 0, FOLIO_VERDICT_SPARSE);
    costing->stage.states[0] = FOLIO_BLOCK_SPLIT;
    costing->costs->entries[0].split = 1;
    costing->costs->entries[0].span = 1e-4f;
    costing->costs->totals.split = 1;
    costing->stage.snapshot.costs = costing->costs;
    *state = costing;
    return 0;
}

static int
tear_down(void **state)
{
    Costing *costing = *state;

    stage_clear(&costing->stage);
    g_free(costing->costs);
    g_free(costing);
    return 0;
}

static void
set_now(Costing *costing, guint n, guint cycles)
{
    costing->costs->entries[0].now = cost(n, cycles);
}

static void
test_costly_is_undone(void **state)
{
    Costing *costing = *state;
    Stage *stage = &costing->stage;
    g_autofree char *why = NULL;
    g_autofree char *counts = NULL;
    FolioPlanCounts planned;
    FolioPlanStep step;

    set_now(costing, 200, 30);
    stage_window(stage);
    step = stage_get(stage, 0);
    assert_int_equal(step.action, FOLIO_PLAN_COLLAPSE);
    assert_int_equal(step.cause, FOLIO_PLAN_CAUSE_COSTLY);
    assert_int_equal(step.verdict, FOLIO_VERDICT_SPARSE);
    assert_string_equal(folio_plan_cause_token(step.cause), "costly");
    why = folio_decision_print_why(&step);
    assert_non_null(strstr(why, "takes 30.0 cycles, 10.0 before; sparse"));
    planned = folio_plan_counts(stage->plan);
    assert_int_equal(planned.collapses, 1);
    assert_int_equal(planned.costly, 1);
    counts = folio_decision_print_counts(&planned, "");
    assert_string_equal(counts, "1 to be collapsed, 1 of them for what they cost");
}

static void
test_cheap_and_thin_stay(void **state)
{
    Costing *costing = *state;
    Stage *stage = &costing->stage;

    set_now(costing, 200, 10);
    stage_window(stage);
    assert_null(stage_find(stage, 0));
    set_now(costing, FOLIO_COST_SAMPLES - 1, 1000);
    stage_window(stage);
    assert_null(stage_find(stage, 0));
    stage->snapshot.costs = NULL; /* nothing is measured */
    stage_window(stage);
    assert_null(stage_find(stage, 0));
}

/* Only what foliod has split, and in modes that act. */
static void
test_not_ours(void **state)
{
    Costing *costing = *state;
    Stage *stage = &costing->stage;

    set_now(costing, 200, 30);
    stage->states[0] = FOLIO_BLOCK_SMALL;
    stage_window(stage);
    assert_null(stage_find(stage, 0));
    stage->states[0] = FOLIO_BLOCK_SPLIT;
    stage->input.mode = FOLIO_MODE_OBSERVE;
    stage_window(stage);
    assert_null(stage_find(stage, 0));
    stage->input.mode = FOLIO_MODE_SPLIT;
    stage_window(stage);
    assert_int_equal(stage_get(stage, 0).cause, FOLIO_PLAN_CAUSE_COSTLY);
}

/* A dense one is undone for that. */
static void
test_dense_goes_first(void **state)
{
    Costing *costing = *state;
    Stage *stage = &costing->stage;

    set_now(costing, 200, 30);
    stage_set(stage, 0, FOLIO_VERDICT_DENSE);
    stage_windows(stage, FOLIO_PLAN_HELD);
    assert_int_equal(stage_get(stage, 0).cause, FOLIO_PLAN_CAUSE_UNDO);
}

/* Not before the dwell is over; and after each time it takes twice as long until it is split again.
 */
static void
test_rests_and_doubles(void **state)
{
    Costing *costing = *state;
    Stage *stage = &costing->stage;

    costing->costs->entries[0].split = 0;
    stage->states[0] = FOLIO_BLOCK_HUGE;
    stage_windows(stage, FOLIO_PLAN_HELD);
    for (guint round = 0; round <= FOLIO_PLAN_DOUBLINGS + 1; round++) {
        const guint doublings = MIN(round, FOLIO_PLAN_DOUBLINGS);
        guint waited = 1;

        assert_int_equal(stage_act(stage, 0), FOLIO_PLAN_SPLIT);
        costing->costs->entries[0].split = 1;
        set_now(costing, 200, 30);
        stage_windows(stage, FOLIO_PLAN_DWELL - 1);
        assert_null(stage_find(stage, 0));
        /* However late it is found out. */
        set_now(costing, 200, 10);
        stage_windows(stage, 20 * FOLIO_PLAN_LASTS);
        assert_null(stage_find(stage, 0));
        set_now(costing, 200, 30);
        stage_window(stage);
        assert_int_equal(stage_get(stage, 0).doublings, doublings);
        assert_int_equal(stage_act(stage, 0), FOLIO_PLAN_COLLAPSE);
        costing->costs->entries[0].split = 0;
        for (stage_window(stage); stage_find(stage, 0) == NULL; stage_window(stage))
            waited++;
        assert_int_equal(waited, FOLIO_PLAN_DWELL << MIN(round + 1, FOLIO_PLAN_DOUBLINGS));
    }
}

static FolioCostSums
sums(guint64 n, guint64 cycles)
{
    return (FolioCostSums){ .samples = n,
                            .timed = n,
                            .cycles = n * cycles,
                            .squares = n * (cycles * cycles + 4),
                            .total = n * 100 };
}

/* The guest is too slow by what is split: it stays as it is, and nothing is added to it. */
static void
test_guest_is_held(void **state)
{
    Costing *costing = *state;
    Stage *stage = &costing->stage;
    FolioPlanCounts planned;
    g_autofree char *counts = NULL;

    stage_set(stage, 1, FOLIO_VERDICT_SPARSE);
    stage_set(stage, 2, FOLIO_VERDICT_DENSE);
    stage->states[2] = FOLIO_BLOCK_SMALL;
    costing->costs->totals.whole = sums(100000, 10);
    costing->costs->last[FOLIO_COST_OTHER] = sums(50000, 14);
    costing->costs->last[FOLIO_COST_SPLIT] = sums(5000, 40);
    costing->costs->totals.recent[FOLIO_COST_SPLIT] = sums(5000, 40);
    stage_windows(stage, FOLIO_PLAN_HELD);
    planned = folio_plan_counts(stage->plan);
    assert_null(stage_find(stage, 1));
    assert_int_equal(planned.splits, 0);
    assert_int_equal(planned.held_back, 1);
    assert_int_equal(stage_get(stage, 2).action, FOLIO_PLAN_COLLAPSE);
    counts = folio_decision_print_counts(&planned, "");
    assert_string_equal(counts, "1 to be collapsed; 1 not split, for what is split slows down the "
                                "guest's accesses too much");

    /* Less, but not by enough; then it is over. */
    costing->costs->last[FOLIO_COST_OTHER] = sums(50000, 11);
    costing->costs->last[FOLIO_COST_SPLIT] = sums(5000, 20);
    stage_window(stage);
    assert_int_equal(folio_plan_counts(stage->plan).held_back, 1);
    costing->costs->last[FOLIO_COST_OTHER] = sums(50000, 10);
    stage_window(stage);
    assert_int_equal(folio_plan_counts(stage->plan).held_back, 0);
    assert_int_equal(stage_get(stage, 1).action, FOLIO_PLAN_SPLIT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_costly_is_undone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cheap_and_thin_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dense_goes_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rests_and_doubles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_guest_is_held, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
