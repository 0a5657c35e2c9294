/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat of a guest on a terminal: 256 colours, or plain letters. */
#include "ctl/heat-terminal.h"

#include "base/format.h"
#include "base/log.h"
#include "report/levels.h"

#include <string.h>

#define DEFAULT_WIDTH 80
#define LINES         16 /* of the map */
#define TIME_ROWS     24
#define LABEL_MAX     11 /* "1048576 MiB" */
#define IN_USE_WIDTH  10

/* Of the 256 colours those next to Okabe and Ito's, which all kinds of colour vision tell apart. */
static const struct {
    char letter;
    guint colour; /* 0: none */
} verdicts[] = {
    [FOLIO_VERDICT_IDLE] = { '.', 0 },
    [FOLIO_VERDICT_UNDECIDED] = { 'u', 250 },
    [FOLIO_VERDICT_SPARSE] = { 's', 214 },
    [FOLIO_VERDICT_DENSE] = { 'D', 36 },
};

/* From dark blue to yellow, as viridis: brighter is hotter, on black and on white. */
static const struct {
    char letter;
    guint colour, ink;
} levels[] = { { '.', 0, 0 },    { '-', 54, 231 }, { '+', 25, 231 },
               { 'o', 30, 231 }, { '#', 77, 16 },  { '@', 226, 16 } };

static guint
width_of(guint width)
{
    return width > 0 ? width : DEFAULT_WIDTH;
}

static guint
cells_a_line(guint width)
{
    static const guint nice[] = { 192, 128, 96, 64, 48, 32, 24, 16 };
    const guint room = width_of(width) - MIN(width_of(width), LABEL_MAX + 2 + IN_USE_WIDTH + 2);

    for (gsize i = 0; i < G_N_ELEMENTS(nice); i++) {
        if (nice[i] <= room)
            return nice[i];
    }
    return 8;
}

guint
folio_heat_map_cells(guint width)
{
    return cells_a_line(width) * LINES;
}

guint
folio_heat_time_rows(void)
{
    return TIME_ROWS;
}

/* One cell; runs of one colour share their control sequences. */
static void
put_cell(GString *out, char letter, guint colour, guint ink, guint *now)
{
    if (colour != *now) {
        if (*now != 0)
            g_string_append(out, "\033[0m");
        if (colour != 0)
            g_string_append_printf(out, "\033[48;5;%u;38;5;%um", colour, ink);
    }
    *now = colour;
    g_string_append_c(out, letter);
}

static void
end_cells(GString *out, guint *now, guint missing)
{
    if (*now != 0)
        g_string_append(out, "\033[0m");
    *now = 0;
    g_string_append_printf(out, "%*s", (int) missing, "");
}

static void
append_key(GString *out, char letter, guint colour, guint ink, const char *text)
{
    guint now = 0;

    g_string_append(out, "  ");
    put_cell(out, letter, colour, ink, &now);
    end_cells(out, &now, 0);
    g_string_append_printf(out, " %s", text);
}

static void
append_range_title(const FolioInvocation *invocation, const FolioHeatView *view,
                   const FolioHeatViewRange *range, GString *out)
{
    g_autofree char *title = folio_heat_view_title(view, range);
    g_autofree char *text = folio_escape(title);
    g_autofree char *painted = folio_paint(FOLIO_COLOUR_BOLD, text, invocation->coloured);

    g_string_append_printf(out, "%s\n", painted);
}

/* ---- Map */

/* The tenths of it that were in use; blank for nothing. */
static char
digit_of(guint in_use)
{
    if (in_use == 0)
        return ' ';
    return (char) ('0' + MIN(in_use * 10 / FOLIO_VIEW_FULL, 9));
}

static void
put_entry(const FolioInvocation *invocation, const FolioHeatViewRange *range, guint entry,
          GString *out, guint *now)
{
    const guint verdict = range->verdict[entry];

    if (!invocation->coloured || verdict == FOLIO_VERDICT_IDLE)
        put_cell(out, verdicts[verdict].letter, 0, 0, now);
    else
        put_cell(out, digit_of(range->in_use[entry]), verdicts[verdict].colour, 16, now);
}

static void
append_map_line(const FolioInvocation *invocation, const FolioHeatView *view,
                const FolioHeatViewRange *range, guint first, GString *out)
{
    const guint cells = cells_a_line(invocation->width), n = MIN(cells, range->n - first);
    const guint64 entry_bytes = view->granule * view->block_bytes;
    g_autofree char *label = folio_format_bytes_by(first * entry_bytes, cells * entry_bytes);
    g_autofree char *in_use = NULL;
    guint64 bytes = 0;
    guint now = 0;

    g_string_append_printf(out, "%*s  ", LABEL_MAX, label);
    for (guint i = first; i < first + n; i++) {
        put_entry(invocation, range, i, out, &now);
        bytes += folio_heat_view_bytes(view, range, i);
    }
    end_cells(out, &now, MIN(cells, range->n) - n);
    in_use = folio_format_bytes(bytes);
    g_string_append_printf(out, "  %*s\n", IN_USE_WIDTH, in_use);
}

static void
append_map_heading(const FolioInvocation *invocation, const FolioHeatView *view,
                   const FolioHeatViewRange *range, GString *out)
{
    const guint cells = MIN(cells_a_line(invocation->width), range->n);

    g_string_append_printf(out, "%*s  %-*s  %*s\n", LABEL_MAX, "from", (int) cells, "",
                           IN_USE_WIDTH, "in use");
}

static void
append_map_legend(const FolioInvocation *invocation, const FolioHeatView *view, GString *out)
{
    static const FolioVerdict order[] = { FOLIO_VERDICT_SPARSE, FOLIO_VERDICT_DENSE,
                                          FOLIO_VERDICT_UNDECIDED, FOLIO_VERDICT_IDLE };
    g_autofree char *size = folio_format_bytes(view->granule * view->block_bytes);
    g_autofree char *cell = NULL;
    g_autofree char *text = NULL;

    g_string_append_c(out, '\n');
    for (guint i = 0; i < G_N_ELEMENTS(order); i++) {
        const guint colour = invocation->coloured ? verdicts[order[i]].colour : 0;

        append_key(out, colour != 0 ? ' ' : verdicts[order[i]].letter, colour, 16,
                   folio_verdict_token(order[i]));
    }
    g_string_append_c(out, '\n');
    cell = view->granule == 1
               ? g_strdup_printf("A cell is a block of %s.", size)
               : g_strdup_printf("A cell is %s, %u blocks: the verdict of most of them that were "
                                 "ever seen in use.",
                                 size, view->granule);
    text = g_strdup_printf("%s%s In use: in the last window, sampled or not, by estimate.", cell,
                           invocation->coloured
                               ? " Its digit: tenths of it in use in the last window, 0 for less "
                                 "than one, blank for nothing."
                               : "");
    g_free(g_steal_pointer(&cell));
    cell = folio_wrap(text, 0, invocation->width);
    g_string_append(out, cell);
}

char *
folio_heat_map(const FolioInvocation *invocation, const FolioHeatView *view)
{
    GString *out = g_string_new(NULL);

    for (guint r = 0; r < view->ranges->len; r++) {
        const FolioHeatViewRange *range = view->ranges->pdata[r];

        append_range_title(invocation, view, range, out);
        append_map_heading(invocation, view, range, out);
        for (guint i = 0; i < range->n; i += cells_a_line(invocation->width))
            append_map_line(invocation, view, range, i, out);
    }
    append_map_legend(invocation, view, out);
    return g_string_free(out, FALSE);
}

/* ---- Time */

/* The first of the windows that fit. */
static guint
first_window(const FolioInvocation *invocation, const FolioHeatView *view)
{
    const guint room = MAX(width_of(invocation->width), LABEL_MAX + 10) - LABEL_MAX - 2;

    return view->n_windows - MIN(view->n_windows, room);
}

static void
append_time_line(const FolioInvocation *invocation, const FolioHeatView *view,
                 const FolioHeatViewRange *range, guint entry, GString *out)
{
    const guint64 entry_bytes = view->granule * view->block_bytes;
    g_autofree char *label = folio_format_bytes_by(entry * entry_bytes, entry_bytes);
    guint now = 0;

    g_string_append_printf(out, "%*s  ", LABEL_MAX, label);
    for (guint w = first_window(invocation, view); w < view->n_windows; w++) {
        const guint level = folio_use_level(folio_heat_view_then(view, range, w, entry));

        if (invocation->coloured && level > 0)
            put_cell(out, (char) ('0' + level), levels[level].colour, levels[level].ink, &now);
        else
            put_cell(out, levels[level].letter, 0, 0, &now);
    }
    end_cells(out, &now, 0);
    g_string_append_c(out, '\n');
}

static char *
clock_of(gint64 usec, gboolean date)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(usec / G_USEC_PER_SEC);

    return time != NULL ? g_date_time_format(time, date ? "%F %T" : "%T") : g_strdup("?");
}

/* "10:02:15        11:42:10" below the first and the last column. */
static void
append_clock(const FolioInvocation *invocation, const FolioHeatView *view, GString *out)
{
    const guint first = first_window(invocation, view), columns = view->n_windows - first;
    g_autofree char *from = clock_of(view->ends[first], FALSE);
    g_autofree char *to = clock_of(view->ends[view->n_windows - 1], FALSE);

    g_string_append_printf(out, "%*s  ", LABEL_MAX, "");
    if (columns < strlen(from) + strlen(to) + 2)
        g_string_append_printf(out, "%s to %s\n", from, to);
    else
        g_string_append_printf(out, "%-*s%s\n", (int) (columns - strlen(to)), from, to);
}

static void
append_time_legend(const FolioInvocation *invocation, const FolioHeatView *view, GString *out)
{
    g_autofree char *size = folio_format_bytes(view->granule * view->block_bytes);
    g_autofree char *text = NULL;
    g_autofree char *wrapped = NULL;

    g_string_append_c(out, '\n');
    for (guint level = 0; level <= FOLIO_LEVELS_SHOWN; level++) {
        const gboolean coloured = invocation->coloured && level > 0;

        append_key(out, coloured ? (char) ('0' + level) : levels[level].letter,
                   coloured ? levels[level].colour : 0, levels[level].ink,
                   folio_use_level_text(level));
        if (level == 2)
            g_string_append_c(out, '\n');
    }
    text = g_strdup_printf("Of %s a line, what was in use in each window, sampled or not, by "
                           "estimate. A column is a window; times are those of their ends.",
                           size);
    wrapped = folio_wrap(text, 0, invocation->width);
    g_string_append_printf(out, "\n%s", wrapped);
}

char *
folio_heat_times(const FolioInvocation *invocation, const FolioHeatView *view)
{
    GString *out = g_string_new(NULL);

    for (guint r = 0; r < view->ranges->len; r++) {
        const FolioHeatViewRange *range = view->ranges->pdata[r];

        append_range_title(invocation, view, range, out);
        for (guint i = 0; range->history != NULL && i < range->n; i++)
            append_time_line(invocation, view, range, i, out);
        if (range->history != NULL)
            append_clock(invocation, view, out);
    }
    append_time_legend(invocation, view, out);
    return g_string_free(out, FALSE);
}
