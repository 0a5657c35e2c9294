/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl list: one line a guest. */
#include "ctl/cmd.h"
#include "ctl/json.h"

#include <stdio.h>

static const FolioColumn columns[] = {
    { "NAME", FALSE },  { "UUID", FALSE },     { "STATE", FALSE },
    { "RAM", TRUE },    { "PRESENT", TRUE },   { "HUGE", TRUE },
    { "SPARSE", TRUE }, { "NOMINATED", TRUE }, { "REASON", FALSE },
};

static void
add_guest(FolioTable *table, GVariant *guest)
{
    const char *state = folio_dict_string(guest, "State");
    guint64 ram = folio_dict_number(guest, "RamBytes");
    guint64 present = folio_dict_number(guest, "PresentBytes");
    g_autofree char *ram_text = folio_bytes_or_dash(ram, ram != 0);
    g_autofree char *present_text = folio_bytes_or_dash(present, ram != 0);
    g_autofree char *percent = folio_format_percent(folio_dict_number(guest, "HugeBytes"), present);
    g_autofree char *sparse = folio_bytes_or_dash(folio_dict_number(guest, "SparseBytes"),
                                                  folio_dict_number(guest, "Windows") > 0);
    g_autofree char *nominated = folio_bytes_or_dash(folio_dict_number(guest, "NominatedBytes"),
                                                     folio_guest_is_nominated(guest));

    folio_table_add(table, FOLIO_COLOUR_NONE, folio_dict_string(guest, "Name"));
    folio_table_add(table, FOLIO_COLOUR_NONE, folio_dict_string(guest, "Uuid"));
    folio_table_add(table, folio_state_colour(state), state);
    folio_table_add(table, FOLIO_COLOUR_NONE, ram_text);
    folio_table_add(table, FOLIO_COLOUR_NONE, present_text);
    folio_table_add(table, FOLIO_COLOUR_NONE, percent);
    folio_table_add(table, FOLIO_COLOUR_NONE, sparse);
    folio_table_add(table, FOLIO_COLOUR_NONE, nominated);
    folio_table_add(table, FOLIO_COLOUR_NONE, folio_dict_string(guest, "Reason"));
}

FolioExitStatus
folio_cmd_list(const FolioInvocation *invocation, GError **error)
{
    g_autoptr(GPtrArray) guests = folio_client_get_guests(invocation->client, error);
    g_autoptr(FolioTable) table = NULL;
    g_autofree char *text = NULL;

    if (guests == NULL)
        return FOLIO_EXIT_FAILED;
    if (invocation->json) {
        text = folio_json_list(guests);
    } else {
        table = folio_table_new(columns, G_N_ELEMENTS(columns));
        for (guint i = 0; i < guests->len; i++)
            add_guest(table, guests->pdata[i]);
        text = folio_table_render(table, 0, invocation->coloured);
    }
    fputs(text, stdout);
    return FOLIO_EXIT_OK;
}
