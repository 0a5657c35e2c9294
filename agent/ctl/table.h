/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Text for people: aligned columns, wrapped paragraphs, figures with units. Pure. */
#pragma once

#include <glib.h>

typedef enum {
    FOLIO_COLOUR_NONE,
    FOLIO_COLOUR_BOLD,
    FOLIO_COLOUR_DIM,
    FOLIO_COLOUR_GREEN,
    FOLIO_COLOUR_YELLOW,
    FOLIO_COLOUR_RED,
} FolioColour;

typedef struct {
    const char *title;
    gboolean right; /* numbers are aligned right */
} FolioColumn;

typedef struct _FolioTable FolioTable;

/* columns must outlive the table. Without any title there is no heading. */
FolioTable *folio_table_new(const FolioColumn *columns, guint n_columns);

/* Appends the next cell, row by row from the left. text may be foreign: it is escaped here. */
void folio_table_add(FolioTable *table, FolioColour colour, const char *text);

/* The lines of the table, without blanks at their ends. A last cell that goes beyond width columns
 * is wrapped within its own column; width 0: one line a row, whatever its length. */
char *folio_table_render(const FolioTable *table, guint width, gboolean coloured);

void folio_table_free(FolioTable *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioTable, folio_table_free)

/* Columns that printable UTF-8 takes on a terminal: 2 for wide characters, 0 for combining ones. */
guint folio_display_width(const char *text);

/* text between the control sequences of colour when coloured, otherwise a copy. */
char *folio_paint(FolioColour colour, const char *text, gboolean coloured);

/* text, which may be foreign and is escaped here, in lines of at most width columns where its words
 * allow that, each with indent blanks before it and a line feed behind. width 0: one line. */
char *folio_wrap(const char *text, guint indent, guint width);

/* part of whole as "57%", rounded down, so that only all of it is 100%; "<1%" when it is not
 * nothing;
 * "-" when whole is 0. */
char *folio_format_percent(guint64 part, guint64 whole);
