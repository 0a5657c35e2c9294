/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What translation costs a guest's accesses. */
#include "heat/cost-table.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS_A_GROUP 64u

G_STATIC_ASSERT(sizeof(FolioCostEntry) == 64);

FolioCostTable *
folio_cost_table_new(guint n_blocks)
{
    FolioCostTable *table = g_new0(FolioCostTable, 1);

    table->n_blocks = n_blocks;
    return table;
}

void
folio_cost_table_free(FolioCostTable *table)
{
    g_free(table->groups);
    g_free(table->entries);
    g_free(table);
}

/* ---- Which blocks are followed */

/* The blocks of a class, those that are followed already or the others, for as long as there is
 * room. Returns how much of it is left. */
static guint
mark(FolioCostGroup *groups, const FolioCostTable *table, const guint8 *classes,
     FolioCostClass wanted, gboolean followed, guint room)
{
    for (guint b = 0; b < table->n_blocks && room > 0; b++) {
        const guint64 bit = G_GUINT64_CONSTANT(1) << b % BLOCKS_A_GROUP;
        const guint g = b / BLOCKS_A_GROUP;
        const gboolean was = table->groups != NULL && (table->groups[g].tracked & bit) != 0;

        if (classes[b] != wanted || was != followed)
            continue;
        groups[g].tracked |= bit;
        room--;
    }
    return room;
}

/* NULL: there is nothing to follow. *n: how many blocks are. */
static FolioCostGroup *
make_groups(const FolioCostTable *table, const guint8 *classes, guint room, guint *n)
{
    const guint n_groups = (table->n_blocks + BLOCKS_A_GROUP - 1) / BLOCKS_A_GROUP;
    FolioCostGroup *groups = g_new0(FolioCostGroup, MAX(n_groups, 1));
    gboolean any = FALSE;

    room = mark(groups, table, classes, FOLIO_COST_SPLIT, TRUE, room);
    room = mark(groups, table, classes, FOLIO_COST_SPLIT, FALSE, room) / 2;
    room = mark(groups, table, classes, FOLIO_COST_CANDIDATE, TRUE, room);
    mark(groups, table, classes, FOLIO_COST_CANDIDATE, FALSE, room);
    for (guint b = 0; b < table->n_blocks; b++) {
        if (classes[b] == FOLIO_COST_SPLIT)
            groups[b / BLOCKS_A_GROUP].split |= G_GUINT64_CONSTANT(1) << b % BLOCKS_A_GROUP;
    }
    *n = 0;
    for (guint g = 0; g < n_groups; g++) {
        groups[g].rank = *n;
        *n += (guint) __builtin_popcountll(groups[g].tracked);
        any = any || (groups[g].tracked | groups[g].split) != 0;
    }
    if (!any)
        g_clear_pointer(&groups, g_free);
    return groups;
}

static void
add_cost(FolioBlockCost *cost, const FolioBlockCost *more)
{
    cost->samples += MIN(more->samples, G_MAXUINT32 - cost->samples);
    cost->walks += MIN(more->walks, G_MAXUINT32 - cost->walks);
    cost->cycles += more->cycles;
    cost->squares += more->squares;
}

/* What it has cost since it was looked at last is of the one kind or of both. */
static void
enter_class(FolioCostEntry *entry, gboolean split)
{
    if (entry->split && split)
        return;
    if (!entry->split && !split)
        add_cost(&entry->before, &entry->now);
    entry->now = (FolioBlockCost){ 0 };
    entry->span = 0;
    entry->split = split ? 1 : 0;
}

static FolioCostEntry *
make_entries(const FolioCostTable *table, const FolioCostGroup *groups, guint n)
{
    FolioCostEntry *entries = g_new0(FolioCostEntry, n);
    guint was = 0, made = 0;

    for (guint b = 0; made < n; b++) {
        const FolioCostGroup *group = &groups[b / BLOCKS_A_GROUP];
        const guint64 bit = G_GUINT64_CONSTANT(1) << b % BLOCKS_A_GROUP;
        const gboolean split = (group->split & bit) != 0;

        if ((group->tracked & bit) == 0)
            continue;
        while (was < table->n_entries && table->entries[was].block < b)
            was++;
        entries[made] = (FolioCostEntry){ .block = b, .split = split ? 1 : 0 };
        if (was < table->n_entries && table->entries[was].block == b) {
            entries[made] = table->entries[was];
            enter_class(&entries[made], split);
        }
        made++;
    }
    return entries;
}

static guint
count_split(const FolioCostTable *table, const guint8 *classes)
{
    guint n = 0;

    for (guint b = 0; b < table->n_blocks; b++)
        n += classes[b] == FOLIO_COST_SPLIT;
    return n;
}

/* A window in which something was split does not tell how it was before. */
static void
count_blocks(FolioCostTable *table, const guint8 *classes)
{
    table->totals.split = count_split(table, classes);
    table->totals.tracked = 0;
    for (guint i = 0; i < table->n_entries; i++)
        table->totals.tracked += table->entries[i].split;
    table->unsplit = table->totals.split == 0;
    if (!table->unsplit)
        table->pending = (FolioCostSums){ 0 };
}

void
folio_cost_table_follow(FolioCostTable *table, const guint8 *classes, guint room)
{
    guint n;
    FolioCostGroup *groups = make_groups(table, classes, room, &n);
    FolioCostEntry *entries = groups != NULL ? make_entries(table, groups, n) : NULL;

    g_free(table->groups);
    g_free(table->entries);
    table->groups = groups;
    table->entries = entries;
    table->n_entries = n;
    count_blocks(table, classes);
}

/* ---- Windows */

void
folio_cost_sums_add(FolioCostSums *sums, const FolioCostSums *more)
{
    sums->samples += more->samples;
    sums->walks += more->walks;
    sums->timed += more->timed;
    sums->cycles += more->cycles;
    sums->squares += more->squares;
    sums->total += more->total;
}

static void
halve_sums(FolioCostSums *sums)
{
    sums->samples /= 2;
    sums->walks /= 2;
    sums->timed /= 2;
    sums->cycles /= 2;
    sums->squares /= 2;
    sums->total /= 2;
}

static void
halve_cost(FolioBlockCost *cost)
{
    cost->samples /= 2;
    cost->walks /= 2;
    cost->cycles /= 2;
    cost->squares /= 2;
}

/* The past of a block that is split stays, for there will be no more of it; and so does that of a
 * guest. */
static void
fade(FolioCostTable *table)
{
    for (guint c = 0; c < FOLIO_COST_CLASSES; c++)
        halve_sums(&table->totals.recent[c]);
    if (table->totals.split == 0)
        halve_sums(&table->totals.whole);
    for (guint i = 0; i < table->n_entries; i++) {
        FolioCostEntry *entry = &table->entries[i];

        halve_cost(entry->split ? &entry->now : &entry->before);
        entry->span /= 2;
    }
}

static void
add_span(FolioCostTable *table, double seconds, guint64 period)
{
    for (guint i = 0; period > 0 && i < table->n_entries; i++)
        table->entries[i].span += (float) (seconds / (double) period);
}

static void
sum_up_blocks(FolioCostTable *table)
{
    FolioCostTotals *totals = &table->totals;

    totals->before = totals->after = (FolioBlockCost){ 0 };
    for (guint i = 0; i < table->n_entries; i++) {
        const FolioCostEntry *entry = &table->entries[i];

        if (!entry->split || entry->before.samples == 0 || entry->now.samples == 0)
            continue;
        add_cost(&totals->before, &entry->before);
        add_cost(&totals->after, &entry->now);
    }
}

/* Of a window it is known that nothing was split in it when nothing was at its start, and again
 * after it has ended. */
static void
enter_whole(FolioCostTable *table)
{
    if (table->unsplit)
        folio_cost_sums_add(&table->totals.whole, &table->pending);
    table->pending =
        table->totals.split == 0 ? table->window[FOLIO_COST_OTHER] : (FolioCostSums){ 0 };
    table->unsplit = FALSE;
}

static FolioCosts *
make_costs(const FolioCostTable *table)
{
    const gsize bytes = table->n_entries * sizeof(FolioCostEntry);
    FolioCosts *costs = g_malloc0(sizeof *costs + bytes);

    costs->totals = table->totals;
    memcpy(costs->last, table->window, sizeof costs->last);
    costs->n_entries = table->n_entries;
    if (bytes > 0)
        memcpy(costs->entries, table->entries, bytes);
    return costs;
}

FolioCosts *
folio_cost_table_end_window(FolioCostTable *table, double seconds, guint64 period)
{
    FolioCosts *costs;

    if (++table->windows % FOLIO_COST_FADE_WINDOWS == 0)
        fade(table);
    for (guint c = 0; c < FOLIO_COST_CLASSES; c++) {
        folio_cost_sums_add(&table->totals.ever[c], &table->window[c]);
        folio_cost_sums_add(&table->totals.recent[c], &table->window[c]);
    }
    enter_whole(table);
    add_span(table, seconds, period);
    sum_up_blocks(table);
    costs = make_costs(table);
    memset(table->window, 0, sizeof table->window);
    return costs;
}

static int
compare_block(gconstpointer key, gconstpointer entry)
{
    const guint block = *(const guint *) key;
    const guint other = ((const FolioCostEntry *) entry)->block;

    return (block > other) - (block < other);
}

const FolioCostEntry *
folio_costs_find(const FolioCosts *costs, guint block)
{
    return bsearch(&block, costs->entries, costs->n_entries, sizeof *costs->entries, compare_block);
}

double
folio_cost_sums_walk_share(const FolioCostSums *sums)
{
    return sums->samples > 0 ? (double) sums->walks / (double) sums->samples : 0;
}

double
folio_cost_sums_cycles(const FolioCostSums *sums)
{
    return sums->timed > 0 ? (double) sums->cycles / (double) sums->timed : 0;
}
