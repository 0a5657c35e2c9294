/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which block and sub-page of guest RAM a host frame holds, both ways round. */
#include "heat/frame-map.h"

#include <string.h>
#include <sys/mman.h>

#define SPLIT FOLIO_FRAME_MAP_SPLIT
#define PAGES FOLIO_FRAMES_A_CHUNK

/* The index grows in steps of so many entries, 2 TiB of addresses; untouched parts cost nothing. */
#define INDEX_STEP (G_GUINT64_CONSTANT(1) << 20)

/* Room for values grows by so many. */
#define ROOM_STEP 8u

/* ---- Values of pages */

static void
set_bit(guint64 bits[FOLIO_FRAME_MAP_WORDS], guint page)
{
    bits[page / 64] |= G_GUINT64_CONSTANT(1) << page % 64;
}

static void
clear_bit(guint64 bits[FOLIO_FRAME_MAP_WORDS], guint page)
{
    bits[page / 64] &= ~(G_GUINT64_CONSTANT(1) << page % 64);
}

static gboolean
any_bit(const guint64 bits[FOLIO_FRAME_MAP_WORDS])
{
    guint64 any = 0;

    for (guint i = 0; i < FOLIO_FRAME_MAP_WORDS; i++)
        any |= bits[i];
    return any != 0;
}

static gboolean
has_value(const FolioPageValues *values, guint page)
{
    return values != NULL && folio_page_bit(values->bits, page);
}

static guint32
get_value(const FolioPageValues *values, guint page)
{
    return values->values[folio_page_values_rank(values, page)];
}

static gsize
size_of_values(guint room)
{
    return sizeof(FolioPageValues) + room * sizeof(guint32);
}

/* Of a page that has none. */
static void
add_value(FolioFrameMap *map, FolioPageValues **where, guint page, guint32 value)
{
    FolioPageValues *values = *where;
    const guint n = values != NULL ? values->n : 0;
    guint at;

    if (values == NULL || n == values->room) {
        values = g_realloc(values, size_of_values(n + ROOM_STEP));
        map->bytes += n == 0 ? size_of_values(ROOM_STEP) : ROOM_STEP * sizeof value;
        if (n == 0)
            memset(values, 0, sizeof *values);
        values->room = n + ROOM_STEP;
        *where = values;
    }
    at = folio_page_values_rank(values, page);
    memmove(&values->values[at + 1], &values->values[at], (n - at) * sizeof value);
    values->values[at] = value;
    values->n++;
    set_bit(values->bits, page);
    for (guint i = page / 64 + 1; i < FOLIO_FRAME_MAP_WORDS; i++)
        values->before[i]++;
}

/* Of a page that has one; the last one frees all. */
static void
remove_value(FolioFrameMap *map, FolioPageValues **where, guint page)
{
    FolioPageValues *values = *where;
    const guint at = folio_page_values_rank(values, page);

    if (--values->n == 0) {
        map->bytes -= size_of_values(values->room);
        g_clear_pointer(where, g_free);
        return;
    }
    memmove(&values->values[at], &values->values[at + 1],
            (values->n - at) * sizeof values->values[0]);
    clear_bit(values->bits, page);
    for (guint i = page / 64 + 1; i < FOLIO_FRAME_MAP_WORDS; i++)
        values->before[i]--;
}

/* ---- Tables */

static void
chunk_table_free(gpointer data)
{
    FolioChunkTable *table = data;

    if (table == NULL)
        return;
    g_free(table->strays);
    g_free(table);
}

static void
block_table_free(gpointer data)
{
    FolioBlockTable *table = data;

    if (table == NULL)
        return;
    g_free(table->strays);
    g_free(table);
}

FolioFrameMap *
folio_frame_map_new(void)
{
    FolioFrameMap *map = g_new0(FolioFrameMap, 1);

    map->chunk_tables = g_ptr_array_new_with_free_func(chunk_table_free);
    map->block_tables = g_ptr_array_new_with_free_func(block_table_free);
    map->homes = g_array_new(FALSE, TRUE, sizeof(guint32));
    map->free_chunk_tables = g_array_new(FALSE, FALSE, sizeof(guint32));
    map->free_block_tables = g_array_new(FALSE, FALSE, sizeof(guint32));
    map->room = G_MAXSIZE;
    return map;
}

void
folio_frame_map_set_room(FolioFrameMap *map, gsize room)
{
    map->room = room;
}

static gboolean
is_full(const FolioFrameMap *map)
{
    return map->bytes >= map->room;
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

static FolioChunkTable *
chunk_table(const FolioFrameMap *map, guint32 entry)
{
    return g_ptr_array_index(map->chunk_tables, entry & ~SPLIT);
}

static FolioBlockTable *
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

/* Forgets a table that holds nothing. */
static void
discard_table(GPtrArray *tables, GArray *free_slots, guint32 *entry)
{
    const guint32 slot = *entry & ~SPLIT;

    g_clear_pointer(&tables->pdata[slot], g_free);
    g_array_append_val(free_slots, slot);
    *entry = 0;
}

static void
discard_chunk_table(FolioFrameMap *map, guint64 chunk)
{
    discard_table(map->chunk_tables, map->free_chunk_tables, &map->chunks[chunk]);
    map->bytes -= sizeof(FolioChunkTable);
}

static void
discard_block_table(FolioFrameMap *map, guint block)
{
    discard_table(map->block_tables, map->free_block_tables, home_of(map, block));
    map->bytes -= sizeof(FolioBlockTable);
}

/* Of a chunk that is not one block in one piece. */
static FolioChunkTable *
need_chunk_table(FolioFrameMap *map, guint64 chunk)
{
    FolioChunkTable *table;

    if (map->chunks[chunk] != 0)
        return chunk_table(map, map->chunks[chunk]);
    table = g_new0(FolioChunkTable, 1);
    map->bytes += sizeof *table;
    table->chunk = chunk;
    map->chunks[chunk] = store_table(map->chunk_tables, map->free_chunk_tables, table);
    return table;
}

/* Of a block that is not in one piece. */
static FolioBlockTable *
need_block_table(FolioFrameMap *map, guint block)
{
    guint32 *home = home_of(map, block);
    FolioBlockTable *table;

    if (*home != 0)
        return block_table(map, *home);
    table = g_new0(FolioBlockTable, 1);
    map->bytes += sizeof *table;
    *home = store_table(map->block_tables, map->free_block_tables, table);
    return table;
}

/* The chunk table that the block is the resident of; NULL: none. */
static FolioChunkTable *
house_of(const FolioFrameMap *map, const FolioBlockTable *table)
{
    return table->house != 0 ? chunk_table(map, table->house - 1) : NULL;
}

static void
move_in(FolioFrameMap *map, guint block, FolioBlockTable *block_table, FolioChunkTable *table)
{
    table->resident = block + 1;
    block_table->house = (map->chunks[table->chunk] & ~SPLIT) + 1;
}

/* A block in one piece, and its chunk, get tables that say the same. */
static void
split_whole(FolioFrameMap *map, guint block)
{
    guint32 *home = home_of(map, block);
    const guint64 chunk = *home - 1;
    FolioChunkTable *table;

    map->chunks[chunk] = 0;
    *home = 0;
    table = need_chunk_table(map, chunk);
    move_in(map, block, need_block_table(map, block), table);
    memset(table->in_place, 0xff, sizeof table->in_place);
}

static void
discard_if_empty(FolioFrameMap *map, guint block, guint64 chunk)
{
    FolioBlockTable *of_block = block_table(map, *home_of(map, block));
    FolioChunkTable *table = chunk_table(map, map->chunks[chunk]);

    if (table->resident == block + 1 && !any_bit(table->in_place))
        table->resident = of_block->house = 0;
    if (of_block->house == 0 && of_block->strays == NULL)
        discard_block_table(map, block);
    if (table->resident == 0 && table->strays == NULL)
        discard_chunk_table(map, chunk);
}

/* The frame of a page of a block that is not in one piece. */
static gboolean
find_frame(const FolioFrameMap *map, const FolioBlockTable *table, guint page, guint64 *frame)
{
    const FolioChunkTable *house = house_of(map, table);
    guint32 value;

    if (house != NULL && folio_page_bit(house->in_place, page)) {
        *frame = house->chunk * PAGES + page;
        return TRUE;
    }
    if (!has_value(table->strays, page))
        return FALSE;
    value = get_value(table->strays, page);
    *frame = chunk_table(map, value / PAGES)->chunk * PAGES + value % PAGES;
    return TRUE;
}

gboolean
folio_frame_map_frame_of(const FolioFrameMap *map, FolioPlace place, guint64 *frame)
{
    const guint block = place / PAGES, page = place % PAGES;
    const guint32 home = block < map->homes->len ? *home_of(map, block) : 0;

    if (home == 0)
        return FALSE;
    if (home & SPLIT)
        return find_frame(map, block_table(map, home), page, frame);
    *frame = (guint64) (home - 1) * PAGES + page;
    return TRUE;
}

/* Of a block in one piece. */
static void
drop_whole(FolioFrameMap *map, guint block)
{
    guint32 *home = home_of(map, block);

    map->chunks[*home - 1] = 0;
    *home = 0;
}

void
folio_frame_map_drop_page(FolioFrameMap *map, FolioPlace place)
{
    const guint block = place / PAGES, page = place % PAGES;
    FolioBlockTable *of_block;
    FolioChunkTable *table;
    guint64 frame;

    if (!folio_frame_map_frame_of(map, place, &frame))
        return;
    if (!(*home_of(map, block) & SPLIT) && is_full(map)) {
        drop_whole(map, block);
        return;
    }
    if (!(*home_of(map, block) & SPLIT))
        split_whole(map, block);
    of_block = block_table(map, *home_of(map, block));
    table = chunk_table(map, map->chunks[frame / PAGES]);
    if (has_value(of_block->strays, page)) {
        remove_value(map, &of_block->strays, page);
        remove_value(map, &table->strays, (guint) (frame % PAGES));
    } else {
        clear_bit(table->in_place, page);
    }
    discard_if_empty(map, block, frame / PAGES);
}

void
folio_frame_map_drop_block(FolioFrameMap *map, guint block)
{
    guint32 home = block < map->homes->len ? *home_of(map, block) : 0;

    if (home != 0 && !(home & SPLIT)) {
        drop_whole(map, block);
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

/* Is there a table that needs but one bit set for it? */
static gboolean
is_at_home(const FolioFrameMap *map, FolioPlace place, guint64 frame)
{
    const guint32 entry = map->chunks[frame / PAGES];

    return entry != 0 && frame % PAGES == place % PAGES &&
           chunk_table(map, entry)->resident == place / PAGES + 1;
}

/* Of a page and a frame of which nothing is known. */
static void
enter_page(FolioFrameMap *map, FolioPlace place, guint64 frame)
{
    const guint block = place / PAGES, page = place % PAGES;
    const guint at = (guint) (frame % PAGES);
    FolioBlockTable *of_block = need_block_table(map, block);
    FolioChunkTable *table = need_chunk_table(map, frame / PAGES);

    if (at == page && of_block->house == 0 && table->resident == 0)
        move_in(map, block, of_block, table);
    if (is_at_home(map, place, frame)) {
        set_bit(table->in_place, page);
        return;
    }
    add_value(map, &of_block->strays, page, (map->chunks[frame / PAGES] & ~SPLIT) * PAGES + at);
    add_value(map, &table->strays, at, place);
}

gboolean
folio_frame_map_set_page(FolioFrameMap *map, FolioPlace place, guint64 frame)
{
    FolioPlace before;

    if (!reserve(map, place / PAGES, frame))
        return FALSE;
    before = folio_frame_map_find(map, frame);
    if (before == place)
        return TRUE;
    if (before != FOLIO_NO_PLACE)
        folio_frame_map_drop_page(map, before);
    folio_frame_map_drop_page(map, place);
    if (is_full(map) && !is_at_home(map, place, frame))
        return FALSE;
    enter_page(map, place, frame);
    return TRUE;
}
