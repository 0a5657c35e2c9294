/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rings of all threads of a process, or of all CPUs. */
#include "sample/perf-session.h"

#include "base/error.h"
#include "sample/cpu-list.h"
#include "sample/perf-open-error.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000ULL

/* Wake-ups come at a quarter of an AUX area and at half a ring of records: what holds an eighth is
 * read along. */
#define FILLING 8

/* Looking who has events open takes some 0.1 s on a large host. */
#define BLAME_USEC (60 * G_USEC_PER_SEC)

/* One event of one thread or CPU. */
typedef struct {
    guint64 key; /* unit << 32 | tid or CPU */
    FolioPerfRing *ring;
    guint generation;     /* of the last follow that found its thread or CPU */
    guint64 enabled_nsec; /* as of that follow */
    gboolean ended;       /* drained once more, then closed */
} Slot;

static void
slot_free(gpointer data)
{
    Slot *slot = data;

    folio_perf_ring_close(slot->ring);
    g_free(slot);
}

static guint64
slot_key(guint unit, guint id)
{
    return (guint64) unit << 32 | id;
}

/* Adds the ring to what folio_perf_session_get_fd polls. Edge-triggered: the hang-up of a thread
 * that ended must not be reported over and over. */
static gboolean
watch(const FolioPerfSession *session, int fd, GError **error)
{
    struct epoll_event event = { .events = EPOLLIN | EPOLLET };

    if (epoll_ctl(session->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return TRUE;
    folio_set_error_errno(error, errno, "watching a perf event");
    return FALSE;
}

static gboolean
open_slot(FolioPerfSession *session, guint unit, guint id, GError **error)
{
    const FolioPerfEvent *event = &session->type->units[unit].event;
    const gboolean whole_host = session->process == NULL;
    FolioPerfEvent now = *event;
    g_autoptr(FolioPerfRing) ring = NULL;
    Slot *slot = NULL;

    now.attr.sample_period = session->counters.period;
    ring =
        folio_perf_ring_open(&now, whole_host ? -1 : (int) id, whole_host ? (int) id : -1, error);
    if (ring == NULL || !watch(session, folio_perf_ring_fd(ring), error))
        return FALSE;
    if (session->enabled)
        folio_perf_ring_enable(ring, TRUE);
    slot = g_new0(Slot, 1);
    slot->key = slot_key(unit, id);
    slot->generation = session->generation;
    slot->ring = g_steal_pointer(&ring);
    g_ptr_array_add(session->slots, slot);
    g_hash_table_insert(session->slot_of_key, &slot->key, slot);
    return TRUE;
}

/* The ring is read once more, by the next drain, and then closed. */
static void
end_slot(FolioPerfSession *session, Slot *slot)
{
    if (!slot->ended)
        g_hash_table_remove(session->slot_of_key, &slot->key);
    slot->ended = TRUE;
}

/* A thread can end and another get its number between two looks: the event of the old one has hung
 * up. */
static void
end_hung_up(FolioPerfSession *session)
{
    g_autofree struct pollfd *fds = g_new0(struct pollfd, session->slots->len);
    int ready;

    for (guint i = 0; i < session->slots->len; i++) {
        const Slot *slot = g_ptr_array_index(session->slots, i);

        fds[i].fd = folio_perf_ring_fd(slot->ring);
    }
    ready = poll(fds, session->slots->len, 0);
    for (guint i = 0; ready > 0 && i < session->slots->len; i++)
        if ((fds[i].revents & POLLHUP) != 0)
            end_slot(session, g_ptr_array_index(session->slots, i));
}

/* A CPU can go and come back between two looks: its event is then dead. A thread's stands still
 * whenever the thread does. */
static gboolean
is_dead(const FolioPerfSession *session, Slot *slot)
{
    const guint64 before = slot->enabled_nsec;

    if (session->process != NULL)
        return FALSE;
    slot->enabled_nsec = folio_perf_ring_get_enabled_nsec(slot->ring);
    return session->enabled && slot->enabled_nsec == before;
}

static void
end_unseen(FolioPerfSession *session)
{
    for (guint i = 0; i < session->slots->len; i++) {
        Slot *slot = g_ptr_array_index(session->slots, i);

        if (slot->generation != session->generation)
            end_slot(session, slot);
    }
}

static gboolean
is_alive(const FolioPerfSession *session, GError **error)
{
    if (session->process == NULL || folio_process_is_alive(session->process))
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "process %d has ended",
                folio_process_get_pid(session->process));
    return FALSE;
}

/* guint: the threads or CPUs there are now. */
static GArray *
list_targets(const FolioPerfSession *session, GError **error)
{
    g_autoptr(GArray) threads = NULL;
    g_autoptr(GArray) tids = NULL;

    if (session->process == NULL)
        return folio_cpu_list_read(session->type->sys_root, "devices/system/cpu/online", error);
    threads = folio_process_list_threads(session->process, error);
    if (threads == NULL)
        return NULL;
    tids = g_array_sized_new(FALSE, FALSE, sizeof(guint), threads->len);
    for (guint i = 0; i < threads->len; i++) {
        const guint tid = (guint) g_array_index(threads, FolioThread, i).tid;

        g_array_append_val(tids, tid);
    }
    return g_steal_pointer(&tids);
}

static gboolean
unit_covers(const FolioPerfSession *session, guint unit, guint id)
{
    const GArray *cpus = session->type->units[unit].cpus;

    return session->process != NULL || cpus == NULL || folio_cpu_list_has(cpus, id);
}

/* A thread that has ended meanwhile is no failure; of several failures the first is kept. */
static void
follow_target(FolioPerfSession *session, guint id, GError **failure)
{
    gboolean wanted = FALSE;
    gboolean missing = FALSE;

    for (guint unit = 0; unit < session->type->n_units; unit++) {
        const guint64 key = slot_key(unit, id);
        Slot *slot = g_hash_table_lookup(session->slot_of_key, &key);
        g_autoptr(GError) cause = NULL;

        if (!unit_covers(session, unit, id))
            continue;
        wanted = TRUE;
        if (slot != NULL && is_dead(session, slot)) {
            end_slot(session, slot);
            slot = NULL;
        }
        if (slot != NULL)
            slot->generation = session->generation;
        else if (!open_slot(session, unit, id, &cause))
            missing = TRUE;
        if (g_error_matches(cause, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND))
            return;
        if (cause != NULL && *failure == NULL)
            g_propagate_error(failure, g_steal_pointer(&cause));
    }
    session->counters.threads += wanted && !missing;
    session->counters.unsampled += missing;
}

static void
blame_holders(FolioPerfSession *session, GError *failure)
{
    const gint64 now = g_get_monotonic_time();

    if (!g_error_matches(failure, FOLIO_ERROR, FOLIO_ERROR_BUSY))
        return;
    if (session->holders == NULL || now - session->holders_at >= BLAME_USEC) {
        g_free(session->holders);
        session->holders = folio_perf_find_holders("/proc");
        session->holders_at = now;
    }
    folio_perf_blame_holders(failure, session->holders);
}

gboolean
folio_perf_session_follow(FolioSourceSession *base, GError **error)
{
    FolioPerfSession *session = (FolioPerfSession *) base;
    g_autoptr(GArray) targets = NULL;
    g_autoptr(GError) failure = NULL;

    if (!is_alive(session, error))
        return FALSE;
    targets = list_targets(session, error);
    if (targets == NULL)
        return FALSE;
    end_hung_up(session);
    session->generation++;
    session->counters.threads = 0;
    session->counters.unsampled = 0;
    for (guint i = 0; i < targets->len; i++)
        follow_target(session, g_array_index(targets, guint, i), &failure);
    end_unseen(session);
    if (failure == NULL)
        return TRUE;
    blame_holders(session, failure);
    g_propagate_error(error, g_steal_pointer(&failure));
    return FALSE;
}

static guint64
allowed_period(const FolioPerfSessionType *type, guint64 period)
{
    return CLAMP(period / type->period_step * type->period_step, type->min_period,
                 type->max_period);
}

gboolean
folio_perf_session_begin(FolioPerfSession *session, FolioSource *source,
                         const FolioPerfSessionType *type, const FolioProcess *process,
                         guint64 period, GError **error)
{
    session->base.source = source;
    session->type = type;
    session->slots = g_ptr_array_new_with_free_func(slot_free);
    session->slot_of_key = g_hash_table_new(g_int64_hash, g_int64_equal);
    session->process = process != NULL ? folio_process_ref((FolioProcess *) process) : NULL;
    session->counters.period = allowed_period(type, period);
    session->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (session->epoll_fd < 0) {
        folio_set_error_errno(error, errno, "epoll_create1");
        return FALSE;
    }
    if (!folio_perf_session_follow(&session->base, error))
        return FALSE;
    if (session->counters.threads > 0)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "%s: nothing is left to sample",
                type->units[0].event.what);
    return FALSE;
}

void
folio_perf_session_end(FolioPerfSession *session)
{
    g_clear_pointer(&session->slot_of_key, g_hash_table_unref);
    g_clear_pointer(&session->slots, g_ptr_array_unref);
    g_clear_pointer(&session->process, folio_process_unref);
    g_clear_pointer(&session->holders, g_free);
    if (session->epoll_fd >= 0)
        close(session->epoll_fd);
    session->epoll_fd = -1;
}

void
folio_perf_session_flush(FolioPerfSession *session)
{
    if (session->n_batch == 0)
        return;
    session->sink(session->batch, session->n_batch, session->sink_data);
    session->counters.samples += session->n_batch;
    session->n_batch = 0;
}

static guint64
thread_cpu_nsec(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (guint64) now.tv_sec * NSEC_PER_SEC + (guint64) now.tv_nsec;
}

/* What is about to be drained need not be reported any more. */
static void
clear_watch(const FolioPerfSession *session)
{
    struct epoll_event events[64];

    /* As many times as it takes if nothing new comes up meanwhile. */
    for (guint n = 0; n <= session->slots->len; n += G_N_ELEMENTS(events))
        if (epoll_wait(session->epoll_fd, events, G_N_ELEMENTS(events), 0) <= 0)
            return;
}

static void
drain_all(FolioPerfSession *session)
{
    guint i = 0;

    while (i < session->slots->len) {
        Slot *slot = g_ptr_array_index(session->slots, i);

        session->type->drain_ring(session, slot->ring);
        if (slot->ended)
            g_ptr_array_remove_index_fast(session->slots, i);
        else
            i++;
    }
    folio_perf_session_flush(session);
}

static gboolean
is_filling(const FolioRing *ring)
{
    return ring != NULL && folio_ring_count(ring) >= ring->size / FILLING;
}

/* By a look at each ring. epoll does not tell which: when its own descriptor is polled it asks the
 * events, and perf_poll in kernel/events/core.c answers each wake-up only once. */
static void
drain_filling(FolioPerfSession *session)
{
    for (guint i = 0; i < session->slots->len; i++) {
        const Slot *slot = g_ptr_array_index(session->slots, i);

        if (is_filling(folio_perf_ring_records(slot->ring)) ||
            is_filling(folio_perf_ring_aux(slot->ring)))
            session->type->drain_ring(session, slot->ring);
    }
    folio_perf_session_flush(session);
}

static gboolean
drain(FolioPerfSession *session, gboolean all, FolioSampleSink sink, gpointer user_data,
      GError **error)
{
    const guint64 start = thread_cpu_nsec();
    /* Asked before the reading, so that nothing can come behind the last sample. */
    const gboolean alive = is_alive(session, error);

    session->sink = sink;
    session->sink_data = user_data;
    clear_watch(session);
    if (all || !alive)
        drain_all(session);
    else
        drain_filling(session);
    session->counters.cpu_nsec += thread_cpu_nsec() - start;
    return alive;
}

gboolean
folio_perf_session_drain(FolioSourceSession *base, FolioSampleSink sink, gpointer user_data,
                         GError **error)
{
    return drain((FolioPerfSession *) base, TRUE, sink, user_data, error);
}

gboolean
folio_perf_session_drain_ready(FolioSourceSession *base, FolioSampleSink sink, gpointer user_data,
                               GError **error)
{
    return drain((FolioPerfSession *) base, FALSE, sink, user_data, error);
}

void
folio_perf_session_enable(FolioSourceSession *base, gboolean enabled)
{
    FolioPerfSession *session = (FolioPerfSession *) base;

    session->enabled = enabled;
    for (guint i = 0; i < session->slots->len; i++) {
        const Slot *slot = g_ptr_array_index(session->slots, i);

        folio_perf_ring_enable(slot->ring, enabled);
    }
}

void
folio_perf_session_set_period(FolioSourceSession *base, guint64 period)
{
    FolioPerfSession *session = (FolioPerfSession *) base;

    period = allowed_period(session->type, period);
    if (period == session->counters.period)
        return;
    session->counters.period = period;
    for (guint i = 0; i < session->slots->len; i++) {
        const Slot *slot = g_ptr_array_index(session->slots, i);

        folio_perf_ring_set_period(slot->ring, period);
    }
}

void
folio_perf_session_get_counters(FolioSourceSession *base, FolioSourceCounters *counters)
{
    *counters = ((FolioPerfSession *) base)->counters;
}

int
folio_perf_session_get_fd(FolioSourceSession *base)
{
    return ((FolioPerfSession *) base)->epoll_fd;
}
