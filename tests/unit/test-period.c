/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The period that keeps sampling within its budget, against a model in which the cost is
 * proportional to the rate. */
#include "cmocka-all.h"
#include "sample/period.h"

#define SECOND 1000000000ULL
#define BUDGET 0.01

/* What sampling takes of a second when rate events a second occur and a sample costs 100 ns. */
static guint64
cost(double rate, guint64 period)
{
    return (guint64) MIN(rate / (double) period * 100, 1e9);
}

static void
test_settles_within_budget(void **state)
{
    static const double rates[] = { 1e6, 1e8, 2.6e9, 3e11 };
    static const guint64 starts[] = { 1, 1024, 65536, 1 << 30 };

    for (guint r = 0; r < G_N_ELEMENTS(rates); r++) {
        for (guint s = 0; s < G_N_ELEMENTS(starts); s++) {
            FolioPeriod period;
            guint64 settled, spent;

            folio_period_init(&period, 1024, 0xffffff00, BUDGET, starts[s]);
            for (guint i = 0; i < 200; i++)
                folio_period_next(&period, cost(rates[r], period.period), SECOND, FALSE);
            settled = period.period;
            spent = cost(rates[r], settled);
            assert_true(spent <= BUDGET * SECOND);
            /* As much of it as makes sense, unless the hardware can do no more. */
            assert_true(settled == 1024 || spent >= BUDGET * SECOND / 2 * 0.99);
            for (guint i = 0; i < 100; i++)
                assert_int_equal(folio_period_next(&period, spent, SECOND, FALSE), settled);
        }
    }
}

/* Where the unit is as coarse as the period itself. */
static void
test_shortest_periods(void **state)
{
    FolioPeriod period;

    folio_period_init(&period, 1, 1000, BUDGET, 1);
    for (guint i = 0; i < 50; i++)
        folio_period_next(&period, cost(2.5e5, period.period), SECOND, FALSE);
    assert_in_range(period.period, 3, 5);
}

static void
test_excess_is_gone_soon(void **state)
{
    FolioPeriod period;
    guint n = 0;

    /* 100 times the budget. */
    folio_period_init(&period, 1024, 0xffffff00, BUDGET, 4096);
    while (cost(4e7 * 1024, period.period) > BUDGET * SECOND && ++n < 20)
        folio_period_next(&period, cost(4e7 * 1024, period.period), SECOND, FALSE);
    assert_true(n <= 4);
}

/* Steps are bounded both ways. */
static void
test_steps_are_bounded(void **state)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    FolioPeriod period;

    folio_period_init(&period, 1000, 1000000000, BUDGET, 1000000);
    for (guint i = 0; i < 100000; i++) {
        const guint64 old = period.period;
        const guint64 new = folio_period_next(
            &period, (guint64) (g_rand_double(random) * g_rand_double(random) * SECOND),
            SECOND / 10, g_rand_int_range(random, 0, 50) == 0);

        assert_true(new >= 1000 && new <= 1000000000);
        assert_true((double) new <= (double) old * 4.0001);
        assert_true((double) new >= (double) old / 1.5001 - 1);
    }
}

/* Bursts that come every few intervals: after the first ones the period stays, and the budget is
 * kept in the bursts too. */
static void
test_bursts_do_not_swing_it(void **state)
{
    for (guint every = 2; every <= FOLIO_PERIOD_MEMORY; every++) {
        FolioPeriod period;
        guint64 settled = 0;

        folio_period_init(&period, 1024, 0xffffff00, BUDGET, 65536);
        for (guint i = 0; i < 400; i++) {
            const double rate = i % every == 0 ? 3e10 : 1e9;

            if (i == 200)
                settled = period.period;
            folio_period_next(&period, cost(rate, period.period), SECOND, FALSE);
            if (i >= 200) {
                assert_int_equal(period.period, settled);
                assert_true(cost(rate, period.period) <= BUDGET * SECOND);
            }
        }
    }
}

/* From a period that is far too long it comes down without ever letting a burst over the budget: a
 * burst that it remembers is taken for what it would cost now. */
static void
test_comes_down_with_care(void **state)
{
    for (guint every = 1; every <= FOLIO_PERIOD_MEMORY; every++) {
        FolioPeriod period;

        folio_period_init(&period, 1024, 0xffffff00, BUDGET, 0xffffff00);
        for (guint i = 0; i < 400; i++) {
            const guint64 spent = cost(i % every == 0 ? 3e11 : 1e9, period.period);

            assert_true(spent <= BUDGET * SECOND);
            folio_period_next(&period, spent, SECOND, FALSE);
        }
        assert_true(cost(3e11, period.period) >= BUDGET * SECOND / 2 * 0.99);
    }
}

/* One burst in a calm time: up at once, down again afterwards, and there it stays. */
static void
test_one_burst_passes(void **state)
{
    FolioPeriod period;
    guint64 calm, high;
    guint turns = 0;

    folio_period_init(&period, 1024, 0xffffff00, BUDGET, 65536);
    for (guint i = 0; i < 100; i++)
        folio_period_next(&period, cost(1e9, period.period), SECOND, FALSE);
    calm = period.period;
    high = folio_period_next(&period, cost(1e11, calm), SECOND, FALSE);
    assert_true(high > calm * 3);
    for (guint i = 0; i < 100; i++) {
        const guint64 old = period.period;

        folio_period_next(&period, cost(1e9, old), SECOND, FALSE);
        turns += period.period > old;
    }
    assert_int_equal(turns, 0);
    assert_true(cost(1e9, period.period) >= BUDGET * SECOND / 2 * 0.99);
}

static void
test_idle_goes_to_the_floor_and_no_further(void **state)
{
    FolioPeriod period;

    folio_period_init(&period, 1024, 0xffffff00, BUDGET, 1 << 20);
    for (guint i = 0; i < 100; i++)
        folio_period_next(&period, 0, SECOND, FALSE);
    assert_int_equal(period.period, 1024);
}

static void
test_loss_asks_for_more(void **state)
{
    FolioPeriod period;

    folio_period_init(&period, 1024, 1 << 20, BUDGET, 10000);
    assert_int_equal(folio_period_next(&period, 0, SECOND, TRUE), 20000);
    for (guint i = 1; i < FOLIO_PERIOD_MEMORY; i++)
        assert_int_equal(folio_period_next(&period, 0, SECOND, FALSE), 20000);
    for (guint i = 0; i < 10; i++)
        folio_period_next(&period, 0, SECOND, TRUE);
    assert_int_equal(period.period, 1 << 20);
}

static void
test_extremes(void **state)
{
    FolioPeriod period;

    folio_period_init(&period, 1, G_MAXUINT64, BUDGET, G_MAXUINT64);
    assert_int_equal(folio_period_next(&period, 1, 0, TRUE), G_MAXUINT64);
    for (guint i = 0; i < 300; i++)
        folio_period_next(&period, G_MAXUINT64, 1, TRUE);
    assert_int_equal(period.period, G_MAXUINT64);
    for (guint i = 0; i < 3000; i++)
        folio_period_next(&period, 0, G_MAXUINT64, FALSE);
    assert_int_equal(period.period, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settles_within_budget),
        cmocka_unit_test(test_shortest_periods),
        cmocka_unit_test(test_excess_is_gone_soon),
        cmocka_unit_test(test_steps_are_bounded),
        cmocka_unit_test(test_bursts_do_not_swing_it),
        cmocka_unit_test(test_comes_down_with_care),
        cmocka_unit_test(test_one_burst_passes),
        cmocka_unit_test(test_idle_goes_to_the_floor_and_no_further),
        cmocka_unit_test(test_loss_asks_for_more),
        cmocka_unit_test(test_extremes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
