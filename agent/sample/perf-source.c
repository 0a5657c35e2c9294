/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples of any perf event that carries physical addresses. */
#include "sample/perf-source.h"

#include "sample/perf-sample.h"
#include "sample/perf-session.h"

#include <unistd.h>

/* 128 KiB a thread: 3,200 samples of 40 bytes between two drains. */
#define DATA_PAGES 32

typedef struct {
    FolioSource base;
    guint64 period;
    FolioPerfUnit unit;
    FolioPerfSessionType type;
} PerfSource;

typedef struct {
    FolioPerfSession base;
    guint64 scratch[FOLIO_RING_RECORD_MAX / sizeof(guint64)];
} PerfSession;

const FolioPerfSourceOptions folio_perf_minor_faults = {
    .what = "minor page faults",
    .type = PERF_TYPE_SOFTWARE,
    .config = PERF_COUNT_SW_PAGE_FAULTS_MIN,
    .period = 1,
    .sys_root = "/sys",
};

static void
drain_ring(FolioPerfSession *base, FolioPerfRing *ring)
{
    PerfSession *session = (PerfSession *) base;
    FolioRing *records = folio_perf_ring_records(ring);
    const struct perf_event_header *record = NULL;
    FolioSample sample;

    folio_ring_begin(records);
    while ((record = folio_ring_next_record(records, session->scratch)) != NULL) {
        if (record->type != PERF_RECORD_SAMPLE)
            folio_perf_record_count(record, &base->counters);
        else if (!folio_perf_sample_read(record, &sample))
            base->counters.garbage += record->size;
        else if (sample.pa == 0)
            base->counters.without_pa++;
        else
            folio_perf_session_push(base, &sample);
    }
    folio_ring_end(records);
}

static void
perf_source_close(FolioSourceSession *base)
{
    PerfSession *session = (PerfSession *) base;

    folio_perf_session_end(&session->base);
    g_free(session);
}

static FolioSourceSession *
perf_source_open(FolioSource *base, const FolioProcess *process, GError **error)
{
    PerfSource *source = (PerfSource *) base;
    PerfSession *session = g_new0(PerfSession, 1);

    g_assert(base->whole_host == (process == NULL));
    if (folio_perf_session_begin(&session->base, base, &source->type, process, source->period,
                                 error))
        return &session->base.base;
    perf_source_close(&session->base.base);
    return NULL;
}

static void
perf_source_free(FolioSource *base)
{
    g_free((PerfSource *) base);
}

static const FolioSourceClass perf_source_class = {
    .name = "perf",
    .evidence = TRUE,
    .open = perf_source_open,
    .drain = folio_perf_session_drain,
    .drain_ready = folio_perf_session_drain_ready,
    .follow = folio_perf_session_follow,
    .enable = folio_perf_session_enable,
    .set_period = folio_perf_session_set_period,
    .get_counters = folio_perf_session_get_counters,
    .get_fd = folio_perf_session_get_fd,
    .close = perf_source_close,
    .free = perf_source_free,
};

FolioSource *
folio_perf_source_new(const FolioPerfSourceOptions *options)
{
    PerfSource *source = g_new0(PerfSource, 1);

    source->base.klass = &perf_source_class;
    source->base.whole_host = options->whole_host;
    source->period = options->period;
    source->unit.event = (FolioPerfEvent){
        .what = options->what,
        .data_pages = DATA_PAGES,
        .attr = {
            .type = options->type,
            .config = options->config,
            .config1 = options->config1,
            .config2 = options->config2,
            .sample_type = FOLIO_PERF_SAMPLE_TYPE,
            .precise_ip = options->precise_ip & 3,
            .watermark = 1,
            .wakeup_watermark = (guint32) (DATA_PAGES * sysconf(_SC_PAGESIZE) / 2),
        },
    };
    source->type = (FolioPerfSessionType){
        .units = &source->unit,
        .n_units = 1,
        .sys_root = options->sys_root,
        .min_period = MAX(options->min_period, 1),
        .max_period = G_MAXINT64,
        .period_step = 1,
        .drain_ring = drain_ring,
    };
    return &source->base;
}
