/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The replay: its reading of traces, its sampler, and scores worked out by hand. */
#include "../unit/cmocka-all.h"

#include <math.h>

#include "base/error.h"
#include "replay.h"

/* Lines for one block that uses sub-pages 0 to pages - 1 in each trace window of [from, to). */
static void
add_rows(GString *text, guint from, guint to, guint block, guint pages)
{
    for (guint window = from; window < to; window++) {
        g_string_append_printf(text, "%u\t%x\t", window, 0x20000 + block);
        for (guint i = 0; i < pages; i++)
            g_string_append_printf(text, "%s%u:%u", i > 0 ? " " : "", i, 100u);
        g_string_append_c(text, '\n');
    }
}

static Trace *
parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    Trace *trace = trace_parse(text, strlen(text), "test", &error);

    assert_no_error(error);
    return trace;
}

static ReplayTally
replay(const Trace *trace, const char *rule_name, guint period)
{
    g_autoptr(GError) error = NULL;
    const Rule *rule = rule_find(rule_name);
    ReplayOptions options = { .period = period, .epoch_windows = 1, .seed = 1 };
    ReplayTally tally;

    replay_run(trace, &options, &rule, 1, &tally, &error);
    assert_no_error(error);
    return tally;
}

static void
test_parse(void **state)
{
    g_autoptr(Trace) trace = parse("# comment\n0\t20015\t3:7 511:1\n0\t1\t0:2\n4\t20015\t3:1\n");
    const TraceRow *row = &g_array_index(trace->rows, TraceRow, 2);

    assert_int_equal(trace->n_windows, 5);
    assert_int_equal(trace->addresses->len, 2);
    assert_int_equal(g_array_index(trace->addresses, guint64, 0), 0x20015);
    assert_int_equal(trace->rows->len, 3);
    assert_int_equal(row->block, 0);
    assert_int_equal(row->window, 4);
    assert_int_equal(g_array_index(trace->touches, TraceTouch, 1).sub_page, 511);
}

static void
test_parse_refuses(void **state)
{
    static const char *const bad[] = {
        "",
        "# nothing\n",
        "x\t1\t0:1\n",
        "0 1 0:1\n",
        "0\tzz\t0:1\n",
        "0\t1\t\n",
        "0\t1\t512:1\n",
        "0\t1\t0:0\n",
        "0\t1\t0:4294967296\n",
        "0\t1\t0:1 \n",
        "0\t1\t0:1x\n",
        "1\t1\t0:1\n0\t1\t0:1\n",
        "99999999999999999999\t1\t0:1\n",
    };

    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        assert_null(trace_parse(bad[i], strlen(bad[i]), "test", &error));
        assert_folio_error(error, FOLIO_ERROR_INVALID);
        assert_non_null(strstr(error->message, "test"));
    }
}

static void
test_too_short(void **state)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(Trace) trace = NULL;
    g_autoptr(GError) error = NULL;
    const Rule *rule = rule_find("naive");
    ReplayOptions options = { .period = 1, .epoch_windows = 1 };
    ReplayTally tally;

    add_rows(text, 0, 29, 0, 1);
    trace = parse(text->str);
    assert_false(replay_run(trace, &options, &rule, 1, &tally, &error));
    assert_folio_error(error, FOLIO_ERROR_INVALID);
}

/* Three windows: block 0 keeps 2 hot sub-pages, block 1 goes from 2 to 300, block 2 stays at 300.
 */
static void
test_score_by_hand(void **state)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(Trace) trace = NULL;
    ReplayTally tally;

    for (guint window = 0; window < 30; window++) {
        add_rows(text, window, window + 1, 0, 2);
        add_rows(text, window, window + 1, 1, window < 10 ? 2 : 300);
        add_rows(text, window, window + 1, 2, 300);
    }
    trace = parse(text->str);
    tally = replay(trace, "naive", 1);
    assert_int_equal(tally.split_best, 512 - 5 * 2);
    assert_int_equal(tally.split_net, 512 - 5 * 2 + 512 - 5 * 300);
    assert_int_equal(tally.splits, 2);
    assert_int_equal(tally.split_dense, 1);
    assert_int_equal(tally.active_dense, 2);
    assert_int_equal(tally.collapse_best, 2 * (5 * 300 - 512));
    assert_int_equal(tally.collapse_net, 5 * 300 - 512);
    assert_int_equal(tally.active_sparse, 1);
    assert_int_equal(tally.collapse_sparse, 0);
    assert_int_equal(tally.now_sparse, 2);
    assert_int_equal(tally.split_now_sparse, 2);
    assert_int_equal(tally.now_other, 1);
    assert_int_equal(tally.hot[REPLAY_HOT_FEW], 2);
    assert_int_equal(tally.split_hot[REPLAY_HOT_FEW], 2);
}

/* What comes after counts in both windows, each sub-page once. */
static void
test_hot_is_a_union(void **state)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(Trace) trace = NULL;

    add_rows(text, 0, 10, 0, 1);
    add_rows(text, 10, 20, 0, 60);
    add_rows(text, 20, 30, 0, 90);
    trace = parse(text->str);
    assert_int_equal(replay(trace, "naive", 1).split_net, 512 - 5 * 90);
}

/* A rule that adds up what it is shown, for the sampler's sake. */
static guint64 shown;

static void
count_samples(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts)
{
    for (guint b = 0; b < n_blocks; b++)
        shown += seen[b].n;
}

static void
test_sampler_rate(void **state)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(Trace) trace = NULL;
    const Rule rule = { .name = "count", .decide = count_samples };
    const Rule *list = &rule;
    double accesses = 30 * 512 * 100.0;

    add_rows(text, 0, 30, 0, 512);
    trace = parse(text->str);
    for (guint period = 1; period <= 1000; period *= 10) {
        ReplayOptions options = { .period = period, .epoch_windows = 1, .seed = period };
        double expected = accesses / period;
        double sigma = sqrt(expected * (1 - 1.0 / period));
        ReplayTally tally;

        shown = 0;
        assert_true(replay_run(trace, &options, &list, 1, &tally, NULL));
        assert_true(fabs((double) shown - expected) <= 5 * sigma);
    }
}

static void
test_same_seed_same_result(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Trace) trace = trace_read(g_getenv("FOLIOD_TRACE"), &error);
    ReplayTally first, again;

    assert_no_error(error);
    first = replay(trace, "naive", 300);
    again = replay(trace, "naive", 300);
    assert_memory_equal(&first, &again, sizeof first);
    assert_true(first.splits > 0);
}

/* On a recording of a real program the agent's rule earns and does next to no harm, the rule that
 * goes by the share of sub-pages seen does much, and blocks with few hot sub-pages are decided. */
static void
test_recorded_program(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Trace) trace = trace_read(g_getenv("FOLIOD_TRACE"), &error);
    ReplayTally ours, naive;

    assert_no_error(error);
    ours = replay(trace, "foliod", 1000);
    naive = replay(trace, "naive", 1000);
    assert_true(ours.split_net > 0);
    assert_true(ours.split_dense * 100 <= ours.active_dense);
    assert_true(naive.split_dense * 100 > 10 * naive.active_dense);
    assert_true(ours.split_hot[REPLAY_HOT_FEW] > 0);
}

static void
test_missing_file(void **state)
{
    g_autoptr(GError) error = NULL;

    assert_null(trace_read("/nonexistent.tsv.xz", &error));
    assert_non_null(error);
    g_clear_error(&error);
    assert_null(trace_read("/nonexistent.tsv", &error));
    assert_non_null(error);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_too_short),
        cmocka_unit_test(test_score_by_hand),
        cmocka_unit_test(test_hot_is_a_union),
        cmocka_unit_test(test_sampler_rate),
        cmocka_unit_test(test_same_seed_same_result),
        cmocka_unit_test(test_recorded_program),
        cmocka_unit_test(test_missing_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
