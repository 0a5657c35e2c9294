/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What Heat of org.foliod1.Guest answered. */
#include "ctl/heat-view.h"

#include "base/error.h"
#include "base/format.h"
#include "ctl/client.h"

#include <string.h>

static void
range_free(gpointer data)
{
    FolioHeatViewRange *range = data;

    g_free(range->name);
    g_free(range->verdict);
    g_free(range->in_use);
    g_free(range->footprint);
    g_free(range->unseen);
    for (guint v = 0; v <= FOLIO_VERDICT_DENSE; v++)
        g_free(range->counts[v]);
    g_free(range->history);
    g_free(range);
}

void
folio_heat_view_free(FolioHeatView *view)
{
    if (view == NULL)
        return;
    g_free(view->ends);
    g_ptr_array_unref(view->ranges);
    g_free(view);
}

/* ---- Columns */

/* The bytes of a column of n numbers; NULL with an error when they are not so many. */
static const guint8 *
find_column(GVariant *dict, const char *key, gsize width, gsize n, GVariant **owner, GError **error)
{
    const guint8 *bytes = NULL;
    gsize size = 0;

    *owner = g_variant_lookup_value(dict, key, G_VARIANT_TYPE_BYTESTRING);
    if (*owner != NULL)
        bytes = g_variant_get_fixed_array(*owner, &size, 1);
    if (*owner != NULL && size == width * n)
        return bytes != NULL ? bytes : (const guint8 *) "";
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED,
                "foliod answered with %zu bytes of %s, not %zu", size, key, width * n);
    return NULL;
}

static guint8 *
read8(GVariant *dict, const char *key, guint n, GError **error)
{
    g_autoptr(GVariant) owner = NULL;
    const guint8 *bytes = find_column(dict, key, 1, n, &owner, error);
    guint8 *numbers;

    if (bytes == NULL)
        return NULL;
    numbers = g_new(guint8, n + 1);
    for (guint i = 0; i < n; i++)
        numbers[i] = MIN(bytes[i], FOLIO_VERDICT_DENSE);
    return numbers;
}

static guint16 *
read16(GVariant *dict, const char *key, gsize n, GError **error)
{
    g_autoptr(GVariant) owner = NULL;
    const guint8 *bytes = find_column(dict, key, 2, n, &owner, error);
    guint16 *numbers;

    if (bytes == NULL)
        return NULL;
    numbers = g_new(guint16, n + 1);
    for (gsize i = 0; i < n; i++)
        numbers[i] = (guint16) (bytes[2 * i] | bytes[2 * i + 1] << 8);
    return numbers;
}

static guint32 *
read32(GVariant *dict, const char *key, guint n, GError **error)
{
    g_autoptr(GVariant) owner = NULL;
    const guint8 *bytes = find_column(dict, key, 4, n, &owner, error);
    guint32 *numbers;

    if (bytes == NULL)
        return NULL;
    numbers = g_new(guint32, n + 1);
    for (guint i = 0; i < n; i++) {
        memcpy(&numbers[i], bytes + 4 * i, 4);
        numbers[i] = GUINT32_FROM_LE(numbers[i]);
    }
    return numbers;
}

/* With a granule of one block its verdict says all. */
static gboolean
read_counts(FolioHeatViewRange *range, GVariant *dict, guint granule, GError **error)
{
    for (guint v = 0; v <= FOLIO_VERDICT_DENSE; v++) {
        const char *key = folio_verdict_token((FolioVerdict) v);

        if (granule > 1) {
            range->counts[v] = read32(dict, key, range->n, error);
        } else {
            range->counts[v] = g_new0(guint32, range->n + 1);
            for (guint i = 0; i < range->n; i++)
                range->counts[v][i] = range->verdict[i] == v;
        }
        if (range->counts[v] == NULL)
            return FALSE;
    }
    return TRUE;
}

static gboolean
read_history(FolioHeatViewRange *range, GVariant *dict, const FolioHeatView *view, GError **error)
{
    g_autoptr(GVariant) column = g_variant_lookup_value(dict, "history", G_VARIANT_TYPE_BYTESTRING);
    gsize size = column != NULL ? g_variant_get_size(column) : 0;

    if (column == NULL || view->n_windows == 0)
        return TRUE;
    range->n_history = (guint) (size / 2 / view->n_windows);
    range->history = read16(dict, "history", range->n_history * (gsize) view->n_windows, error);
    return range->history != NULL;
}

static gboolean
read_range(FolioHeatView *view, GVariant *dict, GError **error)
{
    FolioHeatViewRange *range = g_new0(FolioHeatViewRange, 1);

    g_ptr_array_add(view->ranges, range);
    range->name = g_strdup(folio_dict_string(dict, "name"));
    range->first_block = folio_dict_number(dict, "first-block");
    range->blocks = MIN(folio_dict_number(dict, "blocks"), G_MAXINT32);
    range->n = (guint) ((range->blocks + view->granule - 1) / view->granule);
    range->verdict = read8(dict, "verdict", range->n, error);
    if (range->verdict == NULL)
        return FALSE;
    range->in_use = read16(dict, "in-use", range->n, error);
    if (range->in_use == NULL)
        return FALSE;
    range->footprint = read16(dict, "footprint", range->n, error);
    if (range->footprint == NULL)
        return FALSE;
    range->unseen = read16(dict, "unseen", range->n, error);
    return range->unseen != NULL && read_counts(range, dict, view->granule, error) &&
           read_history(range, dict, view, error);
}

static void
read_about(FolioHeatView *view, GVariant *about)
{
    g_autoptr(GVariant) ends = g_variant_lookup_value(about, "history-ended", G_VARIANT_TYPE("ax"));
    const gint64 *times = NULL;
    gsize n = 0;

    view->windows = folio_dict_number(about, "windows");
    g_variant_lookup(about, "ended", "x", &view->ended_usec);
    view->ended_usec = CLAMP(view->ended_usec, 0, G_MAXINT64 / 2);
    view->window_usec = folio_dict_number(about, "window-usec");
    view->block_bytes = folio_dict_number(about, "block-bytes");
    view->blocks = folio_dict_number(about, "blocks");
    view->granule = (guint) CLAMP(folio_dict_number(about, "granule"), 1, G_MAXINT32);
    view->history_granule = (guint) MIN(folio_dict_number(about, "history-granule"), G_MAXINT32);
    if (ends != NULL && view->history_granule > 0)
        times = g_variant_get_fixed_array(ends, &n, sizeof *times);
    view->n_windows = (guint) n;
    view->ends = g_new(gint64, n + 1);
    for (gsize i = 0; i < n; i++)
        view->ends[i] = CLAMP(times[i], 0, G_MAXINT64 / 2);
}

FolioHeatView *
folio_heat_view_new(GVariant *reply, GError **error)
{
    g_autoptr(FolioHeatView) view = g_new0(FolioHeatView, 1);
    g_autoptr(GVariant) about = g_variant_get_child_value(reply, 0);
    g_autoptr(GVariant) ranges = g_variant_get_child_value(reply, 1);

    view->ranges = g_ptr_array_new_with_free_func(range_free);
    read_about(view, about);
    for (gsize i = 0; i < g_variant_n_children(ranges); i++) {
        g_autoptr(GVariant) dict = g_variant_get_child_value(ranges, i);

        if (!read_range(view, dict, error))
            return NULL;
    }
    return g_steal_pointer(&view);
}

/* ---- Figures */

guint
folio_heat_view_blocks(const FolioHeatView *view, const FolioHeatViewRange *range, guint entry)
{
    return (guint) MIN(view->granule, range->blocks - (guint64) entry * view->granule);
}

char *
folio_heat_view_title(const FolioHeatView *view, const FolioHeatViewRange *range)
{
    g_autofree char *size = folio_format_bytes(range->blocks * view->block_bytes);

    return g_strdup_printf("%s, %s, blocks %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                           range->name, size, range->first_block,
                           range->first_block + MAX(range->blocks, 1) - 1);
}

guint64
folio_heat_view_bytes(const FolioHeatView *view, const FolioHeatViewRange *range, guint entry)
{
    guint64 blocks = folio_heat_view_blocks(view, range, entry);

    return blocks * range->in_use[entry] * (view->block_bytes / FOLIO_SUB_PAGES) / 64;
}

guint
folio_heat_view_then(const FolioHeatView *view, const FolioHeatViewRange *range, guint window,
                     guint entry)
{
    const guint16 *row = range->history + window * (gsize) range->n_history;
    const guint each = view->granule / view->history_granule;
    guint64 sum = 0, blocks = 0;

    for (guint g = entry * each; g < MIN((entry + 1) * each, range->n_history); g++) {
        guint64 n = MIN(view->history_granule, range->blocks - (guint64) g * view->history_granule);

        sum += n * row[g];
        blocks += n;
    }
    return (guint) ((sum + blocks / 2) / MAX(blocks, 1));
}

guint
folio_heat_granule(guint64 blocks, guint least, guint max)
{
    guint granule = MAX(least, 1);

    while (blocks / granule + (blocks % granule != 0) > max)
        granule *= 2;
    return granule;
}
