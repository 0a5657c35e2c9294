/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples of Arm SPE: the AUX areas of all threads or CPUs, decoded. */
#include "sample/spe-source.h"

#include "base/error.h"
#include "sample/perf-sample.h"
#include "sample/perf-session.h"
#include "sample/spe-decoder.h"
#include "sample/spe-origin.h"
#include "sample/spe-pmu.h"

#include <unistd.h>

/* 128 KiB a thread: 3,200 records of 40 bytes that tell of the AUX area. */
#define DATA_PAGES 32
/* The interval's field in PMSIRR_EL1 is bits 31 to 8. */
#define MAX_PERIOD     0xffffff00ULL
#define PERIOD_STEP    0x100
#define MAX_AUX_BYTES  (1ULL << 30)
#define DECODE_RECORDS 128

typedef struct {
    FolioSource base;
    GPtrArray *pmus; /* FolioSpePmu */
    FolioPerfUnit *units;
    FolioPerfSessionType type;
    guint64 period;
    gboolean by_class; /* the hardware drops what is no load or store */
    gboolean vhe;      /* the host's kernel is known to run at EL2 */
} SpeSource;

typedef struct {
    FolioPerfSession base;
    FolioSpeDecoder decoder;
    FolioSpeRecord records[DECODE_RECORDS];
    guint64 scratch[FOLIO_RING_RECORD_MAX / sizeof(guint64)];
} SpeSession;

static guint16
cycles(guint64 latency)
{
    return (guint16) MIN(latency, G_MAXUINT16);
}

static void
push_record(SpeSession *session, const FolioSpeRecord *record)
{
    SpeSource *source = (SpeSource *) session->base.base.source;
    FolioSample sample = { .pa = record->pa };

    source->vhe = source->vhe || folio_spe_record_proves_vhe(record);
    if (!folio_spe_record_is_access(record))
        return;
    if (!folio_spe_record_has(record, FOLIO_SPE_PA)) {
        session->base.counters.without_pa++;
        return;
    }
    if (folio_spe_record_is_store(record))
        sample.flags |= FOLIO_SAMPLE_STORE;
    if (folio_spe_record_is_guest(record, source->vhe))
        sample.flags |= FOLIO_SAMPLE_GUEST;
    if ((record->events & FOLIO_SPE_EVENT_TLB_WALK) != 0)
        sample.flags |= FOLIO_SAMPLE_TLB_WALK;
    if (folio_spe_record_has(record, FOLIO_SPE_TOTAL_LATENCY)) {
        sample.flags |= FOLIO_SAMPLE_HAS_LATENCY;
        sample.total_latency = cycles(record->total_latency);
    }
    if (folio_spe_record_has(record, FOLIO_SPE_TRANSLATION_LATENCY)) {
        sample.flags |= FOLIO_SAMPLE_TRANSLATED;
        sample.translation_latency = cycles(record->translation_latency);
    }
    folio_perf_session_push(&session->base, &sample);
}

/* A piece ends where the driver stopped the unit or where the area wraps, which no record crosses
 * (the driver pads): what does not end with it was cut off by a full buffer, and is lost. */
static void
decode_piece(SpeSession *session, const guint8 *piece, gsize size, guint64 position)
{
    FolioSpeDecoder *decoder = &session->decoder;
    gsize n, consumed = 0;

    decoder->position = position;
    do {
        n = folio_spe_decode(decoder, piece, size, session->records, DECODE_RECORDS, &consumed);
        for (gsize i = 0; i < n; i++)
            push_record(session, &session->records[i]);
        piece += consumed;
        size -= consumed;
    } while (n == DECODE_RECORDS);
    session->base.counters.garbage += size;
}

/* TRUE: some buffer filled up, so that the kernel stopped the event. */
static gboolean
count_records(SpeSession *session, FolioRing *ring)
{
    const struct perf_event_header *record = NULL;
    gboolean stopped = FALSE;

    folio_ring_begin(ring);
    while ((record = folio_ring_next_record(ring, session->scratch)) != NULL)
        stopped = folio_perf_record_count(record, &session->base.counters) || stopped;
    folio_ring_end(ring);
    return stopped;
}

/* Starts an event that a full buffer has stopped. Linux 6.12 goes on taking one by CPU for enabled,
 * so that it has to be disabled first. A record says that it was stopped, but before it is, and a
 * record can be lost: an event that brought nothing may have stopped as well. */
static void
restart_ring(SpeSession *session, FolioPerfRing *ring, gboolean stopped, gsize drained)
{
    if (stopped || drained == 0)
        folio_perf_ring_enable(ring, FALSE);
    if (folio_perf_ring_enable(ring, TRUE))
        session->base.counters.restarts += stopped;
}

static void
drain_ring(FolioPerfSession *base, FolioPerfRing *ring)
{
    SpeSession *session = (SpeSession *) base;
    FolioRing *aux = folio_perf_ring_aux(ring);
    const guint64 garbage = session->decoder.garbage;
    const guint8 *piece = NULL;
    guint64 position = 0;
    gsize size, drained = 0;
    gboolean stopped;

    folio_ring_begin(aux);
    while ((size = folio_ring_next_piece(aux, &piece, &position)) > 0) {
        decode_piece(session, piece, size, position);
        drained += size;
    }
    folio_ring_end(aux);
    base->counters.garbage += session->decoder.garbage - garbage;
    stopped = count_records(session, folio_perf_ring_records(ring));
    if (base->enabled)
        restart_ring(session, ring, stopped, drained);
}

static void
spe_source_close(FolioSourceSession *base)
{
    SpeSession *session = (SpeSession *) base;

    folio_perf_session_end(&session->base);
    g_free(session);
}

static void
set_attributes(SpeSource *source)
{
    for (guint i = 0; i < source->pmus->len; i++) {
        FolioPerfEvent *event = &source->units[i].event;

        folio_spe_pmu_attr(g_ptr_array_index(source->pmus, i), source->by_class, &event->attr);
        event->attr.aux_watermark = (guint32) (event->aux_bytes / 4);
        /* A record comes with each switch of the thread: they alone are no reason to wake up. */
        event->attr.watermark = 1;
        event->attr.wakeup_watermark = (guint32) (DATA_PAGES * sysconf(_SC_PAGESIZE) / 2);
    }
}

static FolioSourceSession *
try_open(SpeSource *source, const FolioProcess *process, GError **error)
{
    SpeSession *session = g_new0(SpeSession, 1);

    if (folio_perf_session_begin(&session->base, &source->base, &source->type, process,
                                 source->period, error))
        return &session->base.base;
    spe_source_close(&session->base.base);
    return NULL;
}

static FolioSourceSession *
spe_source_open(FolioSource *base, const FolioProcess *process, GError **error)
{
    SpeSource *source = (SpeSource *) base;
    FolioSourceSession *session = NULL;
    g_autoptr(GError) cause = NULL;

    g_assert(base->whole_host == (process == NULL));
    session = try_open(source, process, &cause);
    if (session == NULL && source->by_class &&
        g_error_matches(cause, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED)) {
        /* The hardware may not filter by class (PMSIDR_EL1.FT): then we do. */
        source->by_class = FALSE;
        set_attributes(source);
        g_clear_error(&cause);
        session = try_open(source, process, &cause);
    }
    if (session == NULL)
        g_propagate_error(error, g_steal_pointer(&cause));
    return session;
}

static void
spe_source_free(FolioSource *base)
{
    SpeSource *source = (SpeSource *) base;

    g_free(source->units);
    g_ptr_array_unref(source->pmus);
    g_free(source);
}

static const FolioSourceClass spe_source_class = {
    .name = "spe",
    .evidence = TRUE,
    .open = spe_source_open,
    .drain = folio_perf_session_drain,
    .drain_ready = folio_perf_session_drain_ready,
    .follow = folio_perf_session_follow,
    .enable = folio_perf_session_enable,
    .set_period = folio_perf_session_set_period,
    .get_counters = folio_perf_session_get_counters,
    .get_fd = folio_perf_session_get_fd,
    .close = spe_source_close,
    .free = spe_source_free,
};

static void
set_up_units(SpeSource *source, gsize aux_bytes)
{
    gsize bytes = 2 * (gsize) sysconf(_SC_PAGESIZE);

    while (bytes < aux_bytes && bytes < MAX_AUX_BYTES)
        bytes *= 2;
    source->units = g_new0(FolioPerfUnit, source->pmus->len);
    for (guint i = 0; i < source->pmus->len; i++) {
        const FolioSpePmu *pmu = g_ptr_array_index(source->pmus, i);

        source->units[i].cpus = pmu->cpus;
        source->units[i].event.what = pmu->name;
        source->units[i].event.data_pages = DATA_PAGES;
        source->units[i].event.aux_bytes = bytes;
        source->type.min_period = MAX(source->type.min_period, pmu->min_interval);
    }
}

FolioSource *
folio_spe_source_new(const FolioSpeSourceOptions *options, GError **error)
{
    g_autoptr(GPtrArray) pmus = folio_spe_pmu_read_all(options->sys_root, error);
    SpeSource *source = NULL;

    if (pmus == NULL)
        return NULL;
    source = g_new0(SpeSource, 1);
    source->base.klass = &spe_source_class;
    source->base.whole_host = options->whole_host;
    source->period = options->period;
    source->pmus = g_steal_pointer(&pmus);
    source->by_class = TRUE;
    source->type = (FolioPerfSessionType){
        .n_units = source->pmus->len,
        .sys_root = options->sys_root,
        .min_period = PERIOD_STEP,
        .max_period = MAX_PERIOD,
        .period_step = PERIOD_STEP,
        .drain_ring = drain_ring,
    };
    set_up_units(source, options->aux_bytes);
    source->type.units = source->units;
    set_attributes(source);
    return &source->base;
}
