/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures as people read them, and settings as the kernel writes them. */
#include "base/format.h"

#include <string.h>

static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };

char *
folio_format_bytes(guint64 bytes)
{
    guint unit = 0;
    guint64 whole, tenths;

    while (unit + 1 < G_N_ELEMENTS(units) && bytes >> (10 * (unit + 1)) != 0)
        unit++;
    whole = bytes >> (10 * unit);
    /* The rest is below 2^(10 * unit); shifted down by the unit below, it times ten cannot
     * overflow. */
    tenths = unit == 0 ? 0 : (((bytes >> (10 * (unit - 1))) & 1023) * 10) >> 10;
    if (whole >= 100 || tenths == 0)
        return g_strdup_printf("%" G_GUINT64_FORMAT " %s", whole, units[unit]);
    return g_strdup_printf("%" G_GUINT64_FORMAT ".%u %s", whole, (guint) tenths, units[unit]);
}

char *
folio_format_bytes_by(guint64 bytes, guint64 step)
{
    guint unit = 0;

    while (unit + 1 < G_N_ELEMENTS(units) &&
           step % (G_GUINT64_CONSTANT(1) << (10 * (unit + 1))) == 0)
        unit++;
    return g_strdup_printf("%" G_GUINT64_FORMAT " %s", bytes >> (10 * unit), units[unit]);
}

char *
folio_bracketed_word(const char *text)
{
    const char *start = text != NULL ? strchr(text, '[') : NULL;
    gsize length;

    if (start == NULL)
        return g_strdup("");
    start++;
    length = strspn(start, "abcdefghijklmnopqrstuvwxyz_-");
    return start[length] == ']' ? g_strndup(start, length) : g_strdup("");
}
