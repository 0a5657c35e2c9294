/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the verbs share. */
#include "ctl/cmd.h"

#include "base/format.h"

#include <string.h>

/* As wide as the longest label, "configuration", and a gap. */
#define LABEL_WIDTH 15

void
folio_append_field(const FolioInvocation *invocation, GString *out, const char *label,
                   FolioColour colour, const char *text)
{
    g_autofree char *wrapped = folio_wrap(text, LABEL_WIDTH, invocation->width);
    g_autofree char *value = g_strdup(g_strchomp(wrapped) + LABEL_WIDTH);
    g_autofree char *padded = g_strdup_printf("%-*s", LABEL_WIDTH, label);
    g_autofree char *painted_label = folio_paint(FOLIO_COLOUR_BOLD, padded, invocation->coloured);
    g_autofree char *painted = folio_paint(colour, value, invocation->coloured);

    g_string_append_printf(out, "%s%s\n", painted_label, painted);
}

gboolean
folio_state_is_served(const char *state)
{
    static const char *const served[] = { "located", "sampling", "deciding",
                                          "acting",  "paused",   NULL };

    return g_strv_contains(served, state);
}

FolioColour
folio_state_colour(const char *state)
{
    if (folio_state_is_served(state))
        return FOLIO_COLOUR_GREEN;
    return g_str_equal(state, "ineligible") ? FOLIO_COLOUR_YELLOW : FOLIO_COLOUR_DIM;
}

char *
folio_bytes_or_dash(guint64 bytes, gboolean known)
{
    return known ? folio_format_bytes(bytes) : g_strdup("-");
}

char *
folio_heat_totals(guint64 sparse, guint64 dense, guint64 undecided, guint64 idle, gboolean known)
{
    g_autofree char *sparse_text = folio_format_bytes(sparse);
    g_autofree char *dense_text = folio_format_bytes(dense);
    g_autofree char *undecided_text = folio_format_bytes(undecided);
    g_autofree char *idle_text = folio_format_bytes(idle);

    if (!known)
        return g_strdup("no verdicts yet");
    return g_strdup_printf("%s sparse, %s dense, %s undecided, %s idle", sparse_text, dense_text,
                           undecided_text, idle_text);
}

char *
folio_nominated(guint64 ranges, guint64 bytes)
{
    g_autofree char *text = folio_format_bytes(bytes);

    return g_strdup_printf("%" G_GUINT64_FORMAT " range%s, %s huge, not judged", ranges,
                           ranges == 1 ? "" : "s", text);
}

gboolean
folio_guest_is_nominated(GVariant *guest)
{
    return g_str_equal(folio_dict_string(guest, "Source"), "none") &&
           g_str_equal(folio_dict_string(guest, "State"), "located");
}

char *
folio_ram_totals(guint64 ram, guint64 present, guint64 huge, guint64 swapped)
{
    g_autofree char *ram_text = folio_format_bytes(ram);
    g_autofree char *present_text = folio_format_bytes(present);
    g_autofree char *huge_text = folio_format_bytes(huge);
    g_autofree char *percent = folio_format_percent(huge, present);
    g_autofree char *swapped_text = folio_format_bytes(swapped);
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "%s, %s present, %s huge", ram_text, present_text, huge_text);
    if (present > 0)
        g_string_append_printf(out, " (%s)", percent);
    if (swapped > 0)
        g_string_append_printf(out, ", %s swapped", swapped_text);
    return g_string_free(out, FALSE);
}
