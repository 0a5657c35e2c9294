/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One guest in the sampling thread: its session, its frames, its epochs. */
#include "sample/sampled-guest.h"

#include "base/error.h"

#include "sample/sampled-host.h"

#include <string.h>

/* Sources say when a buffer fills up; all else can wait this long. */
#define TEND_USEC  G_USEC_PER_SEC
#define COUNT_USEC (5 * G_USEC_PER_SEC)

/* What reading page tables may take, to what draining may. */
#define REFRESH_PART 0.5

void
folio_sampled_unref(FolioSampled *guest)
{
    if (!g_atomic_ref_count_dec(&guest->references))
        return;
    g_assert(guest->stream == NULL && guest->refresh == NULL);
    g_clear_pointer(&guest->table, folio_heat_table_free);
    g_free(guest->decided);
    g_free(guest->brought);
    g_clear_pointer(&guest->costs, folio_cost_table_free);
    g_free(guest->follow_wanted);
    g_free(guest->follow);
    g_clear_pointer(&guest->snapshot, folio_heat_snapshot_unref);
    folio_heat_history_free(guest->history);
    g_array_unref(guest->ranges);
    folio_guest_ram_free(guest->ram);
    folio_process_unref(guest->process);
    g_main_context_unref(guest->context);
    g_free(guest);
}

/* The stream that feeds a guest which is open. */
static FolioStream *
stream_of(const FolioSampled *guest)
{
    return guest->hosted ? guest->common->host->stream : guest->stream;
}

/* Figures */

static void
publish(FolioSampled *guest)
{
    const FolioStream *stream = guest->refresh != NULL ? stream_of(guest) : NULL;
    FolioStreamTotals totals = guest->past;
    FolioSamplingFigures *now = &guest->now;

    if (guest->stream != NULL)
        folio_stream_add_totals(guest->stream, &totals);
    now->unmapped = totals.unmapped;
    now->lost = totals.lost;
    now->without_pa = totals.without_pa;
    now->cpu_nsec = totals.cpu_nsec;
    now->period = stream != NULL ? stream->counters.period : 0;
    now->by_host = guest->hosted;
    now->threads = guest->hosted ? guest->n_threads : 0;
    now->unsampled = 0;
    if (guest->stream != NULL) {
        now->threads = (guint) guest->stream->counters.threads;
        now->unsampled = (guint) guest->stream->counters.unsampled;
    }
    g_mutex_lock(guest->common->lock);
    guest->figures = *now;
    g_mutex_unlock(guest->common->lock);
}

static void
set_state(FolioSampled *guest, FolioSamplingState state, const GError *error, gboolean *changed)
{
    char text[sizeof guest->now.error] = "";

    folio_sampling_copy_error(text, error);
    if (state == guest->now.state && g_str_equal(text, guest->now.error))
        return;
    guest->now.state = state;
    memcpy(guest->now.error, text, sizeof text);
    *changed = TRUE;
}

/* The host's share */

static guint64
host_lost(const FolioSampled *guest)
{
    FolioStreamTotals totals;

    folio_sampled_host_get_totals(guest->common->host, &totals);
    return totals.lost;
}

void
folio_sampled_charge(FolioSampled *guest, double nsec_a_sample)
{
    const guint64 samples = guest->now.samples - guest->charged_samples;
    const guint64 lost = host_lost(guest);

    guest->past.cpu_nsec += (guint64) (nsec_a_sample * (double) samples);
    guest->past.lost += lost - guest->host_lost;
    guest->charged_samples = guest->now.samples;
    guest->host_lost = lost;
}

/* Costs */

void
folio_sampled_follow_costs(FolioSampled *guest)
{
    g_autofree guint8 *classes = g_steal_pointer(&guest->follow);
    FolioSamplingCommon *common = guest->common;
    guint others;

    if (classes == NULL || guest->costs == NULL)
        return;
    others = common->n_tracked - guest->costs->n_entries;
    folio_cost_table_follow(guest->costs, classes,
                            common->max_tracked - MIN(others, common->max_tracked));
    common->n_tracked = others + guest->costs->n_entries;
}

void
folio_sampled_forget_costs(FolioSampled *guest)
{
    if (guest->costs != NULL)
        guest->common->n_tracked -= guest->costs->n_entries;
    g_clear_pointer(&guest->costs, folio_cost_table_free);
}

/* Opening and closing */

void
folio_sampled_close(FolioSampled *guest)
{
    if (guest->hosted)
        folio_sampled_charge(guest, 0);
    guest->hosted = FALSE;
    if (guest->stream != NULL)
        folio_stream_close(g_steal_pointer(&guest->stream), &guest->past);
    g_clear_pointer(&guest->refresh, folio_frame_refresh_free);
    guest->passing = guest->mapped = guest->enabled = FALSE;
    guest->retry_at = 0;
    guest->epoch_left = 0;
}

gboolean
folio_sampled_is_waiting(const FolioSampled *guest)
{
    return guest->mapped && !guest->paused;
}

int
folio_sampled_get_fd(const FolioSampled *guest)
{
    const FolioStream *stream = guest->stream;

    return stream != NULL ? stream->session->source->klass->get_fd(stream->session) : -1;
}

static void
fail(FolioSampled *guest, gint64 now, const GError *error, gboolean *changed)
{
    const gboolean ended = !folio_process_is_alive(guest->process);

    folio_sampled_close(guest);
    guest->retry_sec = CLAMP(guest->retry_sec * 2, FOLIO_RETRY_FIRST_SEC, FOLIO_RETRY_LAST_SEC);
    guest->retry_at = ended ? G_MAXINT64 : now + guest->retry_sec * G_USEC_PER_SEC;
    guest->now.source = "none";
    set_state(guest, ended ? FOLIO_SAMPLING_ENDED : FOLIO_SAMPLING_FAILED, error, changed);
    publish(guest);
}

static gboolean
try_open(FolioSampled *guest, gint64 now, GError **error)
{
    const FolioSamplingCommon *common = guest->common;

    if (guest->n_blocks == 0 || !guest->numbered) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "%u blocks of guest RAM: there is room for %u of all guests", guest->n_blocks,
                    FOLIO_MAX_BLOCKS);
        return FALSE;
    }
    guest->hosted = common->source->whole_host;
    if (!guest->hosted)
        guest->stream = folio_stream_open(common, guest, now, error);
    if (!guest->hosted && guest->stream == NULL)
        return FALSE;
    guest->refresh = folio_frame_refresh_new(common->map, guest->process, guest->ram,
                                             guest->first_block, common->kpageflags_fd, error);
    if (guest->refresh != NULL)
        folio_frame_refresh_order(guest->refresh, guest->brought);
    return guest->refresh != NULL;
}

static void
open_guest(FolioSampled *guest, gint64 now, gboolean *changed)
{
    g_autoptr(GError) error = NULL;

    if (!try_open(guest, now, &error)) {
        fail(guest, now, error, changed);
        return;
    }
    if (guest->table == NULL) {
        guest->table = folio_heat_table_new(guest->n_blocks);
        guest->decided = g_new0(FolioVerdict, guest->n_blocks);
        guest->costs = folio_cost_table_new(guest->n_blocks);
    }
    if (guest->hosted) {
        guest->host_lost = host_lost(guest);
        guest->charged_samples = guest->now.samples;
    }
    guest->passing = TRUE;
    guest->pass_nsec = 0;
    guest->now.source = guest->common->source->klass->name;
    guest->tend_at = guest->count_at = now;
    set_state(guest, FOLIO_SAMPLING_STARTING, NULL, changed);
    publish(guest);
}

/* Tending */

/* So that what was taken in is all from before the given time. */
static gboolean
drain_since(FolioSampled *guest, gint64 time, gint64 now, gboolean *changed)
{
    FolioStream *stream = stream_of(guest);
    g_autoptr(GError) error = NULL;

    if (stream->drained_at >= time || folio_stream_drain(stream, now, &error))
        return TRUE;
    if (!guest->hosted)
        fail(guest, now, error, changed);
    return guest->hosted; /* then the host meets it too, and ends for all guests */
}

/* Of its own stream. */
static gboolean
drain_ready(FolioSampled *guest, gint64 now, gboolean *changed)
{
    g_autoptr(GError) error = NULL;

    if (folio_stream_drain_ready(guest->stream, &error))
        return TRUE;
    fail(guest, now, error, changed);
    return FALSE;
}

/* With the host's stream all epochs end together: each end costs one drain. */
static gint64
epoch_end(const FolioSampled *guest, gint64 earliest)
{
    const gint64 epoch_usec = guest->common->settings.epoch_msec * (gint64) 1000;
    const gint64 tick = guest->common->host->tick_at;

    if (!guest->hosted)
        return earliest;
    return earliest <= tick ? tick
                            : tick + (earliest - tick + epoch_usec - 1) / epoch_usec * epoch_usec;
}

/* Starts or stops time for the guest. */
static void
set_enabled(FolioSampled *guest, gboolean enabled, gint64 now)
{
    const gint64 epoch_usec = guest->common->settings.epoch_msec * (gint64) 1000;

    guest->enabled = enabled;
    if (guest->stream != NULL)
        folio_stream_enable(guest->stream, enabled);
    if (!enabled) {
        guest->epoch_left = MAX(guest->epoch_at - now, 1);
        return;
    }
    guest->epoch_at =
        epoch_end(guest, now + (guest->epoch_left > 0 ? guest->epoch_left : epoch_usec));
    if (guest->table->epoch == 0 && guest->epoch_left == 0)
        guest->window_began = now;
}

/* The host's stream does not end with the process. */
static gboolean
check_alive(FolioSampled *guest, gint64 now, gboolean *changed)
{
    g_autoptr(GError) error = NULL;

    if (folio_process_is_alive(guest->process))
        return TRUE;
    g_set_error(&error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "process %d has ended",
                folio_process_get_pid(guest->process));
    fail(guest, now, error, changed);
    return FALSE;
}

static gboolean
tend_stream(FolioSampled *guest, gint64 now, gboolean *changed)
{
    const double budget = guest->common->settings.cpu_share / MAX(guest->common->n_enabled, 1);
    g_autoptr(GError) error = NULL;

    if (guest->hosted)
        return check_alive(guest, now, changed);
    if (!folio_stream_tend(guest->stream, now, budget, &error)) {
        fail(guest, now, error, changed);
        return FALSE;
    }
    if (guest->enabled)
        guest->share = guest->stream->share;
    return TRUE;
}

/* That it is sampled in part only, and why; NULL: it is not, or not known to be. */
static GError *
find_trouble(const FolioSampled *guest)
{
    const GError *trouble = stream_of(guest)->trouble;

    if (trouble != NULL)
        return g_error_copy(trouble);
    if (!folio_frame_refresh_is_short(guest->refresh))
        return NULL;
    return g_error_new(FOLIO_ERROR, FOLIO_ERROR_FAILED,
                       "some pages stand apart from their blocks, and their samples are not "
                       "counted: MaxTrackedSplit=%u leaves no room for more",
                       guest->common->max_tracked);
}

/* What is to be done every now and then. */
static gboolean
tend(FolioSampled *guest, gint64 now, gboolean *changed)
{
    const gboolean enabled = folio_sampled_is_waiting(guest) && guest->turn;
    g_autoptr(GError) trouble = NULL;

    if (now >= guest->count_at) {
        guest->n_threads = folio_process_count_threads(guest->process);
        guest->count_at = now + COUNT_USEC;
    }
    if (!tend_stream(guest, now, changed))
        return FALSE;
    if (enabled != guest->enabled) {
        if (!drain_since(guest, guest->common->round_at, now, changed))
            return FALSE;
        set_enabled(guest, enabled, now);
    }
    if (guest->mapped && enabled)
        trouble = find_trouble(guest);
    if (guest->mapped)
        set_state(guest, enabled ? FOLIO_SAMPLING_ON : FOLIO_SAMPLING_PAUSED, trouble, changed);
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

/* Nothing is copied under the lock but one row of the history: whoever reads the snapshot of before
 * has a reference to it. Only this thread sets either, so that it may look without the lock. */
static void
publish_heat(FolioSampled *guest, FolioCosts *costs)
{
    FolioHeatSnapshot *before = guest->snapshot;
    FolioHeatSnapshot *snapshot =
        folio_heat_snapshot_new(guest->table, guest->decided, guest->ranges, before);
    FolioHeatHistory *history =
        guest->history != NULL ? guest->history : folio_heat_history_new(guest->ranges);
    g_autofree guint16 *row = g_new(guint16, history->n_granules);

    snapshot->ended_usec = g_get_real_time();
    snapshot->window_usec = guest->now.window_usec;
    snapshot->costs = costs;
    folio_heat_history_measure(history, snapshot, row);
    g_mutex_lock(guest->common->lock);
    guest->snapshot = snapshot;
    guest->history = history;
    folio_heat_history_add(history, snapshot->ended_usec, row);
    g_mutex_unlock(guest->common->lock);
    if (before != NULL)
        folio_heat_snapshot_unref(before);
}

/* What another host saw is of no use any more: the guest has been seen here. */
static void
forget_brought(FolioSampled *guest)
{
    if (guest->brought == NULL)
        return;
    g_clear_pointer(&guest->brought, g_free);
    folio_frame_refresh_order(guest->refresh, NULL);
}

static void
end_window(FolioSampled *guest, gint64 now)
{
    FolioCosts *costs;

    guest->table->outcomes.period = guest->now.period;
    folio_heat_table_decide(guest->table, guest->decided);
    count_verdicts(guest);
    guest->now.windows = guest->table->window;
    guest->now.window_usec = (guint64) (now - guest->window_began);
    guest->now.account_shown = guest->table->outcomes.shown;
    guest->now.account_quiet = guest->table->outcomes.quiet;
    guest->window_began = now;
    costs = folio_cost_table_end_window(
        guest->costs, (double) guest->now.window_usec / G_USEC_PER_SEC, guest->now.period);
    guest->now.costs = costs->totals;
    publish_heat(guest, costs);
    forget_brought(guest);
}

static void
end_epoch(FolioSampled *guest, gint64 now, gboolean *changed)
{
    const gint64 epoch_usec = guest->common->settings.epoch_msec * (gint64) 1000;

    if (!guest->hosted) {
        folio_stream_settle(guest->stream);
        folio_stream_give_up(guest->stream, TRUE);
    }
    if (folio_heat_table_end_epoch(guest->table)) {
        end_window(guest, now);
        *changed = TRUE;
    }
    guest->now.epoch = guest->table->epoch;
    guest->epoch_at += epoch_usec;
    if (guest->epoch_at <= now) /* late: no epoch is shorter for it */
        guest->epoch_at = epoch_end(guest, now + epoch_usec);
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
    return folio_stream_has_waiting(stream_of(guest)) &&
           (double) guest->now.refresh_nsec < share * settings->epoch_msec * 1e6;
}

static void
step_pass(FolioSampled *guest, gint64 now, gboolean *changed)
{
    const double share = guest->common->settings.cpu_share / MAX(guest->common->n_enabled, 1);
    const guint64 start = folio_stream_cpu_nsec();
    g_autoptr(GError) error = NULL;
    gboolean done = FALSE;

    if (!folio_frame_refresh_step(guest->refresh, &done, &error)) {
        fail(guest, now, error, changed);
        return;
    }
    guest->pass_nsec += folio_stream_cpu_nsec() - start;
    if (!done)
        return;
    guest->now.refresh_nsec = guest->pass_nsec;
    if (guest->mapped) /* the first one reads all, and tells little of the next */
        guest->pass_not_before =
            now + (gint64) ((double) guest->pass_nsec / (share * REFRESH_PART) / 1000);
    guest->passing = FALSE;
    guest->retry_sec = 0;
    /* What the host's session saw of it before its time began counts for nothing, in whatever order
     * its frames became known. */
    if (guest->hosted && !guest->mapped)
        folio_stream_settle(stream_of(guest));
    if (guest->hosted)
        guest->common->host->settling = TRUE;
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
    if (!drain_since(guest, guest->epoch_at, now, changed))
        return;
    guest->passing = wants_pass(guest, now);
    guest->pass_nsec = 0;
    if (guest->passing && guest->table->epoch != FOLIO_EPOCHS - 1) /* for samples of new frames */
        folio_frame_refresh_all(guest->refresh);
    if (!guest->passing)
        end_epoch(guest, now, changed);
}

/* Why it cannot be opened now; FALSE when it can. */
static gboolean
has_nothing_to_open(FolioSampled *guest, gboolean *changed)
{
    const FolioSamplingCommon *common = guest->common;

    if (common->source == NULL) {
        set_state(guest, FOLIO_SAMPLING_OFF, NULL, changed);
    } else if (common->source->whole_host && common->host->stream == NULL) {
        set_state(guest,
                  common->host->failure != NULL ? FOLIO_SAMPLING_FAILED : FOLIO_SAMPLING_STARTING,
                  common->host->failure, changed);
    } else {
        return FALSE;
    }
    guest->now.source = "none";
    publish(guest);
    return TRUE;
}

gint64
folio_sampled_serve(FolioSampled *guest, gint64 now, gboolean readable, gboolean *changed)
{
    if (guest->refresh == NULL && has_nothing_to_open(guest, changed))
        return G_MAXINT64;
    if (guest->refresh == NULL && now >= guest->retry_at)
        open_guest(guest, now, changed);
    if (guest->refresh == NULL)
        return guest->retry_at;
    if (now >= guest->tend_at) {
        if (!tend(guest, now, changed))
            return guest->retry_at;
    } else if (readable && !drain_ready(guest, now, changed)) {
        return guest->retry_at;
    }
    if (guest->passing)
        step_pass(guest, now, changed);
    else if (guest->enabled && now >= guest->epoch_at)
        finish_epoch(guest, now, changed);
    if (guest->refresh == NULL)
        return guest->retry_at;
    if (guest->passing)
        return now;
    return guest->enabled ? MIN(guest->tend_at, guest->epoch_at) : guest->tend_at;
}
