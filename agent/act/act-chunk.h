/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One chunk of a run: recorded, done, verified. Blocking. */
#pragma once

#include "act/act-run.h"
#include "act/folio-view.h"
#include "act/holes.h"

/* What the chunks of a run have in common. */
typedef struct {
    FolioWay *way;
    const FolioActContext *context;
    const FolioActRequest *request;
    FolioLedgerGuest *guest;    /* NULL without a ledger */
    FolioActKind kind;          /* of what the kernel is to do: SPLIT or COLLAPSE */
    guint order;                /* likewise */
    const GArray *split_before; /* of blocks as of act/act-blocks.h: what the ledger says */
    FolioView view;
    FolioHoles holes;
    GCancellable *cancellable;
} FolioChunkWork;

/* Deals with n blocks (1 to FOLIO_CHUNK_BLOCKS, ascending). FALSE with an error when something went
 * wrong, or it was cancelled. *tried: results are of all n, whatever it returns; else nothing has
 * been done and nothing is written down. again: these have been written down before. The end of it
 * is written down by the caller. */
gboolean folio_chunk_work_do(FolioChunkWork *work, const guint64 *blocks, guint n, gboolean again,
                             FolioBlockResult *results, gboolean *tried, GError **error);
