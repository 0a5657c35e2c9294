/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a plan remembers, over a time without a plan; what others have done; windows in which nobody
 * looks. */
#include "cmocka-all.h"

#include "plan-stage.h"

static FolioPlan *
recall(const FolioPlan *plan)
{
    g_autoptr(GArray) marks = folio_plan_list_marks(plan);
    g_autoptr(GArray) decisions = folio_plan_list_decisions(plan);
    FolioPlan *after = folio_plan_new();

    folio_plan_recall(after, folio_plan_count_blocks(plan), marks, decisions);
    return after;
}

/* foliod is away for a moment. */
static void
stage_restart(Stage *stage)
{
    FolioPlan *after = recall(stage->plan);

    folio_plan_free(stage->plan);
    stage->plan = after;
    stage->snapshot.windows = 0;
}

/* Windows until the block is planned; the last of them is that one. */
static guint
windows_until_planned(Stage *stage, guint block)
{
    for (guint n = 1; n < 10000; n++) {
        stage_window(stage);
        if (stage_find(stage, block) != NULL)
            return n;
    }
    return 0;
}

/* Whenever in its dwell, and with however many doublings: no block rests for less than it would
 * have, and for one or two windows more at most, as its verdict has to stand anew. */
static void
test_no_restart_shortens_a_dwell(void **state)
{
    for (guint doublings = 0; doublings <= FOLIO_PLAN_DOUBLINGS; doublings++) {
        for (guint at = 0; at < (FOLIO_PLAN_DWELL << doublings); at += 1 + (at / 7)) {
            guint waits[2];

            for (guint restarts = 0; restarts < 2; restarts++) {
                Stage stage;

                stage_init_sparse(&stage);
                stage_windows(&stage, FOLIO_PLAN_HELD);
                assert_int_equal(stage_begin(&stage, 0), FOLIO_PLAN_SPLIT);
                for (guint i = 0; i < doublings; i++) {
                    folio_plan_note(stage.plan, 0, FOLIO_PLAN_SPLIT); /* is huge again */
                }
                stage_windows(&stage, at);
                if (restarts > 0)
                    stage_restart(&stage);
                waits[restarts] = windows_until_planned(&stage, 0);
                assert_int_equal(stage_get(&stage, 0).doublings, doublings);
                stage_clear(&stage);
            }
            assert_in_range(waits[1], waits[0], MAX(waits[0], FOLIO_PLAN_HELD));
        }
    }
}

/* Of two plans of the same guest, one of which is lost and recalled again and again, that one does
 * nothing that the other would not. */
static void
test_recalled_does_nothing_sooner(void **state)
{
    static const FolioVerdict verdicts[] = { FOLIO_VERDICT_SPARSE, FOLIO_VERDICT_DENSE,
                                             FOLIO_VERDICT_IDLE };
    GRand *random = g_rand_new_with_seed(7);
    Stage whole, cut;
    guint done = 0;

    stage_init(&whole, STAGE_BLOCKS);
    stage_init(&cut, STAGE_BLOCKS);
    for (guint w = 0; w < 2000; w++) {
        for (guint i = 0; i < 4; i++) {
            const guint block = (guint) g_rand_int_range(random, 0, STAGE_BLOCKS);
            const FolioVerdict verdict = verdicts[g_rand_int_range(random, 0, 3)];

            stage_set(&whole, block, verdict);
            stage_set(&cut, block, verdict);
        }
        stage_window(&whole);
        stage_window(&cut);
        for (guint b = 0; b < STAGE_BLOCKS; b++) {
            if (stage_find(&cut, b) == NULL)
                continue;
            assert_int_equal(stage_get(&cut, b).doublings, stage_get(&whole, b).doublings);
            stage_act(&whole, b);
            stage_act(&cut, b);
            done++;
        }
        if (g_rand_int_range(random, 0, 20) == 0)
            stage_restart(&cut);
    }
    assert_true(done > 1000);
    stage_clear(&whole);
    stage_clear(&cut);
    g_rand_free(random);
}

/* Blocks at rest are not listed, and each of the others once. */
static void
test_marks(void **state)
{
    g_autoptr(GArray) none = NULL, marks = NULL, later = NULL;
    const FolioPlanMark *mark;
    Stage stage;

    stage_init(&stage, 4);
    none = folio_plan_list_marks(stage.plan);
    assert_int_equal(none->len, 0);
    stage_set(&stage, 2, FOLIO_VERDICT_SPARSE);
    stage_windows(&stage, FOLIO_PLAN_HELD);
    stage_begin(&stage, 2);
    stage_windows(&stage, 3);
    folio_plan_note(stage.plan, 3, FOLIO_PLAN_COLLAPSE);
    marks = folio_plan_list_marks(stage.plan);
    assert_int_equal(marks->len, 2);
    mark = &g_array_index(marks, FolioPlanMark, 0);
    assert_int_equal(mark->block, 2);
    assert_int_equal(mark->since, 3);
    assert_int_equal(mark->action, FOLIO_PLAN_SPLIT);
    assert_int_equal(mark->doublings, 0);
    assert_int_equal(mark[1].block, 3);
    assert_int_equal(mark[1].since, 0);
    assert_int_equal(mark[1].action, FOLIO_PLAN_COLLAPSE);
    stage_windows(&stage, FOLIO_PLAN_DWELL + FOLIO_PLAN_LASTS + 1);
    later = folio_plan_list_marks(stage.plan);
    assert_int_equal(later->len, 0);
    stage_clear(&stage);
}

/* Numbers from elsewhere are not believed. */
static void
test_marks_that_are_none(void **state)
{
    static const FolioPlanMark odd[] = {
        { .block = 7, .since = 1, .action = FOLIO_PLAN_SPLIT },
        { .block = 1, .since = G_MAXUINT, .action = FOLIO_PLAN_SPLIT, .doublings = 99 },
    };
    g_autoptr(GArray) marks = g_array_new(FALSE, FALSE, sizeof(FolioPlanMark));
    g_autoptr(GArray) decisions = g_array_new(FALSE, FALSE, sizeof(FolioPlanDecision));
    g_autoptr(FolioPlan) plan = folio_plan_new();
    g_autoptr(GArray) listed = NULL;

    g_array_append_vals(marks, odd, G_N_ELEMENTS(odd));
    folio_plan_recall(plan, 4, marks, decisions);
    assert_int_equal(folio_plan_count_blocks(plan), 4);
    listed = folio_plan_list_marks(plan);
    assert_int_equal(listed->len, 1);
    assert_int_equal(g_array_index(listed, FolioPlanMark, 0).since, FOLIO_PLAN_SINCE_MAX);
    assert_int_equal(g_array_index(listed, FolioPlanMark, 0).doublings, FOLIO_PLAN_DOUBLINGS);
}

static void
test_decisions(void **state)
{
    g_autoptr(FolioPlan) after = NULL;
    g_autoptr(FolioPlan) copy = NULL;
    g_autoptr(GArray) list = NULL, copied = NULL;
    Stage stage;

    stage_init_sparse(&stage);
    for (guint i = 0; i < FOLIO_PLAN_DECISIONS + 3; i++) {
        windows_until_planned(&stage, 0);
        stage_begin(&stage, 0);
        folio_plan_done(stage.plan, 0, FOLIO_PLAN_VOID);
    }
    after = recall(stage.plan);
    list = folio_plan_list_decisions(after);
    assert_int_equal(list->len, FOLIO_PLAN_DECISIONS);
    assert_int_equal(g_array_index(list, FolioPlanDecision, 0).result, FOLIO_PLAN_VOID);
    copy = folio_plan_copy(stage.plan);
    copied = folio_plan_list_decisions(copy);
    assert_int_equal(copied->len, list->len);
    assert_memory_equal(copied->data, list->data, list->len * sizeof(FolioPlanDecision));
    stage_clear(&stage);
}

/* By hand: what somebody has just collapsed is not split in the next window, and what the plan has
 * done, and somebody has undone, waits twice as long. */
static void
test_noted(void **state)
{
    Stage stage;

    stage_init_sparse(&stage);
    folio_plan_note(stage.plan, 0, FOLIO_PLAN_COLLAPSE); /* ignored: there is no block yet */
    stage_windows(&stage, FOLIO_PLAN_HELD);
    assert_non_null(stage_find(&stage, 0));
    folio_plan_note(stage.plan, 0, FOLIO_PLAN_COLLAPSE);
    assert_int_equal(stage_begin(&stage, 0), FOLIO_PLAN_NOTHING);
    folio_plan_note(stage.plan, 99, FOLIO_PLAN_SPLIT); /* ignored */
    assert_int_equal(windows_until_planned(&stage, 0), FOLIO_PLAN_DWELL);
    assert_int_equal(stage_begin(&stage, 0), FOLIO_PLAN_SPLIT);
    folio_plan_note(stage.plan, 0, FOLIO_PLAN_COLLAPSE);
    assert_int_equal(windows_until_planned(&stage, 0), 2 * FOLIO_PLAN_DWELL);
    stage_clear(&stage);
}

/* While nobody looks, nothing is planned, and verdicts stand. */
static void
test_windows_without_states(void **state)
{
    const FolioPlanCounts none = { 0 };
    FolioPlanCounts counts;
    Stage stage;

    stage_init_sparse(&stage);
    stage.input.states = NULL;
    stage.input.mode = FOLIO_MODE_OBSERVE;
    stage_windows(&stage, FOLIO_PLAN_HELD);
    counts = folio_plan_counts(stage.plan);
    assert_memory_equal(&counts, &none, sizeof none);
    assert_null(stage_find(&stage, 0));
    /* The same window again, of another mode. */
    stage.input.states = stage.states;
    stage.input.mode = FOLIO_MODE_SPLIT;
    folio_plan_window(stage.plan, &stage.input);
    assert_int_equal(stage_get(&stage, 0).held, FOLIO_PLAN_HELD);
    stage_clear(&stage);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_restart_shortens_a_dwell),
        cmocka_unit_test(test_recalled_does_nothing_sooner),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_marks_that_are_none),
        cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_noted),
        cmocka_unit_test(test_windows_without_states),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
