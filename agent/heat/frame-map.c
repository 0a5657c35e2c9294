/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which block and sub-page of guest RAM a host frame holds, both ways round. */
#include "heat/frame-map.h"

#include <string.h>
#include <sys/mman.h>

#define SPLIT FOLIO_FRAME_MAP_SPLIT
#define PAGES FOLIO_FRAMES_A_CHUNK

/* The index grows in steps of so many entries, 2 TiB of addresses; untouched parts cost nothing. */
#define INDEX_STEP (G_GUINT64_CONSTANT(1) << 20)

FolioFrameMap *
folio_frame_map_new(void)
{
    FolioFrameMap *map = g_new0(FolioFrameMap, 1);

    map->chunk_tables = g_ptr_array_new_with_free_func(g_free);
    map->block_tables = g_ptr_array_new_with_free_func(g_free);
    map->homes = g_array_new(FALSE, TRUE, sizeof(guint32));
    map->free_chunk_tables = g_array_new(FALSE, FALSE, sizeof(guint32));
    map->free_block_tables = g_array_new(FALSE, FALSE, sizeof(guint32));
    return map;
}

void
folio_frame_map_free(FolioFrameMap *map)
{
    if (!map)
        return;
    if (map->chunks)
        munmap(map->chunks, map->n_chunks * sizeof *map->chunks);
    g_ptr_array_unref(map->chunk_tables);
    g_ptr_array_unref(map->block_tables);
    g_array_unref(map->homes);
    g_array_unref(map->free_chunk_tables);
    g_array_unref(map->free_block_tables);
    g_free(map);
}

static gboolean
reserve_chunk(FolioFrameMap *map, guint64 chunk)
{
    guint64 n = (chunk / INDEX_STEP + 1) * INDEX_STEP;
    void *grown;

    if (chunk < map->n_chunks)
        return TRUE;
    if (map->chunks)
        grown = mremap(map->chunks, map->n_chunks * sizeof *map->chunks, n * sizeof *map->chunks,
                       MREMAP_MAYMOVE);
    else
        grown = mmap(NULL, n * sizeof *map->chunks, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (grown == MAP_FAILED)
        return FALSE;
    madvise(grown, n * sizeof *map->chunks, MADV_HUGEPAGE); /* samples fall all over it */
    map->chunks = grown;
    map->n_chunks = n;
    return TRUE;
}

static guint32 *
home_of(const FolioFrameMap *map, guint block)
{
    return &g_array_index(map->homes, guint32, block);
}

static guint32 *
chunk_table(const FolioFrameMap *map, guint32 entry)
{
    return g_ptr_array_index(map->chunk_tables, entry & ~SPLIT);
}

static guint64 *
block_table(const FolioFrameMap *map, guint32 entry)
{
    return g_ptr_array_index(map->block_tables, entry & ~SPLIT);
}

/* Puts a table into the array, in a free slot if there is one; returns its entry. */
static guint32
store_table(GPtrArray *tables, GArray *free_slots, gpointer table)
{
    guint32 slot = tables->len;

    if (free_slots->len > 0) {
        slot = g_array_index(free_slots, guint32, free_slots->len - 1);
        g_array_set_size(free_slots, free_slots->len - 1);
        tables->pdata[slot] = table;
    } else {
        g_ptr_array_add(tables, table);
    }
    return slot | SPLIT;
}

static void
discard_table(GPtrArray *tables, GArray *free_slots, guint32 entry)
{
    guint32 slot = entry & ~SPLIT;

    g_clear_pointer(&tables->pdata[slot], g_free);
    g_array_append_val(free_slots, slot);
}

/* Gives 2 MiB of frames an entry for each page. */
static guint32 *
split_chunk(FolioFrameMap *map, guint64 chunk)
{
    guint32 entry = map->chunks[chunk], *table;

    if (entry & SPLIT)
        return chunk_table(map, entry);
    table = g_new0(guint32, PAGES);
    for (guint i = 0; entry > 0 && i < PAGES; i++)
        table[i] = ((entry - 1) << 9 | i) + 1;
    map->chunks[chunk] = store_table(map->chunk_tables, map->free_chunk_tables, table);
    return table;
}

/* Gives a block a frame for each page. */
static guint64 *
split_block(FolioFrameMap *map, guint block)
{
    guint32 *home = home_of(map, block);
    guint64 *table, first;

    if (*home & SPLIT)
        return block_table(map, *home);
    table = g_new0(guint64, PAGES);
    first = (guint64) (*home - 1) * PAGES;
    for (guint i = 0; *home > 0 && i < PAGES; i++)
        table[i] = first + i + 1;
    *home = store_table(map->block_tables, map->free_block_tables, table);
    return table;
}

static void
clear_frame(FolioFrameMap *map, guint64 frame)
{
    guint64 chunk = frame / PAGES;
    guint32 *table = split_chunk(map, chunk);

    table[frame % PAGES] = 0;
    for (guint i = 0; i < PAGES; i++) {
        if (table[i] != 0)
            return;
    }
    discard_table(map->chunk_tables, map->free_chunk_tables, map->chunks[chunk]);
    map->chunks[chunk] = 0;
}

static void
clear_place(FolioFrameMap *map, FolioPlace place)
{
    guint block = place / PAGES;
    guint64 *table = split_block(map, block);

    table[place % PAGES] = 0;
    for (guint i = 0; i < PAGES; i++) {
        if (table[i] != 0)
            return;
    }
    discard_table(map->block_tables, map->free_block_tables, *home_of(map, block));
    *home_of(map, block) = 0;
}

gboolean
folio_frame_map_frame_of(const FolioFrameMap *map, FolioPlace place, guint64 *frame)
{
    guint block = place / PAGES, page = place % PAGES;
    guint32 home = block < map->homes->len ? *home_of(map, block) : 0;

    if (home == 0)
        return FALSE;
    if (!(home & SPLIT)) {
        *frame = (guint64) (home - 1) * PAGES + page;
        return TRUE;
    }
    *frame = block_table(map, home)[page] - 1;
    return block_table(map, home)[page] != 0;
}

void
folio_frame_map_drop_page(FolioFrameMap *map, FolioPlace place)
{
    guint64 frame;

    if (!folio_frame_map_frame_of(map, place, &frame))
        return;
    clear_frame(map, frame);
    clear_place(map, place);
}

void
folio_frame_map_drop_block(FolioFrameMap *map, guint block)
{
    guint32 home = block < map->homes->len ? *home_of(map, block) : 0;

    if (home != 0 && !(home & SPLIT)) {
        map->chunks[home - 1] = 0;
        *home_of(map, block) = 0;
        return;
    }
    for (guint i = 0; home != 0 && i < PAGES; i++)
        folio_frame_map_drop_page(map, block * PAGES + i);
}

/* Whatever these frames held has gone elsewhere. */
static void
drop_chunk(FolioFrameMap *map, guint64 chunk)
{
    guint32 entry = map->chunks[chunk];

    if (entry != 0 && !(entry & SPLIT)) {
        folio_frame_map_drop_block(map, entry - 1);
        return;
    }
    for (guint i = 0; map->chunks[chunk] != 0 && i < PAGES; i++) {
        FolioPlace place = folio_frame_map_find(map, chunk * PAGES + i);

        if (place != FOLIO_NO_PLACE)
            folio_frame_map_drop_page(map, place);
    }
}

static gboolean
reserve(FolioFrameMap *map, guint block, guint64 frame)
{
    if (block >= FOLIO_MAX_BLOCKS || frame > FOLIO_MAX_FRAME || !reserve_chunk(map, frame / PAGES))
        return FALSE;
    if (block >= map->homes->len)
        g_array_set_size(map->homes, block + 1);
    return TRUE;
}

gboolean
folio_frame_map_set_block(FolioFrameMap *map, guint block, guint64 first_frame)
{
    guint64 chunk = first_frame / PAGES;

    if (first_frame % PAGES != 0 || !reserve(map, block, first_frame))
        return FALSE;
    if (map->chunks[chunk] == block + 1)
        return TRUE;
    folio_frame_map_drop_block(map, block);
    drop_chunk(map, chunk);
    map->chunks[chunk] = block + 1;
    *home_of(map, block) = (guint32) chunk + 1;
    return TRUE;
}

gboolean
folio_frame_map_set_page(FolioFrameMap *map, FolioPlace place, guint64 frame)
{
    guint block = place / PAGES;
    FolioPlace before;

    if (!reserve(map, block, frame))
        return FALSE;
    before = folio_frame_map_find(map, frame);
    if (before == place)
        return TRUE;
    if (before != FOLIO_NO_PLACE)
        folio_frame_map_drop_page(map, before);
    folio_frame_map_drop_page(map, place);
    split_chunk(map, frame / PAGES)[frame % PAGES] = place + 1;
    split_block(map, block)[place % PAGES] = frame + 1;
    return TRUE;
}
