/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What translation costs, by kinds of blocks and block by block. */
#include "heat/cost-table.h"

#include "cmocka-all.h"

#include <math.h>

#define N_BLOCKS 200u
#define EVERY    G_MAXUINT
#define PERIOD   1000u

typedef struct {
    FolioCostTable *table;
    guint8 classes[N_BLOCKS]; /* FolioCostClass */
} Stage;

static int
set_up(void **state)
{
    Stage *stage = g_new0(Stage, 1);

    stage->table = folio_cost_table_new(N_BLOCKS);
    *state = stage;
    return 0;
}

static int
tear_down(void **state)
{
    Stage *stage = *state;

    folio_cost_table_free(stage->table);
    g_free(stage);
    return 0;
}

static void
follow(Stage *stage, guint room)
{
    folio_cost_table_follow(stage->table, stage->classes, room);
}

/* n samples, each with a walk, and cycles of translation out of twice as many. */
static void
sample(Stage *stage, guint block, guint n, guint16 cycles)
{
    for (guint i = 0; i < n; i++)
        folio_cost_table_add(stage->table, block, TRUE, TRUE, cycles, (guint16) (2 * cycles));
}

static FolioCosts *
end(Stage *stage)
{
    return folio_cost_table_end_window(stage->table, 50, PERIOD);
}

static void
end_quietly(Stage *stage)
{
    g_free(end(stage));
}

static void
assert_cost(const FolioBlockCost *cost, guint samples, guint64 cycles)
{
    assert_int_equal(cost->samples, samples);
    assert_int_equal(cost->walks, samples);
    assert_int_equal(cost->cycles, cycles);
}

static void
test_kinds(void **state)
{
    Stage *stage = *state;
    g_autofree FolioCosts *costs = NULL;

    stage->classes[70] = FOLIO_COST_SPLIT;
    stage->classes[71] = FOLIO_COST_CANDIDATE;
    follow(stage, EVERY);
    sample(stage, 70, 3, 40);
    sample(stage, 71, 5, 7);
    sample(stage, 199, 2, 9);
    folio_cost_table_add(stage->table, 0, TRUE, FALSE, 11, 11); /* latencies are not known */
    folio_cost_table_add(stage->table, 70, FALSE, FALSE, 11, 11);
    costs = end(stage);

    assert_int_equal(costs->last[FOLIO_COST_SPLIT].samples, 4);
    assert_int_equal(costs->last[FOLIO_COST_SPLIT].walks, 3);
    assert_int_equal(costs->last[FOLIO_COST_SPLIT].timed, 3);
    assert_int_equal(costs->last[FOLIO_COST_SPLIT].cycles, 120);
    assert_int_equal(costs->last[FOLIO_COST_SPLIT].squares, 3 * 40 * 40);
    assert_int_equal(costs->last[FOLIO_COST_SPLIT].total, 240);
    assert_int_equal(costs->last[FOLIO_COST_OTHER].samples, 8);
    assert_int_equal(costs->last[FOLIO_COST_OTHER].walks, 8);
    assert_int_equal(costs->last[FOLIO_COST_OTHER].timed, 7);
    assert_int_equal(costs->last[FOLIO_COST_OTHER].cycles, 5 * 7 + 2 * 9);
    assert_memory_equal(costs->totals.ever, costs->last, sizeof costs->last);
    assert_memory_equal(costs->totals.recent, costs->last, sizeof costs->last);
    assert_int_equal(costs->totals.split, 1);
    assert_int_equal(costs->totals.tracked, 1);
    assert_int_equal(costs->n_entries, 2);
    assert_cost(&folio_costs_find(costs, 70)->now, 3, 120);
    assert_cost(&folio_costs_find(costs, 71)->now, 5, 35);
    assert_null(folio_costs_find(costs, 72));
    assert_true(fabs(folio_cost_sums_cycles(&costs->last[FOLIO_COST_SPLIT]) - 40) < 1e-9);
    assert_true(fabs(folio_cost_sums_walk_share(&costs->last[FOLIO_COST_SPLIT]) - 0.75) < 1e-9);
}

/* Every block followed has an entry of its own, wherever it is. */
static void
test_places(void **state)
{
    Stage *stage = *state;
    g_autofree FolioCosts *costs = NULL;

    for (guint b = 0; b < N_BLOCKS; b++)
        stage->classes[b] = b % 3 == 0 ? FOLIO_COST_SPLIT : FOLIO_COST_OTHER;
    follow(stage, EVERY);
    for (guint b = 0; b < N_BLOCKS; b++)
        sample(stage, b, b % 7 + 1, (guint16) b);
    costs = end(stage);
    assert_int_equal(costs->n_entries, (N_BLOCKS + 2) / 3);
    for (guint b = 0; b < N_BLOCKS; b++) {
        const FolioCostEntry *entry = folio_costs_find(costs, b);

        assert_int_equal(entry != NULL, b % 3 == 0);
        if (entry != NULL)
            assert_cost(&entry->now, b % 7 + 1, (guint64) b * (b % 7 + 1));
    }
}

/* The window in which a candidate is split counts neither for before nor for after. */
static void
test_before_and_after(void **state)
{
    Stage *stage = *state;
    g_autofree FolioCosts *costs = NULL;
    const FolioCostEntry *entry;

    stage->classes[5] = FOLIO_COST_CANDIDATE;
    follow(stage, EVERY);
    sample(stage, 5, 4, 10);
    end_quietly(stage);
    follow(stage, EVERY);
    sample(stage, 5, 6, 10);
    end_quietly(stage);
    follow(stage, EVERY);
    sample(stage, 5, 100, 25); /* partly split already */
    end_quietly(stage);
    stage->classes[5] = FOLIO_COST_SPLIT;
    follow(stage, EVERY);
    sample(stage, 5, 3, 90);
    end_quietly(stage);
    follow(stage, EVERY);
    sample(stage, 5, 2, 90);
    costs = end(stage);

    entry = folio_costs_find(costs, 5);
    assert_true(entry->split);
    assert_cost(&entry->before, 10, 100);
    assert_cost(&entry->now, 5, 450);
    assert_true(fabs((double) entry->span - 2 * 50.0 / PERIOD) < 1e-6);
    assert_cost(&costs->totals.before, 10, 100);
    assert_cost(&costs->totals.after, 5, 450);
}

/* What a block cost while it was split says nothing of the time after its collapse. */
static void
test_collapsed(void **state)
{
    Stage *stage = *state;
    g_autofree FolioCosts *costs = NULL;

    stage->classes[5] = FOLIO_COST_CANDIDATE;
    follow(stage, EVERY);
    sample(stage, 5, 4, 10);
    end_quietly(stage);
    follow(stage, EVERY);
    stage->classes[5] = FOLIO_COST_SPLIT;
    follow(stage, EVERY);
    sample(stage, 5, 9, 90);
    end_quietly(stage);
    stage->classes[5] = FOLIO_COST_CANDIDATE;
    follow(stage, EVERY);
    costs = end(stage);
    assert_cost(&folio_costs_find(costs, 5)->before, 4, 40);
    assert_cost(&folio_costs_find(costs, 5)->now, 0, 0);
    assert_int_equal(costs->totals.before.samples, 0);
}

/* Split blocks come first, those that were followed already before others; candidates take half of
 * what is left. */
static void
test_room(void **state)
{
    Stage *stage = *state;
    g_autofree FolioCosts *costs = NULL;

    stage->classes[150] = FOLIO_COST_SPLIT;
    follow(stage, 2);
    sample(stage, 150, 3, 90);
    end_quietly(stage);
    stage->classes[10] = stage->classes[11] = FOLIO_COST_SPLIT;
    for (guint b = 50; b < 60; b++)
        stage->classes[b] = FOLIO_COST_CANDIDATE;
    follow(stage, 2);
    assert_int_equal(stage->table->n_entries, 2);
    sample(stage, 11, 8, 90);
    costs = end(stage);
    assert_cost(&folio_costs_find(costs, 150)->now, 3, 270);
    assert_non_null(folio_costs_find(costs, 10));
    assert_null(folio_costs_find(costs, 11));
    /* It is split all the same. */
    assert_int_equal(costs->last[FOLIO_COST_SPLIT].samples, 8);
    assert_int_equal(costs->totals.split, 3);
    assert_int_equal(costs->totals.tracked, 2);

    follow(stage, 11);
    assert_int_equal(stage->table->n_entries, 3 + 4);
    follow(stage, 0);
    assert_int_equal(stage->table->n_entries, 0);
    assert_int_equal(stage->table->totals.split, 3);
}

/* Nothing is kept for blocks of no interest. */
static void
test_nothing_to_follow(void **state)
{
    Stage *stage = *state;

    follow(stage, EVERY);
    assert_null(stage->table->groups);
    stage->classes[5] = FOLIO_COST_SPLIT;
    follow(stage, EVERY);
    assert_non_null(stage->table->groups);
    stage->classes[5] = FOLIO_COST_OTHER;
    follow(stage, EVERY);
    assert_null(stage->table->groups);
    assert_int_equal(stage->table->n_entries, 0);
    sample(stage, 5, 1, 1);
}

/* The guest as a whole: windows count of which it is known, after their end too, that nothing was
 * split in them. */
static void
test_whole(void **state)
{
    Stage *stage = *state;
    g_autofree FolioCosts *costs = NULL;

    for (guint i = 0; i < 3; i++) {
        sample(stage, 1, 10, 5);
        end_quietly(stage);
        follow(stage, EVERY);
    }
    assert_int_equal(stage->table->totals.whole.samples, 20);
    sample(stage, 1, 1000, 50); /* some of it is being split */
    end_quietly(stage);
    assert_int_equal(stage->table->totals.whole.samples, 30);
    stage->classes[1] = FOLIO_COST_SPLIT;
    follow(stage, EVERY);
    sample(stage, 1, 1000, 50);
    end_quietly(stage);
    stage->classes[1] = FOLIO_COST_OTHER; /* in the last window for some of the time */
    follow(stage, EVERY);
    sample(stage, 1, 7, 5);
    end_quietly(stage);
    assert_int_equal(stage->table->totals.whole.samples, 30);
    sample(stage, 1, 7, 5); /* of this it was not said what became of it */
    end_quietly(stage);
    follow(stage, EVERY);
    sample(stage, 1, 7, 5);
    costs = end(stage);
    assert_int_equal(costs->totals.whole.samples, 37);
    assert_int_equal(costs->totals.whole.cycles, 37 * 5);
}

static void
test_fades(void **state)
{
    Stage *stage = *state;
    g_autofree FolioCosts *costs = NULL;
    const FolioCostEntry *entry;

    stage->classes[5] = FOLIO_COST_CANDIDATE;
    follow(stage, EVERY);
    sample(stage, 5, 40, 10);
    end_quietly(stage);
    follow(stage, EVERY);
    stage->classes[5] = FOLIO_COST_SPLIT;
    follow(stage, EVERY);
    sample(stage, 5, 64, 30);
    for (guint w = 0; w < FOLIO_COST_FADE_WINDOWS; w++)
        end_quietly(stage);
    costs = end(stage);
    entry = folio_costs_find(costs, 5);
    assert_cost(&entry->before, 40, 400); /* there will be no more of it */
    assert_cost(&entry->now, 32, 32 * 30);
    assert_true(fabs((double) entry->span - (14.0 / 2 + 3) * 50 / PERIOD) < 1e-5);
    assert_int_equal(costs->totals.recent[FOLIO_COST_SPLIT].samples, 32);
    assert_int_equal(costs->totals.ever[FOLIO_COST_SPLIT].samples, 64);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kinds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_before_and_after, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_collapsed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_to_follow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fades, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
