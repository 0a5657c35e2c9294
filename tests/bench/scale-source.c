/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples in place of those of SPE, of guests whose memory is that of scale-memory: a third of a
 * guest's blocks is never used, a third has 16 sub-pages in use, a third is used all over. They
 * come at the rate that the period allows: ACCESSES a second of the whole host, at most MAX_RATE
 * samples, which is what 2% of a core takes in. What that took is told in the file that
 * SCALE_DECODED names: nanoseconds and samples, 8 bytes each. */
#include "sample/spe-source.h"
#include "scale-memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* 64 busy cores, each with a thousand million operations a second. */
#define ACCESSES 6.4e10
#define MAX_RATE 1e6
#define BATCH    1024
#define HOT      16

typedef struct {
    guint64 nsec, samples;
} Decoded;

typedef struct {
    FolioSource base;
    Decoded *decoded;
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
    session->state =
        88172645463325252u + (process != NULL ? (guint64) folio_process_get_pid(process) : 0);
    session->drained_at = g_get_monotonic_time();
    session->counters.period = 65536;
    session->counters.threads = 1;
    return &session->base;
}

static gboolean
scale_drain(FolioSourceSession *base, FolioSampleSink sink, gpointer user_data, GError **error)
{
    Session *session = (Session *) base;
    Decoded *decoded = ((ScaleSource *) base->source)->decoded;
    const guint64 start = thread_nsec();
    const gint64 now = g_get_monotonic_time();
    const guint sharers = base->source->whole_host ? 1 : scale_memory_count_guests();
    const double rate =
        MIN(ACCESSES / (double) session->counters.period, MAX_RATE) / MAX(sharers, 1);
    guint64 nsec;

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
        decoded->samples += n;
    }
    nsec = thread_nsec() - start;
    session->counters.cpu_nsec += nsec;
    decoded->nsec += nsec;
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
    munmap(((ScaleSource *) source)->decoded, sizeof(Decoded));
    g_free(source);
}

static Decoded *
map_decoded(void)
{
    const int fd = open(g_getenv("SCALE_DECODED"), O_RDWR | O_CLOEXEC);
    Decoded *decoded = mmap(NULL, sizeof(Decoded), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (decoded == MAP_FAILED)
        g_error("SCALE_DECODED is to name a file of 16 bytes");
    close(fd);
    return decoded;
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
    source->decoded = map_decoded();
    return &source->base;
}
