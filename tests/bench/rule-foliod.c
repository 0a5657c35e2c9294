/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The product's own rule under replay: the agent's heat table, nothing else. */
#include "rule.h"

#include "heat/heat-table.h"

static gpointer
start(guint n_blocks)
{
    return folio_heat_table_new(n_blocks);
}

static void
stop(gpointer state)
{
    folio_heat_table_free(state);
}

static void
sample(gpointer state, guint block, guint sub_page)
{
    folio_heat_table_add(state, block, sub_page);
}

static void
end_epoch(gpointer state)
{
    folio_heat_table_end_epoch(state);
}

static void
decide(gpointer state, const RuleSeen *seen, guint n_blocks, RuleVerdict *verdicts)
{
    g_autofree FolioVerdict *judged = g_new(FolioVerdict, n_blocks);

    folio_heat_table_decide(state, judged);
    for (guint b = 0; b < n_blocks; b++) {
        if (judged[b] == FOLIO_VERDICT_SPARSE)
            verdicts[b] = RULE_SPLIT;
        else if (judged[b] == FOLIO_VERDICT_DENSE)
            verdicts[b] = RULE_COLLAPSE;
    }
}

const Rule rule_foliod = {
    "foliod", "the agent's rule", start, stop, sample, end_epoch, decide,
};
