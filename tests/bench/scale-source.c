/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples in place of those of SPE, of guests whose memory is that of scale-memory: a third of a
 * guest's blocks is never used, a third has 16 sub-pages in use, a third is used all over. They come
 * at the rate that the period allows: ACCESSES a second of the whole host, at most MAX_RATE samples,
 * which is what 2% of a core takes in. */
#include "sample/spe-source.h"
#include "scale-memory.h"

#include <time.h>

/* 128 cores, each with some 1.5 thousand million loads and stores a second. */
#define ACCESSES 2e11
#define MAX_RATE 1e6
#define BATCH    1024
#define HOT      16

typedef struct {
    FolioSource base;
} ScaleSource;

typedef struct {
    FolioSourceSession base;
    gboolean enabled;
    gint64 drained_at;
    guint64 state; /* of the random numbers */
    double owed;
    FolioSourceCounters counters;
    FolioSample batch[BATCH];
} Session;

FolioSource *__wrap_folio_spe_source_new(const FolioSpeSourceOptions *options, GError **error);

static guint64
thread_nsec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (guint64) now.tv_sec * 1000000000u + (guint64) now.tv_nsec;
}

static guint64
next_random(guint64 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static guint64
next_address(Session *session)
{
    const guint64 random = next_random(&session->state);
    const guint guest = (guint) (random % scale_memory_count_guests());
    guint chunk = (guint) (random >> 16) % scale_memory_count_chunks();
    guint page = (guint) (random >> 48) % 512;

    if (chunk % 3 == 0)
        chunk += 1;
    if (chunk % 3 == 1)
        page = page % HOT * 37 % 512;
    return (scale_memory_frame(guest, chunk) + page) * 4096;
}

static FolioSourceSession *
scale_open(FolioSource *source, const FolioProcess *process, GError **error)
{
    Session *session = g_new0(Session, 1);

    session->base.source = source;
    session->state = 88172645463325252u + (process != NULL ? (guint64) folio_process_get_pid(process) : 0);
    session->drained_at = g_get_monotonic_time();
    session->counters.period = 65536;
    session->counters.threads = 1;
    return &session->base;
}

static gboolean
scale_drain(FolioSourceSession *base, FolioSampleSink sink, gpointer user_data, GError **error)
{
    Session *session = (Session *) base;
    const guint64 start = thread_nsec();
    const gint64 now = g_get_monotonic_time();
    const double rate = MIN(ACCESSES / (double) session->counters.period, MAX_RATE);

    if (session->enabled && scale_memory_count_chunks() > 0)
        session->owed += rate * (double) (now - session->drained_at) / G_USEC_PER_SEC;
    session->drained_at = now;
    while (session->owed >= 1) {
        const gsize n = (gsize) MIN(session->owed, BATCH);

        for (gsize i = 0; i < n; i++)
            session->batch[i] = (FolioSample){ next_address(session), FOLIO_SAMPLE_GUEST, 0, 0 };
        sink(session->batch, n, user_data);
        session->owed -= (double) n;
        session->counters.samples += n;
        session->counters.guest_samples += n;
    }
    session->counters.cpu_nsec += thread_nsec() - start;
    return TRUE;
}

static gboolean
scale_follow(FolioSourceSession *base, GError **error)
{
    return TRUE;
}

static void
scale_enable(FolioSourceSession *base, gboolean enabled)
{
    ((Session *) base)->enabled = enabled;
    ((Session *) base)->drained_at = g_get_monotonic_time();
}

static void
scale_set_period(FolioSourceSession *base, guint64 period)
{
    ((Session *) base)->counters.period = MAX(period, 1024);
}

static void
scale_get_counters(FolioSourceSession *base, FolioSourceCounters *counters)
{
    *counters = ((Session *) base)->counters;
}

static int
scale_get_fd(FolioSourceSession *base)
{
    return -1;
}

static void
scale_close(FolioSourceSession *base)
{
    g_free(base);
}

static void
scale_free(FolioSource *source)
{
    g_free(source);
}

/* In the place of the function of that name. */
FolioSource *
__wrap_folio_spe_source_new(const FolioSpeSourceOptions *options, GError **error)
{
    static const FolioSourceClass klass = {
        .name = "spe",
        .evidence = TRUE,
        .open = scale_open,
        .drain = scale_drain,
        .follow = scale_follow,
        .enable = scale_enable,
        .set_period = scale_set_period,
        .get_counters = scale_get_counters,
        .get_fd = scale_get_fd,
        .close = scale_close,
        .free = scale_free,
    };
    ScaleSource *source = g_new0(ScaleSource, 1);

    source->base.klass = &klass;
    source->base.whole_host = options->whole_host;
    return &source->base;
}
