/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat of a guest as columns of bytes, range by range: 7 bytes a block, 3.7 MB for a TiB of
 * guest. Numbers of more than one byte are little-endian. Pure. */
#pragma once

#include "heat/heat-history.h"

/* Granules in one answer: with all columns it then stays below 24 MB, and the message bus lets 32
 * MiB through. */
#define FOLIO_COLUMNS_MAX (1u << 20)

typedef struct {
    guint64 first_block; /* of the guest */
    guint64 blocks;      /* from there on; those behind the last one do not count */
    guint granule;       /* blocks that share an entry, 1 or more; from the first one asked for of
                          * each range on. No granule has blocks of two ranges */
} FolioHeatRequest;

/* The part of a range that was asked for, an entry for each granule in each column. */
typedef struct {
    const FolioHeatRange *range; /* borrowed from the snapshot */
    guint first_block, n_blocks; /* of the part */
    guint n_granules;
    GBytes *verdict; /* 8 bits: FolioVerdict of most of its blocks that were ever seen in use (the
                      * lower one of two that tie), IDLE when none was */
    GBytes *in_use;  /* 16 bits: sub-pages in use in the last window, sampled or not, in 64ths; the
                      * mean over its blocks */
    GBytes *footprint; /* 16 bits: sub-pages remembered, likewise */
    GBytes *unseen;    /* 16 bits: windows since any of it was last seen in use; FOLIO_NEVER_SEEN */
    GBytes *counts[FOLIO_VERDICT_DENSE + 1]; /* 32 bits: blocks by verdict; NULL with a granule of
                                              * one block */
} FolioHeatPart;

/* Granules that the answer would have. */
guint folio_heat_columns_count(const GArray *ranges, const FolioHeatRequest *request);

/* FolioHeatPart of each range that the request touches; it must be within FOLIO_COLUMNS_MAX. */
GPtrArray *folio_heat_columns_new(const FolioHeatSnapshot *snapshot,
                                  const FolioHeatRequest *request);

/* The history of one range: the rows of all windows kept, oldest first, 16 bits a granule. */
GBytes *folio_heat_columns_history(const FolioHeatHistory *history, const GArray *ranges,
                                   guint range);
