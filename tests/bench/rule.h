/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A rule under replay: it sees what sampling shows of each block, epoch by epoch, and says at the
 * end of each window which blocks to split and which to collapse. */
#pragma once

#include <glib.h>

#include "trace.h"

typedef enum {
    RULE_LEAVE,
    RULE_SPLIT,
    RULE_COLLAPSE,
} RuleVerdict;

/* What sampling showed of one block in the window that has just ended. */
typedef struct {
    guint n;                        /* samples */
    guint32 count[TRACE_SUB_PAGES]; /* samples by sub-page */
    guint8 epochs[TRACE_SUB_PAGES]; /* epochs in which the sub-page was seen */
} RuleSeen;

typedef struct {
    const char *name;
    const char *what; /* one line for --help */
    /* State for so many blocks; NULL for a rule that keeps none. */
    gpointer (*start)(guint n_blocks);
    void (*stop)(gpointer state);
    /* Of one sample as it comes, and of the end of an epoch; NULL for a rule that only looks at
     * windows. */
    void (*sample)(gpointer state, guint block, guint sub_page);
    void (*end_epoch)(gpointer state);
    /* The verdict on each block; verdicts are all RULE_LEAVE on entry. */
    void (*decide)(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts);
} Rule;

/* The rules one after the other, the product's first; NULL past the last. */
const Rule *rule_at(guint index);

/* The rule of that name; NULL when there is none. */
const Rule *rule_find(const char *name);

/* The product's rule, on the agent's own heat table. */
extern const Rule rule_foliod;
