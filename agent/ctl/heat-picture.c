/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat of a guest as a picture. */
#include "ctl/heat-picture.h"

#include "base/format.h"
#include "ctl/picture.h"

typedef struct {
    GArray *rows; /* FolioHeatmapRow */
    guint64 *cells;
    GPtrArray *headings; /* char * */
} Rows;

static void
rows_clear(Rows *rows)
{
    g_array_unref(rows->rows);
    g_ptr_array_unref(rows->headings);
    g_free(rows->cells);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Rows, rows_clear)

static FolioHeatmapRow
make_row(const FolioHeatView *view, const FolioHeatViewRange *range, guint entry)
{
    const guint64 granule = view->granule, from = entry * granule;
    const guint64 blocks = folio_heat_view_blocks(view, range, entry);
    FolioHeatmapRow row = {
        .address = from * view->block_bytes,
        .end = (from + blocks) * view->block_bytes,
        .blocks = (guint) blocks,
        .in_use = (float) (range->in_use[entry] * (double) blocks / 64),
        .footprint = (float) (range->footprint[entry] * (double) blocks / 64),
    };

    for (guint v = 0; v <= FOLIO_VERDICT_DENSE; v++)
        row.verdicts[v] = range->counts[v][entry];
    return row;
}

static void
add_range(Rows *rows, const FolioHeatView *view, const FolioHeatViewRange *range)
{
    g_ptr_array_add(rows->headings, folio_heat_view_title(view, range));
    for (guint i = 0; i < range->n; i++) {
        FolioHeatmapRow row = make_row(view, range, i);

        if (i == 0)
            row.heading = g_ptr_array_index(rows->headings, rows->headings->len - 1);
        g_array_append_val(rows->rows, row);
    }
}

static void
fill_cells(Rows *rows, const FolioHeatView *view)
{
    guint64 *cell;

    rows->cells = g_new0(guint64, rows->rows->len * (gsize) view->n_windows + 1);
    cell = rows->cells;
    for (guint r = 0; r < view->ranges->len; r++) {
        const FolioHeatViewRange *range = view->ranges->pdata[r];

        for (guint i = 0; i < range->n; i++) {
            for (guint w = 0; w < view->n_windows; w++)
                *cell++ = range->history != NULL ? folio_heat_view_then(view, range, w, i) : 0;
        }
    }
}

/* "Memory of web1 in use: 64 GiB, 2026-11-27 19:10:02". */
static char *
make_title(GVariant *guest, const FolioHeatView *view)
{
    g_autoptr(GDateTime) ended = g_date_time_new_from_unix_local(view->ended_usec / G_USEC_PER_SEC);
    g_autofree char *time = ended != NULL ? g_date_time_format(ended, "%F %T %Z") : g_strdup("");
    g_autofree char *size = folio_format_bytes(view->blocks * view->block_bytes);

    return g_strdup_printf("Memory in use of guest %s (%s), %s", folio_dict_string(guest, "Name"),
                           size, time);
}

static char *
make_subtitle(GVariant *guest, const FolioHeatView *view)
{
    g_autofree char *totals = folio_heat_totals(
        folio_dict_number(guest, "SparseBytes"), folio_dict_number(guest, "DenseBytes"),
        folio_dict_number(guest, "UndecidedBytes"), folio_dict_number(guest, "IdleBytes"), TRUE);

    return g_strdup_printf("%s; %" G_GUINT64_FORMAT " samples by %s (%s), %" G_GUINT64_FORMAT
                           " windows, the last one of %.3g s",
                           totals, folio_dict_number(guest, "Samples"),
                           folio_dict_string(guest, "Source"), folio_dict_string(guest, "Coverage"),
                           view->windows, (double) view->window_usec / G_USEC_PER_SEC);
}

static char *
make_note(GVariant *guest, const FolioHeatView *view)
{
    const char *waits = folio_dict_string(guest, "Waits");
    g_autofree char *size = folio_format_bytes(view->granule * view->block_bytes);
    g_autofree char *row = view->granule == 1
                               ? g_strdup_printf("a row is a block of %s", size)
                               : g_strdup_printf("a row is %s, %u blocks, their verdicts by share",
                                                 size, view->granule);

    if (*waits == '\0')
        return g_steal_pointer(&row);
    return g_strdup_printf("%s; waits for %s", row, waits);
}

FolioScene *
folio_heat_scene(GVariant *guest, const FolioHeatView *view, gboolean by_time)
{
    g_auto(Rows) rows = { .rows = g_array_new(FALSE, FALSE, sizeof(FolioHeatmapRow)),
                          .headings = g_ptr_array_new_with_free_func(g_free) };
    g_autofree char *title = make_title(guest, view);
    g_autofree char *subtitle = make_subtitle(guest, view);
    g_autofree char *note = make_note(guest, view);
    FolioHeatmap heatmap = {
        .kind = by_time ? FOLIO_HEATMAP_TIME : FOLIO_HEATMAP_USE,
        .title = title,
        .subtitle = subtitle,
        .note = note,
        .confirmed = TRUE,
        .sizes = TRUE,
        .n_columns = by_time ? view->n_windows : 0,
        .times = view->ends,
    };

    for (guint r = 0; r < view->ranges->len; r++)
        add_range(&rows, view, view->ranges->pdata[r]);
    if (by_time)
        fill_cells(&rows, view);
    heatmap.rows = (const FolioHeatmapRow *) (gconstpointer) rows.rows->data;
    heatmap.n_rows = rows.rows->len;
    heatmap.cells = rows.cells;
    return folio_heatmap_scene(&heatmap);
}

gboolean
folio_heat_draw(const FolioInvocation *invocation, GVariant *guest, const FolioHeatView *view,
                GError **error)
{
    g_autoptr(FolioScene) scene = folio_heat_scene(guest, view, invocation->heat->by_time);

    return folio_picture_save(scene, invocation->picture, error);
}
