/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether what was split is worth what it costs. */
#include "policy/split-cost.h"

#include <math.h>

/* Of samples: how many, their mean, and the variance of one of them. */
typedef struct {
    double n, mean, variance;
} Moments;

static Moments
moments_of(double n, double sum, double squares)
{
    Moments moments = { .n = n };

    if (n < 1)
        return moments;
    moments.mean = sum / n;
    if (n > 1)
        moments.variance = MAX(squares - sum * moments.mean, 0) / (n - 1);
    return moments;
}

static Moments
of_block(const FolioBlockCost *cost)
{
    return moments_of(cost->samples, (double) cost->cycles, (double) cost->squares);
}

static Moments
of_sums(const FolioCostSums *sums)
{
    return moments_of((double) sums->timed, (double) sums->cycles, (double) sums->squares);
}

/* ---- What is to be compared with */

static gboolean
speaks(const FolioCostEntry *entry, gboolean split_ones)
{
    return entry->before.samples >= FOLIO_COST_ALIKE_SAMPLES && (split_ones || !entry->split);
}

/* DerSimonian and Laird, "Meta-analysis in clinical trials" (1986): how far apart means are beyond
 * what their own errors explain. */
typedef struct {
    double blocks, n, sum, spread, freedom; /* spread: of samples about their own block's mean */
    double n_squares, mean_squares;         /* sums of n^2, and of n times the mean squared */
} Gathered;

static Gathered
gather(const FolioCosts *costs, gboolean split_ones)
{
    Gathered all = { 0 };

    for (guint i = 0; i < costs->n_entries; i++) {
        const FolioCostEntry *entry = &costs->entries[i];
        const Moments one = of_block(&entry->before);

        if (!speaks(entry, split_ones))
            continue;
        all.blocks++;
        all.n += one.n;
        all.sum += one.n * one.mean;
        all.spread += one.variance * (one.n - 1);
        all.freedom += one.n - 1;
        all.n_squares += one.n * one.n;
        all.mean_squares += one.n * one.mean * one.mean;
    }
    return all;
}

/* Those that are candidates now; where they are too few, those that were, before they were split.
 */
FolioCostBaseline
folio_split_cost_baseline(const FolioCosts *costs)
{
    FolioCostBaseline baseline = { 0 };
    Gathered all = { 0 };

    if (costs == NULL)
        return baseline;
    all = gather(costs, FALSE);
    if (all.blocks < FOLIO_COST_ALIKE)
        all = gather(costs, TRUE);
    if (all.blocks < FOLIO_COST_ALIKE)
        return baseline;
    baseline.blocks = (guint) all.blocks;
    baseline.cycles = all.sum / all.n;
    baseline.within = all.spread / all.freedom;
    baseline.between = (all.mean_squares - all.n * baseline.cycles * baseline.cycles -
                        (all.blocks - 1) * baseline.within) /
                       (all.n - all.n_squares / all.n);
    baseline.between = MAX(baseline.between, 0);
    baseline.error = baseline.within / all.n + baseline.between / all.blocks;
    return baseline;
}

/* ---- One block */

/* What it cost before: its own samples, and what others say of it. FALSE: neither says anything. */
static gboolean
judge_before(const FolioCostBaseline *baseline, const FolioBlockCost *before, Moments *judged)
{
    const Moments own = of_block(before);
    const double variance = MAX(MAX(own.variance, baseline->within), 1);
    const double of_own = own.n / variance; /* precisions */
    double of_others = 0;

    if (baseline->blocks > 0)
        of_others = 1 / MAX(baseline->between + baseline->error, 1e-9);
    else if (before->samples < FOLIO_COST_SAMPLES)
        return FALSE;
    judged->mean = (own.mean * of_own + baseline->cycles * of_others) / (of_own + of_others);
    judged->mean = MAX(judged->mean, baseline->cycles);
    judged->variance = 1 / (of_own + of_others); /* of the mean */
    return TRUE;
}

/* Accesses a second, at least. */
static double
accesses(const FolioCostEntry *entry)
{
    const double n = entry->now.samples;

    return entry->span > 0 ? MAX(n - FOLIO_COST_DOUBT * sqrt(n), 0) / (double) entry->span : 0;
}

gboolean
folio_split_cost_is_costly(const FolioCostBaseline *baseline, const FolioCostEntry *entry,
                           double exposed, FolioSplitCost *cost)
{
    const double worth = FOLIO_COST_CYCLES / (double) FOLIO_COST_BYTES_A_CORE; /* of a byte */
    const Moments now = of_block(&entry->now);
    Moments before;
    double error, rise;

    if (!entry->split || entry->now.samples < FOLIO_COST_SAMPLES ||
        !judge_before(baseline, &entry->before, &before))
        return FALSE;
    error = sqrt(MAX(MAX(now.variance, baseline->within), 1) / now.n + before.variance);
    rise = now.mean - before.mean - FOLIO_COST_DOUBT * error;
    if (rise * accesses(entry) <= worth * exposed)
        return FALSE;
    if (cost != NULL)
        *cost = (FolioSplitCost){ .before = before.mean, .now = now.mean };
    return TRUE;
}

/* ---- The guest */

/* Do its split blocks cost more than huge ones like them? Without any of those to compare with, it
 * is taken that they do. doubt: standard errors. */
static gboolean
are_dearer(const FolioCosts *costs, const FolioCostBaseline *baseline, double doubt)
{
    const Moments split = of_sums(&costs->totals.recent[FOLIO_COST_SPLIT]);

    if (split.n < FOLIO_COST_SAMPLES)
        return FALSE;
    return baseline->blocks == 0 ||
           split.mean - baseline->cycles > doubt * sqrt(split.variance / split.n + baseline->error);
}

gboolean
folio_split_cost_holds(const FolioCosts *costs, const FolioCostBaseline *baseline, gboolean held)
{
    FolioCostSums last = { 0 };
    Moments before, now;
    double rise, error, bound;

    if (costs == NULL || costs->totals.split == 0)
        return FALSE;
    folio_cost_sums_add(&last, &costs->last[FOLIO_COST_OTHER]);
    folio_cost_sums_add(&last, &costs->last[FOLIO_COST_SPLIT]);
    before = of_sums(&costs->totals.whole);
    now = of_sums(&last);
    if (MIN(before.n, now.n) < FOLIO_COST_GUEST_SAMPLES)
        return held;
    rise = now.mean - before.mean;
    error = sqrt(before.variance / before.n + now.variance / now.n);
    bound = FOLIO_COST_SLOWER * (double) costs->totals.whole.total / before.n;
    if (held)
        return rise > bound / 2 && are_dearer(costs, baseline, 0);
    return rise - FOLIO_COST_DOUBT * error > bound && are_dearer(costs, baseline, FOLIO_COST_DOUBT);
}
