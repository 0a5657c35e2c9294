/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl status: foliod itself, the host's guests as a whole, and whoever is not served. */
#include "ctl/cmd.h"
#include "ctl/json.h"

#include <stdio.h>

static const char *const states[] = { "acting", "deciding",   "sampling",   "located",
                                      "paused", "ineligible", "discovered", "leaving" };

static void
append_foliod(const FolioInvocation *invocation, GVariant *manager, GString *out)
{
    const gboolean paused = folio_dict_boolean(manager, "Paused");
    g_autofree char *text = g_strconcat(
        folio_dict_string(manager, "Version"),
        paused ? ", paused: nothing is sampled or changed until folioctl resume" : "", NULL);

    folio_append_field(invocation, out, "foliod", paused ? FOLIO_COLOUR_YELLOW : FOLIO_COLOUR_NONE,
                       text);
}

/* Ways to act, each with what it is taken for, or why it is of no use here. */
static void
append_actuators(const FolioInvocation *invocation, GVariant *manager, GString *out)
{
    g_autoptr(GVariant) actuators =
        g_variant_lookup_value(manager, "Actuators", G_VARIANT_TYPE("a(sbs)"));
    const char *name, *reason, *label = "actuators";
    GVariantIter iter;
    gboolean usable;

    if (actuators == NULL)
        return;
    g_variant_iter_init(&iter, actuators);
    while (g_variant_iter_next(&iter, "(&sb&s)", &name, &usable, &reason)) {
        g_autofree char *text = g_strdup_printf("%s: %s", name, reason);

        folio_append_field(invocation, out, label, usable ? FOLIO_COLOUR_NONE : FOLIO_COLOUR_DIM,
                           text);
        label = "";
    }
    if (*label != '\0')
        folio_append_field(invocation, out, label, FOLIO_COLOUR_NONE, "none");
}

static void
append_libvirt(const FolioInvocation *invocation, GVariant *manager, GString *out)
{
    gboolean connected = folio_dict_boolean(manager, "Connected");
    const char *error = folio_dict_string(manager, "ConnectionError");
    g_autofree char *text = g_strdup_printf(
        "%s, %s%s%s", folio_dict_string(manager, "Uri"), connected ? "connected" : "not connected",
        !connected && *error != '\0' ? ": " : "", connected ? "" : error);

    folio_append_field(invocation, out, "libvirt",
                       connected ? FOLIO_COLOUR_GREEN : FOLIO_COLOUR_RED, text);
}

static void
append_guests(const FolioInvocation *invocation, GPtrArray *guests, GString *out)
{
    g_autoptr(GString) text = g_string_new(NULL);
    const char *separator = ": ";

    g_string_append_printf(text, "%u", guests->len);
    for (gsize i = 0; i < G_N_ELEMENTS(states); i++) {
        guint count = 0;

        for (guint j = 0; j < guests->len; j++)
            count += g_str_equal(folio_dict_string(guests->pdata[j], "State"), states[i]);
        if (count == 0)
            continue;
        g_string_append_printf(text, "%s%u %s", separator, count, states[i]);
        separator = ", ";
    }
    folio_append_field(invocation, out, "guests", FOLIO_COLOUR_NONE, text->str);
}

static guint64
sum(GPtrArray *guests, const char *key)
{
    guint64 total = 0;

    for (guint i = 0; i < guests->len; i++)
        total += folio_dict_number(guests->pdata[i], key);
    return total;
}

static void
append_ram(const FolioInvocation *invocation, GPtrArray *guests, GString *out)
{
    g_autofree char *text = folio_ram_totals(sum(guests, "RamBytes"), sum(guests, "PresentBytes"),
                                             sum(guests, "HugeBytes"), sum(guests, "SwappedBytes"));

    folio_append_field(invocation, out, "RAM", FOLIO_COLOUR_NONE, text);
}

/* Of the guests that have verdicts. */
static void
append_heat(const FolioInvocation *invocation, GPtrArray *guests, GString *out)
{
    g_autofree char *text = folio_heat_totals(sum(guests, "SparseBytes"), sum(guests, "DenseBytes"),
                                              sum(guests, "UndecidedBytes"),
                                              sum(guests, "IdleBytes"), sum(guests, "Windows") > 0);
    gboolean sampled = FALSE;

    for (guint i = 0; i < guests->len; i++)
        sampled = sampled || !g_str_equal(folio_dict_string(guests->pdata[i], "Source"), "none");
    folio_append_field(invocation, out, "heat", FOLIO_COLOUR_NONE,
                       sampled ? text : "nothing is sampled");
}

/* Where samples come from, and by host what came. */
static void
append_samples(const FolioInvocation *invocation, GVariant *manager, GString *out)
{
    const char *source = folio_dict_string(manager, "Source");
    const char *by = folio_dict_string(manager, "SampledBy");
    const char *error = folio_dict_string(manager, "SamplingError");
    g_autoptr(GString) text = g_string_new(NULL);

    if (g_str_equal(by, "none"))
        g_string_append(text, "none are taken");
    else
        g_string_append_printf(text, "%s by %s", source, by);
    if (g_str_equal(by, "host"))
        g_string_append_printf(text,
                               ", %" G_GUINT64_FORMAT " CPUs; %" G_GUINT64_FORMAT
                               ", %" G_GUINT64_FORMAT " of no guest, %" G_GUINT64_FORMAT " lost",
                               folio_dict_number(manager, "SampledCpus"),
                               folio_dict_number(manager, "HostSamples"),
                               folio_dict_number(manager, "HostUnmappedSamples"),
                               folio_dict_number(manager, "HostLostSamples"));
    if (*error != '\0')
        g_string_append_printf(text, ": %s", error);
    folio_append_field(invocation, out, "samples",
                       *error != '\0' ? FOLIO_COLOUR_YELLOW : FOLIO_COLOUR_NONE, text->str);
}

/* Of the guests that nothing samples. */
static void
append_nominated(const FolioInvocation *invocation, GPtrArray *guests, GString *out)
{
    g_autofree char *text =
        folio_nominated(sum(guests, "NominatedRanges"), sum(guests, "NominatedBytes"));
    gboolean any = FALSE;

    for (guint i = 0; i < guests->len; i++)
        any = any || folio_guest_is_nominated(guests->pdata[i]);
    if (any)
        folio_append_field(invocation, out, "nominated", FOLIO_COLOUR_NONE, text);
}

/* Whatever is beyond the cap is not followed. */
static void
append_tracked(const FolioInvocation *invocation, GVariant *manager, GPtrArray *guests,
               GString *out)
{
    const guint64 split = sum(guests, "SplitNowBlocks");
    g_autofree char *text = g_strdup_printf(
        "%" G_GUINT64_FORMAT "; what they cost is followed of %" G_GUINT64_FORMAT
        ", at most of %" G_GUINT64_FORMAT,
        split, sum(guests, "TrackedBlocks"), folio_dict_number(manager, "MaxTrackedSplit"));

    if (split > 0)
        folio_append_field(invocation, out, "split blocks", FOLIO_COLOUR_NONE, text);
}

static void
append_features(const FolioInvocation *invocation, GVariant *manager, GString *out)
{
    g_autofree const char **features = NULL;
    g_autofree char *text = NULL;

    if (!g_variant_lookup(manager, "Features", "^a&s", &features))
        return;
    text = g_strjoinv(" ", (char **) features);
    folio_append_field(invocation, out, "features", FOLIO_COLOUR_NONE,
                       *text != '\0' ? text : "none");
}

static void
append_config(const FolioInvocation *invocation, GVariant *manager, GString *out)
{
    g_autofree const char **errors = NULL;

    if (!g_variant_lookup(manager, "ConfigErrors", "^a&s", &errors))
        return;
    if (errors[0] == NULL) {
        folio_append_field(invocation, out, "configuration", FOLIO_COLOUR_NONE, "no errors");
        return;
    }
    for (gsize i = 0; errors[i] != NULL; i++)
        folio_append_field(invocation, out, i == 0 ? "configuration" : "", FOLIO_COLOUR_RED,
                           errors[i]);
}

/* Sampling it was asked for, and does not work. */
static gboolean
is_blind(GVariant *guest)
{
    const char *reason = folio_dict_string(guest, "Reason");

    return g_str_equal(reason, "no-sampler") || g_str_equal(reason, "no-guest-samples");
}

/* Each guest that is not served, with the reason and the remedy. */
static void
append_not_located(const FolioInvocation *invocation, GPtrArray *guests, GString *out)
{
    static const FolioColumn columns[] = { { "NAME", FALSE },
                                           { "STATE", FALSE },
                                           { "REASON", FALSE } };
    g_autoptr(FolioTable) table = folio_table_new(columns, G_N_ELEMENTS(columns));
    g_autofree char *text = NULL;
    gboolean any = FALSE;

    for (guint i = 0; i < guests->len; i++) {
        GVariant *guest = guests->pdata[i];
        const char *state = folio_dict_string(guest, "State");
        const char *remedy = folio_dict_string(guest, "Remedy");
        g_autofree char *why = NULL;

        if (folio_state_is_served(state) && !is_blind(guest))
            continue;
        any = TRUE;
        why = g_strdup_printf("%s%s%s", folio_dict_string(guest, "ReasonText"),
                              *remedy != '\0' ? ". " : "", remedy);
        folio_table_add(table, FOLIO_COLOUR_NONE, folio_dict_string(guest, "Name"));
        folio_table_add(table, folio_state_colour(state), state);
        folio_table_add(table, FOLIO_COLOUR_NONE, why);
    }
    if (!any)
        return;
    text = folio_table_render(table, invocation->width, invocation->coloured);
    g_string_append_printf(out, "\n%s", text);
}

FolioExitStatus
folio_cmd_status(const FolioInvocation *invocation, GError **error)
{
    g_autoptr(GVariant) manager = folio_client_get_manager(invocation->client, error);
    g_autoptr(GPtrArray) guests = NULL;
    g_autoptr(GString) out = NULL;

    if (manager == NULL)
        return FOLIO_EXIT_FAILED;
    guests = folio_client_get_guests(invocation->client, error);
    if (guests == NULL)
        return FOLIO_EXIT_FAILED;
    if (invocation->json) {
        g_autofree char *json = folio_json_status(manager, guests);

        fputs(json, stdout);
        return FOLIO_EXIT_OK;
    }
    out = g_string_new(NULL);
    append_foliod(invocation, manager, out);
    append_libvirt(invocation, manager, out);
    append_guests(invocation, guests, out);
    append_ram(invocation, guests, out);
    append_samples(invocation, manager, out);
    append_heat(invocation, guests, out);
    append_nominated(invocation, guests, out);
    append_tracked(invocation, manager, guests, out);
    append_features(invocation, manager, out);
    append_actuators(invocation, manager, out);
    append_config(invocation, manager, out);
    append_not_located(invocation, guests, out);
    fputs(out->str, stdout);
    return FOLIO_EXIT_OK;
}
