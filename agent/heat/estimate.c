/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what sampling showed of a block to a verdict on it. Pure arithmetic.
 *
 * The constants were chosen on recordings of real programs so that splits of blocks that become
 * dense stay below 1% of these on each; tests/bench/README says on which, and how well they do on
 * others. The rule is flat around them. */
#include "heat/estimate.h"

/* Reach: what joined the footprint in one window is taken to join it again in each of the next
 * FRESH_WEIGHT, and what the window's samples did not show counts UNSEEN_WEIGHT times, as far as
 * what they did show was new. No block is below SMALLEST. All of it is for a block watched for
 * long; one watched for AGE_WEIGHT windows reaches twice as far. */
#define FRESH_WEIGHT  8.0f
#define UNSEEN_WEIGHT 3.0f
#define SMALLEST      5.0f
#define AGE_WEIGHT    8.0f

#define YOUNGEST 3 /* windows; a block that has just come into use is likely to be filled next */

/* The limit of a guest without a record, and the widest; the latter is earned by so many dense
 * blocks (summed over windows) without a surprise. */
#define LIMIT_FIRST   110.0f
#define LIMIT_WIDEST  140.0f
#define DENSE_TO_EARN 500.0f

/* Whatever its guest has earned, a block that is estimated to use so many sub-pages right now is
 * not split: 102 is where a split only breaks even, and the estimate is from few samples. */
#define PRESENT_LIMIT 80.0f

/* A block looks dense when it is estimated to use a quarter of its sub-pages, from no fewer seen
 * than SOME; the verdict wants ENOUGH of them, window after window. When MANY were seen, there is
 * no doubt that an earlier verdict of sparse was wrong. */
#define DENSE_PAGES 128u
#define SOME        24
#define ENOUGH      48
#define MANY        100
#define DENSE_WINDOWS                                                           \
    5 /* in a row, for the verdict: as many as the history has, and the present \
       */

/* When a guest has no limit at all. */
#define SURPRISES_FREE    4
#define SPARSE_A_SURPRISE 50
#define DENSE_A_SURPRISE  100

/* History: four bits a window, the latest lowest. */
#define HISTORY_BITS    4
#define HISTORY_VERDICT 3u
#define HISTORY_DENSE   4u /* it looked dense */

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

float
folio_estimate_reach(const FolioHeatEvidence *evidence)
{
    float seen = evidence->seen, fresh = evidence->fresh;
    float unseen = folio_estimate_in_use(evidence) - seen;
    float reach = SMALLEST + (float) evidence->footprint + FRESH_WEIGHT * fresh;

    if (evidence->seen > 0)
        reach += UNSEEN_WEIGHT * unseen * fresh / seen;
    return reach * (1 + AGE_WEIGHT / (float) MAX(evidence->age, 1));
}

/* folio_estimate_in_use() >= DENSE_PAGES, without its division: the scan asks this of each block.
 */
static gboolean
looks_dense(const FolioHeatEvidence *evidence, guint at_least)
{
    guint seen = evidence->seen, once = evidence->once, twice = evidence->twice;

    if (seen < at_least)
        return FALSE;
    return seen >= DENSE_PAGES || once * (once - 1) >= (DENSE_PAGES - seen) * 2 * (twice + 1);
}

static guint
verdict_before(const FolioHeatEvidence *evidence, guint windows_ago)
{
    return evidence->history >> (windows_ago - 1) * HISTORY_BITS & HISTORY_VERDICT;
}

void
folio_outcomes_learn(FolioOutcomes *outcomes, const FolioHeatEvidence *evidence)
{
    if (!looks_dense(evidence, SOME))
        return;
    outcomes->dense++;
    if (evidence->seen < MANY)
        return;
    outcomes->surprises += verdict_before(evidence, 1) == FOLIO_VERDICT_SPARSE;
    outcomes->surprises += verdict_before(evidence, 2) == FOLIO_VERDICT_SPARSE;
}

void
folio_outcomes_fade(FolioOutcomes *outcomes)
{
    outcomes->sparse /= 2;
    outcomes->dense /= 2;
    outcomes->surprises /= 2;
}

float
folio_outcomes_limit(const FolioOutcomes *outcomes)
{
    float earned;

    if (outcomes->surprises > SURPRISES_FREE + outcomes->sparse / SPARSE_A_SURPRISE &&
        outcomes->surprises > outcomes->dense / DENSE_A_SURPRISE)
        return 0;
    earned = (float) outcomes->dense / DENSE_TO_EARN - (float) outcomes->surprises / 2;
    return LIMIT_FIRST + (LIMIT_WIDEST - LIMIT_FIRST) * CLAMP(earned, 0, 1);
}

static gboolean
stays_dense(const FolioHeatEvidence *evidence)
{
    guint mask = HISTORY_DENSE;

    for (guint i = 2; i < DENSE_WINDOWS; i++)
        mask |= mask << HISTORY_BITS;
    return (evidence->history & mask) == mask && looks_dense(evidence, ENOUGH);
}

static gboolean
stays_sparse(const FolioHeatEvidence *evidence, float limit)
{
    return evidence->age >= YOUNGEST && evidence->footprint < limit &&
           folio_estimate_in_use(evidence) < PRESENT_LIMIT &&
           folio_estimate_reach(evidence) < limit;
}

FolioVerdict
folio_estimate_verdict(const FolioHeatEvidence *evidence, float limit)
{
    if (evidence->age == 0)
        return FOLIO_VERDICT_IDLE;
    if (stays_sparse(evidence, limit))
        return FOLIO_VERDICT_SPARSE;
    return stays_dense(evidence) ? FOLIO_VERDICT_DENSE : FOLIO_VERDICT_UNDECIDED;
}

void
folio_estimate_remember(FolioHeatEvidence *evidence, FolioVerdict verdict, FolioOutcomes *outcomes)
{
    guint entry = verdict | (looks_dense(evidence, ENOUGH) ? HISTORY_DENSE : 0);

    evidence->history = (guint16) (evidence->history << HISTORY_BITS | entry);
    outcomes->sparse += verdict == FOLIO_VERDICT_SPARSE;
}
