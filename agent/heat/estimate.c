/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what sampling showed of a block to a verdict on it. Pure arithmetic.
 *
 * The constants were chosen on recordings of real programs and on synthetic ones; the rule is flat
 * around them. tests/bench/README says on which, and how well it does on others. */
#include "heat/estimate.h"

#include <string.h>

/* Reach: what joined the footprint lately is taken to stand for GROWTH_WEIGHT times as many that
 * were not sampled or are still to come. No block is below SMALLEST. All of it is for a block
 * watched for long; one watched for AGE_WEIGHT windows reaches twice as far. */
#define GROWTH_WEIGHT 96.0f
#define SMALLEST      5.0f
#define AGE_WEIGHT    3.0f

/* Few samples that all fall on different sub-pages are what a block looks like that is in use all
 * over. If it used n sub-pages evenly, s sightings would show about s^2 / 2n of them again; a block
 * has no level unless the n that this gives is below EVENLY, or it was seen again more often than
 * its footprint is wide, and unless AGAIN were seen again at all. It needs none of this when all
 * its sightings, and UNLUCKY more that chance may have withheld (95%), stand for fewer accesses
 * than EVENLY a window. */
#define AGAIN   5
#define EVENLY  64u
#define UNLUCKY 3

/* The limit of a guest without a record, in sub-pages of reach, and the widest, which is earned by
 * so many dense blocks (summed over windows). They are above the 102 at which a split breaks even
 * (a hot sub-page costs four times what a cold one gives), for reach is on the careful side. A
 * level is an eighth of a doubling: the margin below a surprise is half its reach. */
#define LIMIT_FIRST   180.0f
#define LIMIT_WIDEST  250.0f
#define DENSE_TO_EARN 200
#define MARGIN        8

/* A block that is estimated to use so many sub-pages right now is not split: 102 is where a split
 * only breaks even, and the estimate is from few samples. */
#define PRESENT_LIMIT 80u

/* One in HUNDREDTH of the dense blocks may have been called sparse before. A first surprise cannot
 * be foreseen, and what turns one block often turns many at once: a window has RATION_FIRST
 * verdicts of sparse, and one more for each HUNDREDTH block that was seen dense (which makes a
 * mistake small), or that would have been called sparse and stayed so (which makes it unlikely).
 * Were blocks independent, a block of those that stayed so would give a window with n dense ones
 * n / HUNDREDTH verdicts; as they are not, it is that for each TENFOLD of them. */
#define HUNDREDTH    100
#define TENFOLD      10
#define RATION_FIRST 6

/* A change lasts while three of FOUR blocks look dense that did when it began. Its surprises come
 * in the window in which blocks turn and in the next, and one more for those that turn late. */
#define FOUR           4
#define CHANGE_WINDOWS 3

/* A block looks dense when it is estimated to use a quarter of its sub-pages, from no fewer seen
 * than SOME; the verdict wants ENOUGH of them. A window between the two neither counts for it nor
 * against it: how many samples a block gets varies. */
#define DENSE_PAGES 128u
#define SOME        12
#define ENOUGH      48

/* History: the levels of this window and the one before, and windows in a row of looking dense. */
#define LEVEL_BITS  6
#define LEVEL_MASK  (FOLIO_LEVELS - 1u)
#define DENSE_SHIFT (2 * LEVEL_BITS)

const char *
folio_verdict_token(FolioVerdict verdict)
{
    static const char *const tokens[] = { "idle", "undecided", "sparse", "dense" };

    return tokens[verdict];
}

float
folio_estimate_in_use(const FolioHeatEvidence *evidence)
{
    float once = evidence->once, twice = evidence->twice;
    float in_use = (float) evidence->seen + once * (once - 1) / (2 * (twice + 1));

    return MIN(in_use, (float) FOLIO_SUB_PAGES);
}

guint16
folio_estimate_mean_in_use(const FolioHeatEvidence *evidence, guint n)
{
    double sum = 0;

    for (guint b = 0; b < n; b++) {
        if (evidence[b].seen > 0)
            sum += (double) folio_estimate_in_use(&evidence[b]);
    }
    return (guint16) (sum * 64 / n + 0.5);
}

/* folio_estimate_in_use() >= pages, without its division: the scan asks this of each block. */
static gboolean
uses(const FolioHeatEvidence *evidence, guint pages)
{
    guint seen = evidence->seen, once = evidence->once, twice = evidence->twice;

    return seen >= pages || (once > 0 && once * (once - 1) >= (pages - seen) * 2 * (twice + 1));
}

void
folio_estimate_age(FolioHeatEvidence *evidence, guint fresh)
{
    guint again = evidence->again + evidence->incidences - fresh;

    if (evidence->age > 0) {
        guint rest = evidence->growth - (evidence->growth + 3u) / 4;

        evidence->growth = (guint16) (rest + fresh * 16); /* a quarter of it, in 64ths */
    }
    evidence->again = (guint8) MIN(again, G_MAXUINT8);
    if ((evidence->age > 0 || evidence->seen > 0) && evidence->age < G_MAXUINT8)
        evidence->age++;
}

float
folio_estimate_reach(const FolioHeatEvidence *evidence)
{
    float reach = SMALLEST + (float) evidence->footprint;

    reach += GROWTH_WEIGHT / 64 * (float) evidence->growth;
    return reach * (1 + AGE_WEIGHT / (float) MAX(evidence->age, 1));
}

/* Eight levels to each doubling, from 4 up; the exponent and the upper bits of the fraction are
 * just that. */
static guint
level_of(float reach)
{
    const float lowest = 4;
    gint32 bits, origin;

    memcpy(&bits, &reach, sizeof bits);
    memcpy(&origin, &lowest, sizeof origin);
    return (guint) CLAMP((bits >> 20) - (origin >> 20), 0, FOLIO_LEVELS - 2) + 1;
}

static gboolean
is_known(const FolioHeatEvidence *evidence, guint64 period)
{
    guint again = evidence->again, sightings = evidence->footprint + again;

    if (evidence->age < 2)
        return FALSE;
    if (period > 0 && period < EVENLY * G_MAXUINT8 &&
        period * (sightings + UNLUCKY) < EVENLY * evidence->age)
        return TRUE;
    return again >= AGAIN && sightings * sightings < 2 * again * MAX(EVENLY, sightings);
}

static void
count_surprise(FolioOutcomes *outcomes, guint level)
{
    if (level == 0)
        return;
    outcomes->surprises[level]++;
    outcomes->surprised[level]++;
    if (outcomes->lowest_surprise == 0 || level < outcomes->lowest_surprise)
        outcomes->lowest_surprise = level;
}

static gboolean
may_be_sparse(const FolioHeatEvidence *evidence)
{
    return evidence->age >= FOLIO_YOUNGEST && !uses(evidence, PRESENT_LIMIT);
}

/* Estimated from enough to go by. */
static gboolean
looks_dense(const FolioHeatEvidence *evidence)
{
    return evidence->seen >= SOME && uses(evidence, DENSE_PAGES);
}

void
folio_outcomes_enter(FolioOutcomes *outcomes, FolioHeatEvidence *evidence)
{
    guint level_before = evidence->history & LEVEL_MASK, level = 0;
    guint dense_for = evidence->history >> DENSE_SHIFT;

    if (evidence->age == 0)
        return;
    outcomes->awake |= evidence->seen > 0;
    if (looks_dense(evidence)) {
        outcomes->dense++;
        outcomes->dense_now++;
        outcomes->turned += level_before > 0;
        outcomes->shown = MIN(outcomes->shown + 1, FOLIO_DENSE_TO_START);
        count_surprise(outcomes, level_before);
        count_surprise(outcomes, evidence->history >> LEVEL_BITS & LEVEL_MASK);
        if (evidence->seen >= ENOUGH)
            dense_for = MIN(dense_for + 1, FOLIO_DENSE_WINDOWS);
    } else {
        dense_for = 0;
    }
    if (is_known(evidence, outcomes->period))
        level = level_of(folio_estimate_reach(evidence));
    if (level > 0 && may_be_sparse(evidence))
        outcomes->candidates[level]++;
    evidence->history = (guint16) (dense_for << DENSE_SHIFT | level_before << LEVEL_BITS | level);
}

/* The level that is the first with too many surprises at or below it; FOLIO_LEVELS if none is. */
static guint
first_bad_level(const FolioOutcomes *outcomes)
{
    guint64 allowed = outcomes->dense / HUNDREDTH, sum = 0;

    for (guint level = 1; level < FOLIO_LEVELS; level++) {
        sum += outcomes->surprises[level];
        if (sum > allowed)
            return level;
    }
    return FOLIO_LEVELS;
}

static guint
limit_level(const FolioOutcomes *outcomes)
{
    float earned = (float) MIN(outcomes->dense, DENSE_TO_EARN) / DENSE_TO_EARN;
    guint widest = level_of(LIMIT_FIRST + (LIMIT_WIDEST - LIMIT_FIRST) * earned);
    guint bad = first_bad_level(outcomes);

    return bad == FOLIO_LEVELS ? widest : MIN(widest, bad - MIN(bad, MARGIN));
}

gboolean
folio_outcomes_suffice(const FolioOutcomes *outcomes)
{
    return outcomes->shown >= FOLIO_DENSE_TO_START || outcomes->quiet >= FOLIO_QUIET_TO_START;
}

static guint64
ration_of(const FolioOutcomes *outcomes)
{
    if (!folio_outcomes_suffice(outcomes))
        return 0;
    return RATION_FIRST + outcomes->dense / HUNDREDTH +
           outcomes->clean * MAX(outcomes->dense_now, TENFOLD) / (HUNDREDTH * TENFOLD);
}

static void
strike_off(FolioOutcomes *outcomes)
{
    for (guint level = 0; level < FOLIO_LEVELS; level++)
        outcomes->surprises[level] -=
            MIN(outcomes->surprises[level], outcomes->change_surprises[level]);
    outcomes->changed = outcomes->struck_off = TRUE;
    outcomes->changing = 0;
}

/* At the end of each window, when all of its blocks are entered. */
static void
follow_change(FolioOutcomes *outcomes)
{
    outcomes->struck_off = FALSE;
    if (outcomes->changing == 0) {
        if (outcomes->changed || outcomes->turned < FOLIO_CHANGE_BLOCKS)
            return;
        outcomes->change_dense = outcomes->dense_now;
        memset(outcomes->change_surprises, 0, sizeof outcomes->change_surprises);
    }
    outcomes->changing++;
    for (guint level = 0; level < FOLIO_LEVELS && outcomes->changing <= CHANGE_WINDOWS; level++)
        outcomes->change_surprises[level] += outcomes->surprised[level];
    if (outcomes->dense_now * FOUR < outcomes->change_dense * (FOUR - 1))
        outcomes->changing = 0;
    else if (outcomes->changing == FOLIO_DENSE_WINDOWS)
        strike_off(outcomes);
}

static void
clear_window(FolioOutcomes *outcomes)
{
    memset(outcomes->candidates, 0, sizeof outcomes->candidates);
    memset(outcomes->surprised, 0, sizeof outcomes->surprised);
    outcomes->lowest_surprise = 0;
    outcomes->turned = 0;
    outcomes->dense_now = 0;
}

void
folio_outcomes_settle(FolioOutcomes *outcomes)
{
    guint64 left;

    if (outcomes->lowest_surprise > 0 && outcomes->lowest_surprise < outcomes->limit + MARGIN)
        outcomes->clean = outcomes->quiet = 0;
    if (outcomes->awake)
        outcomes->quiet++;
    outcomes->awake = FALSE;
    follow_change(outcomes);
    outcomes->limit = limit_level(outcomes);
    left = ration_of(outcomes);
    outcomes->last = 0;
    outcomes->ration = 0;
    for (guint level = 1; level < outcomes->limit; level++) {
        guint n = outcomes->candidates[level];

        outcomes->clean += n;
        if (left == 0)
            continue;
        outcomes->last = level;
        outcomes->ration = (guint) MIN(n, left);
        left -= outcomes->ration;
    }
    clear_window(outcomes);
}

static gboolean
takes_ration(FolioOutcomes *outcomes, guint level)
{
    if (level == 0 || level > outcomes->last)
        return FALSE;
    if (level < outcomes->last)
        return TRUE;
    if (outcomes->ration == 0)
        return FALSE;
    outcomes->ration--;
    return TRUE;
}

FolioVerdict
folio_outcomes_verdict(FolioOutcomes *outcomes, const FolioHeatEvidence *evidence)
{
    if (evidence->age == 0)
        return FOLIO_VERDICT_IDLE;
    if (folio_estimate_dense_for(evidence) >= FOLIO_DENSE_WINDOWS)
        return FOLIO_VERDICT_DENSE;
    if (may_be_sparse(evidence) && takes_ration(outcomes, evidence->history & LEVEL_MASK))
        return FOLIO_VERDICT_SPARSE;
    return FOLIO_VERDICT_UNDECIDED;
}

gboolean
folio_outcomes_outdates(const FolioOutcomes *outcomes, const FolioHeatEvidence *evidence)
{
    return outcomes->struck_off && evidence->footprint >= DENSE_PAGES && !looks_dense(evidence);
}

guint
folio_estimate_dense_for(const FolioHeatEvidence *evidence)
{
    return evidence->history >> DENSE_SHIFT;
}

FolioCause
folio_outcomes_cause(const FolioOutcomes *outcomes, const FolioHeatEvidence *evidence,
                     FolioVerdict verdict)
{
    const guint level = evidence->history & LEVEL_MASK;

    if (verdict == FOLIO_VERDICT_IDLE)
        return FOLIO_CAUSE_IDLE;
    if (verdict == FOLIO_VERDICT_DENSE)
        return FOLIO_CAUSE_DENSE;
    if (verdict == FOLIO_VERDICT_SPARSE)
        return FOLIO_CAUSE_SPARSE;
    if (folio_estimate_dense_for(evidence) > 0)
        return FOLIO_CAUSE_FILLED;
    if (evidence->age < FOLIO_YOUNGEST)
        return FOLIO_CAUSE_YOUNG;
    if (uses(evidence, PRESENT_LIMIT))
        return FOLIO_CAUSE_BUSY;
    if (level == 0)
        return FOLIO_CAUSE_UNPROVEN;
    if (level >= outcomes->limit)
        return FOLIO_CAUSE_WIDE;
    return folio_outcomes_suffice(outcomes) ? FOLIO_CAUSE_RATION : FOLIO_CAUSE_ACCOUNT;
}

/* level_of the other way round: where the level begins. */
float
folio_outcomes_reach_limit(const FolioOutcomes *outcomes)
{
    guint eighths = outcomes->limit - MIN(outcomes->limit, 1);

    return 4 * (float) (1u << eighths / 8) * (1 + (float) (eighths % 8) / 8);
}

double
folio_outcomes_confidence(const FolioOutcomes *outcomes, const FolioHeatEvidence *evidence,
                          FolioVerdict verdict)
{
    double n;

    if (verdict == FOLIO_VERDICT_SPARSE)
        n = (double) outcomes->clean;
    else if (verdict == FOLIO_VERDICT_DENSE)
        n = folio_estimate_dense_for(evidence);
    else
        return 0;
    return (n + 1) / (n + 2);
}

void
folio_outcomes_fade(FolioOutcomes *outcomes)
{
    outcomes->dense /= 2;
    outcomes->clean /= 2;
    outcomes->changed = FALSE;
    for (guint level = 0; level < FOLIO_LEVELS; level++) {
        outcomes->surprises[level] /= 2;
        outcomes->change_surprises[level] /= 2;
    }
}
