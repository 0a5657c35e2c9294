/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host in the sampling thread. */
#include "sample/sampled-host.h"

#define TEND_USEC G_USEC_PER_SEC

void
folio_sampled_host_get_totals(const FolioSampledHost *host, FolioStreamTotals *totals)
{
    *totals = host->past;
    if (host->stream != NULL)
        folio_stream_add_totals(host->stream, totals);
}

/* Figures */

static FolioSamplingState
get_state(const FolioSampledHost *host)
{
    if (host->stream == NULL)
        return host->failure != NULL ? FOLIO_SAMPLING_FAILED : FOLIO_SAMPLING_OFF;
    return host->stream->enabled ? FOLIO_SAMPLING_ON : FOLIO_SAMPLING_PAUSED;
}

static void
publish(FolioSampledHost *host, const GPtrArray *guests)
{
    const FolioSource *source = host->common->source;
    FolioSamplingHostFigures figures = { .by_host = source != NULL && source->whole_host };
    FolioStreamTotals totals;

    folio_sampled_host_get_totals(host, &totals);
    figures.state = get_state(host);
    figures.samples = totals.samples;
    figures.guest_made = totals.guest_made;
    figures.unmapped = totals.unmapped;
    figures.aside = totals.aside;
    figures.lost = totals.lost;
    figures.without_pa = totals.without_pa;
    figures.cpu_nsec = totals.cpu_nsec;
    folio_sampling_copy_error(figures.error, host->failure);
    if (host->stream != NULL) {
        figures.period = host->stream->counters.period;
        figures.cpus = (guint) host->stream->counters.threads;
        figures.unsampled = (guint) host->stream->counters.unsampled;
        folio_sampling_copy_error(figures.error, host->stream->trouble);
    }
    for (guint i = 0; i < guests->len; i++)
        figures.threads += ((const FolioSampled *) g_ptr_array_index(guests, i))->n_threads;
    g_mutex_lock(host->common->lock);
    host->figures = figures;
    g_mutex_unlock(host->common->lock);
}

/* Each guest pays by its samples; what fell elsewhere is nobody's. What waited and is counted late
 * may be more than what came since. */
static void
charge_guests(FolioSampledHost *host, const GPtrArray *guests)
{
    FolioStreamTotals totals;
    guint64 samples = 0;
    double price;

    folio_sampled_host_get_totals(host, &totals);
    for (guint i = 0; i < guests->len; i++) {
        const FolioSampled *guest = g_ptr_array_index(guests, i);

        samples += guest->hosted ? guest->now.samples - guest->charged_samples : 0;
    }
    samples = MAX(samples, totals.samples - host->charged.samples);
    price = (double) (totals.cpu_nsec - host->charged.cpu_nsec) / (double) MAX(samples, 1);
    host->charged = totals;
    for (guint i = 0; i < guests->len; i++) {
        FolioSampled *guest = g_ptr_array_index(guests, i);

        if (guest->hosted)
            folio_sampled_charge(guest, price);
    }
}

/* The stream */

void
folio_sampled_host_close(FolioSampledHost *host)
{
    if (host->stream != NULL)
        folio_stream_close(g_steal_pointer(&host->stream), &host->past);
    g_clear_error(&host->failure);
    host->retry_at = 0;
    host->retry_sec = 0;
}

int
folio_sampled_host_get_fd(const FolioSampledHost *host)
{
    const FolioStream *stream = host->stream;

    return stream != NULL ? stream->session->source->klass->get_fd(stream->session) : -1;
}

/* Takes the error. */
static void
fail(FolioSampledHost *host, const GPtrArray *guests, gint64 now, GError *error)
{
    const guint before_sec = host->retry_sec;

    for (guint i = 0; i < guests->len; i++)
        folio_sampled_close(g_ptr_array_index(guests, i));
    folio_sampled_host_close(host);
    host->failure = error;
    host->retry_sec = CLAMP(before_sec * 2, FOLIO_RETRY_FIRST_SEC, FOLIO_RETRY_LAST_SEC);
    host->retry_at = now + host->retry_sec * G_USEC_PER_SEC;
}

static void
open_host(FolioSampledHost *host, const GPtrArray *guests, gint64 now)
{
    const gint64 epoch_usec = host->common->settings.epoch_msec * (gint64) 1000;
    GError *error = NULL;

    host->stream = folio_stream_open(host->common, NULL, now, &error);
    if (host->stream == NULL) {
        fail(host, guests, now, error);
        return;
    }
    g_clear_error(&host->failure);
    host->turn = TRUE;
    host->tend_at = now;
    host->tick_at = now + epoch_usec;
}

static gboolean
any_is_waiting(const GPtrArray *guests)
{
    for (guint i = 0; i < guests->len; i++) {
        if (folio_sampled_is_waiting(g_ptr_array_index(guests, i)))
            return TRUE;
    }
    return FALSE;
}

static gboolean
tend(FolioSampledHost *host, const GPtrArray *guests, gint64 now, GError **error)
{
    if (!folio_stream_tend(host->stream, now, host->common->settings.cpu_share, error))
        return FALSE;
    if (host->stream->enabled)
        host->share = host->stream->share;
    host->retry_sec = 0;
    charge_guests(host, guests);
    host->tend_at = now + TEND_USEC;
    return TRUE;
}

/* All epochs of guests that end now end behind this drain. What waited is looked at once for all
 * guests that have read their page tables since, which may count it an epoch late. */
static gboolean
tick(FolioSampledHost *host, gint64 now, GError **error)
{
    const gint64 epoch_usec = host->common->settings.epoch_msec * (gint64) 1000;

    if (!folio_stream_drain(host->stream, now, error))
        return FALSE;
    if (host->settling)
        folio_stream_settle(host->stream);
    host->settling = FALSE;
    folio_stream_give_up(host->stream, FALSE);
    host->tick_at += (1 + (now - host->tick_at) / epoch_usec) * epoch_usec;
    return TRUE;
}

static gboolean
serve_stream(FolioSampledHost *host, const GPtrArray *guests, gint64 now, gboolean readable,
             GError **error)
{
    if (now >= host->tend_at && !tend(host, guests, now, error))
        return FALSE;
    folio_stream_enable(host->stream, host->turn && any_is_waiting(guests));
    if (now >= host->tick_at)
        return tick(host, now, error);
    return !readable || host->stream->drained_at == now ||
           folio_stream_drain_ready(host->stream, error);
}

gint64
folio_sampled_host_serve(FolioSampledHost *host, const GPtrArray *guests, gint64 now,
                         gboolean readable)
{
    const FolioSource *source = host->common->source;
    const gboolean wanted = source != NULL && source->whole_host && guests->len > 0;
    const gboolean was_open = host->stream != NULL;
    const gboolean tending = now >= host->tend_at;
    const GError *failure = host->failure;
    GError *error = NULL;

    if (!wanted)
        folio_sampled_host_close(host);
    else if (!was_open && now >= host->retry_at)
        open_host(host, guests, now);
    if (host->stream != NULL && !serve_stream(host, guests, now, readable, &error))
        fail(host, guests, now, error);
    if (tending || was_open != (host->stream != NULL) || failure != host->failure)
        publish(host, guests);
    if (host->stream != NULL)
        return MIN(host->tend_at, host->tick_at);
    host->tend_at = MAX(host->tend_at, now + (tending ? TEND_USEC : 0));
    return wanted ? host->retry_at : G_MAXINT64;
}
