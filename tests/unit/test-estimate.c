/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verdicts from evidence. */
#include "cmocka-all.h"

#include "heat/estimate.h"

#define LIMIT 110

/* A block watched for long, whose few sub-pages were all seen before, in every epoch. */
static FolioHeatEvidence
settled(guint16 pages)
{
    return (FolioHeatEvidence){
        .incidences = (guint16) (pages * 10), .seen = pages, .footprint = pages, .age = 40
    };
}

static void
test_tokens(void **state)
{
    assert_string_equal(folio_verdict_token(FOLIO_VERDICT_IDLE), "idle");
    assert_string_equal(folio_verdict_token(FOLIO_VERDICT_UNDECIDED), "undecided");
    assert_string_equal(folio_verdict_token(FOLIO_VERDICT_SPARSE), "sparse");
    assert_string_equal(folio_verdict_token(FOLIO_VERDICT_DENSE), "dense");
}

static void
test_few_hot_pages_are_decided(void **state)
{
    for (guint16 pages = 1; pages <= 51; pages++) {
        FolioHeatEvidence evidence = settled(pages);

        assert_int_equal(folio_estimate_verdict(&evidence, LIMIT), FOLIO_VERDICT_SPARSE);
    }
}

static void
test_never_seen_is_idle(void **state)
{
    FolioHeatEvidence evidence = { 0 };

    assert_int_equal(folio_estimate_verdict(&evidence, LIMIT), FOLIO_VERDICT_IDLE);
}

static void
test_short_acquaintance_is_undecided(void **state)
{
    FolioHeatEvidence evidence = settled(30);

    evidence.age = 3;
    assert_int_equal(folio_estimate_verdict(&evidence, LIMIT), FOLIO_VERDICT_UNDECIDED);
}

/* However little was seen of it. */
static void
test_newborn_is_undecided(void **state)
{
    FolioHeatEvidence evidence = settled(1);

    evidence.age = 2;
    assert_int_equal(folio_estimate_verdict(&evidence, LIMIT), FOLIO_VERDICT_UNDECIDED);
    evidence.age = 3;
    assert_int_equal(folio_estimate_verdict(&evidence, LIMIT), FOLIO_VERDICT_SPARSE);
}

/* Sparse now, but it was in use all over not long ago. */
static void
test_wide_footprint_is_undecided(void **state)
{
    FolioHeatEvidence evidence = settled(20);

    evidence.footprint = 480;
    assert_int_equal(folio_estimate_verdict(&evidence, LIMIT), FOLIO_VERDICT_UNDECIDED);
}

/* Few samples, each of another sub-page: the start of a scan. */
static void
test_new_pages_are_undecided(void **state)
{
    FolioHeatEvidence evidence = {
        .incidences = 14, .seen = 12, .once = 11, .fresh = 11, .footprint = 12, .age = 30
    };

    assert_int_equal(folio_estimate_verdict(&evidence, LIMIT), FOLIO_VERDICT_UNDECIDED);
}

/* Its guest's limit is wide, its footprint is within, but all of it is in use. */
static void
test_much_in_use_is_undecided(void **state)
{
    FolioHeatEvidence evidence = settled(79);

    assert_int_equal(folio_estimate_verdict(&evidence, 160), FOLIO_VERDICT_SPARSE);
    evidence = settled(80);
    assert_int_equal(folio_estimate_verdict(&evidence, 160), FOLIO_VERDICT_UNDECIDED);
}

static void
test_quiet_window_of_a_small_block_is_sparse(void **state)
{
    FolioHeatEvidence evidence = { .footprint = 3, .age = 12 };

    assert_int_equal(folio_estimate_verdict(&evidence, LIMIT), FOLIO_VERDICT_SPARSE);
}

static void
test_reach_grows_with_everything_but_age(void **state)
{
    FolioHeatEvidence base = settled(20), more;
    float reach = folio_estimate_reach(&base);

    more = base, more.footprint++;
    assert_true(folio_estimate_reach(&more) > reach);
    more = base, more.fresh++;
    assert_true(folio_estimate_reach(&more) > reach);
    more = base, more.fresh = base.fresh = 4, more.once = 12, more.twice = 1;
    assert_true(folio_estimate_reach(&more) > folio_estimate_reach(&base));
    more = base, more.age++;
    assert_true(folio_estimate_reach(&more) < folio_estimate_reach(&base));
}

static void
test_in_use(void **state)
{
    FolioHeatEvidence evidence = { .seen = 30, .once = 10, .twice = 4 };

    assert_float_equal(folio_estimate_in_use(&evidence), 39.0f, 1e-4f);
    evidence.once = 400, evidence.twice = 0;
    assert_float_equal(folio_estimate_in_use(&evidence), 512.0f, 1e-4f);
    evidence = (FolioHeatEvidence){ .seen = 1, .once = 1 };
    assert_float_equal(folio_estimate_in_use(&evidence), 1.0f, 1e-4f);
}

static void
test_dense_takes_five_windows(void **state)
{
    FolioHeatEvidence evidence = { .incidences = 900, .seen = 300, .footprint = 300, .age = 9 };
    FolioOutcomes outcomes = { 0 };

    for (guint window = 0; window < 6; window++) {
        FolioVerdict verdict = folio_estimate_verdict(&evidence, LIMIT);

        assert_int_equal(verdict, window < 4 ? FOLIO_VERDICT_UNDECIDED : FOLIO_VERDICT_DENSE);
        folio_estimate_remember(&evidence, verdict, &outcomes);
    }
    evidence.seen = 10;
    folio_estimate_remember(&evidence, FOLIO_VERDICT_UNDECIDED, &outcomes);
    evidence.seen = 300;
    assert_int_equal(folio_estimate_verdict(&evidence, LIMIT), FOLIO_VERDICT_UNDECIDED);
}

/* A guest whose sparse blocks turn dense gets no more of them; one that has proved itself for long
 * is forgiven a few. */
static void
test_outcomes(void **state)
{
    FolioHeatEvidence quiet = settled(2), dense = settled(400);
    FolioOutcomes outcomes = { 0 };

    assert_float_equal(folio_outcomes_limit(&outcomes), LIMIT, 1e-4f);
    folio_estimate_remember(&quiet, FOLIO_VERDICT_SPARSE, &outcomes);
    folio_estimate_remember(&quiet, FOLIO_VERDICT_SPARSE, &outcomes);
    dense.history = quiet.history;
    for (guint i = 0; i < 2; i++)
        folio_outcomes_learn(&outcomes, &dense);
    assert_int_equal(outcomes.surprises, 4);
    assert_float_equal(folio_outcomes_limit(&outcomes), LIMIT, 1e-4f);
    folio_outcomes_learn(&outcomes, &dense);
    assert_float_equal(folio_outcomes_limit(&outcomes), 0.0f, 1e-4f);
    assert_int_equal(folio_estimate_verdict(&quiet, folio_outcomes_limit(&outcomes)),
                     FOLIO_VERDICT_UNDECIDED);
    outcomes.sparse += 1000;
    assert_float_equal(folio_outcomes_limit(&outcomes), LIMIT, 1e-4f);
    folio_outcomes_fade(&outcomes);
    assert_int_equal(outcomes.surprises, 3);
    assert_int_equal(outcomes.sparse, 501);
}

static void
test_limit_is_earned(void **state)
{
    FolioOutcomes outcomes = { .dense = 100, .sparse = 100 };
    float some = folio_outcomes_limit(&outcomes);

    assert_true(some > LIMIT);
    outcomes.dense = 400;
    assert_true(folio_outcomes_limit(&outcomes) > some);
    outcomes.surprises = 2;
    assert_float_equal(folio_outcomes_limit(&outcomes), LIMIT, 1e-4f);
    outcomes.surprises = 0, outcomes.dense = G_MAXUINT32;
    assert_true(folio_outcomes_limit(&outcomes) <= 200);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_few_hot_pages_are_decided),
        cmocka_unit_test(test_never_seen_is_idle),
        cmocka_unit_test(test_short_acquaintance_is_undecided),
        cmocka_unit_test(test_newborn_is_undecided),
        cmocka_unit_test(test_wide_footprint_is_undecided),
        cmocka_unit_test(test_new_pages_are_undecided),
        cmocka_unit_test(test_much_in_use_is_undecided),
        cmocka_unit_test(test_quiet_window_of_a_small_block_is_sparse),
        cmocka_unit_test(test_reach_grows_with_everything_but_age),
        cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_dense_takes_five_windows),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_limit_is_earned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
