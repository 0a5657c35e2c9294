/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether a split is worth what it costs, of made-up samples: most are translated in a cycle or
 * two, some have to walk. */
#include "policy/split-cost.h"

#include "cmocka-all.h"

#include <math.h>

#define N_LIKE  40u
#define WALK    150 /* cycles of a walk, the mean */
#define EXPOSED (500.0 * 4096)

/* What all of it is worth, cycles a second; and samples a second that stand for so many accesses
 * that a rise by ten cycles is worth it twice. */
#define WORTH (EXPOSED * FOLIO_COST_CYCLES / (double) FOLIO_COST_BYTES_A_CORE)
#define BUSY  (WORTH / 5)

typedef struct {
    GRand *random;
    FolioCosts *costs; /* N_LIKE candidates, then one that is split */
    FolioCostEntry *split;
} Stage;

static int
set_up(void **state)
{
    Stage *stage = g_new0(Stage, 1);

    stage->random = g_rand_new_with_seed(12);
    stage->costs = g_malloc0(sizeof *stage->costs + (N_LIKE + 1) * sizeof(FolioCostEntry));
    stage->costs->n_entries = N_LIKE + 1;
    for (guint i = 0; i <= N_LIKE; i++)
        stage->costs->entries[i].block = 10 * i;
    stage->split = &stage->costs->entries[N_LIKE];
    stage->split->split = 1;
    stage->costs->totals.split = 1;
    *state = stage;
    return 0;
}

static int
tear_down(void **state)
{
    Stage *stage = *state;

    g_rand_free(stage->random);
    g_free(stage->costs);
    g_free(stage);
    return 0;
}

/* Of a share of samples that walk, for a time of any length up to twice the mean. */
static guint
latency(Stage *stage, double walks)
{
    if (g_rand_double(stage->random) >= walks)
        return 1;
    return (guint) g_rand_int_range(stage->random, 1, 2 * WALK);
}

static void
sample(Stage *stage, FolioBlockCost *cost, guint n, double walks)
{
    for (guint i = 0; i < n; i++) {
        const guint cycles = latency(stage, walks);

        cost->samples++;
        cost->walks += cycles > 1;
        cost->cycles += cycles;
        cost->squares += (guint64) cycles * cycles;
    }
}

/* Candidates with so many samples each, whose shares of walks are spread evenly about that one. */
static void
sample_like(Stage *stage, guint n, double walks, double spread)
{
    for (guint i = 0; i < N_LIKE; i++) {
        stage->costs->entries[i].before = (FolioBlockCost){ 0 };
        sample(stage, &stage->costs->entries[i].before, n,
               walks + spread * (2.0 * i / (N_LIKE - 1) - 1));
    }
}

/* The split block, before and after. */
static void
sample_split(Stage *stage, guint n_before, double before, guint n, double after, double rate)
{
    stage->split->before = stage->split->now = (FolioBlockCost){ 0 };
    sample(stage, &stage->split->before, n_before, before);
    sample(stage, &stage->split->now, n, after);
    stage->split->span = (float) (n / rate);
}

static gboolean
is_costly(Stage *stage)
{
    const FolioCostBaseline baseline = folio_split_cost_baseline(stage->costs);

    return folio_split_cost_is_costly(&baseline, stage->split, EXPOSED, NULL);
}

static void
test_baseline(void **state)
{
    Stage *stage = *state;
    FolioCostBaseline baseline;

    sample_like(stage, 5000, 0.1, 0.05);
    baseline = folio_split_cost_baseline(stage->costs);
    assert_int_equal(baseline.blocks, N_LIKE);
    assert_true(fabs(baseline.cycles - (0.9 + 0.1 * WALK)) < 1);
    /* Blocks from 5% to 15%, evenly: 15 cycles wide, whose variance is that squared by 12. */
    assert_true(fabs(baseline.between - 15.0 * 15 / 12) < 5);

    sample_like(stage, 5000, 0.1, 0);
    baseline = folio_split_cost_baseline(stage->costs);
    assert_true(baseline.between < 1);
    assert_true(baseline.error < 0.1);
}

/* Too few alike, or hardly seen: nothing is known. Then blocks that are split by now say how it was
 * before. */
static void
test_no_baseline(void **state)
{
    Stage *stage = *state;

    assert_int_equal(folio_split_cost_baseline(NULL).blocks, 0);
    assert_int_equal(folio_split_cost_baseline(stage->costs).blocks, 0);
    sample_like(stage, FOLIO_COST_ALIKE_SAMPLES - 1, 0.1, 0);
    assert_int_equal(folio_split_cost_baseline(stage->costs).blocks, 0);
    sample_like(stage, FOLIO_COST_ALIKE_SAMPLES, 0.1, 0);
    stage->costs->n_entries = FOLIO_COST_ALIKE - 1;
    assert_int_equal(folio_split_cost_baseline(stage->costs).blocks, 0);
    stage->costs->n_entries = FOLIO_COST_ALIKE;
    assert_int_equal(folio_split_cost_baseline(stage->costs).blocks, FOLIO_COST_ALIKE);
    for (guint i = 0; i < FOLIO_COST_ALIKE; i++)
        stage->costs->entries[i].split = i % 2 == 0;
    assert_int_equal(folio_split_cost_baseline(stage->costs).blocks, FOLIO_COST_ALIKE);
}

static void
test_costly(void **state)
{
    Stage *stage = *state;
    FolioCostBaseline baseline;
    FolioSplitCost cost;

    sample_like(stage, 40, 0.1, 0.02);
    sample_split(stage, 40, 0.1, 400, 0.4, BUSY);
    baseline = folio_split_cost_baseline(stage->costs);
    assert_true(folio_split_cost_is_costly(&baseline, stage->split, EXPOSED, &cost));
    assert_true(fabs(cost.before - 0.1 * WALK) < 5);
    assert_true(fabs(cost.now - 0.4 * WALK) < 10);

    /* The more it exposes, the more it may cost. */
    assert_false(folio_split_cost_is_costly(&baseline, stage->split, 50 * EXPOSED, NULL));
    /* As much a sample, of a block that is hardly used. */
    stage->split->span *= 50;
    assert_false(is_costly(stage));
    /* How long it took is not known. */
    stage->split->span = 0;
    assert_false(is_costly(stage));
}

static void
test_thin(void **state)
{
    Stage *stage = *state;

    sample_like(stage, 40, 0.02, 0);
    sample_split(stage, 40, 0.02, FOLIO_COST_SAMPLES - 1, 1, 1000 * BUSY);
    assert_false(is_costly(stage));
    sample_split(stage, 40, 0.02, FOLIO_COST_SAMPLES, 1, 1000 * BUSY);
    assert_true(is_costly(stage));
    stage->split->split = 0;
    assert_false(is_costly(stage));
}

/* Without others to compare with, its own past has to be known well. */
static void
test_alone(void **state)
{
    Stage *stage = *state;

    sample_split(stage, FOLIO_COST_SAMPLES - 1, 0.02, 1000, 0.9, BUSY);
    assert_false(is_costly(stage));
    sample_split(stage, FOLIO_COST_SAMPLES, 0.02, 1000, 0.9, BUSY);
    assert_true(is_costly(stage));
}

/* A block whose accesses always had to walk has not become dear by being split; nor one that costs
 * what blocks like it cost that are huge. */
static void
test_dear_before(void **state)
{
    Stage *stage = *state;

    sample_like(stage, 40, 0.2, 0.2);
    sample_split(stage, 200, 0.5, 400, 0.5, 10 * BUSY);
    assert_false(is_costly(stage));
    sample_like(stage, 400, 0.5, 0);
    sample_split(stage, 400, 0.1, 400, 0.5, 10 * BUSY);
    assert_false(is_costly(stage));
}

/* As often as that many blocks, of which none costs any more than before, are taken for costly. */
static guint
count_false(Stage *stage, guint n_before, guint n, guint blocks, double spread)
{
    guint found = 0;

    for (guint i = 0; i < blocks; i++) {
        const double walks = 0.1 + spread * (2 * g_rand_double(stage->random) - 1);

        /* Busy enough for one cycle to be too much. */
        sample_split(stage, n_before, walks, n, walks, 10 * BUSY);
        found += is_costly(stage);
    }
    return found;
}

static void
test_noise(void **state)
{
    static const guint numbers[][2] = { { 0, 64 }, { 10, 64 }, { 64, 64 }, { 30, 1000 } };
    Stage *stage = *state;

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        guint alike, spread;

        sample_like(stage, 40, 0.1, 0);
        alike = count_false(stage, numbers[i][0], numbers[i][1], 5000, 0);
        sample_like(stage, 40, 0.1, 0.08);
        spread = count_false(stage, numbers[i][0], numbers[i][1], 5000, 0.08);
        print_message("%u samples before, %u after: of 5000 blocks %u alike, %u of all kinds\n",
                      numbers[i][0], numbers[i][1], alike, spread);
        /* 5,000 times 0.00135 are 7. */
        assert_true(alike <= 15);
        assert_true(spread <= 15);
    }
}

/* Those that are dear indeed are found. */
static void
test_power(void **state)
{
    Stage *stage = *state;
    guint found = 0;

    sample_like(stage, 40, 0.1, 0.05);
    for (guint i = 0; i < 1000; i++) {
        sample_split(stage, 40, 0.1, 200, 0.5, 10 * BUSY);
        found += is_costly(stage);
    }
    print_message("of 1000 costly blocks %u are found\n", found);
    assert_true(found >= 990);
}

/* ---- The guest */

/* Samples that take 100 cycles altogether, of which so many are for translation, a few more or
 * less. */
static FolioCostSums
sums(guint64 n, guint64 cycles)
{
    return (FolioCostSums){ .samples = n,
                            .timed = n,
                            .cycles = n * cycles,
                            .squares = n * (cycles * cycles + 4),
                            .total = n * 100 };
}

static gboolean
holds(const Stage *stage, gboolean held)
{
    const FolioCostBaseline baseline = folio_split_cost_baseline(stage->costs);

    return folio_split_cost_holds(stage->costs, &baseline, held);
}

static void
set_guest(Stage *stage, guint64 before, guint64 others, guint64 split)
{
    stage->costs->totals.whole = sums(100000, before);
    stage->costs->last[FOLIO_COST_OTHER] = sums(50000, others);
    stage->costs->last[FOLIO_COST_SPLIT] = sums(5000, split);
    stage->costs->totals.recent[FOLIO_COST_SPLIT] = sums(5000, split);
}

static void
test_guest(void **state)
{
    Stage *stage = *state;

    sample_like(stage, 100, 0.1, 0); /* 16 cycles */
    set_guest(stage, 10, 10, 16);
    assert_false(holds(stage, FALSE));
    /* 2 cycles are 2% of 100: on average it is 3 that each access takes longer. */
    set_guest(stage, 10, 10, 43);
    assert_true(holds(stage, FALSE));
    /* Until it is less than one. */
    set_guest(stage, 10, 10, 30);
    assert_false(holds(stage, FALSE));
    assert_true(holds(stage, TRUE));
    set_guest(stage, 10, 10, 18);
    assert_false(holds(stage, TRUE));
    /* It rose, and not by what is split. */
    set_guest(stage, 10, 20, 13);
    assert_false(holds(stage, FALSE));
    assert_false(holds(stage, TRUE));
}

static void
test_guest_unknown(void **state)
{
    Stage *stage = *state;

    sample_like(stage, 100, 0.1, 0);
    set_guest(stage, 10, 10, 100);
    assert_true(holds(stage, FALSE));
    assert_false(folio_split_cost_holds(NULL, &(FolioCostBaseline){ 0 }, TRUE));
    stage->costs->totals.whole = sums(FOLIO_COST_GUEST_SAMPLES - 1, 10);
    assert_false(holds(stage, FALSE));
    assert_true(holds(stage, TRUE)); /* as it was */
    set_guest(stage, 10, 10, 100);
    stage->costs->last[FOLIO_COST_OTHER] = sums(FOLIO_COST_GUEST_SAMPLES - 200, 10);
    stage->costs->last[FOLIO_COST_SPLIT] = sums(100, 100);
    assert_false(holds(stage, FALSE));
    /* Nothing is split any more. */
    set_guest(stage, 10, 10, 100);
    stage->costs->totals.split = 0;
    assert_false(holds(stage, TRUE));
}

/* A rise that may as well be chance. */
static void
test_guest_noise(void **state)
{
    Stage *stage = *state;

    sample_like(stage, 100, 0.1, 0);
    set_guest(stage, 10, 10, 43);
    stage->costs->last[FOLIO_COST_OTHER] = sums(1000, 10);
    stage->costs->last[FOLIO_COST_SPLIT] = sums(100, 43);
    stage->costs->last[FOLIO_COST_SPLIT].squares = 100ULL * 20000;
    assert_false(holds(stage, FALSE));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_baseline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_baseline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_costly, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_thin, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dear_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_noise, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_power, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_guest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_guest_unknown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_guest_noise, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
