/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the sources made of perf events have in common: one ring for each thread of a process, or
 * for each CPU of the host, followed as they come and go. Internal to agent/sample. */
#pragma once

#include "sample/perf-ring.h"
#include "sample/source.h"

/* One event to open everywhere. */
typedef struct {
    FolioPerfEvent event;
    GArray *cpus; /* guint, ascending: the CPUs that it works on; NULL: all */
} FolioPerfUnit;

typedef struct _FolioPerfSession FolioPerfSession;

typedef struct {
    const FolioPerfUnit *units; /* n_units of them, the source's */
    guint n_units;
    const char *sys_root;                        /* "/sys" */
    guint64 min_period, max_period, period_step; /* a period is a multiple of the step */
    /* Reads all that is in the ring by folio_perf_session_push. */
    void (*drain_ring)(FolioPerfSession *session, FolioPerfRing *ring);
} FolioPerfSessionType;

#define FOLIO_PERF_BATCH 256

/* A source's session embeds this as its first member. */
struct _FolioPerfSession {
    FolioSourceSession base;
    const FolioPerfSessionType *type;
    FolioSourceCounters counters;

    /* The rest is private. */
    FolioProcess *process; /* NULL: the whole host */
    GPtrArray *slots;
    GHashTable *slot_of_key;
    guint generation;
    int epoll_fd;
    char *holders; /* who may hold a unit that is busy, as of then; NULL: nobody asked */
    gint64 holders_at;
    gboolean enabled;
    FolioSampleSink sink;
    gpointer sink_data;
    gsize n_batch;
    FolioSample batch[FOLIO_PERF_BATCH];
};

/* Fills in a session that is all zero and opens its events at that period. On failure the session
 * is left to folio_perf_session_end. */
gboolean folio_perf_session_begin(FolioPerfSession *session, FolioSource *source,
                                  const FolioPerfSessionType *type, const FolioProcess *process,
                                  guint64 period, GError **error);

/* Closes all; the session itself is the caller's to free. */
void folio_perf_session_end(FolioPerfSession *session);

/* As in FolioSourceClass. */
gboolean folio_perf_session_drain(FolioSourceSession *base, FolioSampleSink sink,
                                  gpointer user_data, GError **error);
gboolean folio_perf_session_drain_ready(FolioSourceSession *base, FolioSampleSink sink,
                                        gpointer user_data, GError **error);
gboolean folio_perf_session_follow(FolioSourceSession *base, GError **error);
void folio_perf_session_enable(FolioSourceSession *base, gboolean enabled);
void folio_perf_session_set_period(FolioSourceSession *base, guint64 period);
void folio_perf_session_get_counters(FolioSourceSession *base, FolioSourceCounters *counters);
int folio_perf_session_get_fd(FolioSourceSession *base);

void folio_perf_session_flush(FolioPerfSession *session);

static inline void
folio_perf_session_push(FolioPerfSession *session, const FolioSample *sample)
{
    session->batch[session->n_batch++] = *sample;
    session->counters.guest_samples += (sample->flags & FOLIO_SAMPLE_GUEST) != 0;
    if (session->n_batch == FOLIO_PERF_BATCH)
        folio_perf_session_flush(session);
}
