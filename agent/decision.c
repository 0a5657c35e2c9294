/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was decided, in words. */
#include "decision.h"

char *
folio_decision_print_why(const FolioPlanStep *step)
{
    const char *undo =
        step->cause == FOLIO_PLAN_CAUSE_UNDO ? "foliod has split it, and it is " : "";

    if (step->cause == FOLIO_PLAN_CAUSE_COSTLY)
        return g_strdup_printf("foliod has split it, and that costs more than it is worth: the "
                               "translation of an access takes %.1f cycles, %.1f before; %s, about "
                               "%.0f sub-pages in use, %.0f in reach",
                               (double) step->cost_now, (double) step->cost_before,
                               folio_verdict_token(step->verdict), (double) step->in_use,
                               (double) step->reach);
    return g_strdup_printf("%s%s for %u windows; %u sub-pages seen in the last one, about %.0f in "
                           "use, %.0f in reach; confidence %.2f",
                           undo, folio_verdict_token(step->verdict), step->held, step->seen,
                           (double) step->in_use, (double) step->reach,
                           MIN(step->confidence, 0.99));
}

static void
append(GString *text, guint n, const char *format)
{
    if (n == 0)
        return;
    g_string_append(text, text->len > 0 ? "; " : "");
    g_string_append_printf(text, "%u %s", n, format);
}

char *
folio_decision_print_counts(const FolioPlanCounts *counts, const char *waits_for)
{
    GString *text = g_string_new(NULL);

    append(text, counts->splits, "to be split");
    append(text, counts->collapses, "to be collapsed");
    if (counts->costly > 0)
        g_string_append_printf(text, ", %u of them for what they cost", counts->costly);
    if (text->len > 0 && *waits_for != '\0')
        g_string_append_printf(text, " (%s)", waits_for);
    append(text, counts->held_back,
           "not split, for what is split slows down the guest's accesses too much");
    append(text, counts->unconfirmed, "whose verdict has not stood for long enough");
    append(text, counts->resting, "rest after an action");
    append(text, counts->wide, "sparse with too much in use for sparse-below");
    return g_string_free(text, FALSE);
}
