/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rules that the product's is compared with. Where a published system decides something else
 * than "split this block now", its measure is kept and turned into that question. */
#include "rule.h"

#include <math.h>
#include <string.h>

#define SPARSE_PAGES (0.1 * TRACE_SUB_PAGES) /* the "< 10% of sub-pages" of damon_spe */

static guint
distinct(const RuleSeen *seen)
{
    guint d = 0;

    for (guint i = 0; i < TRACE_SUB_PAGES; i++)
        d += seen->epochs[i] > 0;
    return d;
}

/* damon_spe: sparse when fewer than a share of the sub-pages were seen, dense otherwise; with a
 * gate, only from so many samples on. */
static void
decide_by_share(const RuleSeen *seen, guint n_blocks, double pages, guint gate,
                RuleVerdict *verdicts)
{
    for (guint b = 0; b < n_blocks; b++) {
        if (seen[b].n > 0 && seen[b].n >= gate)
            verdicts[b] = distinct(&seen[b]) < pages ? RULE_SPLIT : RULE_COLLAPSE;
    }
}

static void
decide_naive(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts)
{
    decide_by_share(seen, n_blocks, SPARSE_PAGES, 0, verdicts);
}

static void
decide_naive30(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts)
{
    decide_by_share(seen, n_blocks, 0.3 * TRACE_SUB_PAGES, 0, verdicts);
}

static void
decide_naive64(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts)
{
    decide_by_share(seen, n_blocks, SPARSE_PAGES, 64, verdicts);
}

static void
decide_naive256(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts)
{
    decide_by_share(seen, n_blocks, SPARSE_PAGES, 256, verdicts);
}

/* Ingens (OSDI '16): a huge page is kept when 90% of it is in use, and taken apart below that. */
static void
decide_ingens(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts)
{
    decide_by_share(seen, n_blocks, 0.9 * TRACE_SUB_PAGES, 0, verdicts);
}

/* HawkEye (ASPLOS '19): a moving average of the coverage, in buckets of 50 sub-pages; the lowest
 * bucket is the first to lose its huge page, the upper half gets one. */
#define HAWKEYE_WEIGHT 0.4
#define HAWKEYE_BUCKET 50

static gpointer
start_doubles(guint n_blocks)
{
    return g_new0(double, n_blocks);
}

static void
decide_hawkeye(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts)
{
    double *average = state;

    for (guint b = 0; b < n_blocks; b++) {
        average[b] += HAWKEYE_WEIGHT * (distinct(&seen[b]) - average[b]);
        if (seen[b].n > 0)
            verdicts[b] = average[b] < HAWKEYE_BUCKET        ? RULE_SPLIT
                          : average[b] >= 5 * HAWKEYE_BUCKET ? RULE_COLLAPSE
                                                             : RULE_LEAVE;
    }
}

/* Memtis (SOSP '23): counts that are halved each window; the blocks with the most skewed counts,
 * sum(c^2) / touched^2, are split, here the top tenth of the active ones. */
#define MEMTIS_SHARE 10

typedef struct {
    guint n_blocks;
    float (*counts)[TRACE_SUB_PAGES];
} Memtis;

static gpointer
start_memtis(guint n_blocks)
{
    Memtis *memtis = g_new(Memtis, 1);

    memtis->n_blocks = n_blocks;
    memtis->counts = g_malloc0_n(n_blocks, sizeof *memtis->counts);
    return memtis;
}

static void
stop_memtis(gpointer state)
{
    g_free(((Memtis *) state)->counts);
    g_free(state);
}

static double
cool_and_skew(float *counts, const RuleSeen *seen)
{
    double squares = 0, touched = 0;

    for (guint i = 0; i < TRACE_SUB_PAGES; i++) {
        counts[i] = counts[i] / 2 + (float) seen->count[i];
        squares += (double) counts[i] * (double) counts[i];
        touched += counts[i] >= 1;
    }
    return touched > 0 ? squares / (touched * touched) : 0;
}

typedef struct {
    double skew;
    guint block;
} Skew;

static int
by_skew_falling(const void *a, const void *b)
{
    double x = ((const Skew *) a)->skew, y = ((const Skew *) b)->skew;

    return (x < y) - (x > y);
}

static void
decide_memtis(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts)
{
    Memtis *memtis = state;
    g_autofree Skew *skews = g_new(Skew, n_blocks);
    guint n_active = 0;

    for (guint b = 0; b < n_blocks; b++) {
        double skew = cool_and_skew(memtis->counts[b], &seen[b]);

        if (seen[b].n > 0)
            skews[n_active++] = (Skew){ skew, b };
    }
    qsort(skews, n_active, sizeof *skews, by_skew_falling);
    for (guint i = 0; i < n_active / MEMTIS_SHARE; i++)
        verdicts[skews[i].block] = RULE_SPLIT;
}

/* U95: an upper bound of the sub-pages in use from those seen in exactly one and exactly two
 * epochs (Chao's estimator with its log-normal interval). */
#define U95_MIN_INCIDENCES 48

typedef struct {
    double d, q1, q2, n;
} Incidences;

static Incidences
count_incidences(const RuleSeen *seen)
{
    Incidences in = { 0 };

    for (guint i = 0; i < TRACE_SUB_PAGES; i++) {
        in.d += seen->epochs[i] > 0;
        in.q1 += seen->epochs[i] == 1;
        in.q2 += seen->epochs[i] == 2;
        in.n += seen->epochs[i];
    }
    return in;
}

static double
upper_bound(const Incidences *in, double z)
{
    double f0 = in->q1 * (in->q1 - 1) / (2 * (in->q2 + 1)), r = in->q1 / (in->q2 + 1);
    double variance = (in->q2 + 1) * (r * r / 2 + r * r * r + r * r * r * r / 4);

    if (in->q1 <= 1)
        return in->d + in->q1;
    return in->d + f0 * exp(z * sqrt(log(1 + variance / (f0 * f0))));
}

static gboolean
surely_dense(const Incidences *in)
{
    static const struct {
        guint n, d;
    } table[] = { { 512, 129 }, { 384, 128 }, { 256, 121 }, { 192, 111 },
                  { 128, 93 },  { 96, 79 },   { 64, 59 },   { 48, 47 } };

    for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
        if (in->n >= table[i].n)
            return in->d >= table[i].d;
    }
    return FALSE;
}

static RuleVerdict
judge_bound(const RuleSeen *seen, double z)
{
    Incidences in = count_incidences(seen);

    if (in.n >= U95_MIN_INCIDENCES && upper_bound(&in, z) < SPARSE_PAGES)
        return RULE_SPLIT;
    return surely_dense(&in) ? RULE_COLLAPSE : RULE_LEAVE;
}

static void
decide_u95(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts)
{
    for (guint b = 0; b < n_blocks; b++)
        verdicts[b] = judge_bound(&seen[b], 1.64);
}

static gpointer
start_verdicts(guint n_blocks)
{
    return g_new0(RuleVerdict, n_blocks);
}

static void
decide_twice(RuleVerdict *before, const RuleSeen *seen, guint n_blocks, double z,
             RuleVerdict *verdicts)
{
    for (guint b = 0; b < n_blocks; b++) {
        RuleVerdict now = judge_bound(&seen[b], z);

        verdicts[b] = now == before[b] ? now : RULE_LEAVE;
        before[b] = now;
    }
}

static void
decide_u95x2(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts)
{
    decide_twice(state, seen, n_blocks, 1.64, verdicts);
}

static void
decide_u99x2(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts)
{
    decide_twice(state, seen, n_blocks, 2.33, verdicts);
}

static const Rule rivals[] = {
    { "naive", "damon_spe, 10%, no gate", .decide = decide_naive },
    { "naive30", "damon_spe, 30%, no gate", .decide = decide_naive30 },
    { "naive64", "damon_spe, 10%, from 64 samples on", .decide = decide_naive64 },
    { "naive256", "damon_spe, 10%, from 256 samples on", .decide = decide_naive256 },
    { "memtis", "most skewed tenth of the active blocks", start_memtis, stop_memtis,
      .decide = decide_memtis },
    { "ingens", "utilisation below 90%", .decide = decide_ingens },
    { "hawkeye", "moving average of coverage below 50 sub-pages", start_doubles, g_free,
      .decide = decide_hawkeye },
    { "u95", "95% upper bound below 10%", .decide = decide_u95 },
    { "u95x2", "the same in two windows", start_verdicts, g_free, .decide = decide_u95x2 },
    { "u99x2", "99% upper bound, in two windows", start_verdicts, g_free, .decide = decide_u99x2 },
};

const Rule *
rule_at(guint index)
{
    if (index == 0)
        return &rule_foliod;
    return index <= G_N_ELEMENTS(rivals) ? &rivals[index - 1] : NULL;
}

const Rule *
rule_find(const char *name)
{
    const Rule *rule;

    for (guint i = 0; (rule = rule_at(i)); i++) {
        if (strcmp(rule->name, name) == 0)
            return rule;
    }
    return NULL;
}
