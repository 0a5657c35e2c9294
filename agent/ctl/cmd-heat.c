/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl heat: what of a guest's RAM is in use, block by block. */
#include "base/error.h"
#include "ctl/cmd.h"
#include "ctl/heat-picture.h"
#include "ctl/heat-terminal.h"
#include "ctl/json.h"

#include <stdio.h>

/* Blocks that can be asked for one by one, see Heat in data/org.foliod1.xml. */
#define ENTRIES_MAX 1048575

typedef struct {
    guint64 blocks; /* of each range; G_MAXUINT64: all */
    guint granule;
    gboolean history;
} Request;

static FolioHeatView *
ask(const FolioInvocation *invocation, const char *path, const Request *request, GError **error)
{
    g_autoptr(GVariant) reply = NULL;
    GVariantBuilder options;

    g_variant_builder_init(&options, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&options, "{sv}", "blocks", g_variant_new_uint64(request->blocks));
    g_variant_builder_add(&options, "{sv}", "granule", g_variant_new_uint32(request->granule));
    g_variant_builder_add(&options, "{sv}", "history", g_variant_new_boolean(request->history));
    reply = folio_client_heat(invocation->client, path, g_variant_builder_end(&options), error);
    return reply != NULL ? folio_heat_view_new(reply, error) : NULL;
}

/* Entries that the output has room for. */
static guint
entries_for(const FolioInvocation *invocation)
{
    if (folio_picture_options_given(invocation->picture))
        return FOLIO_HEATMAP_MAX_ROWS;
    if (invocation->json)
        return ENTRIES_MAX;
    return invocation->heat->by_time ? folio_heat_time_rows()
                                     : folio_heat_map_cells(invocation->width);
}

/* How many blocks there are decides on the granule. */
static FolioHeatView *
ask_for_output(const FolioInvocation *invocation, const char *path, GError **error)
{
    const gboolean by_time = invocation->heat->by_time;
    const Request first = { 0, 1, by_time };
    g_autoptr(FolioHeatView) about = ask(invocation, path, &first, error);
    Request all = { G_MAXUINT64, 1, by_time };

    if (about == NULL || about->windows == 0)
        return g_steal_pointer(&about);
    all.granule = folio_heat_granule(about->blocks, by_time ? about->history_granule : 1,
                                     entries_for(invocation));
    return ask(invocation, path, &all, error);
}

static char *
describe_window(const FolioHeatView *view)
{
    const gint64 age = (g_get_real_time() - view->ended_usec) / G_USEC_PER_SEC;

    return g_strdup_printf("%" G_GUINT64_FORMAT
                           "; the last one took %.3g s and ended %" G_GINT64_FORMAT " s ago",
                           view->windows, (double) view->window_usec / G_USEC_PER_SEC, MAX(age, 0));
}

static char *
render(const FolioInvocation *invocation, GVariant *guest, const FolioHeatView *view)
{
    const char *waits = folio_dict_string(guest, "Waits");
    g_autofree char *totals = folio_heat_totals(
        folio_dict_number(guest, "SparseBytes"), folio_dict_number(guest, "DenseBytes"),
        folio_dict_number(guest, "UndecidedBytes"), folio_dict_number(guest, "IdleBytes"), TRUE);
    g_autofree char *windows = describe_window(view);
    g_autofree char *map = invocation->heat->by_time ? folio_heat_times(invocation, view)
                                                     : folio_heat_map(invocation, view);
    g_autoptr(GString) out = g_string_new(NULL);

    folio_append_field(invocation, out, "name", FOLIO_COLOUR_NONE,
                       folio_dict_string(guest, "Name"));
    folio_append_field(invocation, out, "heat", FOLIO_COLOUR_NONE, totals);
    folio_append_field(invocation, out, "windows", FOLIO_COLOUR_NONE, windows);
    if (*waits != '\0')
        folio_append_field(invocation, out, "waits", FOLIO_COLOUR_YELLOW, waits);
    g_string_append_printf(out, "\n%s", map);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* Why nothing is known, in the guest's own words. */
static char *
describe_nothing(GVariant *guest)
{
    const char *waits = folio_dict_string(guest, "Waits");

    return g_strdup_printf("%s: nothing is known of its heat: %s", folio_dict_string(guest, "Name"),
                           *waits != '\0' ? waits : folio_dict_string(guest, "ReasonText"));
}

static gboolean
put_out(const FolioInvocation *invocation, GVariant *guest, const FolioHeatView *view,
        GError **error)
{
    g_autofree char *nothing = describe_nothing(guest);
    g_autofree char *text = NULL;

    if (invocation->json) {
        folio_json_print_heat(guest, view);
        return TRUE;
    }
    if (view->windows == 0) {
        g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, nothing);
        return FALSE;
    }
    if (folio_picture_options_given(invocation->picture))
        return folio_heat_draw(invocation, guest, view, error);
    text = render(invocation, guest, view);
    fputs(text, stdout);
    return TRUE;
}

FolioExitStatus
folio_cmd_heat(const FolioInvocation *invocation, GError **error)
{
    g_autofree char *path = folio_client_find_guest(invocation->client, invocation->guest, error);
    g_autoptr(FolioHeatView) view = NULL;
    g_autoptr(GVariant) guest = NULL;

    if (path == NULL)
        return FOLIO_EXIT_FAILED;
    view = ask_for_output(invocation, path, error);
    if (view == NULL)
        return FOLIO_EXIT_FAILED;
    guest = folio_client_get_guest(invocation->client, path, error);
    if (guest == NULL || !put_out(invocation, guest, view, error))
        return FOLIO_EXIT_FAILED;
    return FOLIO_EXIT_OK;
}
