/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A text of lines, each of a word and fields with one space between, and a checksum in the last
 * one. Pure. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef struct {
    char *text; /* without the checksum; lines that were taken end in NUL */
    char *next; /* line */
    char *at;   /* in the line that was taken last: what is left of it */
    guint line; /* its number, from 1 */
} FolioLines;

/* Appends the line with the checksum of the text. */
void folio_lines_seal(GString *text);

/* A copy of the text, if it is not too long (FOLIO_LEDGER_MAX_BYTES), has no NUL, and its checksum
 * fits. FALSE with INVALID otherwise. */
gboolean folio_lines_open(FolioLines *lines, const char *text, gsize length, GError **error);
void folio_lines_clear(FolioLines *lines);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FolioLines, folio_lines_clear)

/* Takes the next line if it begins with that word and a space. */
gboolean folio_lines_take(FolioLines *lines, const char *word);

/* These take fields of the line that was taken last. */

/* A decimal number up to max. */
gboolean folio_lines_number(FolioLines *lines, guint64 max, guint64 *number);
/* n of them. */
gboolean folio_lines_numbers(FolioLines *lines, guint64 max, guint64 *numbers, guint n);
/* As it stands there; lives as long as lines. */
char *folio_lines_field(FolioLines *lines);
/* Of a field that is escaped as in a URI; to be freed. NULL when it is not, or is too long
 * (FOLIO_LEDGER_MAX_STRING). */
char *folio_lines_string(FolioLines *lines);

/* "FIRST" or "FIRST+COUNT" of n. */
gboolean folio_lines_run(FolioLines *lines, guint n, guint *first, guint *count);

/* Is nothing left of the line? */
gboolean folio_lines_at_end(const FolioLines *lines);

/* Sets INVALID with the number of the line; FALSE. */
gboolean folio_lines_wrong(const FolioLines *lines, GError **error, const char *what);

/* What a text of one run of a guest begins with:
 *
 *     MAGIC guest UUID
 *     boot BOOT-ID
 *     process PID START-TIME */
typedef struct {
    char *uuid, *boot; /* lower case; to be freed */
    pid_t pid;
    guint64 start_time;
} FolioLinesOwner;

void folio_lines_owner_clear(FolioLinesOwner *owner);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FolioLinesOwner, folio_lines_owner_clear)

/* Appends these lines. */
void folio_lines_append_owner(GString *text, const char *magic, const FolioLinesOwner *owner);
/* Takes them; FALSE with INVALID otherwise. */
gboolean folio_lines_take_owner(FolioLines *lines, const char *magic, FolioLinesOwner *owner,
                                GError **error);
/* The boot's line, to be freed; NULL when it is not there. */
char *folio_lines_take_boot(FolioLines *lines);

/* Appends " FIRST" or " FIRST+COUNT". */
void folio_lines_append_run(GString *text, guint first, guint count);
