/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures as people read them, and settings as the kernel writes them. */
#pragma once

#include <glib.h>

/* "0 B", "4 KiB", "1.5 GiB", "256 MiB": in the largest unit that gives at least 1, with one decimal
 * below 100 unless that is 0; rounded down, so that what is said to be there is there. */
char *folio_format_bytes(guint64 bytes);

/* bytes in whole numbers of the largest unit that step is a multiple of, so that the labels of an
 * axis with that step have one unit. */
char *folio_format_bytes_by(guint64 bytes, guint64 step);

/* The word in brackets of a setting such as "always [madvise] never", which is the one that is in
 * force: of small letters, '_' and '-'. "" when there is none, or text is NULL. To be freed. */
char *folio_bracketed_word(const char *text);
