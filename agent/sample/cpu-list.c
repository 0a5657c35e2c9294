/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of CPUs as sysfs writes them. */
#include "sample/cpu-list.h"

#include "base/error.h"
#include "base/file-io.h"

#include <fcntl.h>
#include <string.h>

#define MAX_CPU    65535
#define LIST_BYTES (64 * 1024)

/* Digits at *text, which then is behind them. */
static gboolean
parse_cpu(const char **text, guint *cpu)
{
    const gsize digits = strspn(*text, "0123456789");
    g_autofree char *number = g_strndup(*text, digits);
    guint64 value = 0;

    if (!g_ascii_string_to_unsigned(number, 10, 0, MAX_CPU, &value, NULL))
        return FALSE;
    *text += digits;
    *cpu = (guint) value;
    return TRUE;
}

/* "N" or "N-M" at *text; each must be above the last one so far. */
static gboolean
parse_range(const char **text, GArray *cpus)
{
    guint first = 0, last = 0;

    if (!parse_cpu(text, &first))
        return FALSE;
    last = first;
    if (**text == '-') {
        (*text)++;
        if (!parse_cpu(text, &last) || last < first)
            return FALSE;
    }
    if (cpus->len > 0 && g_array_index(cpus, guint, cpus->len - 1) >= first)
        return FALSE;
    for (guint cpu = first; cpu <= last; cpu++)
        g_array_append_val(cpus, cpu);
    return TRUE;
}

GArray *
folio_cpu_list_parse(const char *text, GError **error)
{
    g_autoptr(GArray) cpus = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autofree char *list = g_strstrip(g_strdup(text));
    const char *at = list;

    while (*at != '\0') {
        if (!parse_range(&at, cpus) || (*at != ',' && *at != '\0') || g_str_equal(at, ",")) {
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "\"%.64s\" is no list of CPUs",
                        list);
            return NULL;
        }
        at += *at == ',';
    }
    return g_steal_pointer(&cpus);
}

GArray *
folio_cpu_list_read(const char *root, const char *path, GError **error)
{
    g_autofree char *full = g_build_filename(root, path, NULL);
    g_autofree char *text = folio_file_read(AT_FDCWD, full, LIST_BYTES, NULL, error);
    GArray *cpus = text != NULL ? folio_cpu_list_parse(text, error) : NULL;

    if (text != NULL && cpus == NULL)
        g_prefix_error(error, "%s: ", full);
    return cpus;
}

gboolean
folio_cpu_list_has(const GArray *cpus, guint cpu)
{
    for (guint i = 0; i < cpus->len; i++)
        if (g_array_index(cpus, guint, i) == cpu)
            return TRUE;
    return FALSE;
}
