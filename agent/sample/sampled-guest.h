/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One guest in the sampling thread. Internal to the sampler. */
#pragma once

#include "heat/heat-history.h"
#include "heat/heat-summary.h"
#include "sample/frame-refresh.h"
#include "sample/stream.h"

struct _FolioSampled {
    gatomicrefcount references;
    FolioSampler *sampler;
    FolioSamplingCommon *common;
    guint64 id; /* ascending */
    FolioProcess *process;
    FolioGuestRam *ram;
    GArray *ranges; /* FolioHeatRange of the RAM's blocks */
    guint n_blocks;

    /* Under the lock. */
    FolioSamplingFigures figures;
    FolioHeatSnapshot *snapshot; /* of the last window; NULL before the first; swapped whole */
    FolioHeatHistory *history;   /* NULL before the first */
    gboolean removed;
    gboolean pause_wanted;
    guint8 *follow_wanted; /* FolioCostClass of each block; NULL: nothing new */

    gint telling; /* atomic: a change is on its way to the main loop */

    /* The main loop's. */
    FolioSampledChanged changed; /* NULL once removed */
    gpointer user_data;
    GMainContext *context;

    /* The thread's. */
    FolioSamplingFigures now; /* what figures become next */
    gboolean numbered;        /* its blocks have numbers, from first_block on */
    guint first_block;
    gboolean paused, turn; /* asked to stand still; its turn to sample */
    gboolean enabled;      /* time goes on for it, and samples count */
    FolioHeatTable *table;
    FolioVerdict *decided;     /* n_blocks */
    FolioHeatSummary *brought; /* orders passes until its first window has ended; then NULL */
    FolioCostTable *costs;
    guint8 *follow;             /* as follow_wanted, taken from there; NULL */
    FolioStream *stream;        /* its own; NULL: closed, or that of the host feeds it */
    FolioStreamTotals past;     /* of streams before, and of what the host's cost it */
    double share;               /* of a core, that its stream last took */
    guint n_threads;            /* of the process */
    gboolean hosted;            /* the host's stream feeds it */
    guint64 host_lost;          /* that the host's stream had lost when it was charged last */
    guint64 charged_samples;    /* for which the host's stream was charged */
    FolioFrameRefresh *refresh; /* NULL: closed */
    gboolean passing, mapped;   /* a pass is under way; the first one has ended */
    guint64 pass_nsec;          /* of this pass so far */
    gint64 pass_not_before;
    gint64 tend_at, count_at, retry_at, epoch_at, window_began; /* usec, monotonic */
    gint64 epoch_left;
    guint retry_sec;
};

/* Drops a reference; the last one frees it, which only the thread's may be while it has a session.
 */
void folio_sampled_unref(FolioSampled *guest);

/* Does what is due; readable: its descriptor said so. Returns when it is to be called again, in
 * usec of the monotonic clock (G_MAXINT64: when told), and sets *changed when the main loop is to
 * know. */
gint64 folio_sampled_serve(FolioSampled *guest, gint64 now, gboolean readable, gboolean *changed);

/* Closes its stream, or leaves that of the host, which must be open still; what is known of its
 * blocks stays. */
void folio_sampled_close(FolioSampled *guest);

/* Follows the costs of its blocks as it was told to, if it was. For common->max_tracked. */
void folio_sampled_follow_costs(FolioSampled *guest);

/* No more of them is followed. */
void folio_sampled_forget_costs(FolioSampled *guest);

/* Would it be sampled if it were its turn? */
gboolean folio_sampled_is_waiting(const FolioSampled *guest);

/* The descriptor of its own stream, -1: none. */
int folio_sampled_get_fd(const FolioSampled *guest);

/* It pays for its samples since the last time, so much for each, and takes over what the host's
 * stream has lost since. For a guest that this stream feeds. */
void folio_sampled_charge(FolioSampled *guest, double nsec_a_sample);
