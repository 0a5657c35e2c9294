/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text for people: aligned columns, wrapped paragraphs, figures with units. */
#include "ctl/table.h"

#include "base/log.h"

#include <string.h>

#define COLUMN_GAP 2

/* A column narrower than this is not wrapped: the terminal does it better. */
#define MIN_WRAP_COLUMNS 20

typedef struct {
    FolioColour colour;
    char *text; /* printable */
    guint width;
} Cell;

struct _FolioTable {
    const FolioColumn *columns;
    guint n_columns;
    GArray *cells; /* Cell, row by row */
};

static void
cell_clear(gpointer data)
{
    g_free(((Cell *) data)->text);
}

FolioTable *
folio_table_new(const FolioColumn *columns, guint n_columns)
{
    FolioTable *table = g_new0(FolioTable, 1);

    table->columns = columns;
    table->n_columns = n_columns;
    table->cells = g_array_new(FALSE, FALSE, sizeof(Cell));
    g_array_set_clear_func(table->cells, cell_clear);
    for (guint i = 0; i < n_columns; i++) {
        if (columns[i].title == NULL)
            return table;
    }
    for (guint i = 0; i < n_columns; i++)
        folio_table_add(table, FOLIO_COLOUR_BOLD, columns[i].title);
    return table;
}

void
folio_table_free(FolioTable *table)
{
    g_array_unref(table->cells);
    g_free(table);
}

void
folio_table_add(FolioTable *table, FolioColour colour, const char *text)
{
    Cell cell = { .colour = colour, .text = folio_escape(text) };

    cell.width = folio_display_width(cell.text);
    g_array_append_val(table->cells, cell);
}

static void
append_blanks(GString *out, guint n)
{
    g_string_append_printf(out, "%*s", (int) n, "");
}

/* text from the column start on, in lines of its own when it goes beyond width. */
static char *
wrap_last(const char *text, guint start, guint width)
{
    g_autofree char *wrapped = NULL;

    if (width < start + MIN_WRAP_COLUMNS)
        return g_strdup(text);
    wrapped = folio_wrap(text, start, width);
    return g_strdup(g_strchomp(wrapped) + start);
}

static void
append_row(const FolioTable *table, guint first, const guint *widths, guint width,
           gboolean coloured, GString *out)
{
    guint pending = 0; /* blanks that are due when something follows */
    guint start = 0;   /* of the column */

    for (guint i = 0; i < table->n_columns && first + i < table->cells->len; i++) {
        const Cell *cell = &g_array_index(table->cells, Cell, first + i);
        gboolean is_last = i + 1 == table->n_columns && !table->columns[i].right;
        g_autofree char *text = wrap_last(cell->text, start, is_last ? width : 0);
        g_autofree char *painted = folio_paint(cell->colour, text, coloured);
        guint padding = widths[i] - cell->width;

        if (table->columns[i].right) {
            pending += padding;
            padding = 0;
        }
        if (*text != '\0') {
            append_blanks(out, pending);
            g_string_append(out, painted);
            pending = 0;
        }
        pending += padding + COLUMN_GAP;
        start += widths[i] + COLUMN_GAP;
    }
    g_string_append_c(out, '\n');
}

char *
folio_table_render(const FolioTable *table, guint width, gboolean coloured)
{
    g_autofree guint *widths = g_new0(guint, table->n_columns);
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < table->cells->len; i++) {
        guint cell_width = g_array_index(table->cells, Cell, i).width;

        widths[i % table->n_columns] = MAX(widths[i % table->n_columns], cell_width);
    }
    for (guint i = 0; i < table->cells->len; i += table->n_columns)
        append_row(table, i, widths, width, coloured, out);
    return g_string_free(out, FALSE);
}

guint
folio_display_width(const char *text)
{
    guint width = 0;

    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (!g_unichar_iszerowidth(c))
            width += g_unichar_iswide(c) ? 2 : 1;
    }
    return width;
}

char *
folio_paint(FolioColour colour, const char *text, gboolean coloured)
{
    static const char *const codes[] = {
        [FOLIO_COLOUR_BOLD] = "1",    [FOLIO_COLOUR_DIM] = "2",  [FOLIO_COLOUR_GREEN] = "32",
        [FOLIO_COLOUR_YELLOW] = "33", [FOLIO_COLOUR_RED] = "31",
    };

    if (!coloured || colour == FOLIO_COLOUR_NONE || *text == '\0')
        return g_strdup(text);
    return g_strdup_printf("\033[%sm%s\033[0m", codes[colour], text);
}

char *
folio_wrap(const char *text, guint indent, guint width)
{
    g_autofree char *printable = folio_escape(text);
    g_auto(GStrv) words = g_strsplit(printable, " ", -1);
    GString *out = g_string_new(NULL);
    guint column = indent;

    append_blanks(out, indent);
    for (char **word = words; *word != NULL; word++) {
        guint word_width = folio_display_width(*word);

        if (word != words && width > 0 && column + 1 + word_width > width) {
            g_string_append_c(out, '\n');
            append_blanks(out, indent);
            column = indent;
        } else if (word != words) {
            g_string_append_c(out, ' ');
            column++;
        }
        g_string_append(out, *word);
        column += word_width;
    }
    g_string_append_c(out, '\n');
    return g_string_free(out, FALSE);
}

char *
folio_format_percent(guint64 part, guint64 whole)
{
    const gboolean nothing = part == 0;
    guint64 percent;

    if (whole == 0)
        return g_strdup("-");
    /* The product must not overflow. */
    while (part > G_MAXUINT64 / 100) {
        part >>= 1;
        whole >>= 1;
    }
    percent = part * 100 / MAX(whole, 1);
    if (percent == 0 && !nothing)
        return g_strdup("<1%");
    return g_strdup_printf("%" G_GUINT64_FORMAT "%%", percent);
}
