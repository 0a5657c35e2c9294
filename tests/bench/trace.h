/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A recorded trace of memory accesses: for each trace window and 2 MiB block, how often each
 * sub-page was accessed, exactly. As text, one line per window and block, tab-separated: window
 * (decimal, ascending), block (address >> 21, hex), and sub-page:count pairs. '#' starts a comment
 * line. */
#pragma once

#include <glib.h>

#define TRACE_SUB_PAGES 512

typedef struct {
    guint16 sub_page; /* < TRACE_SUB_PAGES */
    guint32 count;    /* > 0 */
} TraceTouch;

/* One block in one trace window. */
typedef struct {
    guint window;
    guint block; /* index into Trace.addresses */
    guint n_touches;
    gsize first_touch; /* index into Trace.touches */
} TraceRow;

typedef struct {
    guint n_windows;
    GArray *addresses; /* of guint64: address >> 21, in the order of first appearance */
    GArray *rows;      /* of TraceRow, by window */
    GArray *touches;   /* of TraceTouch */
} Trace;

/* Reads a trace; a name that ends in ".xz" is read through the xz program. Errors name the file
 * and the line. */
Trace *trace_read(const char *path, GError **error);

/* Parses the text of a trace; name is for errors. */
Trace *trace_parse(const char *text, gsize length, const char *name, GError **error);

void trace_free(Trace *trace);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Trace, trace_free)
