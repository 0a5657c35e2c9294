/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replays a trace at a sample rate through rules and scores them against the exact truth.
 *
 * A decision at the end of window w is judged by what follows it: hot = the distinct sub-pages
 * accessed in windows w + 1 and w + 2, cold = 512 - hot, net = cold - 4 hot. Splitting a block
 * earns its net, collapsing it the negative of that: collapsing brings back what was free and
 * saves four times what was hot. A score is what a rule earns over what an oracle would. */
#pragma once

#include <glib.h>

#include "rule.h"

#define REPLAY_EPOCHS   10  /* a window */
#define REPLAY_HARM_HOT 128 /* splitting a block that becomes at least this hot is harmful */
#define REPLAY_SPARSE   51  /* truly sparse: at most so many sub-pages in use, 10% */

typedef enum {
    REPLAY_HOT_FEW,  /* 1-4 sub-pages in use in the window of the decision */
    REPLAY_HOT_SOME, /* 5-25 */
    REPLAY_HOT_MANY, /* 26-51 */
    REPLAY_HOT_CLASSES,
} ReplayHotClass;

/* Sums over all decisions of one rule: block-windows of active blocks. */
typedef struct {
    gint64 split_net, split_best;                    /* of the rule, of the oracle */
    gint64 collapse_net, collapse_best;              /* the same for collapsing */
    guint splits, split_dense, active_dense;         /* what follows has >= REPLAY_HARM_HOT */
    guint collapses, collapse_sparse, active_sparse; /* what follows has <= REPLAY_SPARSE */
    guint now_sparse, now_other;                     /* of this window, exactly */
    guint split_now_sparse, split_now_other;         /* of these, how many were split */
    guint hot[REPLAY_HOT_CLASSES], split_hot[REPLAY_HOT_CLASSES];
} ReplayTally;

typedef struct {
    guint period;        /* one sample in so many accesses */
    guint epoch_windows; /* trace windows in an epoch */
    guint32 seed;
} ReplayOptions;

/* Fills one tally for each rule. FOLIO_ERROR_INVALID when the trace has fewer than three windows
 * of REPLAY_EPOCHS epochs, so that no decision can be judged. */
gboolean replay_run(const Trace *trace, const ReplayOptions *options, const Rule *const *rule_list,
                    guint n_rules, ReplayTally *tallies, GError **error);
