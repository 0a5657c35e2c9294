/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why blocks have their verdicts. */
#include "heat/explain.h"

/* ---- Picking */

/* Blocks of one verdict, the best first: of the highest score. */
typedef struct {
    FolioVerdict verdict;
    guint max, n;
    guint blocks[FOLIO_EXPLAIN_TOP_MAX];
    float scores[FOLIO_EXPLAIN_TOP_MAX];
} Best;

static float
score(FolioVerdict verdict, const FolioHeatEvidence *evidence)
{
    return verdict == FOLIO_VERDICT_DENSE ? folio_estimate_in_use(evidence)
                                          : -folio_estimate_reach(evidence);
}

static void
offer(Best *best, guint block, const FolioHeatEvidence *evidence)
{
    const float value = score(best->verdict, evidence);
    guint at = best->n;

    while (at > 0 && value > best->scores[at - 1])
        at--;
    if (at == best->max)
        return;
    best->n = MIN(best->n + 1, best->max);
    for (guint i = best->n - 1; i > at; i--) {
        best->blocks[i] = best->blocks[i - 1];
        best->scores[i] = best->scores[i - 1];
    }
    best->blocks[at] = block;
    best->scores[at] = value;
}

GArray *
folio_explain_pick(const FolioHeatSnapshot *snapshot, guint top)
{
    static const FolioVerdict order[] = { FOLIO_VERDICT_SPARSE, FOLIO_VERDICT_DENSE,
                                          FOLIO_VERDICT_UNDECIDED };
    GArray *picked = g_array_new(FALSE, FALSE, sizeof(guint));

    for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
        Best best = { .verdict = order[i], .max = MIN(top, FOLIO_EXPLAIN_TOP_MAX) };

        for (guint b = 0; b < snapshot->n_blocks; b++) {
            if (snapshot->verdicts[b] == order[i])
                offer(&best, b, &snapshot->evidence[b]);
        }
        g_array_append_vals(picked, best.blocks, best.n);
    }
    return picked;
}

/* ---- Words */

const char *
folio_cause_token(FolioCause cause)
{
    static const char *const tokens[] = { "idle", "dense",    "sparse", "filled",  "young",
                                          "busy", "unproven", "wide",   "account", "ration" };

    return tokens[cause];
}

char *
folio_explain_account(guint shown, guint quiet)
{
    return g_strdup_printf("%u of %d quiet windows, %u of %d dense blocks",
                           MIN(quiet, FOLIO_QUIET_TO_START), FOLIO_QUIET_TO_START,
                           MIN(shown, FOLIO_DENSE_TO_START), FOLIO_DENSE_TO_START);
}

static char *
explain_sparse(const FolioHeatSnapshot *snapshot, guint block)
{
    const FolioHeatEvidence *evidence = &snapshot->evidence[block];

    return g_strdup_printf(
        "%u of 512 sub-pages were seen in use in %u%s windows, about %.0f are in reach, below the "
        "limit of %.0f in this guest; %" G_GUINT64_FORMAT
        " times a block below it stayed so since the last that did not",
        evidence->footprint, evidence->age, evidence->age == G_MAXUINT8 ? " or more" : "",
        (double) folio_estimate_reach(evidence),
        (double) folio_outcomes_reach_limit(&snapshot->outcomes), snapshot->outcomes.clean);
}

static char *
explain_account_of(const FolioHeatSnapshot *snapshot)
{
    g_autofree char *account =
        folio_explain_account(snapshot->outcomes.shown, snapshot->outcomes.quiet);

    return g_strdup_printf(
        "little of it is in use, but this guest is not known well enough to call "
        "anything sparse: %s",
        account);
}

static char *
explain_undecided(const FolioHeatSnapshot *snapshot, guint block, FolioCause cause)
{
    const FolioHeatEvidence *evidence = &snapshot->evidence[block];
    const double in_use = (double) folio_estimate_in_use(evidence);

    switch (cause) {
    case FOLIO_CAUSE_FILLED:
        return g_strdup_printf("about %.0f of 512 sub-pages are in use, for %u windows in a row; "
                               "it is dense after %d",
                               in_use, folio_estimate_dense_for(evidence), FOLIO_DENSE_WINDOWS);
    case FOLIO_CAUSE_YOUNG:
        return g_strdup_printf("it came into use %u windows ago and may still be filled; there is "
                               "no verdict before %d",
                               evidence->age, FOLIO_YOUNGEST);
    case FOLIO_CAUSE_BUSY:
        return g_strdup_printf("about %.0f of 512 sub-pages are in use now (%u were seen): too "
                               "many to split it, too few or too shortly to call it dense",
                               in_use, evidence->seen);
    case FOLIO_CAUSE_UNPROVEN:
        return g_strdup_printf("%u sub-pages were seen in use, and %u times one of them again: too "
                               "few samples to tell it from a block that is in use all over",
                               evidence->footprint, evidence->again);
    case FOLIO_CAUSE_WIDE:
        return g_strdup_printf("about %.0f of 512 sub-pages are in reach; below the limit of %.0f "
                               "in this guest it would be sparse",
                               (double) folio_estimate_reach(evidence),
                               (double) folio_outcomes_reach_limit(&snapshot->outcomes));
    case FOLIO_CAUSE_RATION:
        return g_strdup(
            "little of it is in use, but this window's verdicts of sparse went to "
            "blocks of less reach: there are no more than the guest's past vouches for");
    case FOLIO_CAUSE_IDLE:
    case FOLIO_CAUSE_DENSE:
    case FOLIO_CAUSE_SPARSE:
    case FOLIO_CAUSE_ACCOUNT:
    default:
        return explain_account_of(snapshot);
    }
}

char *
folio_explain_block(const FolioHeatSnapshot *snapshot, guint block)
{
    const FolioHeatEvidence *evidence = &snapshot->evidence[block];
    const FolioCause cause = folio_outcomes_cause(&snapshot->outcomes, evidence,
                                                  (FolioVerdict) snapshot->verdicts[block]);

    if (cause == FOLIO_CAUSE_IDLE)
        return g_strdup_printf("no access to it was seen in %u windows", snapshot->windows);
    if (cause == FOLIO_CAUSE_SPARSE)
        return explain_sparse(snapshot, block);
    if (cause != FOLIO_CAUSE_DENSE)
        return explain_undecided(snapshot, block, cause);
    return g_strdup_printf("about %.0f of 512 sub-pages are in use (%u were seen in the last "
                           "window), for %d windows in a row or more",
                           (double) folio_estimate_in_use(evidence), evidence->seen,
                           FOLIO_DENSE_WINDOWS);
}
