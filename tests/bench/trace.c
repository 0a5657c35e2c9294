/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading recorded traces of memory accesses. */
#include "trace.h"

#include <gio/gio.h>

#include "base/error.h"

/* Where the parser is. */
typedef struct {
    const char *at, *end;
    const char *name;
    guint line;
    GHashTable *blocks; /* address >> 21 -> index + 1 */
} Cursor;

static gboolean
bad_line(const Cursor *cursor, const char *what, GError **error)
{
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s:%u: %s", cursor->name, cursor->line,
                what);
    return FALSE;
}

/* Reads digits of that base; FALSE when there are none or the value exceeds max. */
static gboolean
take_number(Cursor *cursor, guint base, guint64 max, guint64 *value)
{
    const char *start = cursor->at;

    *value = 0;
    for (; cursor->at < cursor->end && g_ascii_isxdigit(*cursor->at); cursor->at++) {
        guint digit = (guint) g_ascii_xdigit_value(*cursor->at);

        if (digit >= base || *value > (max - digit) / base)
            return FALSE;
        *value = *value * base + digit;
    }
    return cursor->at > start;
}

static gboolean
take_char(Cursor *cursor, char wanted)
{
    if (cursor->at == cursor->end || *cursor->at != wanted)
        return FALSE;
    cursor->at++;
    return TRUE;
}

static guint
block_index(Trace *trace, Cursor *cursor, guint64 address)
{
    guint index = GPOINTER_TO_UINT(
        g_hash_table_lookup(cursor->blocks, GSIZE_TO_POINTER((gsize) address + 1)));

    if (index > 0)
        return index - 1;
    index = trace->addresses->len;
    g_array_append_val(trace->addresses, address);
    g_hash_table_insert(cursor->blocks, GSIZE_TO_POINTER((gsize) address + 1),
                        GUINT_TO_POINTER(index + 1));
    return index;
}

static gboolean
parse_touches(Trace *trace, Cursor *cursor, TraceRow *row, GError **error)
{
    do {
        TraceTouch touch;
        guint64 sub_page, count;

        if (!take_number(cursor, 10, TRACE_SUB_PAGES - 1, &sub_page) || !take_char(cursor, ':') ||
            !take_number(cursor, 10, G_MAXUINT32, &count) || count == 0)
            return bad_line(cursor, "not a sub-page:count pair", error);
        touch.sub_page = (guint16) sub_page;
        touch.count = (guint32) count;
        g_array_append_val(trace->touches, touch);
        row->n_touches++;
    } while (take_char(cursor, ' '));
    return TRUE;
}

static gboolean
parse_row(Trace *trace, Cursor *cursor, GError **error)
{
    TraceRow row = { .first_touch = trace->touches->len };
    guint64 window, address;

    if (!take_number(cursor, 10, G_MAXINT32, &window) || !take_char(cursor, '\t'))
        return bad_line(cursor, "not a window number", error);
    if (window + 1 < trace->n_windows)
        return bad_line(cursor, "windows go backwards", error);
    if (!take_number(cursor, 16, G_MAXUINT64 >> 21, &address) || !take_char(cursor, '\t'))
        return bad_line(cursor, "not a block address", error);
    row.window = (guint) window;
    row.block = block_index(trace, cursor, address);
    if (!parse_touches(trace, cursor, &row, error))
        return FALSE;
    if (cursor->at < cursor->end && *cursor->at != '\n')
        return bad_line(cursor, "more than sub-page:count pairs", error);
    trace->n_windows = row.window + 1;
    g_array_append_val(trace->rows, row);
    return TRUE;
}

Trace *
trace_parse(const char *text, gsize length, const char *name, GError **error)
{
    g_autoptr(GHashTable) blocks = g_hash_table_new(NULL, NULL);
    g_autoptr(Trace) trace = g_new0(Trace, 1);
    Cursor cursor = { .at = text, .end = text + length, .name = name, .blocks = blocks };

    trace->addresses = g_array_new(FALSE, FALSE, sizeof(guint64));
    trace->rows = g_array_new(FALSE, FALSE, sizeof(TraceRow));
    trace->touches = g_array_new(FALSE, FALSE, sizeof(TraceTouch));
    while (cursor.at < cursor.end) {
        cursor.line++;
        if (*cursor.at == '#') {
            while (cursor.at < cursor.end && *cursor.at != '\n')
                cursor.at++;
        } else if (*cursor.at != '\n' && !parse_row(trace, &cursor, error)) {
            return NULL;
        }
        take_char(&cursor, '\n');
    }
    if (trace->rows->len == 0) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: no accesses in it", name);
        return NULL;
    }
    return g_steal_pointer(&trace);
}

static GBytes *
read_xz(const char *path, GError **error)
{
    g_autoptr(GSubprocess) xz =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, error, "xz", "-dc", "--", path, NULL);
    g_autoptr(GBytes) text = NULL;

    if (!xz || !g_subprocess_communicate(xz, NULL, NULL, &text, NULL, error) ||
        !g_subprocess_wait_check(xz, NULL, error)) {
        g_prefix_error(error, "%s: ", path);
        return NULL;
    }
    return g_steal_pointer(&text);
}

static GBytes *
read_plain(const char *path, GError **error)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, error);

    return file ? g_mapped_file_get_bytes(file) : NULL;
}

Trace *
trace_read(const char *path, GError **error)
{
    g_autoptr(GBytes) text =
        g_str_has_suffix(path, ".xz") ? read_xz(path, error) : read_plain(path, error);
    const char *data;
    gsize length;

    if (!text)
        return NULL;
    data = g_bytes_get_data(text, &length);
    return trace_parse(data ? data : "", length, path, error);
}

void
trace_free(Trace *trace)
{
    if (!trace)
        return;
    g_clear_pointer(&trace->addresses, g_array_unref);
    g_clear_pointer(&trace->rows, g_array_unref);
    g_clear_pointer(&trace->touches, g_array_unref);
    g_free(trace);
}
