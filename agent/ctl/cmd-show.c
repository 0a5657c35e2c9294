/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl show: everything of one guest. */
#include "base/error.h"
#include "base/format.h"
#include "ctl/cmd.h"
#include "ctl/cost-text.h"
#include "ctl/json.h"

#include <stdio.h>

static void
append_nominated(const FolioInvocation *invocation, GVariant *guest, GString *out)
{
    g_autofree char *text = folio_nominated(folio_dict_number(guest, "NominatedRanges"),
                                            folio_dict_number(guest, "NominatedBytes"));

    if (folio_guest_is_nominated(guest))
        folio_append_field(invocation, out, "nominated", FOLIO_COLOUR_NONE, text);
}

static void
append_sampling(const FolioInvocation *invocation, GVariant *guest, GString *out)
{
    const char *source = folio_dict_string(guest, "Source");
    const char *waits = folio_dict_string(guest, "Waits");
    gboolean by_host = g_str_equal(folio_dict_string(guest, "SampledBy"), "host");
    guint64 windows = folio_dict_number(guest, "Windows");
    g_autofree char *heat = folio_heat_totals(folio_dict_number(guest, "SparseBytes"),
                                              folio_dict_number(guest, "DenseBytes"),
                                              folio_dict_number(guest, "UndecidedBytes"),
                                              folio_dict_number(guest, "IdleBytes"), windows > 0);
    g_autofree char *cost = folio_cost_text(guest);
    g_autofree char *samples = g_strdup_printf(
        "%s by %s, %s; %" G_GUINT64_FORMAT " in its RAM, %" G_GUINT64_FORMAT
        " elsewhere, %" G_GUINT64_FORMAT " lost%s; %" G_GUINT64_FORMAT
        " windows, the last of %" G_GUINT64_FORMAT " s",
        source, folio_dict_string(guest, "SampledBy"), folio_dict_string(guest, "Coverage"),
        folio_dict_number(guest, "Samples"), folio_dict_number(guest, "UnmappedSamples"),
        folio_dict_number(guest, "LostSamples"), by_host ? " of all guests" : "", windows,
        folio_dict_number(guest, "WindowSeconds"));

    if (g_str_equal(source, "none")) {
        folio_append_field(invocation, out, "samples", FOLIO_COLOUR_NONE, "none are taken");
        append_nominated(invocation, guest, out);
        return;
    }
    folio_append_field(invocation, out, "samples", FOLIO_COLOUR_NONE, samples);
    folio_append_field(invocation, out, "heat", FOLIO_COLOUR_NONE, heat);
    if (*waits != '\0')
        folio_append_field(invocation, out, "waits", FOLIO_COLOUR_NONE, waits);
    if (*cost != '\0')
        folio_append_field(invocation, out, "translation", FOLIO_COLOUR_NONE, cost);
}

/* Who said what is only of interest when somebody has said anything. */
static void
append_policy(const FolioInvocation *invocation, GVariant *guest, GString *out)
{
    const char *mode = folio_dict_string(guest, "Mode");
    const char *in_force = folio_dict_string(guest, "ModeInForce");
    const char *policy = folio_dict_string(guest, "Policy");
    const char *refused = folio_dict_string(guest, "HintError");
    const char *capped = folio_dict_string(guest, "HintCapped");
    g_autofree char *nobody = g_strdup_printf("mode=%s (default)", mode);
    g_autofree char *both = g_strdup_printf("%s; in force: %s", mode, in_force);

    folio_append_field(invocation, out, "mode", FOLIO_COLOUR_NONE,
                       g_str_equal(mode, in_force) ? mode : both);
    if (!g_str_equal(policy, nobody))
        folio_append_field(invocation, out, "policy", FOLIO_COLOUR_NONE, policy);
    if (*refused != '\0')
        folio_append_field(invocation, out, "hints refused", FOLIO_COLOUR_YELLOW, refused);
    if (*capped != '\0')
        folio_append_field(invocation, out, "hints capped", FOLIO_COLOUR_NONE, capped);
}

/* "5 split, 2 collapsed, 1 left as they were; 3 are split now, ...", "" when nothing was done. */
static char *
describe_acts(GVariant *guest)
{
    static const struct {
        const char *property, *text;
    } numbers[] = {
        { "SplitBlocks", "split" },
        { "CollapsedBlocks", "collapsed" },
        { "LeftBlocks", "left as they were" },
        { "PartlyBlocks", "done in part" },
        { "RecollapsedBlocks", "made huge again by others" },
    };
    const guint64 now = folio_dict_number(guest, "SplitNowBlocks");
    GString *out = g_string_new(NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
        const guint64 n = folio_dict_number(guest, numbers[i].property);

        if (n > 0)
            g_string_append_printf(out, "%s%" G_GUINT64_FORMAT " %s", out->len > 0 ? ", " : "", n,
                                   numbers[i].text);
    }
    if (out->len > 0)
        g_string_append_printf(out, "; %" G_GUINT64_FORMAT " are split now", now);
    if (now > 0)
        g_string_append(out, " (pages of them count as present once they are used; "
                             "a split frees nothing)");
    return g_string_free(out, FALSE);
}

static const char *
describe_keeper(const char *keeper)
{
    static const char *const texts[][2] = {
        { "free", "free to undo splits" },
        { "idle", "idle: by the settings of this host it collapses nothing of guests" },
        { "flag", "kept away, by a flag of the process" },
        { "strict", "kept away: the process may have no huge pages but what foliod collapses" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        if (g_str_equal(keeper, texts[i][0]))
            return texts[i][1];
    }
    return keeper;
}

static void
append_acts(const FolioInvocation *invocation, GVariant *guest, GString *out)
{
    const char *keeper = folio_dict_string(guest, "Keeper");
    g_autofree char *text = describe_acts(guest);

    if (*text != '\0')
        folio_append_field(invocation, out, "blocks", FOLIO_COLOUR_NONE, text);
    if (folio_dict_number(guest, "Pid") != 0)
        folio_append_field(invocation, out, "khugepaged", FOLIO_COLOUR_NONE,
                           describe_keeper(keeper));
}

static void
append_guest(const FolioInvocation *invocation, GVariant *guest, GString *out)
{
    const char *state = folio_dict_string(guest, "State");
    const char *remedy = folio_dict_string(guest, "Remedy");
    guint64 pid = folio_dict_number(guest, "Pid");
    guint64 ram = folio_dict_number(guest, "RamBytes");
    g_autofree char *process = g_strdup_printf("%" G_GUINT64_FORMAT, pid);
    g_autofree char *totals = folio_ram_totals(ram, folio_dict_number(guest, "PresentBytes"),
                                               folio_dict_number(guest, "HugeBytes"),
                                               folio_dict_number(guest, "SwappedBytes"));
    g_autofree char *state_text =
        g_strdup_printf("%s%s", state, folio_dict_boolean(guest, "Suspended") ? ", suspended" : "");
    g_autofree char *reason = g_strdup_printf("%s: %s", folio_dict_string(guest, "Reason"),
                                              folio_dict_string(guest, "ReasonText"));

    folio_append_field(invocation, out, "name", FOLIO_COLOUR_NONE,
                       folio_dict_string(guest, "Name"));
    folio_append_field(invocation, out, "uuid", FOLIO_COLOUR_NONE,
                       folio_dict_string(guest, "Uuid"));
    folio_append_field(invocation, out, "state", folio_state_colour(state), state_text);
    folio_append_field(invocation, out, "reason", FOLIO_COLOUR_NONE, reason);
    if (*remedy != '\0')
        folio_append_field(invocation, out, "remedy", FOLIO_COLOUR_NONE, remedy);
    append_policy(invocation, guest, out);
    folio_append_field(invocation, out, "process", FOLIO_COLOUR_NONE,
                       pid != 0 ? process : "not known");
    folio_append_field(invocation, out, "RAM", FOLIO_COLOUR_NONE, ram != 0 ? totals : "not known");
    append_sampling(invocation, guest, out);
    append_acts(invocation, guest, out);
}

static void
add_block(FolioTable *table, GVariant *block)
{
    guint64 present = folio_dict_number(block, "present");
    guint64 huge = folio_dict_number(block, "huge-bytes");
    const char *mount = folio_dict_string(block, "huge");
    const char *reason = folio_dict_string(block, "reason");
    g_autofree char *size = folio_format_bytes(folio_dict_number(block, "bytes"));
    g_autofree char *present_text = folio_format_bytes(present);
    g_autofree char *huge_text = folio_format_bytes(huge);
    g_autofree char *percent = folio_format_percent(huge, present);

    folio_table_add(table, FOLIO_COLOUR_NONE, folio_dict_string(block, "id"));
    folio_table_add(table, FOLIO_COLOUR_NONE, folio_dict_string(block, "backing"));
    folio_table_add(table, FOLIO_COLOUR_NONE, size);
    folio_table_add(table, FOLIO_COLOUR_NONE, present_text);
    folio_table_add(table, FOLIO_COLOUR_NONE, huge_text);
    folio_table_add(table, FOLIO_COLOUR_NONE, percent);
    folio_table_add(table, FOLIO_COLOUR_NONE, *mount != '\0' ? mount : "-");
    folio_table_add(table, g_str_equal(reason, "none") ? FOLIO_COLOUR_GREEN : FOLIO_COLOUR_YELLOW,
                    reason);
}

/* Where a block is. */
static void
add_place(FolioTable *table, GVariant *block)
{
    guint64 start = folio_dict_number(block, "hva");
    const char *file = folio_dict_string(block, "file");
    const char *fs_type = folio_dict_string(block, "fs-type");
    g_autofree char *range = g_strdup_printf("%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x",
                                             start, start + folio_dict_number(block, "bytes"));
    g_autofree char *offset =
        g_strdup_printf("%" G_GINT64_MODIFIER "x", folio_dict_number(block, "offset"));
    g_autofree char *alignment = folio_format_bytes(folio_dict_number(block, "alignment"));
    g_autofree char *swapped = folio_format_bytes(folio_dict_number(block, "swapped"));
    g_autofree char *file_text = g_strconcat(
        *file != '\0' ? file : "-", folio_dict_boolean(block, "file-deleted") ? " (deleted)" : "",
        folio_dict_boolean(block, "locked") ? " (locked)" : "", NULL);

    folio_table_add(table, FOLIO_COLOUR_NONE, folio_dict_string(block, "id"));
    folio_table_add(table, FOLIO_COLOUR_NONE, range);
    folio_table_add(table, FOLIO_COLOUR_NONE, offset);
    folio_table_add(table, FOLIO_COLOUR_NONE, alignment);
    folio_table_add(table, FOLIO_COLOUR_NONE, swapped);
    folio_table_add(table, FOLIO_COLOUR_NONE, *fs_type != '\0' ? fs_type : "-");
    folio_table_add(table, FOLIO_COLOUR_NONE, file_text);
}

/* What is wrong with a block, when it is not what the guest's own reason said already. */
static void
append_block_reason(const FolioInvocation *invocation, GVariant *guest, GVariant *block,
                    GString *out)
{
    const char *reason = folio_dict_string(block, "reason");
    const char *remedy = folio_dict_string(block, "remedy");
    g_autofree char *text = NULL;
    g_autofree char *wrapped = NULL;

    if (g_str_equal(reason, "none") || g_str_equal(reason, folio_dict_string(guest, "Reason")))
        return;
    text = g_strdup_printf("%s: %s%s%s", folio_dict_string(block, "id"),
                           folio_dict_string(block, "reason-text"), *remedy != '\0' ? ". " : "",
                           remedy);
    wrapped = folio_wrap(text, 0, invocation->width);
    g_string_append_printf(out, "\n%s", wrapped);
}

static void
append_ram(const FolioInvocation *invocation, GVariant *guest, GVariant *ram, GString *out)
{
    static const FolioColumn block_columns[] = {
        { "RAM", FALSE }, { "BACKING", FALSE }, { "SIZE", TRUE },   { "PRESENT", TRUE },
        { "HUGE", TRUE }, { "%", TRUE },        { "huge=", FALSE }, { "REASON", FALSE },
    };
    static const FolioColumn place_columns[] = {
        { "RAM", FALSE },    { "ADDRESSES", FALSE }, { "OFFSET", TRUE }, { "ALIGNED", TRUE },
        { "SWAPPED", TRUE }, { "ON", FALSE },        { "FILE", FALSE },
    };
    g_autoptr(FolioTable) blocks = folio_table_new(block_columns, G_N_ELEMENTS(block_columns));
    g_autoptr(FolioTable) places = folio_table_new(place_columns, G_N_ELEMENTS(place_columns));
    g_autoptr(GVariantIter) iter = NULL;
    g_autoptr(GString) reasons = g_string_new(NULL);
    g_autofree char *block_text = NULL;
    g_autofree char *place_text = NULL;
    const char *scan = NULL;
    GVariant *block;

    g_variant_get(ram, "(&saa{sv})", &scan, &iter);
    if (g_variant_iter_n_children(iter) == 0)
        return;
    folio_append_field(invocation, out, "measured by", FOLIO_COLOUR_NONE, scan);
    while ((block = g_variant_iter_next_value(iter)) != NULL) {
        add_block(blocks, block);
        add_place(places, block);
        append_block_reason(invocation, guest, block, reasons);
        g_variant_unref(block);
    }
    block_text = folio_table_render(blocks, 0, invocation->coloured);
    place_text = folio_table_render(places, 0, invocation->coloured);
    g_string_append_printf(out, "\n%s\n%s%s", block_text, place_text, reasons->str);
}

/* TRUE and *ram NULL when the caller may not see the blocks: the totals are shown all the same. */
static gboolean
get_ram(FolioClient *client, const char *path, GVariant **ram, GError **error)
{
    GError *local = NULL;

    *ram = folio_client_list_ram(client, path, &local);
    if (g_error_matches(local, FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED))
        g_clear_error(&local);
    if (local != NULL)
        g_propagate_error(error, local);
    return local == NULL;
}

static char *
render(const FolioInvocation *invocation, GVariant *guest, GVariant *ram)
{
    g_autoptr(GString) out = g_string_new(NULL);

    if (invocation->json)
        return folio_json_show(guest, ram);
    append_guest(invocation, guest, out);
    if (ram != NULL)
        append_ram(invocation, guest, ram, out);
    else
        g_string_append(out,
                        "\nIts RAM block by block needs the polkit action org.foliod1.heat.\n");
    return g_string_free(g_steal_pointer(&out), FALSE);
}

FolioExitStatus
folio_cmd_show(const FolioInvocation *invocation, GError **error)
{
    g_autofree char *path = folio_client_find_guest(invocation->client, invocation->guest, error);
    g_autoptr(GVariant) guest = NULL;
    g_autoptr(GVariant) ram = NULL;
    g_autofree char *text = NULL;

    if (path == NULL)
        return FOLIO_EXIT_FAILED;
    /* The blocks first: the figures of the two calls are then the same measurement, at most a
     * second old, even when a dialog had to be answered in between. */
    if (!get_ram(invocation->client, path, &ram, error))
        return FOLIO_EXIT_FAILED;
    guest = folio_client_get_guest(invocation->client, path, error);
    if (guest == NULL)
        return FOLIO_EXIT_FAILED;
    text = render(invocation, guest, ram);
    fputs(text, stdout);
    return FOLIO_EXIT_OK;
}
