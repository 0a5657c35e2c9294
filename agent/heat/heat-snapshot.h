/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat of a guest at the end of a window, for whoever asks: made once by the thread that owns
 * the table, and never changed after that, so that it may be read without a lock for as long as it
 * is wanted. 19 bytes a block, 9.5 MiB for a TiB of guest, and the costs of blocks that are
 * followed. Pure. */
#pragma once

#include "heat/cost-table.h"
#include "heat/heat-table.h"

/* A stretch of blocks that stand for one RAM block of the guest. */
typedef struct {
    char *name; /* of the RAM block */
    guint first_block;
    guint n_blocks;
} FolioHeatRange;

/* A block that was never seen in use; and the longest that is told of others. */
#define FOLIO_NEVER_SEEN  G_MAXUINT16
#define FOLIO_LONG_UNSEEN (G_MAXUINT16 - 1)

typedef struct {
    gatomicrefcount references;
    GArray *ranges; /* FolioHeatRange by first_block; shared */
    guint n_blocks;
    guint32 windows;     /* that have ended, 1 or more */
    gint64 ended_usec;   /* when the last one did, since 1970 */
    guint64 window_usec; /* how long it was */
    FolioOutcomes outcomes;
    FolioHeatEvidence *evidence; /* n_blocks */
    guint8 *verdicts;            /* n_blocks; FolioVerdict */
    guint16 *unseen;   /* n_blocks: windows since the one in which it was last seen in use */
    FolioCosts *costs; /* of translation; NULL: not known */
} FolioHeatSnapshot;

/* Ranges to share, empty; add to it before it is used. */
GArray *folio_heat_ranges_new(void);

/* name is copied. */
void folio_heat_ranges_add(GArray *ranges, const char *name, guint n_blocks);

/* Of a table whose window has just ended and been decided. before is the snapshot of the window
 * before it, NULL at the first. Times are set by the caller, and costs, which it takes over. */
FolioHeatSnapshot *folio_heat_snapshot_new(const FolioHeatTable *table,
                                           const FolioVerdict *verdicts, GArray *ranges,
                                           const FolioHeatSnapshot *before);

FolioHeatSnapshot *folio_heat_snapshot_ref(FolioHeatSnapshot *snapshot);

void folio_heat_snapshot_unref(FolioHeatSnapshot *snapshot);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioHeatSnapshot, folio_heat_snapshot_unref)
