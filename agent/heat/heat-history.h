/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much of a guest's RAM was in use, window after window, by granules: pictures of address and
 * time are drawn from it. It keeps the last FOLIO_HISTORY_WINDOWS windows, of granules of 2 bytes
 * each: of at most FOLIO_HISTORY_FEW, or a sixteenth of the guest's blocks if that is more, up to
 * FOLIO_HISTORY_GRANULES (of at least one for each RAM block). That is 121 KiB for a guest of 16 GiB
 * or more, whatever its size, and 31 KiB for one of 256 MiB to 4 GiB: many guests together take 15
 * bytes a block. Pure. */
#pragma once

#include "heat/heat-snapshot.h"

#define FOLIO_HISTORY_WINDOWS  120
#define FOLIO_HISTORY_GRANULES 512
#define FOLIO_HISTORY_FEW      128

typedef struct {
    guint granule;    /* blocks; a power of two. No granule has blocks of two ranges */
    guint n_granules; /* of all ranges */
    guint n_windows;  /* that are kept, FOLIO_HISTORY_WINDOWS at most */
    guint next;       /* private, as the rest: where the next window goes */
    gint64 *ended;
    guint16 *rows;
} FolioHeatHistory;

/* Without a window. ranges is of FolioHeatRange. */
FolioHeatHistory *folio_heat_history_new(const GArray *ranges);

void folio_heat_history_free(FolioHeatHistory *history);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioHeatHistory, folio_heat_history_free)

FolioHeatHistory *folio_heat_history_copy(const FolioHeatHistory *history);

/* Sub-pages in use in the window of the snapshot, sampled or not, in 64ths: the mean over the
 * blocks of each granule. row has room for n_granules. Reads every block. */
void folio_heat_history_measure(const FolioHeatHistory *history, const FolioHeatSnapshot *snapshot,
                                guint16 *row);

/* Adds a window, which may push out the oldest. ended is in usec since 1970. */
void folio_heat_history_add(FolioHeatHistory *history, gint64 ended, const guint16 *row);

/* The row of a window, from the oldest (0) to the youngest that is kept, and when it ended. */
const guint16 *folio_heat_history_get(const FolioHeatHistory *history, guint window, gint64 *ended);

/* Granules that n_blocks make. */
static inline guint
folio_heat_granules(guint n_blocks, guint granule)
{
    return n_blocks / granule + (n_blocks % granule != 0);
}
