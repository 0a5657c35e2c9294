/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which sub-pages of a guest's blocks were seen in use, by epoch and window, in 272 bytes a block:
 * the bitmap of the present epoch (64 bytes, the only memory that a sample touches), two planes of
 * a counter that saturates at three epochs, one plane for the footprint, 16 bytes of evidence.
 *
 * A window is FOLIO_EPOCHS epochs. Whoever owns the table adds samples, ends epochs by time, and
 * after the last epoch of a window reads a verdict for each block. One thread at a time. */
#pragma once

#include <glib.h>

#include "heat/estimate.h"

#define FOLIO_EPOCHS 10 /* a window */

/* A sub-page leaves the footprint when it is not seen in the window of its turn, which comes every
 * so many windows: after its last use it is remembered for half of that on average. */
#define FOLIO_FORGET_WINDOWS 512

typedef struct {
    guint64 words[FOLIO_SUB_PAGES / 64];
} FolioSubPages;

typedef struct {
    FolioSubPages count_low, count_high; /* epochs of this window, saturating at 3 */
    FolioSubPages footprint;
} FolioHeatPlanes;

typedef struct {
    guint n_blocks;
    guint epoch;                 /* of the window, 0 to FOLIO_EPOCHS - 1 */
    guint32 window;              /* windows ended */
    guint64 samples;             /* added since the table was made */
    FolioSubPages *now;          /* n_blocks */
    FolioHeatPlanes *planes;     /* n_blocks */
    FolioHeatEvidence *evidence; /* n_blocks; whole once a window has ended */
    FolioOutcomes outcomes;
} FolioHeatTable;

/* A table of blocks never seen. */
FolioHeatTable *folio_heat_table_new(guint n_blocks);

void folio_heat_table_free(FolioHeatTable *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioHeatTable, folio_heat_table_free)

/* One sample. block < n_blocks, sub_page < FOLIO_SUB_PAGES. */
static inline void
folio_heat_table_add(FolioHeatTable *table, guint block, guint sub_page)
{
    table->now[block].words[sub_page / 64] |= G_GUINT64_CONSTANT(1) << sub_page % 64;
    table->samples++;
}

/* Ends an epoch. TRUE when a window ended with it: the evidence of each block is then that of this
 * window, until the next epoch ends. */
gboolean folio_heat_table_end_epoch(FolioHeatTable *table);

/* The verdict on each block, of the window that has just ended; call it once for each. verdicts
 * has room for n_blocks. */
void folio_heat_table_decide(FolioHeatTable *table, FolioVerdict *verdicts);

/* Forgets all of a block, as when other memory has taken its place. */
void folio_heat_table_forget(FolioHeatTable *table, guint block);

/* Memory of the table for each block, in bytes. */
guint folio_heat_table_block_bytes(void);
