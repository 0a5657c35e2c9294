/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether what was split is worth what it costs, by the latency of address translation that the
 * source of samples measured. Pure.
 *
 * The cost of a split is what its block's accesses take longer to be translated, in cycles a
 * second; its worth, the bytes that it exposes. Of both only what is beyond doubt counts: the lower
 * bound of the rise, FOLIO_COST_DOUBT standard errors below what was found, by as many accesses as
 * there are at least. One is weighed against the other at FOLIO_COST_BYTES_A_CORE.
 *
 * What the block cost before is known from when it was a candidate, but for a few samples. So its
 * own mean is drawn towards that of the guest's other candidates, the more the fewer samples it has
 * and the more alike those are (empirical Bayes, with the variance between blocks by DerSimonian
 * and Laird's moments). And no block is dearer for its split while others like it, that are huge,
 * cost as much.
 *
 * Without translation latency in the samples nothing is said, and nothing follows. */
#pragma once

#include "heat/cost-table.h"

/* Samples since the split without which nothing is said of a block: below, a mean of latencies, of
 * which few are long, is not near enough to normal. Chosen; tests/unit/test-split-cost.c shows how
 * often noise alone passes. */
#define FOLIO_COST_SAMPLES 64u

/* Blocks with as many samples as candidates without which they say nothing of others. Chosen. */
#define FOLIO_COST_ALIKE         8u
#define FOLIO_COST_ALIKE_SAMPLES 8u

/* Of the guest as a whole, before and in the last window. Chosen: samples come in bursts, so that
 * they count for less than as many independent ones. */
#define FOLIO_COST_GUEST_SAMPLES 1000u

/* Standard errors: 1 in 740 passes by chance when there is nothing. */
#define FOLIO_COST_DOUBT 3.0

/* Exposed memory that is worth the time of one core. Chosen: of the 4 to 8 GiB that hosts of
 * virtual machines have for each core, the upper end, which lets a split cost less. */
#define FOLIO_COST_BYTES_A_CORE (8ULL << 30)

/* Cycles of one core in a second: 2.6 GHz, the clock of Kunpeng 920-4826. */
#define FOLIO_COST_CYCLES 2.6e9

/* Nothing more of a guest is split when its accesses take longer for their translation than before
 * anything was, by this share of what they took altogether, until it is half as much. Chosen. */
#define FOLIO_COST_SLOWER 0.02

/* What huge blocks cost that are like those which are split. */
typedef struct {
    guint blocks;   /* by which it is known; 0: it is not */
    double cycles;  /* a sample, the mean */
    double error;   /* variance of that mean */
    double within;  /* variance of a sample in its block */
    double between; /* variance of blocks' means */
} FolioCostBaseline;

/* costs may be NULL. */
FolioCostBaseline folio_split_cost_baseline(const FolioCosts *costs);

/* What was found of a block, in cycles an access. */
typedef struct {
    double before, now;
} FolioSplitCost;

/* Is the split of this block dearer than what it is worth, exposed bytes? cost may be NULL. */
gboolean folio_split_cost_is_costly(const FolioCostBaseline *baseline, const FolioCostEntry *entry,
                                    double exposed, FolioSplitCost *cost);

/* Is nothing more of the guest to be split? held: what this said of the window before. Stays as it
 * was where there is too little to tell. */
gboolean folio_split_cost_holds(const FolioCosts *costs, const FolioCostBaseline *baseline,
                                gboolean held);
