/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods Explain and Decisions of org.foliod1.Guest. */
#include "base/error.h"
#include "bus/guest-cost.h"
#include "bus/guest-heat.h"
#include "bus/options.h"
#include "decision.h"
#include "heat/explain.h"

#define NO_BLOCK    G_MAXUINT64
#define TOP_DEFAULT 3

typedef struct {
    guint64 block; /* NO_BLOCK: the top ones */
    guint32 top;
    char *waits;
} Question;

static void
question_free(gpointer data)
{
    Question *question = data;

    g_free(question->waits);
    g_free(question);
}

static gboolean
read_question(FolioCall *call, Question *question, GError **error)
{
    g_autoptr(GVariant) options = g_variant_get_child_value(call->arguments, 0);
    const FolioBusOption table[] = {
        { "block", "t", &question->block },
        { "top", "u", &question->top },
    };

    question->block = NO_BLOCK;
    question->top = TOP_DEFAULT;
    if (!folio_bus_options_read(options, table, G_N_ELEMENTS(table), error))
        return FALSE;
    if (question->top <= FOLIO_EXPLAIN_TOP_MAX)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "options: top is %u, and at most %d",
                question->top, FOLIO_EXPLAIN_TOP_MAX);
    return FALSE;
}

static gboolean
has_block(const FolioHeatSnapshot *snapshot, const Question *question, GError **error)
{
    const guint n_blocks = snapshot != NULL ? snapshot->n_blocks : 0;

    if (question->block == NO_BLOCK || question->block < n_blocks)
        return TRUE;
    if (snapshot == NULL)
        g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                            "options: block: no window has ended, nothing is known of any block");
    else
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "options: block is %" G_GUINT64_FORMAT ", and it has %u blocks",
                    question->block, n_blocks);
    return FALSE;
}

static void
add_number(GVariantBuilder *dict, const char *key, guint value)
{
    g_variant_builder_add(dict, "{sv}", key, g_variant_new_uint32(value));
}

static void
add_fraction(GVariantBuilder *dict, const char *key, double value)
{
    g_variant_builder_add(dict, "{sv}", key, g_variant_new_double(value));
}

static GVariant *
describe_evidence(const FolioHeatSnapshot *snapshot, guint block)
{
    const FolioHeatEvidence *evidence = &snapshot->evidence[block];
    const FolioVerdict verdict = (FolioVerdict) snapshot->verdicts[block];
    const FolioCause cause = folio_outcomes_cause(&snapshot->outcomes, evidence, verdict);
    GVariantBuilder dict;

    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&dict, "{sv}", "cause", g_variant_new_string(folio_cause_token(cause)));
    add_fraction(&dict, "in-use", (double) folio_estimate_in_use(evidence));
    add_fraction(&dict, "reach", (double) folio_estimate_reach(evidence));
    add_fraction(&dict, "reach-limit", (double) folio_outcomes_reach_limit(&snapshot->outcomes));
    add_fraction(&dict, "confidence",
                 folio_outcomes_confidence(&snapshot->outcomes, evidence, verdict));
    add_number(&dict, "seen", evidence->seen);
    add_number(&dict, "sightings", evidence->incidences);
    add_number(&dict, "again", evidence->again);
    add_number(&dict, "footprint", evidence->footprint);
    add_fraction(&dict, "growth", evidence->growth / 64.0);
    add_number(&dict, "age", evidence->age);
    add_number(&dict, "unseen", snapshot->unseen[block]);
    if (snapshot->costs != NULL)
        folio_guest_cost_add_entry(&dict, folio_costs_find(snapshot->costs, block));
    return g_variant_builder_end(&dict);
}

static void
add_block(GVariantBuilder *blocks, const FolioHeatSnapshot *snapshot, guint block)
{
    const char *verdict = folio_verdict_token((FolioVerdict) snapshot->verdicts[block]);
    g_autofree char *text = folio_explain_block(snapshot, block);

    g_variant_builder_add(blocks, "(ts@a{sv}s)", (guint64) block, verdict,
                          describe_evidence(snapshot, block), text);
}

static GVariant *
reply_explain(const FolioHeatSnapshot *snapshot, gpointer data)
{
    const Question *question = data;
    GVariantBuilder blocks;

    g_variant_builder_init(&blocks, G_VARIANT_TYPE("a(tsa{sv}s)"));
    if (question->block != NO_BLOCK) {
        add_block(&blocks, snapshot, (guint) question->block);
    } else {
        g_autoptr(GArray) picked = folio_explain_pick(snapshot, question->top);

        for (guint i = 0; i < picked->len; i++)
            add_block(&blocks, snapshot, g_array_index(picked, guint, i));
    }
    return g_variant_new("(sa(tsa{sv}s))", question->waits, &blocks);
}

void
folio_guest_explain_run(FolioCall *call)
{
    FolioGuestSampling *sampling = folio_guest_peek_sampling(call->guest);
    g_autoptr(FolioHeatSnapshot) snapshot = folio_guest_sampling_ref_heat(sampling);
    Question *question = g_new0(Question, 1);
    FolioSamplingFigures figures;
    GError *error = NULL;

    folio_guest_get_sampling(call->guest, &figures);
    question->waits = folio_guest_waits(&figures);
    if (!read_question(call, question, &error) || !has_block(snapshot, question, &error)) {
        question_free(question);
        folio_call_fail(call, error);
        return;
    }
    if (snapshot != NULL) {
        folio_guest_heat_answer(call, g_steal_pointer(&snapshot), reply_explain, question,
                                question_free);
        return;
    }
    folio_call_return(call, g_variant_new("(sa(tsa{sv}s))", question->waits, NULL));
    question_free(question);
}

/* Decisions */

static GVariant *
describe_decision(const FolioPlanDecision *decision)
{
    const FolioPlanStep *step = &decision->step;
    GVariantBuilder dict;

    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    add_number(&dict, "order", step->order);
    add_number(&dict, "window", decision->window);
    g_variant_builder_add(&dict, "{sv}", "cause",
                          g_variant_new_string(folio_plan_cause_token(step->cause)));
    g_variant_builder_add(&dict, "{sv}", "verdict",
                          g_variant_new_string(folio_verdict_token(step->verdict)));
    add_number(&dict, "held", step->held);
    add_number(&dict, "seen", step->seen);
    add_number(&dict, "footprint", step->footprint);
    add_fraction(&dict, "in-use", (double) step->in_use);
    add_fraction(&dict, "reach", (double) step->reach);
    add_fraction(&dict, "confidence", step->confidence);
    add_number(&dict, "doublings", step->doublings);
    if (step->cause == FOLIO_PLAN_CAUSE_COSTLY) {
        add_fraction(&dict, "before-cycles", (double) step->cost_before);
        add_fraction(&dict, "after-cycles", (double) step->cost_now);
    }
    return g_variant_builder_end(&dict);
}

static void
add_decision(GVariantBuilder *decisions, const FolioPlanDecision *decision)
{
    g_autofree char *why = folio_decision_print_why(&decision->step);

    g_variant_builder_add(
        decisions, "(xtss@a{sv}s)", decision->usec, (guint64) decision->step.block,
        folio_plan_action_token(decision->step.action), folio_plan_result_token(decision->result),
        describe_decision(decision), why);
}

void
folio_guest_decisions_run(FolioCall *call)
{
    FolioDeciding *deciding = folio_manager_get_deciding(call->manager);
    g_autoptr(GVariant) options = g_variant_get_child_value(call->arguments, 0);
    g_autofree char *plan = NULL;
    const GArray *decisions;
    GVariantBuilder list;
    GError *error = NULL;

    if (!folio_bus_options_read(options, NULL, 0, &error)) {
        folio_call_fail(call, error);
        return;
    }
    plan = folio_deciding_print_counts(deciding, call->guest);
    decisions = folio_deciding_get_decisions(deciding, call->guest);
    g_variant_builder_init(&list, G_VARIANT_TYPE("a(xtssa{sv}s)"));
    for (guint i = 0; decisions != NULL && i < decisions->len; i++)
        add_decision(&list, &g_array_index(decisions, FolioPlanDecision, i));
    folio_call_return(call, g_variant_new("(sa(xtssa{sv}s))", plan, &list));
}
