/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One session of a source in the sampling thread: its period, what it cost, and the way of its
 * samples to the guests. Internal to the sampler. */
#pragma once

#include "heat/frame-map.h"
#include "sample/block-space.h"
#include "sample/period.h"
#include "sample/sampler.h"

/* Samples whose frames were not known are kept until page tables have been read again. Of the
 * host's most are nobody's, and they must not crowd out those of a guest's new memory: so many of
 * an epoch, for as many epochs as a guest's first one may last with the two after it. */
#define FOLIO_STREAM_WAITING      4096
#define FOLIO_STREAM_WAITING_HOST 65536
#define FOLIO_STREAM_AGES         3

/* What cannot be opened is tried again after so many seconds, at first and at last. */
#define FOLIO_RETRY_FIRST_SEC 1
#define FOLIO_RETRY_LAST_SEC  60

typedef struct _FolioSampledHost FolioSampledHost;

/* What the sampling thread has but once; the thread's. */
typedef struct {
    FolioSource *source; /* NULL: none */
    FolioSamplerSettings settings;
    FolioFrameMap *map;
    FolioBlockSpace *space; /* of FolioSampled */
    int kpageflags_fd;
    FolioSampledHost *host;
    guint n_enabled;   /* guests that are sampled now */
    gint64 round_at;   /* when this round began; usec, monotonic */
    GMutex *lock;      /* for figures and verdicts */
    guint max_tracked; /* blocks whose costs are followed, of all guests */
    guint n_tracked;   /* that are */
} FolioSamplingCommon;

/* What streams have seen, those of before included. */
typedef struct {
    guint64 samples;    /* all */
    guint64 guest_made; /* of these, known to be of guest code */
    guint64 unmapped;   /* on frames that were not known to be of a guest (that is watched) */
    guint64 aside;      /* in the RAM of a guest that stood still */
    guint64 lost;       /* records, and AUX buffers that are not whole */
    guint64 without_pa;
    guint64 cpu_nsec; /* of draining and mapping */
} FolioStreamTotals;

typedef struct {
    const FolioSamplingCommon *common;
    FolioSampled
        *guest; /* whose process it observes; NULL: the host, and the samples are for all */
    FolioSourceSession *session;
    gboolean enabled;
    FolioSourceCounters counters;
    FolioSourceCounters tended; /* as they were when it was tended last */
    guint64 settle_nsec;        /* thread time of settling, and what it was then */
    guint64 settle_nsec_tended;
    FolioPeriod period;
    double share;      /* of a core, that draining last took while it was enabled */
    GError *trouble;   /* why some threads or CPUs are not sampled; NULL */
    gint64 drained_at; /* when the last drain began */
    gint64 tended_at, follow_at;
    guint64 unmapped, aside;
    guint max_waiting;                  /* of one age */
    guint n_waiting[FOLIO_STREAM_AGES]; /* youngest first */
    guint64 *waiting;                   /* AGES times max_waiting: frame << 1 | by guest code */
} FolioStream;

/* Opens a session of common->source, of the guest's process or of the host. It is disabled. */
FolioStream *folio_stream_open(const FolioSamplingCommon *common, FolioSampled *guest, gint64 now,
                               GError **error);

/* What still waits is unmapped; the totals are added up before. */
void folio_stream_close(FolioStream *stream, FolioStreamTotals *totals);

/* Takes in what came. FALSE: the session is dead; the caller closes it. Nothing is allocated. */
gboolean folio_stream_drain(FolioStream *stream, gint64 now, GError **error);

/* The same of what fills up, when its descriptor said so. */
gboolean folio_stream_drain_ready(FolioStream *stream, GError **error);

/* Follows threads or CPUs when it is time, drains, and adapts the period to the budget, a share of
 * one core. Returns as folio_stream_drain. */
gboolean folio_stream_tend(FolioStream *stream, gint64 now, double budget, GError **error);

void folio_stream_enable(FolioStream *stream, gboolean enabled);

/* Page tables have been read: what waits and is known now goes to its guest. */
void folio_stream_settle(FolioStream *stream);

/* All that waits, or only what has waited for FOLIO_STREAM_AGES of these calls, is unmapped. */
void folio_stream_give_up(FolioStream *stream, gboolean all);

gboolean folio_stream_has_waiting(const FolioStream *stream);

void folio_stream_add_totals(const FolioStream *stream, FolioStreamTotals *totals);

/* The error's message, cut to what text holds and whole characters; "" without an error. */
void folio_sampling_copy_error(char text[FOLIO_SAMPLING_ERROR_BYTES], const GError *error);

/* Thread time, for what is to be charged. */
guint64 folio_stream_cpu_nsec(void);
