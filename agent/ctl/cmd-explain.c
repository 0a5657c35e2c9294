/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl explain: why blocks have their verdicts, and what verdicts wait for. */
#include "ctl/cmd.h"
#include "ctl/json.h"

#include <stdio.h>

static const FolioColumn columns[] = {
    { "BLOCK", TRUE }, { "VERDICT", FALSE }, { "SEEN", TRUE }, { "IN USE", TRUE },
    { "REACH", TRUE }, { "UNSEEN", TRUE },   { "WHY", FALSE },
};

#define NEVER_SEEN G_MAXUINT16

static FolioColour
verdict_colour(const char *verdict)
{
    if (g_str_equal(verdict, "sparse"))
        return FOLIO_COLOUR_YELLOW;
    return g_str_equal(verdict, "dense") ? FOLIO_COLOUR_GREEN : FOLIO_COLOUR_DIM;
}

static void
add_number(FolioTable *table, guint64 number)
{
    g_autofree char *text = g_strdup_printf("%" G_GUINT64_FORMAT, number);

    folio_table_add(table, FOLIO_COLOUR_NONE, text);
}

static void
add_fraction(FolioTable *table, GVariant *evidence, const char *key)
{
    g_autofree char *text = g_strdup_printf("%.0f", folio_dict_double(evidence, key));

    folio_table_add(table, FOLIO_COLOUR_NONE, text);
}

static void
add_block(FolioTable *table, guint64 block, const char *verdict, GVariant *evidence,
          const char *text)
{
    guint64 unseen = folio_dict_number(evidence, "unseen");

    add_number(table, block);
    folio_table_add(table, verdict_colour(verdict), verdict);
    add_number(table, folio_dict_number(evidence, "seen"));
    add_fraction(table, evidence, "in-use");
    add_fraction(table, evidence, "reach");
    if (unseen == NEVER_SEEN)
        folio_table_add(table, FOLIO_COLOUR_NONE, "-");
    else
        add_number(table, unseen);
    folio_table_add(table, FOLIO_COLOUR_NONE, text);
}

static void
append_blocks(const FolioInvocation *invocation, GVariant *blocks, GString *out)
{
    g_autoptr(FolioTable) table = folio_table_new(columns, G_N_ELEMENTS(columns));
    g_autofree char *rendered = NULL;
    g_autofree char *note = NULL;
    const char *verdict, *text;
    GVariant *evidence;
    GVariantIter iter;
    guint64 block;

    g_variant_iter_init(&iter, blocks);
    while (g_variant_iter_loop(&iter, "(t&s@a{sv}&s)", &block, &verdict, &evidence, &text))
        add_block(table, block, verdict, evidence, text);
    rendered = folio_table_render(table, invocation->width, invocation->coloured);
    note =
        folio_wrap("SEEN: sub-pages of 512 that were sampled in the last window. IN USE: in use "
                   "then, sampled or not. REACH: that it may use before long; both are estimates. "
                   "UNSEEN: windows since it was last seen in use.",
                   0, invocation->width);
    g_string_append_printf(out, "\n%s\n%s", rendered, note);
}

static char *
render(const FolioInvocation *invocation, GVariant *guest, const char *waits, GVariant *blocks)
{
    g_autofree char *reason = g_strdup_printf("%s: %s", folio_dict_string(guest, "Reason"),
                                              folio_dict_string(guest, "ReasonText"));
    g_autoptr(GString) out = g_string_new(NULL);

    folio_append_field(invocation, out, "name", FOLIO_COLOUR_NONE,
                       folio_dict_string(guest, "Name"));
    folio_append_field(invocation, out, "reason", FOLIO_COLOUR_NONE, reason);
    folio_append_field(invocation, out, "waits", FOLIO_COLOUR_NONE,
                       *waits != '\0' ? waits : "nothing");
    if (g_variant_n_children(blocks) > 0)
        append_blocks(invocation, blocks, out);
    else
        g_string_append(out, "\nNo block has been seen in use yet.\n");
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
    g_autoptr(GVariant) reply = path != NULL ? ask(invocation, path, error) : NULL;
    g_autoptr(GVariant) guest = NULL;
    g_autoptr(GVariant) blocks = NULL;
    g_autofree char *output = NULL;
    const char *waits;

    if (reply == NULL)
        return FOLIO_EXIT_FAILED;
    guest = folio_client_get_guest(invocation->client, path, error);
    if (guest == NULL)
        return FOLIO_EXIT_FAILED;
    g_variant_get(reply, "(&s@a(tsa{sv}s))", &waits, &blocks);
    output = invocation->json ? folio_json_explain(guest, waits, blocks)
                              : render(invocation, guest, waits, blocks);
    fputs(output, stdout);
    return FOLIO_EXIT_OK;
}
