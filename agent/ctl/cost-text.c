/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What translation costs a guest, for people and programs. */
#include "ctl/cost-text.h"

#include "ctl/client.h"
#include "ctl/json-text.h"

/* What figures are of, as in the names of their keys. */
static const struct {
    const char *key, *text;
} kinds[] = {
    { "split", "split blocks" },
    { "other", "others" },
    { "before", "those that are split, before" },
    { "after", "and since" },
    { "unsplit", "the whole guest before anything was split" },
};

static gboolean
look_up(GVariant *dict, const char *of, const char *what, double *value)
{
    g_autofree char *key = g_strconcat(of, "-", what, NULL);

    return g_variant_lookup(dict, key, "d", value);
}

static GVariant *
get_costs(GVariant *guest)
{
    GVariant *costs = g_variant_lookup_value(guest, "Translation", G_VARIANT_TYPE_VARDICT);

    if (costs != NULL && g_variant_n_children(costs) == 0)
        g_clear_pointer(&costs, g_variant_unref);
    return costs;
}

static void
append_kind(GString *out, GVariant *costs, const char *key, const char *text)
{
    double walks, cycles;

    if (!look_up(costs, key, "walks", &walks))
        return;
    g_string_append_printf(out, "%s%s: %.1f%%%s", out->len > 0 ? "; " : "", text, 100 * walks,
                           out->len > 0 ? "" : " of accesses walk page tables");
    if (look_up(costs, key, "cycles", &cycles))
        g_string_append_printf(out, ", %.1f cycles", cycles);
}

static void
append_tracked(GString *out, GVariant *guest)
{
    const guint64 split = folio_dict_number(guest, "SplitNowBlocks");
    const guint64 tracked = folio_dict_number(guest, "TrackedBlocks");

    if (split > 0)
        g_string_append_printf(
            out, "; %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " split blocks are followed",
            tracked, split);
}

char *
folio_cost_text(GVariant *guest)
{
    g_autoptr(GVariant) costs = get_costs(guest);
    GString *out = g_string_new(NULL);
    double cycles;

    if (folio_dict_number(guest, "Windows") == 0)
        return g_string_free(out, FALSE);
    if (costs == NULL) {
        g_string_append(out, "not measured: the samples do not tell what it costs");
        return g_string_free(out, FALSE);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
        append_kind(out, costs, kinds[i].key, kinds[i].text);
    if (!look_up(costs, "other", "cycles", &cycles) && !look_up(costs, "split", "cycles", &cycles))
        g_string_append(out, "; latency is not measured, and no split undone by what it costs");
    append_tracked(out, guest);
    return g_string_free(out, FALSE);
}

char *
folio_cost_block_text(GVariant *evidence)
{
    GString *out = g_string_new(NULL);
    double after, before;

    if (look_up(evidence, "after", "cycles", &after))
        g_string_append_printf(
            out, "translation takes %.1f cycles an access (%" G_GUINT64_FORMAT " samples)", after,
            folio_dict_number(evidence, "after-samples"));
    if (look_up(evidence, "before", "cycles", &before))
        g_string_append_printf(out, "%s%.1f before the split (%" G_GUINT64_FORMAT ")",
                               out->len > 0 ? ", " : "translation took ", before,
                               folio_dict_number(evidence, "before-samples"));
    return g_string_free(out, FALSE);
}

static void
add_figure(JsonBuilder *builder, GVariant *dict, const char *of, const char *what)
{
    g_autofree char *member = g_strconcat(of, "_", what, NULL);
    double value;

    json_builder_set_member_name(builder, member);
    if (look_up(dict, of, what, &value))
        json_builder_add_double_value(builder, value);
    else
        json_builder_add_null_value(builder);
}

void
folio_cost_add_json(JsonBuilder *builder, GVariant *guest)
{
    g_autoptr(GVariant) costs = get_costs(guest);

    json_builder_set_member_name(builder, "translation");
    if (costs == NULL) {
        json_builder_add_null_value(builder);
        return;
    }
    json_builder_begin_object(builder);
    for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
        add_figure(builder, costs, kinds[i].key, "walks");
        add_figure(builder, costs, kinds[i].key, "cycles");
    }
    json_builder_end_object(builder);
}

void
folio_cost_add_block_json(JsonBuilder *builder, GVariant *evidence)
{
    json_builder_set_member_name(builder, "cost");
    if (!g_variant_lookup(evidence, "before-samples", "u", NULL)) {
        json_builder_add_null_value(builder);
        return;
    }
    json_builder_begin_object(builder);
    folio_json_add_number(builder, "before_samples", folio_dict_number(evidence, "before-samples"));
    add_figure(builder, evidence, "before", "walks");
    add_figure(builder, evidence, "before", "cycles");
    folio_json_add_number(builder, "after_samples", folio_dict_number(evidence, "after-samples"));
    add_figure(builder, evidence, "after", "walks");
    add_figure(builder, evidence, "after", "cycles");
    json_builder_end_object(builder);
}
