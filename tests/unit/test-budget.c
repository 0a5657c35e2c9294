/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What may be done now, and that it is never more than allowed. */
#include "cmocka-all.h"

#include "memory/guest-ram.h"
#include "policy/budget.h"

#define MIB    (G_GUINT64_CONSTANT(1) << 20)
#define SECOND ((gint64) G_USEC_PER_SEC)
#define NEVER  G_MAXINT64

/* Limits of which none is near. */
static const FolioBudgetLimits wide = {
    .host_rate = 1024 * 1024 * MIB,
    .cpu_share = 1000,
    .no_collapse = 5,
    .no_action = 20,
    .round_blocks = 256,
};

typedef struct {
    FolioBudget host;
    FolioGuestBudget guest;
    FolioBudgetLimits limits;
    guint64 rate;
} Stage;

/* The buckets begin at time 0. */
static Stage
stage_new(FolioBudgetLimits limits, guint64 rate)
{
    Stage stage = { .limits = limits, .rate = rate };
    const FolioBudgetQuestion nothing = { .rate = rate };

    folio_budget_take(&stage.host, &stage.guest, &stage.limits, &nothing);
    return stage;
}

static FolioBudgetAnswer
take(Stage *stage, guint blocks, gint64 now_usec)
{
    const FolioBudgetQuestion question = { .blocks = blocks,
                                           .rate = stage->rate,
                                           .now_usec = now_usec };

    return folio_budget_take(&stage->host, &stage->guest, &stage->limits, &question);
}

static void
check(FolioBudgetAnswer answer, guint blocks, gint64 again_usec, FolioBudgetReason reason)
{
    assert_int_equal(answer.blocks, blocks);
    assert_string_equal(folio_budget_reason_token(answer.reason),
                        folio_budget_reason_token(reason));
    if (again_usec == NEVER)
        assert_true(answer.again_usec == NEVER);
    else
        assert_in_range(answer.again_usec, again_usec, again_usec + 2);
}

static void
test_begins_empty(void **state)
{
    Stage late = { .limits = wide, .rate = 256 * MIB };
    Stage stage = stage_new(wide, 256 * MIB);

    assert_int_equal(take(&late, 1, 1000 * SECOND).blocks, 0);
    check(take(&stage, 10, 0), 0, SECOND * 10 / 128, FOLIO_BUDGET_GUEST);
    check(take(&stage, 10, SECOND * 10 / 128 + 2), 10, SECOND * 10 / 128 + 2, FOLIO_BUDGET_ENOUGH);
    check(take(&stage, 0, SECOND), 0, SECOND, FOLIO_BUDGET_ENOUGH);
}

/* A second's worth, however long nothing was done. */
static void
test_no_more_than_a_second_is_saved(void **state)
{
    Stage stage = stage_new(wide, 256 * MIB);
    const gint64 late = 1000 * SECOND;

    check(take(&stage, 500, late), 128, late, FOLIO_BUDGET_GUEST);
    check(take(&stage, 500, late), 0, late + SECOND, FOLIO_BUDGET_GUEST);
}

/* Not a block at a time as the bucket fills. */
static void
test_no_small_rounds(void **state)
{
    Stage stage = stage_new(wide, 256 * MIB);

    for (gint64 now = 0; now < SECOND; now += SECOND / 64)
        check(take(&stage, 500, now), 0, SECOND, FOLIO_BUDGET_GUEST);
    check(take(&stage, 500, SECOND + 1), 128, SECOND + 1, FOLIO_BUDGET_GUEST);
}

static void
test_rounds_are_bounded(void **state)
{
    Stage stage = stage_new(wide, 64 * 1024 * MIB);

    stage.limits.round_blocks = 3;
    check(take(&stage, 500, SECOND), 3, SECOND, FOLIO_BUDGET_ENOUGH);
}

static void
test_each_limit(void **state)
{
    static const struct {
        guint64 guest, host;
        double share;
        gint64 again_usec; /* of one block at the start */
        FolioBudgetReason reason;
    } rows[] = {
        { 2 * MIB, 1024 * MIB, 1, SECOND, FOLIO_BUDGET_GUEST },
        { 1024 * MIB, 2 * MIB, 1, SECOND, FOLIO_BUDGET_HOST },
        { 1024 * MIB, 1024 * MIB, 0.001, SECOND, FOLIO_BUDGET_CORE },
        { 1024, 1024 * MIB, 1, 2048 * SECOND, FOLIO_BUDGET_GUEST },
        { 0, 1024 * MIB, 1, NEVER, FOLIO_BUDGET_GUEST },
        { 1024 * MIB, 0, 1, NEVER, FOLIO_BUDGET_HOST },
        { 1024 * MIB, 1024 * MIB, 0, NEVER, FOLIO_BUDGET_CORE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        FolioBudgetLimits limits = wide;
        Stage stage;

        limits.host_rate = rows[i].host;
        limits.cpu_share = rows[i].share;
        stage = stage_new(limits, rows[i].guest);
        check(take(&stage, 1, 0), 0, rows[i].again_usec, rows[i].reason);
    }
}

/* Nor is what was saved up given away when the rate is none any more. */
static void
test_no_rate_any_more(void **state)
{
    Stage stage = stage_new(wide, 2 * MIB);

    check(take(&stage, 2, SECOND / 2), 0, SECOND, FOLIO_BUDGET_GUEST);
    check(take(&stage, 0, SECOND), 0, SECOND, FOLIO_BUDGET_ENOUGH);
    stage.rate = 0;
    check(take(&stage, 1, SECOND), 0, NEVER, FOLIO_BUDGET_GUEST);
}

/* Each guest has a bucket of its own; the host's is for all. */
static void
test_guests_share_the_host(void **state)
{
    FolioBudgetLimits limits = wide;
    Stage stage;

    limits.host_rate = 300 * MIB;
    stage = stage_new(limits, 256 * MIB);
    check(take(&stage, 128, 2 * SECOND), 128, 2 * SECOND, FOLIO_BUDGET_ENOUGH);
    stage.guest = stage_new(limits, 256 * MIB).guest; /* the next one */
    check(take(&stage, 22, 2 * SECOND), 22, 2 * SECOND, FOLIO_BUDGET_ENOUGH);
    check(take(&stage, 75, 2 * SECOND), 0, 2 * SECOND + SECOND / 2, FOLIO_BUDGET_HOST);
}

static void
test_pressure(void **state)
{
    static const struct {
        double pressure;
        gboolean split, collapse;
    } rows[] = {
        { 0, TRUE, TRUE },      { 4.99, TRUE, TRUE }, { 5, TRUE, FALSE },
        { 19.99, TRUE, FALSE }, { 20, FALSE, FALSE }, { 100, FALSE, FALSE },
    };

    for (guint i = 0; i < 2 * G_N_ELEMENTS(rows); i++) {
        const gboolean collapse = i % 2 == 1;
        const gboolean may = collapse ? rows[i / 2].collapse : rows[i / 2].split;
        Stage stage = stage_new(wide, 256 * MIB);
        const FolioBudgetQuestion question = { .blocks = 5,
                                               .collapse = collapse,
                                               .pressure = rows[i / 2].pressure,
                                               .rate = stage.rate,
                                               .now_usec = SECOND };
        const FolioBudgetAnswer answer =
            folio_budget_take(&stage.host, &stage.guest, &stage.limits, &question);

        if (may)
            check(answer, 5, SECOND, FOLIO_BUDGET_ENOUGH);
        else
            check(answer, 0, 11 * SECOND, FOLIO_BUDGET_PRESSURE);
        /* What was refused was not taken. */
        check(take(&stage, 128, SECOND), may ? 0 : 128, may ? SECOND + SECOND * 5 / 128 : SECOND,
              may ? FOLIO_BUDGET_GUEST : FOLIO_BUDGET_ENOUGH);
    }
}

/* ---- The core */

/* 1% of a core: a block of 1000 us every 0.1 s, as long as nothing is measured. */
static Stage
stage_of_core(void)
{
    FolioBudgetLimits limits = wide;

    limits.cpu_share = 0.01;
    return stage_new(limits, 1024 * 1024 * MIB);
}

static void
test_cost_is_learned(void **state)
{
    Stage stage = stage_of_core();

    check(take(&stage, 256, 10 * SECOND), 100, 10 * SECOND, FOLIO_BUDGET_CORE);
    folio_budget_spent(&stage.host, 100, 100 * 500); /* half of what was thought */
    check(take(&stage, 100, 10 * SECOND), 100, 10 * SECOND, FOLIO_BUDGET_ENOUGH);
    folio_budget_spent(&stage.host, 100, 100 * 900); /* the mean is 600 now */
    check(take(&stage, 1, 10 * SECOND), 0, 14 * SECOND + SECOND * 6 / 100, FOLIO_BUDGET_CORE);
}

/* What cost far more than it should is paid back first. */
static void
test_debt(void **state)
{
    Stage stage = stage_of_core();

    check(take(&stage, 100, 10 * SECOND), 100, 10 * SECOND, FOLIO_BUDGET_ENOUGH);
    folio_budget_spent(&stage.host, 100, SECOND);
    /* 0.9 s too much, and 10 ms for the next one: at 10 ms a second */
    check(take(&stage, 1, 10 * SECOND), 0, 101 * SECOND, FOLIO_BUDGET_CORE);
    check(take(&stage, 1, 101 * SECOND + 2), 1, 101 * SECOND + 2, FOLIO_BUDGET_ENOUGH);
}

/* A block dearer than all that can be saved up is still possible, rarely. */
static void
test_dear_blocks(void **state)
{
    Stage stage = stage_of_core();

    take(&stage, 1, SECOND);
    folio_budget_spent(&stage.host, 1, SECOND);
    check(take(&stage, 5, 1000 * SECOND), 1, 1000 * SECOND, FOLIO_BUDGET_CORE);
    check(take(&stage, 5, 1000 * SECOND), 0, 1100 * SECOND, FOLIO_BUDGET_CORE);
}

/* Runs that never began give back what was taken of the core; what was not taken, nothing. */
static void
test_nothing_came_of_it(void **state)
{
    Stage stage = stage_of_core();

    for (guint i = 0; i < 10; i++) {
        check(take(&stage, 100, 10 * SECOND), 100, 10 * SECOND, FOLIO_BUDGET_ENOUGH);
        folio_budget_spent(&stage.host, 100, 0);
    }
    check(take(&stage, 40, 10 * SECOND), 40, 10 * SECOND, FOLIO_BUDGET_ENOUGH);
    folio_budget_spent(&stage.host, 4000, 40 * 1000);
    folio_budget_spent(&stage.host, 4000, 40 * 1000);
    check(take(&stage, 10, 10 * SECOND), 10, 10 * SECOND, FOLIO_BUDGET_ENOUGH);
    folio_budget_spent(&stage.host, 10, 0);
    check(take(&stage, 61, 10 * SECOND), 0, 10 * SECOND + SECOND / 10, FOLIO_BUDGET_CORE);
    check(take(&stage, 60, 10 * SECOND), 60, 10 * SECOND, FOLIO_BUDGET_ENOUGH);
}

/* ---- Never more than allowed */

enum { GUESTS = 4, ASKED = 3000 };

typedef struct {
    gint64 usec;
    guint guest, blocks;
} Grant;

typedef struct {
    FolioBudget host;
    FolioGuestBudget guests[GUESTS];
    FolioBudgetLimits limits;
    guint64 rates[GUESTS];
    Grant grants[ASKED];
    guint n;
    double spent_usec;
} Host;

/* In no stretch of time more than its rate and one bucket; a guest's, or of all. */
static void
check_grants(const Host *host, guint guest, guint64 rate)
{
    const double bucket = MAX((double) rate, FOLIO_BLOCK_BYTES);

    for (guint i = 0; i < host->n; i++) {
        double bytes = 0;

        for (guint j = i; j < host->n && j < i + 300; j++) {
            const double seconds =
                (double) (host->grants[j].usec - host->grants[i].usec) / G_USEC_PER_SEC;

            if (guest == GUESTS || host->grants[j].guest == guest)
                bytes += host->grants[j].blocks * (double) FOLIO_BLOCK_BYTES;
            assert_true(bytes <= (double) rate * seconds + bucket + 1);
        }
    }
}

static void
ask_at_random(Host *host, GRand *random, gint64 now_usec)
{
    const guint guest = (guint) g_rand_int_range(random, 0, GUESTS);
    const FolioBudgetQuestion question = { .blocks = (guint) g_rand_int_range(random, 1, 400),
                                           .collapse = g_rand_boolean(random),
                                           .rate = host->rates[guest],
                                           .pressure = g_rand_double_range(random, 0, 25),
                                           .now_usec = now_usec };
    const FolioBudgetAnswer answer =
        folio_budget_take(&host->host, &host->guests[guest], &host->limits, &question);
    const double cost = host->host.block_usec > 0 ? host->host.block_usec : FOLIO_BUDGET_BLOCK_USEC;
    gint64 usec;

    assert_true(answer.blocks <= question.blocks && answer.blocks <= host->limits.round_blocks);
    assert_true(answer.blocks > 0 || answer.again_usec > now_usec);
    if (answer.blocks == 0)
        return;
    assert_true(question.pressure < (question.collapse ? 5 : 20));
    host->grants[host->n++] = (Grant){ now_usec, guest, answer.blocks };
    /* All that was spent, and what this one is thought to cost, had time to come in. */
    assert_true(host->spent_usec + answer.blocks * cost <=
                host->limits.cpu_share * (double) now_usec + 1);
    usec = (gint64) (answer.blocks * g_rand_double_range(random, 100, 3000));
    folio_budget_spent(&host->host, answer.blocks, usec);
    host->spent_usec += (double) usec;
}

static void
test_never_more_than_allowed(void **state)
{
    for (guint32 seed = 1; seed <= 12; seed++) {
        g_autofree Host *host = g_new0(Host, 1);
        g_autoptr(GRand) random = g_rand_new_with_seed(seed);
        gint64 now = 0;

        host->limits = folio_budget_limits_default();
        host->limits.host_rate = (guint64) g_rand_int_range(random, 50, 600) * MIB;
        host->limits.cpu_share = seed % 3 == 0 ? 0.01 : 1;
        for (guint g = 0; g < GUESTS; g++)
            host->rates[g] = (guint64) g_rand_int_range(random, 1, 400) * MIB;
        for (guint i = 0; i < ASKED; i++) {
            ask_at_random(host, random, now);
            now += g_rand_int_range(random, 0,
                                    g_rand_int_range(random, 0, 20) == 0 ? 5000000 : 200000);
        }
        assert_true(host->n > 100);
        for (guint g = 0; g < GUESTS; g++)
            check_grants(host, g, host->rates[g]);
        check_grants(host, GUESTS, host->limits.host_rate);
    }
}

/* Whoever asks again when told to gets it, and so all that the rate allows. */
static void
test_asked_again_in_time(void **state)
{
    for (guint rate = 1; rate < 4000; rate += 97) {
        Stage stage = stage_new(wide, rate * MIB);
        gint64 now = 0;
        guint64 blocks = 0;

        while (now < 100 * SECOND) {
            FolioBudgetAnswer answer = take(&stage, 1000, now);

            blocks += answer.blocks;
            if (answer.blocks > 0)
                continue;
            now = answer.again_usec;
            answer = take(&stage, 1000, now);
            assert_true(answer.blocks > 0);
            blocks += answer.blocks;
        }
        assert_in_range(blocks, 100 * rate / 2 * 98 / 100, 103 * rate / 2 + 1);
    }
}

static void
test_clock_that_stands_still(void **state)
{
    Stage stage = stage_new(wide, 256 * MIB);

    check(take(&stage, 128, 5 * SECOND), 128, 5 * SECOND, FOLIO_BUDGET_ENOUGH);
    for (guint i = 0; i < 100; i++)
        assert_int_equal(take(&stage, 1, 5 * SECOND).blocks, 0);
}

static void
test_defaults(void **state)
{
    const FolioBudgetLimits limits = folio_budget_limits_default();

    assert_int_equal(limits.host_rate, 1024 * MIB);
    assert_true(limits.cpu_share > 0 && limits.cpu_share <= 0.01);
    assert_true(limits.no_collapse > 0 && limits.no_collapse < limits.no_action);
    assert_true(limits.no_action < 60);
    assert_int_equal(limits.round_blocks, 256);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_begins_empty),
        cmocka_unit_test(test_no_more_than_a_second_is_saved),
        cmocka_unit_test(test_no_small_rounds),
        cmocka_unit_test(test_rounds_are_bounded),
        cmocka_unit_test(test_each_limit),
        cmocka_unit_test(test_no_rate_any_more),
        cmocka_unit_test(test_guests_share_the_host),
        cmocka_unit_test(test_pressure),
        cmocka_unit_test(test_cost_is_learned),
        cmocka_unit_test(test_debt),
        cmocka_unit_test(test_dear_blocks),
        cmocka_unit_test(test_nothing_came_of_it),
        cmocka_unit_test(test_never_more_than_allowed),
        cmocka_unit_test(test_asked_again_in_time),
        cmocka_unit_test(test_clock_that_stands_still),
        cmocka_unit_test(test_defaults),
    };

    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
