/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One session of a source in the sampling thread. */
#include "sample/stream.h"

#include "sample/sampled-guest.h"

#include <string.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000ULL

#define FOLLOW_USEC (5 * G_USEC_PER_SEC)

/* One sample for a million operations is 2,500 a second of a busy core: beyond that, turns are
 * taken. */
#define LONGEST_PERIOD (1 << 20)

guint64
folio_stream_cpu_nsec(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (guint64) now.tv_sec * NSEC_PER_SEC + (guint64) now.tv_nsec;
}

void
folio_sampling_copy_error(char text[FOLIO_SAMPLING_ERROR_BYTES], const GError *error)
{
    const char *valid_end;

    *text = '\0';
    if (error != NULL)
        g_strlcpy(text, error->message, FOLIO_SAMPLING_ERROR_BYTES);
    g_utf8_validate(text, -1, &valid_end);
    text[valid_end - text] = '\0'; /* where it was cut, it may be within a character */
}

/* Samples */

/* What it cost is known only of what comes with a sample. */
static void
add_cost(FolioSampled *owner, guint block, const FolioSample *sample)
{
    folio_cost_table_add(owner->costs, block, (sample->flags & FOLIO_SAMPLE_TLB_WALK) != 0,
                         (sample->flags & FOLIO_SAMPLE_TRANSLATED) != 0,
                         sample->translation_latency, sample->total_latency);
}

/* sample: NULL of one that waited, of which no more than these two was kept. */
static gboolean
add_sample(FolioStream *stream, guint64 frame, gboolean by_guest, const FolioSample *sample)
{
    const FolioPlace place = folio_frame_map_find(stream->common->map, frame);
    const guint block = place / FOLIO_FRAMES_A_CHUNK;
    FolioSampled *owner = NULL;

    if (place == FOLIO_NO_PLACE)
        return FALSE;
    owner = folio_block_space_owner(stream->common->space, block);
    if (owner == NULL || (stream->guest != NULL && stream->guest != owner))
        return FALSE;
    if (!owner->enabled) {
        stream->aside++;
        return TRUE;
    }
    folio_heat_table_add(owner->table, block - owner->first_block, place % FOLIO_FRAMES_A_CHUNK);
    owner->now.samples++;
    owner->now.guest_made += by_guest;
    if (sample != NULL)
        add_cost(owner, block - owner->first_block, sample);
    return TRUE;
}

static void
take_samples(const FolioSample *samples, gsize n, gpointer user_data)
{
    FolioStream *stream = user_data;

    for (gsize i = 0; i < n; i++) {
        const guint64 frame = samples[i].pa / 4096;
        const gboolean by_guest = (samples[i].flags & FOLIO_SAMPLE_GUEST) != 0;

        if (add_sample(stream, frame, by_guest, &samples[i]))
            continue;
        if (stream->n_waiting[0] < stream->max_waiting)
            stream->waiting[stream->n_waiting[0]++] = frame << 1 | (guint64) by_guest;
        else
            stream->unmapped++;
    }
}

void
folio_stream_settle(FolioStream *stream)
{
    const guint64 start = folio_stream_cpu_nsec();

    for (guint age = 0; age < FOLIO_STREAM_AGES; age++) {
        guint64 *waiting = stream->waiting + (gsize) age * stream->max_waiting;
        guint n = 0;

        for (guint i = 0; i < stream->n_waiting[age]; i++) {
            if (!add_sample(stream, waiting[i] >> 1, waiting[i] & 1, NULL))
                waiting[n++] = waiting[i];
        }
        stream->n_waiting[age] = n;
    }
    stream->settle_nsec += folio_stream_cpu_nsec() - start;
}

void
folio_stream_give_up(FolioStream *stream, gboolean all)
{
    guint *n = stream->n_waiting;

    for (guint age = FOLIO_STREAM_AGES; age > 0; age--) {
        guint64 *waiting = stream->waiting + (gsize) (age - 1) * stream->max_waiting;

        if (all || age == FOLIO_STREAM_AGES) {
            stream->unmapped += n[age - 1];
        } else {
            n[age] = n[age - 1];
            memcpy(waiting + stream->max_waiting, waiting, n[age] * sizeof *waiting);
        }
        n[age - 1] = 0;
    }
}

gboolean
folio_stream_has_waiting(const FolioStream *stream)
{
    guint n = 0;

    for (guint age = 0; age < FOLIO_STREAM_AGES; age++)
        n += stream->n_waiting[age];
    return n > 0;
}

/* The session */

static const FolioSourceClass *
class_of(const FolioStream *stream)
{
    return stream->session->source->klass;
}

static guint64
get_period(const FolioStream *stream)
{
    FolioSourceCounters counters = { 0 };

    class_of(stream)->get_counters(stream->session, &counters);
    return counters.period;
}

static void
begin_period(FolioStream *stream)
{
    const guint64 start = get_period(stream);
    guint64 floor;

    class_of(stream)->set_period(stream->session, 1);
    floor = MAX(get_period(stream), 1);
    folio_period_init(&stream->period, floor, MAX(floor, LONGEST_PERIOD),
                      stream->common->settings.cpu_share, start);
    class_of(stream)->set_period(stream->session, stream->period.period);
}

FolioStream *
folio_stream_open(const FolioSamplingCommon *common, FolioSampled *guest, gint64 now,
                  GError **error)
{
    FolioSource *source = common->source;
    FolioSourceSession *session =
        source->klass->open(source, guest != NULL ? guest->process : NULL, error);
    FolioStream *stream = NULL;

    if (session == NULL)
        return NULL;
    stream = g_new0(FolioStream, 1);
    stream->common = common;
    stream->guest = guest;
    stream->session = session;
    stream->max_waiting = guest != NULL ? FOLIO_STREAM_WAITING : FOLIO_STREAM_WAITING_HOST;
    stream->waiting = g_new0(guint64, (gsize) FOLIO_STREAM_AGES * stream->max_waiting);
    stream->tended_at = stream->follow_at = now;
    begin_period(stream);
    class_of(stream)->get_counters(session, &stream->counters);
    return stream;
}

void
folio_stream_close(FolioStream *stream, FolioStreamTotals *totals)
{
    class_of(stream)->get_counters(stream->session, &stream->counters);
    folio_stream_give_up(stream, TRUE);
    folio_stream_add_totals(stream, totals);
    class_of(stream)->close(stream->session);
    g_clear_error(&stream->trouble);
    g_free(stream->waiting);
    g_free(stream);
}

gboolean
folio_stream_drain(FolioStream *stream, gint64 now, GError **error)
{
    const gboolean alive = class_of(stream)->drain(stream->session, take_samples, stream, error);

    stream->drained_at = now;
    class_of(stream)->get_counters(stream->session, &stream->counters);
    return alive;
}

gboolean
folio_stream_drain_ready(FolioStream *stream, GError **error)
{
    const FolioSourceClass *klass = class_of(stream);
    const gboolean alive = (klass->drain_ready != NULL ? klass->drain_ready : klass->drain)(
        stream->session, take_samples, stream, error);

    klass->get_counters(stream->session, &stream->counters);
    return alive;
}

void
folio_stream_enable(FolioStream *stream, gboolean enabled)
{
    if (enabled == stream->enabled)
        return;
    stream->enabled = enabled;
    class_of(stream)->enable(stream->session, enabled);
}

/* Not for collisions: they say that a sample was dropped because the one before it was not done, of
 * more than a thousand in the buffer, and nothing of the cost. */
static gboolean
has_lost(const FolioSourceCounters *before, const FolioSourceCounters *after)
{
    return after->lost > before->lost || after->throttled > before->throttled ||
           after->truncated > before->truncated;
}

/* By all drains since the last time, of which most may have come because something filled up. */
static void
adapt_period(FolioStream *stream, double budget, gint64 now)
{
    const FolioSourceCounters before = stream->tended;
    const guint64 spent = stream->counters.cpu_nsec - before.cpu_nsec + stream->settle_nsec -
                          stream->settle_nsec_tended;
    const guint64 interval = (guint64) (now - stream->tended_at) * 1000;

    stream->tended = stream->counters;
    stream->settle_nsec_tended = stream->settle_nsec;
    stream->tended_at = now;
    if (interval == 0 || !stream->enabled)
        return;
    stream->share = (double) spent / (double) interval;
    stream->period.budget = budget;
    class_of(stream)->set_period(
        stream->session,
        folio_period_next(&stream->period, spent, interval, has_lost(&before, &stream->counters)));
}

gboolean
folio_stream_tend(FolioStream *stream, gint64 now, double budget, GError **error)
{
    if (now >= stream->follow_at) {
        g_clear_error(&stream->trouble);
        class_of(stream)->follow(stream->session, &stream->trouble);
        stream->follow_at = now + FOLLOW_USEC;
    }
    if (!folio_stream_drain(stream, now, error))
        return FALSE;
    adapt_period(stream, budget, now);
    return TRUE;
}

void
folio_stream_add_totals(const FolioStream *stream, FolioStreamTotals *totals)
{
    const FolioSourceCounters *counters = &stream->counters;

    totals->samples += counters->samples;
    totals->guest_made += counters->guest_samples;
    totals->unmapped += stream->unmapped;
    totals->aside += stream->aside;
    totals->lost += counters->lost + counters->damaged;
    totals->without_pa += counters->without_pa;
    totals->cpu_nsec += counters->cpu_nsec + stream->settle_nsec;
}
