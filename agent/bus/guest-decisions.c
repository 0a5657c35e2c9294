/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The method Decisions of org.foliod1.Guest. */
#include "base/error.h"
#include "bus/guest-heat.h"
#include "bus/options.h"
#include "decision.h"

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
describe(const FolioPlanDecision *decision)
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
    return g_variant_builder_end(&dict);
}

static void
add_decision(GVariantBuilder *decisions, const FolioPlanDecision *decision)
{
    g_autofree char *why = folio_decision_print_why(&decision->step);

    g_variant_builder_add(decisions, "(xtss@a{sv}s)", decision->usec,
                          (guint64) decision->step.block,
                          folio_plan_action_token(decision->step.action),
                          folio_plan_result_token(decision->result), describe(decision), why);
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
