/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What Heat of org.foliod1.Guest answered, checked and in numbers of this machine. Pure. */
#pragma once

#include "heat/estimate.h"

#include <gio/gio.h>

/* Numbers in 64ths of a sub-page have this many of them in a block that is in use all over. */
#define FOLIO_VIEW_FULL (64 * FOLIO_SUB_PAGES)

/* FolioHeatViewRange.unseen of what was never seen in use. */
#define FOLIO_VIEW_NEVER G_MAXUINT16

typedef struct {
    char *name;
    guint64 first_block, blocks;
    guint n; /* entries: of each of the arrays */
    guint8 *verdict;
    guint16 *in_use, *footprint; /* 64ths of a sub-page, means over the blocks of an entry */
    guint16 *unseen;             /* windows */
    guint32 *counts[FOLIO_VERDICT_DENSE + 1]; /* blocks by verdict */
    guint n_history;                          /* granules of the history in the whole RAM block */
    guint16 *history; /* n_windows rows of n_history; as in_use. NULL: not asked for */
} FolioHeatViewRange;

typedef struct {
    guint64 windows; /* 0: nothing is known, and there are no ranges */
    gint64 ended_usec;
    guint64 window_usec, block_bytes, blocks;
    guint granule;
    guint history_granule; /* blocks; 0: no history */
    guint n_windows;       /* of the history */
    gint64 *ends;          /* usec since 1970, of each of them */
    GPtrArray *ranges;     /* FolioHeatViewRange */
} FolioHeatView;

/* Of a reply (a{sv}aa{sv}). Fails with FOLIO_ERROR_FAILED when its parts do not fit together. */
FolioHeatView *folio_heat_view_new(GVariant *reply, GError **error);

void folio_heat_view_free(FolioHeatView *view);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioHeatView, folio_heat_view_free)

/* Blocks of an entry: the last one of a range may have fewer. */
guint folio_heat_view_blocks(const FolioHeatView *view, const FolioHeatViewRange *range,
                             guint entry);

/* "ram, 8 GiB, blocks 0 to 4095"; the name may be foreign. */
char *folio_heat_view_title(const FolioHeatView *view, const FolioHeatViewRange *range);

/* in_use of an entry in bytes of all its blocks. */
guint64 folio_heat_view_bytes(const FolioHeatView *view, const FolioHeatViewRange *range,
                              guint entry);

/* What a window of the history had in an entry: the mean of its blocks. The granule of the view
 * must be a multiple of the history's, and all of the range have been asked for. */
guint folio_heat_view_then(const FolioHeatView *view, const FolioHeatViewRange *range, guint window,
                           guint entry);

/* The smallest granule, a power of two times the least one, that makes at most max entries of so
 * many blocks, not counting what the ends of ranges add. */
guint folio_heat_granule(guint64 blocks, guint least, guint max);
