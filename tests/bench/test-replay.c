/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The replay: its reading of traces, its sampler, and scores worked out by hand. */
#include "../unit/cmocka-all.h"

#include <math.h>

#include "base/error.h"
#include "replay.h"

/* A line for a block that uses sub-pages 0 to pages - 1, each so often. */
static void
add_row(GString *text, guint window, guint block, guint pages, guint count)
{
    g_string_append_printf(text, "%u\t%x\t", window, 0x20000 + block);
    for (guint i = 0; i < pages; i++)
        g_string_append_printf(text, "%s%u:%u", i > 0 ? " " : "", i, count);
    g_string_append_c(text, '\n');
}

/* Lines for one block that uses sub-pages 0 to pages - 1 in each trace window of [from, to). */
static void
add_rows(GString *text, guint from, guint to, guint block, guint pages)
{
    for (guint window = from; window < to; window++)
        add_row(text, window, block, pages, 100);
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

/* After QUIET windows without a surprise a guest may have verdicts of sparse. */
enum { FEW = 80, QUIET = 24, WINDOWS = 60 };

/* A trace of FEW blocks with one to four hot sub-pages each, of which in each window some are
 * swept: all of their 512 sub-pages are accessed in one epoch. */
static ReplayTally
replay_sweeps(gboolean (*is_swept)(guint window, guint block), guint period)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(Trace) trace = NULL;

    for (guint epoch = 0; epoch < WINDOWS * REPLAY_EPOCHS; epoch++) {
        guint window = epoch / REPLAY_EPOCHS;
        gboolean at = epoch % REPLAY_EPOCHS == 5;

        for (guint b = 0; b < FEW; b++) {
            if (at && is_swept(window, b))
                add_row(text, epoch, b, 512, 100);
            else
                add_row(text, epoch, b, 1 + b % 4, 2000);
        }
    }
    trace = parse(text->str);
    return replay(trace, "foliod", period);
}

/* Housekeeping: a block, then another, in no order that could be foreseen. */
static gboolean
one_by_one(guint window, guint block)
{
    return block == (window * 37 + 5) % FEW;
}

/* A ring that is written through: all that gets dense was sparse before. */
static gboolean
ring_front(guint window, guint block)
{
    return block / 4 == window % (FEW / 4);
}

/* Nearly all that becomes dense in such guests looked sparse before, which shows in the first
 * windows, before any verdict: then there must be none. */
static void
test_surprises_are_learnt_unharmed(void **state)
{
    for (guint period = 100; period <= 1000; period *= 10) {
        ReplayTally sweeps = replay_sweeps(one_by_one, period);
        ReplayTally ring = replay_sweeps(ring_front, period);

        assert_int_equal(sweeps.active_dense, 2 * (WINDOWS - 2));
        assert_int_equal(sweeps.split_dense, 0);
        assert_true(ring.active_dense > 200);
        assert_int_equal(ring.split_dense, 0);
    }
}

/* No sweep at all: most of what an oracle would get, once the guest has proved itself. */
static gboolean
never(guint window, guint block)
{
    return FALSE;
}

static void
test_few_hot_pages_are_split(void **state)
{
    ReplayTally tally = replay_sweeps(never, 1000);

    assert_int_equal(tally.active_dense, 0);
    assert_true(tally.split_net * 10 > tally.split_best);
    assert_true(tally.split_hot[REPLAY_HOT_FEW] > 0);
}

/* All wake up at once, late and for the first time. Nothing foretells it; but a window's verdicts
 * are rationed. */
static gboolean
wake_up(guint window, guint block)
{
    return window >= QUIET + 2;
}

static void
test_first_surprise_is_rationed(void **state)
{
    ReplayTally tally = replay_sweeps(wake_up, 1000);
    guint clean = FEW * (QUIET + 2), ration = 6 + clean / 100;

    assert_true(tally.split_dense > 0);
    assert_true(tally.split_dense <= 2 * ration);
}

/* Two dense blocks beside many that are used evenly, but so little that a window shows a sample or
 * two of each. A rule that goes by what was seen splits them all. */
static void
test_few_samples_of_dense_blocks(void **state)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autoptr(Trace) trace = NULL;
    ReplayTally ours, naive;

    for (guint epoch = 0; epoch < WINDOWS * REPLAY_EPOCHS; epoch++) {
        for (guint b = 0; b < FEW; b++) {
            if (b < 2 || epoch % REPLAY_EPOCHS < 3)
                add_row(text, epoch, b, 512, b < 2 ? 20 : 1);
        }
    }
    trace = parse(text->str);
    ours = replay(trace, "foliod", 1000);
    naive = replay(trace, "naive", 1000);
    assert_true(naive.split_dense * 2 > naive.active_dense);
    assert_int_equal(ours.split_dense, 0);
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
        cmocka_unit_test(test_surprises_are_learnt_unharmed),
        cmocka_unit_test(test_few_hot_pages_are_split),
        cmocka_unit_test(test_first_surprise_is_rationed),
        cmocka_unit_test(test_few_samples_of_dense_blocks),
        cmocka_unit_test(test_missing_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
