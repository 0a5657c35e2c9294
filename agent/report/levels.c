/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Few steps for what spans orders of magnitude. */
#include "report/levels.h"

#include "heat/estimate.h"

guint32
folio_level_colour(guint level)
{
    static const guint32 colours[] = { 0xf4f4f2, 0xc6dbef, 0x9ecae1, 0x4292c6, 0x2171b5, 0x08306b };

    return colours[level];
}

guint
folio_use_level(guint in_use)
{
    guint level = 1, edge = 64 * FOLIO_SUB_PAGES / 256;

    if (in_use == 0)
        return 0;
    while (level < FOLIO_LEVELS_SHOWN && in_use >= edge) {
        level++;
        edge *= 4;
    }
    return level;
}

const char *
folio_use_level_text(guint level)
{
    static const char *const texts[] = { "none",       "under 0.4%", "0.4% to 1.6%",
                                         "1.6% to 6%", "6% to 25%",  "25% and more" };

    return texts[level];
}
