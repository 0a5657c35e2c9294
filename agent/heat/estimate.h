/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what sampling showed of a block to a verdict on it.
 *
 * A verdict is about what follows, not about what is: splitting a block whose sub-pages come back
 * to life costs more than it saved. Few samples cannot show that a block is sparse, and many
 * samples of a quiet window say nothing of the next one. What does say something is the block's
 * footprint, every sub-page seen in use for a long time, and whether it still grows. */
#pragma once

#include <glib.h>

#define FOLIO_SUB_PAGES 512 /* 4 KiB pages in a 2 MiB block */

typedef enum {
    FOLIO_VERDICT_IDLE,      /* no access was ever seen */
    FOLIO_VERDICT_UNDECIDED, /* stays as it is */
    FOLIO_VERDICT_SPARSE,    /* few of its sub-pages are in use: split */
    FOLIO_VERDICT_DENSE,     /* most of its sub-pages are in use: collapse */
} FolioVerdict;

/* "idle", "undecided", "sparse", "dense". */
const char *folio_verdict_token(FolioVerdict verdict);

/* What sampling showed of one block up to the end of a window of ten epochs. "Seen" is sampled. */
typedef struct {
    guint16 incidences; /* sum over the window's epochs of the distinct sub-pages seen */
    guint16 seen;       /* distinct sub-pages seen in the window */
    guint16 once;       /* of these, seen in exactly one epoch */
    guint16 twice;      /* in exactly two */
    guint16 fresh;      /* of these, not in the footprint before */
    guint16 footprint;  /* sub-pages seen in this window or remembered from earlier ones */
    guint16 age;        /* windows since the block was first seen, this one included; 0 never */
    guint16 history;    /* of the four windows before, see folio_estimate_remember */
} FolioHeatEvidence;

/* Sub-pages in use in the window, seen or not, by Chao's estimator from those seen in one and in
 * two epochs; at most FOLIO_SUB_PAGES. */
float folio_estimate_in_use(const FolioHeatEvidence *evidence);

/* Sub-pages that the block may use before long, on the careful side: its footprint, what still
 * joins it, what the samples have not shown, all the more the shorter it has been watched. */
float folio_estimate_reach(const FolioHeatEvidence *evidence);

/* What became of a guest's earlier verdicts: the rule learns caution from them. */
typedef struct {
    guint64 sparse;    /* sparse verdicts given */
    guint64 dense;     /* blocks that looked dense, summed over windows */
    guint64 surprises; /* sparse verdicts of the two windows before that a dense block belies */
} FolioOutcomes;

/* Counts what this window says about the verdicts before it. */
void folio_outcomes_learn(FolioOutcomes *outcomes, const FolioHeatEvidence *evidence);

/* Lets half of it go, so that a guest is judged by its recent past. */
void folio_outcomes_fade(FolioOutcomes *outcomes);

/* The reach below which a block of this guest is sparse, in sub-pages. It starts a little above the
 * 102 at which a split breaks even (a hot sub-page costs four times what a cold one gives, and
 * reach is on the careful side); a guest whose sparse blocks stayed sparse while many others were
 * dense earns a wider one; a guest whose quiet blocks come back to life too often, more than one
 * sparse verdict in fifty and one dense block in a hundred, has none: 0. */
float folio_outcomes_limit(const FolioOutcomes *outcomes);

/* The verdict on a block of a guest with that limit. */
FolioVerdict folio_estimate_verdict(const FolioHeatEvidence *evidence, float limit);

/* Enters the verdict into the block's history and the guest's outcomes, once a window. */
void folio_estimate_remember(FolioHeatEvidence *evidence, FolioVerdict verdict,
                             FolioOutcomes *outcomes);
