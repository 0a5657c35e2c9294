/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host in the sampling thread: one stream, by CPU, that feeds all guests. Internal to the
 * sampler. */
#pragma once

#include "sample/sampled-guest.h"

/* All zero but for common at the start. */
struct _FolioSampledHost {
    const FolioSamplingCommon *common;
    FolioStream *stream;    /* NULL: closed */
    GError *failure;        /* why it could not be opened; NULL */
    FolioStreamTotals past; /* of streams before */
    gboolean turn;          /* its turn to sample */
    gboolean settling;      /* page tables have been read since the last tick */
    double share;           /* of a core, that its stream last took */
    gint64 tick_at;         /* when the guests' epochs end; usec, monotonic */
    gint64 tend_at, retry_at;
    guint retry_sec;
    FolioStreamTotals charged;        /* for which the guests have paid */
    FolioSamplingHostFigures figures; /* under the lock */
};

/* Does what is due, before the guests (FolioSampled) of the round are served; readable as of a
 * guest. Guests whose stream fails are closed. Returns as folio_sampled_serve. */
gint64 folio_sampled_host_serve(FolioSampledHost *host, const GPtrArray *guests, gint64 now,
                                gboolean readable);

/* Closes the stream, which no guest must use any more. */
void folio_sampled_host_close(FolioSampledHost *host);

int folio_sampled_host_get_fd(const FolioSampledHost *host);

/* What it has seen so far. */
void folio_sampled_host_get_totals(const FolioSampledHost *host, FolioStreamTotals *totals);
