/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of sub-pages seen in use. */
#include "heat/heat-table.h"

#include <string.h>
#include <sys/mman.h>

#define WORDS (FOLIO_SUB_PAGES / 64)

static guint
popcount(guint64 word)
{
    return (guint) __builtin_popcountll(word);
}

/* Zeroed memory for n_blocks entries. Samples fall all over it, so that with small pages most of
 * the time of each would go into address translation. */
static gpointer
alloc_entries(guint n_blocks, gsize size)
{
    gsize bytes = n_blocks * size, huge = 2u << 20;
    gpointer entries = g_aligned_alloc(MAX(n_blocks, 1), size, bytes < huge ? 64 : huge);

    if (bytes >= huge)
        madvise(entries, bytes, MADV_HUGEPAGE); /* as good as it gets */
    memset(entries, 0, bytes);
    return entries;
}

FolioHeatTable *
folio_heat_table_new(guint n_blocks)
{
    FolioHeatTable *table = g_new0(FolioHeatTable, 1);

    table->n_blocks = n_blocks;
    table->now = alloc_entries(n_blocks, sizeof *table->now);
    table->planes = alloc_entries(n_blocks, sizeof *table->planes);
    table->evidence = alloc_entries(n_blocks, sizeof *table->evidence);
    return table;
}

void
folio_heat_table_free(FolioHeatTable *table)
{
    if (!table)
        return;
    g_aligned_free(table->now);
    g_aligned_free(table->planes);
    g_aligned_free(table->evidence);
    g_free(table);
}

/* Adds the epoch's bitmap to the counters. Most blocks have few samples, and lines of memory that
 * none of them touches cost most: the high plane is left alone until something is seen again. */
static void
fold(FolioSubPages *now, FolioHeatPlanes *planes, FolioHeatEvidence *evidence)
{
    guint incidences = 0;

    for (guint i = 0; i < WORDS; i++) {
        const guint64 seen = now->words[i], low = planes->count_low.words[i];
        const guint64 again = seen & low;

        if (seen == 0)
            continue;
        incidences += popcount(seen);
        planes->count_low.words[i] = low | seen;
        if (again != 0) { /* 1 becomes 2, 3 stays */
            planes->count_low.words[i] ^= again & ~planes->count_high.words[i];
            planes->count_high.words[i] |= again;
        }
        now->words[i] = 0;
    }
    evidence->incidences = (guint16) (evidence->incidences + incidences);
}

static gboolean
is_empty(const FolioSubPages *pages)
{
    guint64 any = 0;

    for (guint i = 0; i < WORDS; i++)
        any |= pages->words[i];
    return any == 0;
}

/* Blocks [first, end), 64 at most. To wait for memory takes longer than all that is reckoned with
 * it: the counters that will be needed are asked for together, before. */
static void
fold_some(FolioHeatTable *table, guint first, guint end)
{
    guint64 touched = 0;

    for (guint b = first; b < end; b++) {
        if (is_empty(&table->now[b]))
            continue;
        __builtin_prefetch(&table->planes[b].count_low, 1);
        touched |= G_GUINT64_CONSTANT(1) << (b - first);
    }
    for (; touched != 0; touched &= touched - 1) {
        const guint b = first + (guint) __builtin_ctzll(touched);

        fold(&table->now[b], &table->planes[b], &table->evidence[b]);
    }
}

/* The sub-pages whose turn to be forgotten it is. */
static guint64
turn_mask(guint32 window, guint word)
{
    guint64 mask = 0;
    guint turn = window % FOLIO_FORGET_WINDOWS;

    for (guint bit = 0; bit < 64; bit++) {
        if ((word * 64 + bit) % FOLIO_FORGET_WINDOWS == turn)
            mask |= G_GUINT64_CONSTANT(1) << bit;
    }
    return mask;
}

/* Of a block that was not seen in the window: its counters are 0. */
static void
close_unseen(FolioHeatPlanes *planes, FolioHeatEvidence *evidence, const FolioSubPages *turn)
{
    guint gone = 0;

    for (guint i = 0; i < WORDS && evidence->footprint > 0; i++) {
        gone += popcount(planes->footprint.words[i] & turn->words[i]);
        planes->footprint.words[i] &= ~turn->words[i];
    }
    evidence->seen = evidence->once = evidence->twice = 0;
    evidence->footprint = (guint16) (evidence->footprint - gone);
    folio_estimate_age(evidence, 0);
}

/* Turns the counters into evidence and clears them. */
static void
close_seen(FolioHeatPlanes *planes, FolioHeatEvidence *evidence, const FolioSubPages *turn)
{
    guint seen = 0, once = 0, twice = 0, fresh = 0, gone = 0;

    for (guint i = 0; i < WORDS; i++) {
        const guint64 low = planes->count_low.words[i], high = planes->count_high.words[i];
        const guint64 known = planes->footprint.words[i], any = low | high;
        const guint64 turned = known & turn->words[i] & ~any;

        if ((any | turned) == 0)
            continue;
        seen += popcount(any);
        once += popcount(low & ~high);
        twice += popcount(high & ~low);
        fresh += popcount(any & ~known);
        gone += popcount(turned);
        planes->footprint.words[i] = (known & ~turned) | any;
    }
    memset(&planes->count_low, 0, sizeof planes->count_low);
    memset(&planes->count_high, 0, sizeof planes->count_high);
    evidence->seen = (guint16) seen;
    evidence->once = (guint16) once;
    evidence->twice = (guint16) twice;
    evidence->footprint = (guint16) (evidence->footprint + fresh - gone);
    folio_estimate_age(evidence, fresh);
}

static void
close_window(FolioHeatPlanes *planes, FolioHeatEvidence *evidence, const FolioSubPages *turn)
{
    if (evidence->incidences == 0)
        close_unseen(planes, evidence, turn);
    else
        close_seen(planes, evidence, turn);
}

static void
close_windows(FolioHeatTable *table)
{
    FolioSubPages turn;

    for (guint i = 0; i < WORDS; i++)
        turn.words[i] = turn_mask(table->window, i);
    for (guint b = 0; b < table->n_blocks; b++)
        close_window(&table->planes[b], &table->evidence[b], &turn);
}

gboolean
folio_heat_table_end_epoch(FolioHeatTable *table)
{
    const gboolean last = table->epoch == FOLIO_EPOCHS - 1;

    for (guint b = 0; table->epoch == 0 && b < table->n_blocks; b++)
        table->evidence[b].incidences = 0;
    for (guint b = 0; b < table->n_blocks; b += 64)
        fold_some(table, b, MIN(b + 64, table->n_blocks));
    if (last)
        close_windows(table);
    table->epoch = last ? 0 : table->epoch + 1;
    table->window += last;
    return last;
}

void
folio_heat_table_decide(FolioHeatTable *table, FolioVerdict *verdicts)
{
    for (guint b = 0; b < table->n_blocks; b++)
        folio_outcomes_enter(&table->outcomes, &table->evidence[b]);
    folio_outcomes_settle(&table->outcomes);
    for (guint b = 0; b < table->n_blocks; b++)
        verdicts[b] = folio_outcomes_verdict(&table->outcomes, &table->evidence[b]);
    for (guint b = 0; b < table->n_blocks && table->outcomes.struck_off; b++) {
        if (folio_outcomes_outdates(&table->outcomes, &table->evidence[b]))
            folio_heat_table_forget(table, b);
    }
    if (table->window % FOLIO_FORGET_WINDOWS == 0)
        folio_outcomes_fade(&table->outcomes);
}

void
folio_heat_table_forget(FolioHeatTable *table, guint block)
{
    memset(&table->now[block], 0, sizeof *table->now);
    memset(&table->planes[block], 0, sizeof *table->planes);
    memset(&table->evidence[block], 0, sizeof *table->evidence);
}

guint
folio_heat_table_block_bytes(void)
{
    return sizeof(FolioSubPages) + sizeof(FolioHeatPlanes) + sizeof(FolioHeatEvidence);
}
