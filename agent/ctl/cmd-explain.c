/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl explain: why blocks have their verdicts, what verdicts wait for, and what was decided by
 * them. */
#include "base/log.h"
#include "ctl/cmd.h"
#include "ctl/cost-text.h"
#include "ctl/json.h"

#include <stdio.h>

static FolioColour
verdict_colour(const char *verdict)
{
    if (g_str_equal(verdict, "sparse"))
        return FOLIO_COLOUR_YELLOW;
    return g_str_equal(verdict, "dense") ? FOLIO_COLOUR_GREEN : FOLIO_COLOUR_DIM;
}

/* "In the last window 3 sub-pages were seen, about 4 in use; ...". */
static char *
describe_evidence(GVariant *evidence)
{
    const guint64 unseen = folio_dict_number(evidence, "unseen");
    g_autofree char *cost = folio_cost_block_text(evidence);
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_printf(text,
                    "In the last window %" G_GUINT64_FORMAT " of 512 sub-pages were seen, about "
                    "%.0f in use, sampled or not; about %.0f are in reach before long.",
                    folio_dict_number(evidence, "seen"), folio_dict_double(evidence, "in-use"),
                    folio_dict_double(evidence, "reach"));
    if (unseen > 0 && unseen != FOLIO_VIEW_NEVER)
        g_string_append_printf(text, " It was last seen in use %" G_GUINT64_FORMAT " windows ago.",
                               unseen);
    if (*cost != '\0')
        g_string_append_printf(text, " By samples, %s.", cost);
    return g_string_free(g_steal_pointer(&text), FALSE);
}

static void
append_block(const FolioInvocation *invocation, guint64 block, const char *verdict,
             GVariant *evidence, const char *text, GString *out)
{
    const double confidence = folio_dict_double(evidence, "confidence");
    g_autofree char *painted = folio_paint(verdict_colour(verdict), verdict, invocation->coloured);
    g_autofree char *sentence = g_strdup_printf("Why: %s.", text);
    g_autofree char *why = folio_wrap(sentence, 2, invocation->width);
    g_autofree char *figures = describe_evidence(evidence);
    g_autofree char *seen = folio_wrap(figures, 2, invocation->width);

    g_string_append_printf(out, "\nblock %" G_GUINT64_FORMAT ": %s", block, painted);
    if (confidence > 0)
        g_string_append_printf(out, ", confidence %.2f", MIN(confidence, 0.99));
    g_string_append_printf(out, "\n%s%s", why, g_str_equal(verdict, "idle") ? "" : seen);
}

static void
append_blocks(const FolioInvocation *invocation, GVariant *blocks, GString *out)
{
    const char *verdict, *text;
    GVariant *evidence;
    GVariantIter iter;
    guint64 block;

    g_variant_iter_init(&iter, blocks);
    while (g_variant_iter_loop(&iter, "(t&s@a{sv}&s)", &block, &verdict, &evidence, &text)) {
        g_autofree char *name = folio_escape(verdict);

        append_block(invocation, block, name, evidence, text, out);
    }
}

/* So many are shown; all that foliod remembers, with --json. */
#define DECISIONS_SHOWN 8

static void
append_decision(const FolioInvocation *invocation, GVariant *decision, GString *out)
{
    const char *action, *result, *text;
    g_autoptr(GVariant) evidence = NULL;
    g_autoptr(GDateTime) time = NULL;
    g_autofree char *when = NULL, *sentence = NULL, *why = NULL;
    guint64 block;
    gint64 usec;

    g_variant_get(decision, "(xt&s&s@a{sv}&s)", &usec, &block, &action, &result, &evidence, &text);
    time = g_date_time_new_from_unix_local(usec / G_USEC_PER_SEC);
    when = time != NULL ? g_date_time_format(time, "%F %T") : g_strdup("?");
    sentence = g_strdup_printf("%s.", text);
    why = folio_wrap(sentence, 2, invocation->width);
    g_string_append_printf(
        out, "\n%s block %" G_GUINT64_FORMAT ": %s to order %" G_GUINT64_FORMAT ": %s\n%s", when,
        block, action, folio_dict_number(evidence, "order"),
        g_str_equal(result, "untold") ? "under way" : result, why);
}

static void
append_decisions(const FolioInvocation *invocation, GVariant *decisions, GString *out)
{
    const gsize n = g_variant_n_children(decisions);

    if (n == 0)
        return;
    g_string_append(out, "\nDecided last:\n");
    for (gsize i = n - MIN(n, DECISIONS_SHOWN); i < n; i++) {
        g_autoptr(GVariant) decision = g_variant_get_child_value(decisions, i);

        append_decision(invocation, decision, out);
    }
}

static char *
render(const FolioInvocation *invocation, GVariant *guest, GVariant *explained, GVariant *decided)
{
    g_autofree char *reason = g_strdup_printf("%s: %s", folio_dict_string(guest, "Reason"),
                                              folio_dict_string(guest, "ReasonText"));
    g_autofree char *cost = folio_cost_text(guest);
    g_autoptr(GVariant) blocks = NULL;
    g_autoptr(GVariant) decisions = NULL;
    g_autoptr(GString) out = g_string_new(NULL);
    const char *waits, *plan;

    g_variant_get(explained, "(&s@a(tsa{sv}s))", &waits, &blocks);
    g_variant_get(decided, "(&s@a(xtssa{sv}s))", &plan, &decisions);
    folio_append_field(invocation, out, "name", FOLIO_COLOUR_NONE,
                       folio_dict_string(guest, "Name"));
    folio_append_field(invocation, out, "reason", FOLIO_COLOUR_NONE, reason);
    folio_append_field(invocation, out, "waits", FOLIO_COLOUR_NONE,
                       *waits != '\0' ? waits : "nothing");
    if (*plan != '\0')
        folio_append_field(invocation, out, "blocks", FOLIO_COLOUR_NONE, plan);
    if (*cost != '\0')
        folio_append_field(invocation, out, "translation", FOLIO_COLOUR_NONE, cost);
    if (g_variant_n_children(blocks) > 0)
        append_blocks(invocation, blocks, out);
    else
        g_string_append(out, "\nNo block has been seen in use yet.\n");
    append_decisions(invocation, decisions, out);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

static GVariant *
ask(const FolioInvocation *invocation, const char *path, GError **error)
{
    const FolioHeatOptions *given = invocation->heat;
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    if (given->block >= 0)
        g_variant_builder_add(&options, "{sv}", "block",
                              g_variant_new_uint64((guint64) given->block));
    if (given->top >= 0)
        g_variant_builder_add(&options, "{sv}", "top", g_variant_new_uint32((guint32) given->top));
    return folio_client_explain(invocation->client, path, g_variant_builder_end(&options), error);
}

FolioExitStatus
folio_cmd_explain(const FolioInvocation *invocation, GError **error)
{
    g_autofree char *path = folio_client_find_guest(invocation->client, invocation->guest, error);
    g_autoptr(GVariant) explained = path != NULL ? ask(invocation, path, error) : NULL;
    g_autoptr(GVariant) decided = NULL;
    g_autoptr(GVariant) guest = NULL;
    g_autofree char *output = NULL;

    if (explained == NULL)
        return FOLIO_EXIT_FAILED;
    decided = folio_client_decisions(invocation->client, path, error);
    guest = decided != NULL ? folio_client_get_guest(invocation->client, path, error) : NULL;
    if (guest == NULL)
        return FOLIO_EXIT_FAILED;
    output = invocation->json ? folio_json_explain(guest, explained, decided)
                              : render(invocation, guest, explained, decided);
    fputs(output, stdout);
    return FOLIO_EXIT_OK;
}
