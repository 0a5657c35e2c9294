/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which block and sub-page of guest RAM a host frame holds.
 *
 * A flat index over frame >> 9 with one 32-bit entry for each 2 MiB of host memory: 2 MiB for a
 * TiB. It holds for a block in one piece, huge or split where it stood; 2 MiB of host memory whose
 * pages went separate ways get an entry for each page (2 KiB), and so does their block (4 KiB).
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

#define FOLIO_FRAME_MAP_SPLIT 0x80000000u /* internal: an entry is the number of a page table */

typedef struct {
    guint32 *chunks; /* by frame >> 9: 0, block + 1, or SPLIT | table */
    guint64 n_chunks;
    GPtrArray *chunk_tables; /* of FolioPlace + 1 by frame & 511; NULL where unused */
    GArray *homes;           /* of guint32 by block: 0, chunk + 1, or SPLIT | table */
    GPtrArray *block_tables; /* of frame + 1 by sub-page; NULL where unused */
    GArray *free_chunk_tables, *free_block_tables; /* of guint32 */
} FolioFrameMap;

FolioFrameMap *folio_frame_map_new(void);

void folio_frame_map_free(FolioFrameMap *map);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioFrameMap, folio_frame_map_free)

/* The place that a frame holds; FOLIO_NO_PLACE for a frame of no guest. Any frame is allowed. */
static inline FolioPlace
folio_frame_map_find(const FolioFrameMap *map, guint64 frame)
{
    guint64 chunk = frame / FOLIO_FRAMES_A_CHUNK;
    guint page = (guint) (frame % FOLIO_FRAMES_A_CHUNK);
    guint32 entry = chunk < map->n_chunks ? map->chunks[chunk] : 0;
    const guint32 *table;

    if (entry == 0)
        return FOLIO_NO_PLACE;
    if (!(entry & FOLIO_FRAME_MAP_SPLIT))
        return (entry - 1) << 9 | page;
    table = (const guint32 *) map->chunk_tables->pdata[entry & ~FOLIO_FRAME_MAP_SPLIT];
    return table[page] - 1; /* 0, for none, becomes FOLIO_NO_PLACE */
}

/* Is any frame of the block known? */
static inline gboolean
folio_frame_map_knows(const FolioFrameMap *map, guint block)
{
    return block < map->homes->len && g_array_index(map->homes, guint32, block) != 0;
}

/* The frame that holds a place, into *frame; FALSE when none is known. */
gboolean folio_frame_map_frame_of(const FolioFrameMap *map, FolioPlace place, guint64 *frame);

/* A block stands in one piece from first_frame on, a multiple of 512. What else was known of the
 * block or of these frames is forgotten. FALSE when block >= FOLIO_MAX_BLOCKS, the frame is not
 * aligned or beyond FOLIO_MAX_FRAME, or there is no memory for the index. */
gboolean folio_frame_map_set_block(FolioFrameMap *map, guint block, guint64 first_frame);

/* One page of a block is in that frame. Returns as folio_frame_map_set_block. */
gboolean folio_frame_map_set_page(FolioFrameMap *map, FolioPlace place, guint64 frame);

/* The frame of one page is free or no longer the guest's. */
void folio_frame_map_drop_page(FolioFrameMap *map, FolioPlace place);

/* The same for all pages of a block, as when a guest leaves. */
void folio_frame_map_drop_block(FolioFrameMap *map, guint block);
