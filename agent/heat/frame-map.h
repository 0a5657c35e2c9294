/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which block and sub-page of guest RAM a host frame holds.
 *
 * A flat index over frame >> 9 with one 32-bit entry for each 2 MiB of host memory: 2 MiB for a
 * TiB. It holds for a block in one piece, huge or split where it stood. Of a split block of which
 * pages have gone some 130 bytes tell which of them still stand where they stood; each page that
 * stands elsewhere takes 4 bytes with the frames that it is among and 4 with its block, and the
 * first in either some 100 more: for all of that together there is room as the caller sets it.
 * Blocks are numbered by the caller, across guests. Pure data: the caller reads pagemap and tells.
 * A page keeps its last known frame until another is told, the frame turns out to hold something
 * else, or the caller drops it. One thread at a time. */
#pragma once

#include <glib.h>

#define FOLIO_FRAMES_A_CHUNK 512u             /* 4 KiB frames in 2 MiB */
#define FOLIO_MAX_BLOCKS     ((1u << 23) - 1) /* 16 TiB of guests: a place has 32 bits */
#define FOLIO_MAX_FRAME      ((G_GUINT64_CONSTANT(1) << 39) - 1) /* 2 PiB of addresses */

/* A block and one of its sub-pages: block << 9 | sub-page. */
typedef guint32 FolioPlace;

#define FOLIO_NO_PLACE G_MAXUINT32

#define FOLIO_FRAME_MAP_SPLIT 0x80000000u /* internal: an entry is the number of a table */

#define FOLIO_FRAME_MAP_WORDS (FOLIO_FRAMES_A_CHUNK / 64)

/* Internal: a number for some of 512 pages. */
typedef struct {
    guint64 bits[FOLIO_FRAME_MAP_WORDS];   /* of those that have one */
    guint16 before[FOLIO_FRAME_MAP_WORDS]; /* bits set in earlier words */
    guint n, room;
    guint32 values[]; /* n of them, by page */
} FolioPageValues;

/* Internal: 512 frames that are not one block in one piece. Pages of one block, the resident, may
 * stand here where they would if it were; all others are strays. */
typedef struct {
    guint64 chunk;
    guint64 in_place[FOLIO_FRAME_MAP_WORDS]; /* frames of the resident */
    guint32 resident;                        /* block + 1; 0: none */
    FolioPageValues *strays;                 /* FolioPlace; NULL: none */
} FolioChunkTable;

/* Internal: a block that is not in one piece. */
typedef struct {
    guint32 house;           /* the chunk table that it is the resident of, + 1; 0: none */
    FolioPageValues *strays; /* chunk table << 9 | frame & 511; NULL: none */
} FolioBlockTable;

typedef struct {
    guint32 *chunks; /* by frame >> 9: 0, block + 1, or SPLIT | table */
    guint64 n_chunks;
    GPtrArray *chunk_tables; /* FolioChunkTable; NULL where unused */
    GArray *homes;           /* of guint32 by block: 0, chunk + 1, or SPLIT | table */
    GPtrArray *block_tables; /* FolioBlockTable; NULL where unused */
    GArray *free_chunk_tables, *free_block_tables; /* of guint32 */
    gsize bytes, room;                             /* of tables and their values; the most */
} FolioFrameMap;

FolioFrameMap *folio_frame_map_new(void);

void folio_frame_map_free(FolioFrameMap *map);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioFrameMap, folio_frame_map_free)

/* What blocks that are not in one piece may take, in bytes, of all together (no limit at first).
 * What takes more already stays. */
void folio_frame_map_set_room(FolioFrameMap *map, gsize room);

/* Internal. */
static inline gboolean
folio_page_bit(const guint64 bits[FOLIO_FRAME_MAP_WORDS], guint page)
{
    return bits[page / 64] >> page % 64 & 1;
}

/* Internal: where the page's number is among the values, or would be. */
static inline guint
folio_page_values_rank(const FolioPageValues *values, guint page)
{
    const guint64 below = (G_GUINT64_CONSTANT(1) << page % 64) - 1;

    return values->before[page / 64] +
           (guint) __builtin_popcountll(values->bits[page / 64] & below);
}

/* The place that a frame holds; FOLIO_NO_PLACE for a frame of no guest. Any frame is allowed. */
static inline FolioPlace
folio_frame_map_find(const FolioFrameMap *map, guint64 frame)
{
    guint64 chunk = frame / FOLIO_FRAMES_A_CHUNK;
    guint page = (guint) (frame % FOLIO_FRAMES_A_CHUNK);
    guint32 entry = chunk < map->n_chunks ? map->chunks[chunk] : 0;
    const FolioChunkTable *table;

    if (entry == 0)
        return FOLIO_NO_PLACE;
    if (!(entry & FOLIO_FRAME_MAP_SPLIT))
        return (entry - 1) << 9 | page;
    table = (const FolioChunkTable *) map->chunk_tables->pdata[entry & ~FOLIO_FRAME_MAP_SPLIT];
    if (folio_page_bit(table->in_place, page))
        return (table->resident - 1) << 9 | page;
    if (table->strays == NULL || !folio_page_bit(table->strays->bits, page))
        return FOLIO_NO_PLACE;
    return table->strays->values[folio_page_values_rank(table->strays, page)];
}

/* Is any frame of the block known? */
static inline gboolean
folio_frame_map_knows(const FolioFrameMap *map, guint block)
{
    return block < map->homes->len && g_array_index(map->homes, guint32, block) != 0;
}

/* Is the block known to stand in one piece? */
static inline gboolean
folio_frame_map_is_whole(const FolioFrameMap *map, guint block)
{
    return folio_frame_map_knows(map, block) &&
           !(g_array_index(map->homes, guint32, block) & FOLIO_FRAME_MAP_SPLIT);
}

/* The frame that holds a place, into *frame; FALSE when none is known. */
gboolean folio_frame_map_frame_of(const FolioFrameMap *map, FolioPlace place, guint64 *frame);

/* A block stands in one piece from first_frame on, a multiple of 512. What else was known of the
 * block or of these frames is forgotten. FALSE when block >= FOLIO_MAX_BLOCKS, the frame is not
 * aligned or beyond FOLIO_MAX_FRAME, or there is no memory for the index. */
gboolean folio_frame_map_set_block(FolioFrameMap *map, guint block, guint64 first_frame);

/* One page of a block is in that frame. Returns as folio_frame_map_set_block; FALSE also when there
 * is no room left: then it is known of neither what it is. */
gboolean folio_frame_map_set_page(FolioFrameMap *map, FolioPlace place, guint64 frame);

/* The frame of one page is free or no longer the guest's. Where there is no room left to tell which
 * pages of a block that stood in one piece are still there, all of them are dropped. */
void folio_frame_map_drop_page(FolioFrameMap *map, FolioPlace place);

/* The same for all pages of a block, as when a guest leaves. */
void folio_frame_map_drop_block(FolioFrameMap *map, guint block);
