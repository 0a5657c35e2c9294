/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The turns of sessions that do not all fit into the budget. */
#include "cmocka-all.h"
#include "sample/duty.h"

#define BUDGET 0.01

static double
run_slots(FolioDuty *duty, double budget, FolioDutySession *sessions, gsize n, guint n_slots,
          guint *turns)
{
    double spent = 0;

    for (guint slot = 0; slot < n_slots; slot++) {
        folio_duty_next(duty, budget, sessions, n);
        for (gsize i = 0; i < n; i++) {
            turns[i] += sessions[i].on ? 1 : 0;
            spent += sessions[i].on ? sessions[i].cost : 0;
        }
    }
    return spent / n_slots;
}

static void
test_all_when_the_budget_suffices(void **state)
{
    FolioDutySession sessions[] = { { .id = 3, .cost = 0.002 },
                                    { .id = 5, .cost = 0.004 },
                                    { .id = 9, .cost = 0.003 } };
    FolioDuty duty = { 0 };
    guint turns[3] = { 0 };

    run_slots(&duty, BUDGET, sessions, 3, 50, turns);
    for (guint i = 0; i < 3; i++)
        assert_int_equal(turns[i], 50);
}

/* Dear and cheap ones get their turns alike, and the mean stays within the budget. */
static void
test_turns_are_fair(void **state)
{
    FolioDutySession sessions[20];
    FolioDuty duty = { 0 };
    guint turns[20] = { 0 };
    double mean;

    for (guint i = 0; i < 20; i++)
        sessions[i] = (FolioDutySession){ .id = 100 + i, .cost = i == 7 ? 0.05 : 0.001 * (i + 1) };
    mean = run_slots(&duty, BUDGET, sessions, 20, 10000, turns);
    assert_true(mean <= BUDGET * 1.001);
    assert_true(mean >= BUDGET * 0.9);
    for (guint i = 1; i < 20; i++)
        assert_in_range(turns[i], turns[0] - 1, turns[0] + 1);
    assert_true(turns[0] > 300);
}

static void
test_sessions_come_and_go(void **state)
{
    FolioDutySession sessions[] = { { .id = 1, .cost = 0.01 },
                                    { .id = 2, .cost = 0.01 },
                                    { .id = 3, .cost = 0.01 } };
    FolioDuty duty = { 0 };
    guint turns[3] = { 0 };

    run_slots(&duty, BUDGET, sessions, 1, 5, turns);
    assert_int_equal(turns[0], 5);
    folio_duty_next(&duty, BUDGET, sessions, 3);
    assert_true(!sessions[0].on && sessions[1].on && !sessions[2].on);
    folio_duty_next(&duty, BUDGET, &sessions[2], 1);
    assert_true(sessions[2].on);
    folio_duty_next(&duty, BUDGET, sessions, 2);
    assert_true(sessions[0].on && !sessions[1].on);
    folio_duty_next(&duty, BUDGET, NULL, 0);
}

/* A long idle time is not saved up. */
static void
test_no_burst_after_idleness(void **state)
{
    FolioDutySession sessions[10] = { 0 };
    FolioDuty duty = { 0 };
    double spent = 0;

    for (guint i = 0; i < 10; i++)
        sessions[i].id = i + 1;
    for (guint i = 0; i < 1000; i++)
        folio_duty_next(&duty, BUDGET, sessions, 10);
    for (guint i = 0; i < 10; i++)
        sessions[i].cost = 0.009;
    folio_duty_next(&duty, BUDGET, sessions, 10);
    for (guint i = 0; i < 10; i++)
        spent += sessions[i].on ? sessions[i].cost : 0;
    assert_true(spent <= BUDGET);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_when_the_budget_suffices),
        cmocka_unit_test(test_turns_are_fair),
        cmocka_unit_test(test_sessions_come_and_go),
        cmocka_unit_test(test_no_burst_after_idleness),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
