/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Few steps for what spans orders of magnitude, and their colours. Pure. */
#pragma once

#include <glib.h>

/* Nothing at all is level 0. */
#define FOLIO_LEVELS_SHOWN 5

/* Of each level, 0xrrggbb. One hue from light to dark reads in grey and to every kind of colour
 * vision (ColorBrewer's Blues). */
guint32 folio_level_colour(guint level);

/* How much of some memory is in use, in 64ths of a sub-page, the mean of its blocks: level 1 is
 * less than a 256th of the sub-pages, 2 begins there, 3 at a 64th, 4 at a 16th, 5 at a quarter. The
 * same for all guests, so that pictures can be compared. */
guint folio_use_level(guint in_use);

/* "none", "under 0.4%", "0.4% to 1.6%", ..., "25% and more". */
const char *folio_use_level_text(guint level);
