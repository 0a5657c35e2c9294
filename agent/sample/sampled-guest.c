/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One guest in the sampling thread: its session, its frames, its epochs. */
#include "sample/sampled-guest.h"

#include "base/error.h"

#include <string.h>
#include <time.h>

#define NSEC_PER_SEC 1000000000ULL

/* Sources say when a buffer fills up; all else can wait this long. */
#define TEND_USEC   G_USEC_PER_SEC
#define FOLLOW_USEC (5 * G_USEC_PER_SEC)

#define RETRY_FIRST_SEC 1
#define RETRY_LAST_SEC  60

/* One sample for a million operations is 2,500 a second of a busy core: beyond that, guests take
 * turns. */
#define LONGEST_PERIOD (1 << 20)

static guint64
thread_cpu_nsec(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (guint64) now.tv_sec * NSEC_PER_SEC + (guint64) now.tv_nsec;
}

void
folio_sampled_unref(FolioSampled *guest)
{
    if (!g_atomic_ref_count_dec(&guest->references))
        return;
    g_assert(guest->session == NULL && guest->refresh == NULL);
    g_clear_pointer(&guest->table, folio_heat_table_free);
    g_free(guest->decided);
    g_free(guest->verdicts);
    folio_guest_ram_free(guest->ram);
    folio_process_unref(guest->process);
    g_main_context_unref(guest->context);
    g_free(guest);
}

/* Figures */

static void
publish(FolioSampled *guest)
{
    const FolioSourceCounters *past = &guest->past, *last = &guest->counters;
    FolioSamplingFigures *now = &guest->now;

    now->guest_made = past->guest_samples + last->guest_samples;
    now->lost = past->lost + last->lost + last->truncated + last->partial + last->collisions;
    now->without_pa = past->without_pa + last->without_pa;
    now->cpu_nsec = past->cpu_nsec + last->cpu_nsec;
    now->period = last->period;
    now->threads = (guint) last->threads;
    now->unsampled = (guint) last->unsampled;
    g_mutex_lock(guest->common->lock);
    guest->figures = *now;
    g_mutex_unlock(guest->common->lock);
}

/* Of a session that is about to be closed. */
static void
add_up_past(FolioSampled *guest)
{
    const FolioSourceCounters *last = &guest->counters;

    guest->past.guest_samples += last->guest_samples;
    guest->past.without_pa += last->without_pa;
    guest->past.cpu_nsec += last->cpu_nsec;
    guest->past.lost += last->lost + last->truncated + last->partial + last->collisions;
    guest->counters = (FolioSourceCounters){ 0 };
}

static void
set_state(FolioSampled *guest, FolioSamplingState state, const GError *error, gboolean *changed)
{
    char text[sizeof guest->now.error] = "";
    const char *valid_end;

    if (error != NULL)
        g_strlcpy(text, error->message, sizeof text);
    g_utf8_validate(text, -1, &valid_end);
    text[valid_end - text] = '\0'; /* where it was cut, it may be within a character */
    if (state == guest->now.state && g_str_equal(text, guest->now.error))
        return;
    guest->now.state = state;
    memcpy(guest->now.error, text, sizeof text);
    *changed = TRUE;
}

/* Samples */

static gboolean
add_sample(FolioSampled *guest, guint64 frame)
{
    const FolioPlace place = folio_frame_map_find(guest->common->map, frame);
    const guint block = place / FOLIO_FRAMES_A_CHUNK - guest->first_block;

    if (place == FOLIO_NO_PLACE || block >= guest->n_blocks)
        return FALSE;
    folio_heat_table_add(guest->table, block, place % FOLIO_FRAMES_A_CHUNK);
    guest->now.samples++;
    return TRUE;
}

static void
take_samples(const FolioSample *samples, gsize n, gpointer user_data)
{
    FolioSampled *guest = user_data;

    for (gsize i = 0; i < n; i++) {
        const guint64 frame = samples[i].pa / 4096;

        if (add_sample(guest, frame))
            continue;
        if (guest->n_waiting < FOLIO_SAMPLED_WAITING)
            guest->waiting[guest->n_waiting++] = frame;
        else
            guest->now.unmapped++;
    }
}

/* After a pass: memory that was not mapped at the last one is known now. */
static void
settle_waiting(FolioSampled *guest)
{
    for (guint i = 0; i < guest->n_waiting; i++)
        guest->now.unmapped += !add_sample(guest, guest->waiting[i]);
    guest->n_waiting = 0;
}

/* The session */

void
folio_sampled_close(FolioSampled *guest)
{
    if (guest->session != NULL) {
        guest->session->source->klass->close(guest->session);
        guest->session = NULL;
        add_up_past(guest);
    }
    g_clear_pointer(&guest->refresh, folio_frame_refresh_free);
    guest->passing = guest->mapped = guest->enabled = FALSE;
    guest->retry_at = 0;
    guest->epoch_left = 0;
    settle_waiting(guest);
}

int
folio_sampled_get_fd(const FolioSampled *guest)
{
    return guest->session != NULL ? guest->session->source->klass->get_fd(guest->session) : -1;
}

static void
fail(FolioSampled *guest, gint64 now, const GError *error, gboolean *changed)
{
    const gboolean ended = !folio_process_is_alive(guest->process);

    folio_sampled_close(guest);
    guest->retry_sec = CLAMP(guest->retry_sec * 2, RETRY_FIRST_SEC, RETRY_LAST_SEC);
    guest->retry_at = ended ? G_MAXINT64 : now + guest->retry_sec * G_USEC_PER_SEC;
    set_state(guest, ended ? FOLIO_SAMPLING_ENDED : FOLIO_SAMPLING_FAILED, error, changed);
    publish(guest);
}

static guint64
get_period(FolioSourceSession *session)
{
    FolioSourceCounters counters = { 0 };

    session->source->klass->get_counters(session, &counters);
    return counters.period;
}

static void
begin_period(FolioSampled *guest)
{
    const FolioSourceClass *klass = guest->session->source->klass;
    const guint64 start = get_period(guest->session);
    guint64 floor;

    klass->set_period(guest->session, 1);
    floor = MAX(get_period(guest->session), 1);
    klass->set_period(guest->session, start);
    folio_period_init(&guest->period, floor, MAX(floor, LONGEST_PERIOD),
                      guest->common->settings.cpu_share, start);
    klass->set_period(guest->session, guest->period.period);
}

static gboolean
open_session(FolioSampled *guest, GError **error)
{
    const FolioSamplingCommon *common = guest->common;

    if (guest->n_blocks == 0 || guest->first_block + guest->n_blocks > FOLIO_MAX_BLOCKS) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "%u blocks of guest RAM: there is room for %u of all guests", guest->n_blocks,
                    FOLIO_MAX_BLOCKS);
        return FALSE;
    }
    guest->session = common->source->klass->open(common->source, guest->process, error);
    if (guest->session == NULL)
        return FALSE;
    guest->refresh = folio_frame_refresh_new(common->map, guest->process, guest->ram,
                                             guest->first_block, common->kpageflags_fd, error);
    return guest->refresh != NULL;
}

static void
open_guest(FolioSampled *guest, gint64 now, gboolean *changed)
{
    g_autoptr(GError) error = NULL;

    if (!open_session(guest, &error)) {
        fail(guest, now, error, changed);
        return;
    }
    if (guest->table == NULL) {
        guest->table = folio_heat_table_new(guest->n_blocks);
        guest->decided = g_new0(FolioVerdict, guest->n_blocks);
    }
    begin_period(guest);
    guest->passing = TRUE;
    guest->pass_nsec = 0;
    guest->now.source = guest->session->source->klass->name;
    guest->tend_at = guest->follow_at = now;
    guest->tended = now;
    set_state(guest, FOLIO_SAMPLING_STARTING, NULL, changed);
    publish(guest);
}

static gboolean
drain(FolioSampled *guest, gint64 now, gboolean *changed)
{
    const FolioSourceClass *klass = guest->session->source->klass;
    g_autoptr(GError) error = NULL;

    if (klass->drain(guest->session, take_samples, guest, &error)) {
        klass->get_counters(guest->session, &guest->counters);
        return TRUE;
    }
    klass->get_counters(guest->session, &guest->counters);
    fail(guest, now, error, changed);
    return FALSE;
}

/* Starts or stops time for the guest. */
static void
set_enabled(FolioSampled *guest, gboolean enabled, gint64 now)
{
    const gint64 epoch_usec = guest->common->settings.epoch_msec * (gint64) 1000;

    if (enabled == guest->enabled)
        return;
    guest->enabled = enabled;
    guest->session->source->klass->enable(guest->session, enabled);
    if (!enabled) {
        guest->epoch_left = MAX(guest->epoch_at - now, 1);
        return;
    }
    guest->epoch_at = now + (guest->epoch_left > 0 ? guest->epoch_left : epoch_usec);
    if (guest->table->epoch == 0 && guest->epoch_left == 0)
        guest->window_began = now;
}

static gboolean
has_lost(const FolioSourceCounters *before, const FolioSourceCounters *after)
{
    return after->lost > before->lost || after->throttled > before->throttled ||
           after->truncated > before->truncated;
}

static void
adapt_period(FolioSampled *guest, const FolioSourceCounters *before, gint64 now)
{
    const guint64 spent = guest->counters.cpu_nsec - before->cpu_nsec;
    const guint64 interval = (guint64) (now - guest->tended) * 1000;

    guest->tended = now;
    if (interval == 0 || !guest->enabled)
        return;
    guest->share = (double) spent / (double) interval;
    guest->period.budget = guest->common->settings.cpu_share / MAX(guest->common->n_enabled, 1);
    guest->session->source->klass->set_period(
        guest->session,
        folio_period_next(&guest->period, spent, interval, has_lost(before, &guest->counters)));
}

/* What is to be done every now and then. */
static gboolean
tend(FolioSampled *guest, gint64 now, gboolean *changed)
{
    const FolioSourceCounters before = guest->counters;
    g_autoptr(GError) error = NULL;
    FolioSamplingState state;

    if (now >= guest->follow_at) {
        guest->session->source->klass->follow(guest->session, &error);
        guest->follow_at = now + FOLLOW_USEC;
        if (guest->now.state == FOLIO_SAMPLING_ON || error != NULL)
            set_state(guest, guest->now.state, error, changed);
    }
    if (!drain(guest, now, changed))
        return FALSE;
    adapt_period(guest, &before, now);
    set_enabled(guest, guest->mapped && guest->turn && !guest->paused, now);
    state = guest->enabled ? FOLIO_SAMPLING_ON : FOLIO_SAMPLING_PAUSED;
    if (guest->mapped && guest->now.state != state)
        set_state(guest, state, NULL, changed);
    guest->tend_at = now + TEND_USEC;
    publish(guest);
    return TRUE;
}

/* Epochs */

static guint64
block_bytes(const FolioSampled *guest, guint ram_block, guint index)
{
    const FolioRamBlock *ram = g_ptr_array_index(guest->ram->blocks, ram_block);

    return MIN(ram->bytes - index * FOLIO_BLOCK_BYTES, FOLIO_BLOCK_BYTES);
}

static void
count_verdicts(FolioSampled *guest)
{
    guint b = 0;

    memset(guest->now.bytes, 0, sizeof guest->now.bytes);
    for (guint r = 0; r < guest->ram->blocks->len; r++) {
        const FolioRamBlock *ram = g_ptr_array_index(guest->ram->blocks, r);

        for (guint i = 0; i * FOLIO_BLOCK_BYTES < ram->bytes; i++)
            guest->now.bytes[guest->decided[b++]] += block_bytes(guest, r, i);
    }
}

static void
end_window(FolioSampled *guest, gint64 now)
{
    folio_heat_table_decide(guest->table, guest->decided);
    count_verdicts(guest);
    guest->now.windows = guest->table->window;
    guest->now.window_usec = (guint64) (now - guest->window_began);
    guest->window_began = now;
    g_mutex_lock(guest->common->lock);
    for (guint i = 0; i < guest->n_blocks; i++)
        guest->verdicts[i] = (guint8) guest->decided[i];
    g_mutex_unlock(guest->common->lock);
}

static void
end_epoch(FolioSampled *guest, gint64 now, gboolean *changed)
{
    const gint64 epoch_usec = guest->common->settings.epoch_msec * (gint64) 1000;

    settle_waiting(guest);
    if (folio_heat_table_end_epoch(guest->table)) {
        end_window(guest, now);
        *changed = TRUE;
    }
    guest->now.epoch = guest->table->epoch;
    guest->epoch_at += epoch_usec;
    if (guest->epoch_at <= now) /* late: no epoch is shorter for it */
        guest->epoch_at = now + epoch_usec;
    publish(guest);
}

/* Page tables are read once a window, before its last epoch ends, unless that would cost more than
 * the share; and sooner when samples came from frames that are not known and it costs little. */
static gboolean
wants_pass(const FolioSampled *guest, gint64 now)
{
    const FolioSamplerSettings *settings = &guest->common->settings;
    const double share = settings->cpu_share / MAX(guest->common->n_enabled, 1);

    if (guest->table->epoch == FOLIO_EPOCHS - 1)
        return now >= guest->pass_not_before;
    return guest->n_waiting > 0 &&
           (double) guest->now.refresh_nsec < share * settings->epoch_msec * 1e6;
}

static void
step_pass(FolioSampled *guest, gint64 now, gboolean *changed)
{
    const double share = guest->common->settings.cpu_share / MAX(guest->common->n_enabled, 1);
    const guint64 start = thread_cpu_nsec();
    g_autoptr(GError) error = NULL;
    gboolean done = FALSE;

    if (!folio_frame_refresh_step(guest->refresh, &done, &error)) {
        fail(guest, now, error, changed);
        return;
    }
    guest->pass_nsec += thread_cpu_nsec() - start;
    if (!done)
        return;
    guest->now.refresh_nsec = guest->pass_nsec;
    guest->pass_not_before = now + (gint64) ((double) guest->pass_nsec / share / 1000);
    guest->passing = FALSE;
    guest->retry_sec = 0;
    if (guest->mapped) {
        end_epoch(guest, now, changed);
        return;
    }
    guest->mapped = TRUE;
    guest->tend_at = now; /* which enables it */
}

static void
finish_epoch(FolioSampled *guest, gint64 now, gboolean *changed)
{
    if (!drain(guest, now, changed))
        return;
    guest->passing = wants_pass(guest, now);
    guest->pass_nsec = 0;
    if (!guest->passing)
        end_epoch(guest, now, changed);
}

gint64
folio_sampled_serve(FolioSampled *guest, gint64 now, gboolean readable, gboolean *changed)
{
    if (guest->common->source == NULL) {
        set_state(guest, FOLIO_SAMPLING_OFF, NULL, changed);
        guest->now.source = "none";
        publish(guest);
        return G_MAXINT64;
    }
    if (guest->session == NULL && now >= guest->retry_at)
        open_guest(guest, now, changed);
    if (guest->session == NULL)
        return guest->retry_at;
    if (now >= guest->tend_at) {
        if (!tend(guest, now, changed))
            return guest->retry_at;
    } else if (readable && !drain(guest, now, changed)) {
        return guest->retry_at;
    }
    if (guest->passing)
        step_pass(guest, now, changed);
    else if (guest->enabled && now >= guest->epoch_at)
        finish_epoch(guest, now, changed);
    if (guest->session == NULL)
        return guest->retry_at;
    if (guest->passing)
        return now;
    return guest->enabled ? MIN(guest->tend_at, guest->epoch_at) : guest->tend_at;
}
