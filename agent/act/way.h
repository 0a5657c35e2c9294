/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A way to have the kernel split or collapse memory of another process. All of it blocks and is
 * called in threads of tasks, by several at a time: a way sees to its own locks. What is recorded,
 * verified and written down around it is act-run's. */
#pragma once

#include "act/actuator.h"

#include <gio/gio.h>

/* Blocks of one run of the kernel at most: a collapse of more would hold up its kdamond, and with
 * it DAMON's files, for seconds. */
#define FOLIO_CHUNK_BLOCKS 256u

/* What is asked of a way at once. */
typedef struct {
    FolioActKind kind; /* SPLIT or COLLAPSE */
    guint order;       /* 0 to 8, or FOLIO_ORDER_HUGE */
    FolioProcess *process;
    const FolioBlockRange *ranges; /* ascending by address, apart from each other, of whole
                                      blocks at multiples of 2 MiB */
    guint n_ranges;
    guint n_blocks;  /* in all, 1 to FOLIO_CHUNK_BLOCKS */
    FolioLeft *said; /* of each block, by address: what the kernel says of it, where it does */
} FolioChunk;

typedef struct _FolioWay FolioWay;

typedef struct {
    const char *name; /* "damon", "debugfs-split", "madvise-collapse": a stable token */

    /* Can it do that on this host, now? Otherwise FALSE, and *reason is one sentence without a full
     * stop, to be freed. Changes nothing. */
    gboolean (*probe)(FolioWay *way, FolioActKind kind, guint order, char **reason);

    /* Has it done, as far as the kernel will: what of it was done is for the caller to see. FALSE
     * with an error when nothing could be tried, or what was not can no longer be told; nothing is
     * left set up then, but what close gives back. CANCELLED of G_IO_ERROR when cancelled. */
    gboolean (*apply)(FolioWay *way, FolioChunk *chunk, GCancellable *cancellable, GError **error);

    /* Gives back what it has set up on the host for use again and again, such as kdamonds. It can
     * be used on. May be NULL. */
    void (*close)(FolioWay *way);

    void (*free)(FolioWay *way);
} FolioWayClass;

/* Each way embeds this as its first member. */
struct _FolioWay {
    const FolioWayClass *klass;
};
