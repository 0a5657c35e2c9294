/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One guest in the sampling thread. Internal to the sampler. */
#pragma once

#include "heat/frame-map.h"
#include "heat/heat-table.h"
#include "sample/frame-refresh.h"
#include "sample/period.h"
#include "sample/sampler.h"

/* Samples whose frames were not known are kept until the next pass, so many of them. */
#define FOLIO_SAMPLED_WAITING 4096

/* What the guests have in common; the thread's. */
typedef struct {
    FolioSource *source; /* NULL: none */
    FolioSamplerSettings settings;
    FolioFrameMap *map;
    int kpageflags_fd;
    guint n_enabled; /* guests that are sampled now */
    GMutex *lock;    /* for figures and verdicts */
} FolioSamplingCommon;

struct _FolioSampled {
    gatomicrefcount references;
    FolioSampler *sampler;
    const FolioSamplingCommon *common;
    guint64 id; /* ascending */
    FolioProcess *process;
    FolioGuestRam *ram;
    guint n_blocks;

    /* Under the lock. */
    FolioSamplingFigures figures;
    guint8 *verdicts; /* n_blocks */
    gboolean removed;
    gboolean pause_wanted;

    gint telling; /* atomic: a change is on its way to the main loop */

    /* The main loop's. */
    FolioSampledChanged changed; /* NULL once removed */
    gpointer user_data;
    GMainContext *context;

    /* The thread's. */
    FolioSamplingFigures now; /* what figures become next */
    guint first_block;
    gboolean paused, turn; /* asked to stand still; its turn to sample */
    gboolean enabled;
    FolioHeatTable *table;
    FolioVerdict *decided; /* n_blocks */
    FolioSourceSession *session;
    FolioSourceCounters counters, past; /* of the session; of those before it */
    FolioPeriod period;
    double share; /* of a core, that draining last took */
    FolioFrameRefresh *refresh;
    gboolean passing, mapped; /* a pass is under way; the first one has ended */
    guint64 pass_nsec;        /* of this pass so far */
    gint64 pass_not_before;
    gint64 tend_at, follow_at, retry_at, epoch_at, tended, window_began; /* usec, monotonic */
    gint64 epoch_left;
    guint retry_sec;
    guint n_waiting;
    guint64 waiting[FOLIO_SAMPLED_WAITING]; /* frames */
};

/* Drops a reference; the last one frees it, which only the thread's may be while it has a session.
 */
void folio_sampled_unref(FolioSampled *guest);

/* Does what is due; readable: its descriptor said so. Returns when it is to be called again, in
 * usec of the monotonic clock (G_MAXINT64: when told), and sets *changed when the main loop is to
 * know. */
gint64 folio_sampled_serve(FolioSampled *guest, gint64 now, gboolean readable, gboolean *changed);

/* Closes its session; what is known of its blocks stays. */
void folio_sampled_close(FolioSampled *guest);

/* The session's descriptor, -1: none. */
int folio_sampled_get_fd(const FolioSampled *guest);
