/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What translation costs a guest's accesses: how many samples walked page tables, and for how many
 * cycles their addresses were translated; of blocks that foliod has split, and of all others.
 *
 * Single blocks are followed too: those that are split, and, for something to compare with, huge
 * ones that may be next (candidates). What a candidate costs in a window becomes its past once it
 * is known that it was huge until the end of it; what it costs in the window in which it is split
 * is of both kinds, and counts for nothing.
 *
 * Nothing is kept of other blocks, and 24 bytes of 64 blocks while any is split or a candidate. A
 * block that is followed takes FolioCostEntry, 64 bytes, and as much again in each snapshot. Pure;
 * one thread at a time. */
#pragma once

#include <glib.h>

/* Figures that are compared with each other are halved every so many windows: they are of the last
 * 16 to 32, 14 to 27 minutes at the default EpochSeconds=. Chosen: longer than the ten windows of a
 * block's dwell (policy/plan.h), so that a block that may be acted on has what can be had. */
#define FOLIO_COST_FADE_WINDOWS 16u

typedef enum {
    FOLIO_COST_OTHER,
    FOLIO_COST_SPLIT,     /* foliod has split it */
    FOLIO_COST_CANDIDATE, /* huge, and may be split soon; counted among the others */
} FolioCostClass;

#define FOLIO_COST_CLASSES 2 /* OTHER, SPLIT */

/* Of many blocks. */
typedef struct {
    guint64 samples; /* all */
    guint64 walks;   /* of these, that walked page tables, as far as the source says */
    guint64 timed;   /* of the samples, those of which the next three are known */
    guint64 cycles;  /* that their translation took, the sum */
    guint64 squares; /* of the same, squared */
    guint64 total;   /* cycles that they took altogether */
} FolioCostSums;

/* Of one block: timed samples alone. */
typedef struct {
    guint32 samples, walks;
    guint64 cycles, squares;
} FolioBlockCost;

/* A block that is followed. */
typedef struct {
    guint32 block;
    guint8 split; /* else a candidate */
    float span;   /* of the windows of `now`, while it is split: seconds in which one sample
                   * stood for one access. Samples by span are accesses a second */
    FolioBlockCost before; /* while it was a candidate */
    FolioBlockCost now;    /* since it is split; of a candidate, what is not sure yet */
} FolioCostEntry;

/* For whoever asks how it stands. */
typedef struct {
    FolioCostSums ever[FOLIO_COST_CLASSES];   /* monotonic */
    FolioCostSums recent[FOLIO_COST_CLASSES]; /* halved, see above */
    FolioCostSums whole;          /* of the whole guest, while nothing of it was split; likewise */
    FolioBlockCost before, after; /* of the split blocks of which both are known, all together */
    guint split;                  /* blocks that are split */
    guint tracked;                /* of these, those that are followed */
} FolioCostTotals;

/* As of the end of a window; never changed after it was made. */
typedef struct {
    FolioCostTotals totals;
    FolioCostSums last[FOLIO_COST_CLASSES]; /* of this window */
    guint n_entries;
    FolioCostEntry entries[]; /* by block */
} FolioCosts;

/* 64 blocks. */
typedef struct {
    guint64 split, tracked; /* a bit a block */
    guint32 rank;           /* tracked blocks before these */
} FolioCostGroup;

typedef struct {
    guint n_blocks;
    guint32 windows;
    FolioCostGroup *groups;  /* NULL while no block is followed or split */
    FolioCostEntry *entries; /* by block */
    guint n_entries;
    gboolean unsplit;      /* it was said since the last window that no block is split */
    FolioCostSums pending; /* of the whole guest in the last window, if that is not sure yet */
    FolioCostSums window[FOLIO_COST_CLASSES];
    FolioCostTotals totals; /* but for this window */
} FolioCostTable;

FolioCostTable *folio_cost_table_new(guint n_blocks);
void folio_cost_table_free(FolioCostTable *table);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioCostTable, folio_cost_table_free)

/* One sample. block < n_blocks. timed: cycles (of translation) and total are known. */
static inline void
folio_cost_table_add(FolioCostTable *table, guint block, gboolean walk, gboolean timed,
                     guint16 cycles, guint16 total)
{
    FolioCostSums *sums = &table->window[FOLIO_COST_OTHER];
    FolioBlockCost *own = NULL;

    if (table->groups != NULL) {
        const FolioCostGroup *group = &table->groups[block / 64];
        const guint64 bit = G_GUINT64_CONSTANT(1) << block % 64;

        sums += group->split >> block % 64 & 1; /* no branch to mispredict */
        if ((group->tracked & bit) != 0)
            own = &table
                       ->entries[group->rank +
                                 (guint) __builtin_popcountll(group->tracked & (bit - 1))]
                       .now;
    }
    sums->samples++;
    sums->walks += walk;
    if (!timed)
        return;
    sums->timed++;
    sums->cycles += cycles;
    sums->squares += (guint64) cycles * cycles;
    sums->total += total;
    if (own == NULL || own->samples == G_MAXUINT32)
        return;
    own->samples++;
    own->walks += walk;
    own->cycles += cycles;
    own->squares += (guint64) cycles * cycles;
}

/* How its blocks are now: classes has a FolioCostClass for each. At most so many blocks are
 * followed: split ones first, of these those that are followed already; candidates get no more than
 * half of what room is left then, so that there is some for what is split next. To be called once a
 * window, soon after it has ended. */
void folio_cost_table_follow(FolioCostTable *table, const guint8 *classes, guint room);

/* Ends a window of so many seconds, in which a sample stood for so many accesses (0: not known). To
 * be freed with g_free. */
FolioCosts *folio_cost_table_end_window(FolioCostTable *table, double seconds, guint64 period);

/* The block's entry; NULL: it is not followed. */
const FolioCostEntry *folio_costs_find(const FolioCosts *costs, guint block);

void folio_cost_sums_add(FolioCostSums *sums, const FolioCostSums *more);

/* Means of a sample; of no sample, 0. */
double folio_cost_sums_walk_share(const FolioCostSums *sums);
double folio_cost_sums_cycles(const FolioCostSums *sums);
