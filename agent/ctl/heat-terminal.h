/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat of a guest on a terminal. Pure. */
#pragma once

#include "ctl/cmd.h"
#include "ctl/heat-view.h"

/* What fits a terminal of that width (0: none, taken for 80 columns): cells of the map, and rows of
 * the picture of time. */
guint folio_heat_map_cells(guint width);
guint folio_heat_time_rows(void);

/* A cell for each entry, line by line: its colour (or letter) is the verdict, its digit how much of
 * it was in use in the last window. */
char *folio_heat_map(const FolioInvocation *invocation, const FolioHeatView *view);

/* A line for each entry, a column for each of the last windows. */
char *folio_heat_times(const FolioInvocation *invocation, const FolioHeatView *view);
