/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the service manager is told. */
#include "notify.h"

#include <systemd/sd-daemon.h>

#define QUEUE_MAX 64

static GMutex mutex;
static GCond sent;
static guint n_queued;

static void
send_message(gpointer data, gpointer user_data)
{
    g_autofree char *message = data;

    sd_notify(0, message);
    g_mutex_lock(&mutex);
    n_queued--;
    g_cond_signal(&sent);
    g_mutex_unlock(&mutex);
}

/* One thread, so that the order stays. */
static GThreadPool *
get_pool(void)
{
    static GThreadPool *pool;

    if (pool == NULL)
        pool = g_thread_pool_new(send_message, NULL, 1, FALSE, NULL);
    return pool;
}

void
folio_notify(const char *format, ...)
{
    va_list args;
    gboolean full;

    g_mutex_lock(&mutex);
    full = n_queued >= QUEUE_MAX;
    if (!full)
        n_queued++;
    g_mutex_unlock(&mutex);
    if (full)
        return;
    va_start(args, format);
    g_thread_pool_push(get_pool(), g_strdup_vprintf(format, args), NULL);
    va_end(args);
}

void
folio_notify_flush(void)
{
    const gint64 deadline = g_get_monotonic_time() + G_USEC_PER_SEC;
    gboolean in_time = TRUE;

    g_mutex_lock(&mutex);
    while (n_queued > 0 && in_time)
        in_time = g_cond_wait_until(&sent, &mutex, deadline);
    g_mutex_unlock(&mutex);
}
