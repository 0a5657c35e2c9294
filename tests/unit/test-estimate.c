/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verdicts from evidence, and the account that each guest has. */
#include "cmocka-all.h"

#include "heat/estimate.h"

/* Before there is a verdict of sparse: windows, or dense blocks summed over them. */
enum { QUIET_TO_START = 24, DENSE_TO_START = 100 };

/* A block watched for long, whose few sub-pages were all seen before, in every epoch. */
static FolioHeatEvidence
settled(guint pages)
{
    return (FolioHeatEvidence){ .incidences = (guint16) (pages * 10),
                                .seen = (guint16) pages,
                                .footprint = (guint16) pages,
                                .age = 40,
                                .again = G_MAXUINT8 };
}

/* Enters n copies and settles; how many of them are sparse. */
static guint
count_sparse(FolioOutcomes *outcomes, FolioHeatEvidence *blocks, guint n)
{
    guint sparse = 0;

    for (guint i = 0; i < n; i++)
        folio_outcomes_enter(outcomes, &blocks[i]);
    folio_outcomes_settle(outcomes);
    for (guint i = 0; i < n; i++)
        sparse += folio_outcomes_verdict(outcomes, &blocks[i]) == FOLIO_VERDICT_SPARSE;
    return sparse;
}

/* The verdict on one block alone. */
static FolioVerdict
judge(FolioOutcomes outcomes, FolioHeatEvidence evidence)
{
    folio_outcomes_enter(&outcomes, &evidence);
    folio_outcomes_settle(&outcomes);
    return folio_outcomes_verdict(&outcomes, &evidence);
}

/* A window in which the guest did something, of which nothing is known yet. */
static void
busy_window(FolioOutcomes *outcomes)
{
    FolioHeatEvidence newborn = { .seen = 1, .footprint = 1, .incidences = 1, .age = 1 };

    folio_outcomes_enter(outcomes, &newborn);
    folio_outcomes_settle(outcomes);
}

/* A guest that nothing is held against, for so many windows. */
static FolioOutcomes
after_quiet_windows(guint windows)
{
    FolioOutcomes outcomes = { 0 };

    for (guint i = 0; i < windows; i++)
        busy_window(&outcomes);
    return outcomes;
}

/* One that showed so many dense blocks in a window, all of them from their birth. */
static FolioOutcomes
after_dense_blocks(guint n)
{
    FolioOutcomes outcomes = { 0 };

    for (guint i = 0; i < n; i++) {
        FolioHeatEvidence evidence = settled(400);

        folio_outcomes_enter(&outcomes, &evidence);
    }
    folio_outcomes_settle(&outcomes);
    return outcomes;
}

/* Known for long enough to be judged, with nothing else on its record. */
static FolioOutcomes
quiet_guest(void)
{
    return after_quiet_windows(QUIET_TO_START);
}

static FolioOutcomes
dense_guest(void)
{
    return after_dense_blocks(DENSE_TO_START);
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
    for (guint pages = 1; pages <= 51; pages++)
        assert_int_equal(judge(quiet_guest(), settled(pages)), FOLIO_VERDICT_SPARSE);
}

static void
test_never_seen_is_idle(void **state)
{
    assert_int_equal(judge(quiet_guest(), (FolioHeatEvidence){ 0 }), FOLIO_VERDICT_IDLE);
}

/* However little was seen of it. */
static void
test_newborn_is_undecided(void **state)
{
    FolioHeatEvidence evidence = settled(1);

    evidence.age = 3;
    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_UNDECIDED);
    evidence.age = 4;
    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_SPARSE);
}

static void
test_short_acquaintance_is_undecided(void **state)
{
    FolioHeatEvidence evidence = settled(20);

    evidence.footprint = 110;
    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_SPARSE);
    evidence.age = 4;
    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_UNDECIDED);
}

/* Sparse now, but it was in use all over not long ago. */
static void
test_wide_footprint_is_undecided(void **state)
{
    FolioHeatEvidence evidence = settled(20);

    evidence.footprint = 480;
    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_UNDECIDED);
}

/* Two new sub-pages a window, for long: where it will end is not known. */
static void
test_growing_is_undecided(void **state)
{
    FolioHeatEvidence evidence = settled(20);

    evidence.growth = 2 * 64;
    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_UNDECIDED);
}

/* In use all over, but so few samples that each falls on another sub-page: a rule that counts
 * sub-pages takes it for sparse. */
static void
test_evenly_used_is_undecided(void **state)
{
    FolioHeatEvidence evidence = settled(20);

    evidence.seen = evidence.incidences = 1;
    evidence.again = 4;
    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_UNDECIDED);
    evidence.footprint = 2;
    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_UNDECIDED);
    evidence.again = 5;
    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_SPARSE);
    /* 40 sub-pages in 60 sightings are what 90 in even use show; in 81, it is not even. */
    evidence.footprint = 40, evidence.again = 20;
    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_UNDECIDED);
    evidence.again = 41;
    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_SPARSE);
}

/* One sighting, then quiet for so long that it cannot have been accessed much, however unlucky. */
static void
test_rarely_used_is_sparse(void **state)
{
    FolioOutcomes sampled = quiet_guest();
    FolioHeatEvidence evidence = { .footprint = 1, .age = 62 };

    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_UNDECIDED);
    sampled.period = 1000;
    assert_int_equal(judge(sampled, evidence), FOLIO_VERDICT_UNDECIDED);
    evidence.age = 63;
    assert_int_equal(judge(sampled, evidence), FOLIO_VERDICT_SPARSE);
    evidence.footprint = 2;
    assert_int_equal(judge(sampled, evidence), FOLIO_VERDICT_UNDECIDED);
}

/* Its guest's limit is wide, its footprint is within, but all of it is in use. */
static void
test_much_in_use_is_undecided(void **state)
{
    const FolioOutcomes earned = { .dense = 10000, .shown = DENSE_TO_START };

    assert_int_equal(judge(earned, settled(79)), FOLIO_VERDICT_SPARSE);
    assert_int_equal(judge(earned, settled(80)), FOLIO_VERDICT_UNDECIDED);
}

static void
test_quiet_window_of_a_small_block_is_sparse(void **state)
{
    FolioHeatEvidence evidence = { .footprint = 3, .age = 12, .again = 30 };

    assert_int_equal(judge(quiet_guest(), evidence), FOLIO_VERDICT_SPARSE);
}

static void
test_reach_grows_with_everything_but_age(void **state)
{
    FolioHeatEvidence base = settled(20), more;
    float reach = folio_estimate_reach(&base);

    more = base, more.footprint++;
    assert_true(folio_estimate_reach(&more) > reach);
    more = base, more.growth++;
    assert_true(folio_estimate_reach(&more) > reach);
    more = base, more.age++;
    assert_true(folio_estimate_reach(&more) < reach);
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
test_age(void **state)
{
    FolioHeatEvidence evidence = { 0 };

    folio_estimate_age(&evidence, 0);
    assert_int_equal(evidence.age, 0); /* not seen yet */
    evidence.seen = 12, evidence.incidences = 15;
    folio_estimate_age(&evidence, 12);
    assert_int_equal(evidence.age, 1);
    assert_int_equal(evidence.again, 3);
    assert_int_equal(evidence.growth, 0); /* the first window's sub-pages are not growth */
    folio_estimate_age(&evidence, 8);
    assert_int_equal(evidence.growth, 8 * 64 / 4);
    assert_int_equal(evidence.again, 10);
    evidence.seen = evidence.incidences = 0;
    for (guint window = 2; window < 300; window++) {
        assert_int_equal(evidence.age, MIN(window, 255));
        folio_estimate_age(&evidence, 0);
    }
    assert_int_equal(evidence.growth, 0);
    evidence.seen = 512, evidence.incidences = 5120;
    for (guint window = 0; window < 50; window++)
        folio_estimate_age(&evidence, 512);
    assert_int_equal(evidence.again, 255);
    assert_in_range(evidence.growth, 500 * 64, 512 * 64);
}

static void
test_dense_takes_five_windows(void **state)
{
    FolioHeatEvidence evidence = settled(300);
    FolioOutcomes outcomes = { 0 };

    for (guint window = 0; window < 6; window++) {
        folio_outcomes_enter(&outcomes, &evidence);
        folio_outcomes_settle(&outcomes);
        assert_int_equal(folio_outcomes_verdict(&outcomes, &evidence),
                         window < 4 ? FOLIO_VERDICT_UNDECIDED : FOLIO_VERDICT_DENSE);
    }
    assert_int_equal(outcomes.dense, 6);
    evidence.seen = 10;
    folio_outcomes_enter(&outcomes, &evidence);
    evidence.seen = 300;
    folio_outcomes_enter(&outcomes, &evidence);
    folio_outcomes_settle(&outcomes);
    assert_int_equal(folio_outcomes_verdict(&outcomes, &evidence), FOLIO_VERDICT_UNDECIDED);
}

/* A window with few samples that look like those of a dense block says nothing on it. */
static void
test_dense_passes_over_few_samples(void **state)
{
    const FolioHeatEvidence plenty = settled(300);
    FolioHeatEvidence evidence = plenty;
    FolioOutcomes outcomes = { 0 };

    for (guint window = 0; window < 10; window++) {
        const gboolean few = window % 2 == 1;

        evidence.seen = few ? 20 : plenty.seen;
        evidence.incidences = few ? 20 : plenty.incidences;
        evidence.once = few ? 20 : plenty.once;
        folio_outcomes_enter(&outcomes, &evidence);
        folio_outcomes_settle(&outcomes);
        assert_int_equal(folio_estimate_dense_for(&evidence), window / 2 + 1);
        assert_int_equal(folio_outcomes_verdict(&outcomes, &evidence),
                         window < 8 ? FOLIO_VERDICT_UNDECIDED : FOLIO_VERDICT_DENSE);
    }
    evidence.once = 0; /* the same twenty all the time: not dense */
    evidence.incidences = 200;
    folio_outcomes_enter(&outcomes, &evidence);
    assert_int_equal(folio_estimate_dense_for(&evidence), 0);
}

/* A block of so many settled pages that turns dense: what the account makes of it. */
static void
surprise(FolioOutcomes *outcomes, guint pages)
{
    FolioHeatEvidence evidence = settled(pages);

    folio_outcomes_enter(outcomes, &evidence);
    evidence.seen = 400, evidence.footprint = 420;
    folio_outcomes_enter(outcomes, &evidence);
    folio_outcomes_settle(outcomes);
}

/* One surprise, whether it had been called sparse or not, ends verdicts on blocks of half its
 * reach and more; blocks of far less are still decided. */
static void
test_surprise(void **state)
{
    FolioOutcomes outcomes = dense_guest();

    folio_outcomes_fade(&outcomes);
    surprise(&outcomes, 50);
    assert_int_equal(judge(outcomes, settled(50)), FOLIO_VERDICT_UNDECIDED);
    assert_int_equal(judge(outcomes, settled(28)), FOLIO_VERDICT_UNDECIDED);
    assert_int_equal(judge(outcomes, settled(15)), FOLIO_VERDICT_SPARSE);
    surprise(&outcomes, 1);
    assert_int_equal(judge(outcomes, settled(1)), FOLIO_VERDICT_UNDECIDED);
}

/* Both windows before a block turns dense are places where a verdict would have been wrong. */
static void
test_surprise_counts_two_windows(void **state)
{
    FolioHeatEvidence evidence = settled(10);
    FolioOutcomes outcomes = { 0 };

    for (guint window = 0; window < 3; window++)
        folio_outcomes_enter(&outcomes, &evidence);
    evidence.seen = 400, evidence.footprint = 400;
    folio_outcomes_enter(&outcomes, &evidence);
    folio_outcomes_settle(&outcomes);
    outcomes.shown = DENSE_TO_START;
    outcomes.dense = 199;
    assert_int_equal(judge(outcomes, settled(10)), FOLIO_VERDICT_UNDECIDED);
    outcomes.dense = 200; /* two surprises in two hundred */
    assert_int_equal(judge(outcomes, settled(10)), FOLIO_VERDICT_SPARSE);
}

/* What turned was no block of which anything was known. */
static void
test_newborn_is_no_surprise(void **state)
{
    FolioOutcomes outcomes = dense_guest();
    FolioHeatEvidence evidence = settled(1);

    evidence.age = 1;
    folio_outcomes_enter(&outcomes, &evidence);
    evidence.age = 2, evidence.seen = 400, evidence.footprint = 400;
    folio_outcomes_enter(&outcomes, &evidence);
    folio_outcomes_settle(&outcomes);
    assert_int_equal(judge(outcomes, settled(1)), FOLIO_VERDICT_SPARSE);
}

static void
test_limit_is_earned(void **state)
{
    FolioOutcomes outcomes = quiet_guest();
    FolioHeatEvidence evidence = settled(20);

    evidence.footprint = 160;
    assert_int_equal(judge(outcomes, evidence), FOLIO_VERDICT_UNDECIDED);
    outcomes.dense = 200;
    assert_int_equal(judge(outcomes, evidence), FOLIO_VERDICT_SPARSE);
    outcomes.dense = G_MAXUINT32;
    evidence.footprint = 240;
    assert_int_equal(judge(outcomes, evidence), FOLIO_VERDICT_UNDECIDED);
}

/* Not a single verdict of sparse before the guest is known, however plain the block. */
static void
test_no_verdict_before_quiet_windows(void **state)
{
    FolioHeatEvidence evidence = settled(1);
    FolioOutcomes outcomes = { 0 };

    for (guint window = 1; window < QUIET_TO_START; window++)
        assert_int_equal(count_sparse(&outcomes, &evidence, 1), 0);
    assert_int_equal(count_sparse(&outcomes, &evidence, 1), 1);
}

static void
test_no_verdict_before_dense_blocks(void **state)
{
    assert_int_equal(judge(after_dense_blocks(0), settled(1)), FOLIO_VERDICT_UNDECIDED);
    assert_int_equal(judge(after_dense_blocks(DENSE_TO_START - 1), settled(1)),
                     FOLIO_VERDICT_UNDECIDED);
    assert_int_equal(judge(dense_guest(), settled(1)), FOLIO_VERDICT_SPARSE);
}

/* The windows are counted anew after a surprise below the limit, not after one far from it. */
static void
test_surprise_restarts_quiet_windows(void **state)
{
    FolioOutcomes outcomes = quiet_guest();

    surprise(&outcomes, 400);
    assert_int_equal(judge(outcomes, settled(1)), FOLIO_VERDICT_SPARSE);
    surprise(&outcomes, 50);
    for (guint window = 2; window < QUIET_TO_START; window++) {
        assert_int_equal(judge(outcomes, settled(1)), FOLIO_VERDICT_UNDECIDED);
        busy_window(&outcomes);
    }
    assert_int_equal(judge(outcomes, settled(1)), FOLIO_VERDICT_SPARSE);
}

/* A guest that stands still shows nothing, neither good nor bad. */
static void
test_idle_windows_show_nothing(void **state)
{
    FolioOutcomes outcomes = after_quiet_windows(QUIET_TO_START - 2);
    FolioHeatEvidence still = settled(1);

    still.seen = still.incidences = 0;
    for (guint window = 0; window < QUIET_TO_START; window++)
        assert_int_equal(count_sparse(&outcomes, &still, 1), 0);
    assert_int_equal(judge(outcomes, settled(1)), FOLIO_VERDICT_UNDECIDED);
    busy_window(&outcomes);
    assert_int_equal(judge(outcomes, settled(1)), FOLIO_VERDICT_SPARSE);
}

/* What was shown once need not be shown again when the account fades. */
static void
test_start_does_not_fade(void **state)
{
    FolioOutcomes outcomes = dense_guest();

    folio_outcomes_fade(&outcomes);
    assert_int_equal(outcomes.dense, DENSE_TO_START / 2);
    assert_int_equal(judge(outcomes, settled(1)), FOLIO_VERDICT_SPARSE);
}

enum { MANY = 600 };

static void
fill(FolioHeatEvidence *blocks, guint n, guint pages)
{
    for (guint i = 0; i < n; i++)
        blocks[i] = settled(pages);
}

/* The first window that may have any has six verdicts, of the blocks with the least reach; clean
 * windows earn more, and dense blocks do, for a mistake is small among many. */
static void
test_ration(void **state)
{
    FolioHeatEvidence blocks[MANY];
    FolioOutcomes outcomes = quiet_guest(),
                  among_dense = { .dense = 1000, .shown = DENSE_TO_START };

    fill(blocks, MANY, 20);
    assert_int_equal(count_sparse(&outcomes, blocks, MANY), 6);
    assert_int_equal(count_sparse(&outcomes, blocks, MANY), 6 + MANY / 100);
    assert_int_equal(count_sparse(&outcomes, blocks, MANY), 6 + 2 * MANY / 100);
    assert_int_equal(count_sparse(&among_dense, blocks, MANY), 16);

    outcomes = quiet_guest();
    fill(blocks, MANY, 40);
    fill(blocks + 100, 4, 3);
    assert_int_equal(count_sparse(&outcomes, blocks, MANY), 6);
    folio_outcomes_settle(&outcomes);
    for (guint i = 0; i < MANY; i++)
        folio_outcomes_enter(&outcomes, &blocks[i]);
    folio_outcomes_settle(&outcomes);
    for (guint i = 0; i < MANY; i++) {
        gboolean sparse = folio_outcomes_verdict(&outcomes, &blocks[i]) == FOLIO_VERDICT_SPARSE;

        assert_true(i < 100 || i >= 104 || sparse);
    }
}

/* A surprise below the limit takes back what was earned; one of a block that never was near it
 * does not. */
static void
test_ration_is_lost(void **state)
{
    FolioHeatEvidence blocks[MANY];
    FolioOutcomes outcomes = { 0 };

    fill(blocks, MANY, 5);
    count_sparse(&outcomes, blocks, MANY);
    assert_int_equal(outcomes.clean, MANY);
    surprise(&outcomes, 400);
    assert_int_equal(outcomes.clean, MANY);
    surprise(&outcomes, 40);
    assert_int_equal(outcomes.clean, 0);
}

static void
test_fade(void **state)
{
    FolioOutcomes outcomes = { .dense = 101, .clean = 9, .surprises[7] = 3 };

    folio_outcomes_fade(&outcomes);
    assert_int_equal(outcomes.dense, 50);
    assert_int_equal(outcomes.clean, 4);
    assert_int_equal(outcomes.surprises[7], 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_few_hot_pages_are_decided),
        cmocka_unit_test(test_never_seen_is_idle),
        cmocka_unit_test(test_newborn_is_undecided),
        cmocka_unit_test(test_short_acquaintance_is_undecided),
        cmocka_unit_test(test_wide_footprint_is_undecided),
        cmocka_unit_test(test_growing_is_undecided),
        cmocka_unit_test(test_evenly_used_is_undecided),
        cmocka_unit_test(test_rarely_used_is_sparse),
        cmocka_unit_test(test_much_in_use_is_undecided),
        cmocka_unit_test(test_quiet_window_of_a_small_block_is_sparse),
        cmocka_unit_test(test_reach_grows_with_everything_but_age),
        cmocka_unit_test(test_in_use),
        cmocka_unit_test(test_age),
        cmocka_unit_test(test_dense_takes_five_windows),
        cmocka_unit_test(test_dense_passes_over_few_samples),
        cmocka_unit_test(test_surprise),
        cmocka_unit_test(test_surprise_counts_two_windows),
        cmocka_unit_test(test_newborn_is_no_surprise),
        cmocka_unit_test(test_limit_is_earned),
        cmocka_unit_test(test_no_verdict_before_quiet_windows),
        cmocka_unit_test(test_no_verdict_before_dense_blocks),
        cmocka_unit_test(test_surprise_restarts_quiet_windows),
        cmocka_unit_test(test_idle_windows_show_nothing),
        cmocka_unit_test(test_start_does_not_fade),
        cmocka_unit_test(test_ration),
        cmocka_unit_test(test_ration_is_lost),
        cmocka_unit_test(test_fade),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
