/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sampling thread: its rounds, and the doors between it and the main loop. */
#include "sample/sampler.h"

#include "base/file-io.h"
#include "sample/duty.h"
#include "sample/sampled-host.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct _FolioSampler {
    GThread *thread;
    GMutex lock;
    int wake_fd; /* eventfd */

    /* Under the lock. */
    gboolean quit;
    gboolean configured; /* next_source and next_settings are to be taken */
    FolioSource *next_source;
    FolioSamplerSettings next_settings;
    guint max_tracked;
    GPtrArray *incoming; /* FolioSampled, referenced */
    guint64 rounds;

    /* The main loop's. */
    guint64 rounds_seen;
    gboolean looked;
    guint64 last_id;

    /* The thread's. */
    FolioSamplingCommon common;
    FolioSampledHost host;
    GPtrArray *guests; /* FolioSampled, referenced, by id */
    GArray *fds;       /* struct pollfd: the eventfd, the host's, then one a guest */
    GArray *turns;     /* FolioDutySession */
    FolioDuty duty;
    gint64 turn_ends;
};

static void
wake(FolioSampler *sampler)
{
    const guint64 one = 1;

    /* It fails only when the thread has been woken 2^64 times without looking. */
    if (write(sampler->wake_fd, &one, sizeof one) < 0)
        return;
}

/* In the thread: what it was told */

static void
replace_source(FolioSampler *sampler, FolioSource *source, const FolioSamplerSettings *settings)
{
    for (guint i = 0; i < sampler->guests->len; i++)
        folio_sampled_close(g_ptr_array_index(sampler->guests, i));
    folio_sampled_host_close(&sampler->host);
    sampler->host.tend_at = 0;
    if (sampler->common.source != NULL)
        sampler->common.source->klass->free(sampler->common.source);
    sampler->common.source = source;
    sampler->common.settings = *settings;
    sampler->turn_ends = 0;
}

static void
drop_guest(FolioSampler *sampler, guint index)
{
    FolioSampled *guest = g_ptr_array_index(sampler->guests, index);

    folio_sampled_close(guest);
    folio_sampled_forget_costs(guest);
    folio_block_space_give_back(sampler->common.space, guest);
    g_ptr_array_remove_index(sampler->guests, index);
}

static void
admit(FolioSampler *sampler, FolioSampled *guest)
{
    guest->numbered =
        folio_block_space_take(sampler->common.space, guest, guest->n_blocks, &guest->first_block);
    guest->turn = TRUE;
    g_ptr_array_add(sampler->guests, guest);
}

/* Takes what the main loop left; FALSE: to quit. */
static gboolean
take_orders(FolioSampler *sampler)
{
    g_autoptr(GPtrArray) incoming = NULL;
    FolioSamplerSettings settings;
    FolioSource *source;
    gboolean configured, quit;

    g_mutex_lock(&sampler->lock);
    sampler->rounds++;
    quit = sampler->quit;
    configured = sampler->configured;
    source = g_steal_pointer(&sampler->next_source);
    settings = sampler->next_settings;
    sampler->configured = FALSE;
    incoming = sampler->incoming;
    sampler->incoming = g_ptr_array_new();
    for (guint i = 0; i < sampler->guests->len; i++) {
        FolioSampled *guest = g_ptr_array_index(sampler->guests, i);

        if (guest->paused != guest->pause_wanted)
            guest->tend_at = 0;
        guest->paused = guest->pause_wanted;
        if (guest->follow_wanted != NULL) {
            g_free(guest->follow);
            guest->follow = g_steal_pointer(&guest->follow_wanted);
        }
    }
    sampler->common.max_tracked = sampler->max_tracked;
    g_mutex_unlock(&sampler->lock);
    folio_frame_map_set_room(sampler->common.map,
                             (gsize) sampler->common.max_tracked * FOLIO_APART_BYTES);

    if (configured)
        replace_source(sampler, source, &settings);
    for (guint i = 0; i < incoming->len; i++)
        admit(sampler, g_ptr_array_index(incoming, i));
    return !quit;
}

static gboolean
is_removed(FolioSampler *sampler, const FolioSampled *guest)
{
    gboolean removed;

    g_mutex_lock(&sampler->lock);
    removed = guest->removed;
    g_mutex_unlock(&sampler->lock);
    return removed;
}

static void
drop_removed(FolioSampler *sampler)
{
    for (guint i = sampler->guests->len; i > 0; i--) {
        if (is_removed(sampler, g_ptr_array_index(sampler->guests, i - 1)))
            drop_guest(sampler, i - 1);
    }
}

static void
follow_costs(FolioSampler *sampler)
{
    for (guint i = 0; i < sampler->guests->len; i++)
        folio_sampled_follow_costs(g_ptr_array_index(sampler->guests, i));
}

/* In the thread: turns. A turn is a window, so that no window has gaps in it. */

static void
add_turn(FolioSampler *sampler, guint64 id, double cost)
{
    const FolioDutySession session = { .id = id, .cost = cost };

    g_array_append_val(sampler->turns, session);
}

static void
list_turns(FolioSampler *sampler)
{
    g_array_set_size(sampler->turns, 0);
    if (sampler->host.stream != NULL)
        add_turn(sampler, 0, sampler->host.share);
    for (guint i = 0; i < sampler->guests->len; i++) {
        const FolioSampled *guest = g_ptr_array_index(sampler->guests, i);

        if (guest->stream != NULL && !guest->paused)
            add_turn(sampler, guest->id, guest->share);
    }
}

static void
give_turn(FolioSampled *guest, gboolean turn)
{
    if (guest->turn != turn)
        guest->tend_at = 0;
    guest->turn = turn;
}

static void
give_turns(FolioSampler *sampler)
{
    for (guint i = 0, t = 0; i < sampler->guests->len; i++) {
        FolioSampled *guest = g_ptr_array_index(sampler->guests, i);

        if (guest->hosted) {
            give_turn(guest, sampler->host.turn);
        } else if (t < sampler->turns->len &&
                   g_array_index(sampler->turns, FolioDutySession, t).id == guest->id) {
            give_turn(guest, g_array_index(sampler->turns, FolioDutySession, t).on);
            t++;
        }
    }
}

static void
share_out_turns(FolioSampler *sampler, gint64 now)
{
    const FolioSamplerSettings *settings = &sampler->common.settings;

    if (sampler->common.source == NULL || now < sampler->turn_ends)
        return;
    sampler->turn_ends = now + settings->epoch_msec * (gint64) 1000 * FOLIO_EPOCHS;
    list_turns(sampler);
    folio_duty_next(&sampler->duty, settings->cpu_share,
                    (FolioDutySession *) (gpointer) sampler->turns->data, sampler->turns->len);
    if (sampler->host.stream != NULL)
        sampler->host.turn = g_array_index(sampler->turns, FolioDutySession, 0).on;
    give_turns(sampler);
}

/* In the thread: rounds */

static gboolean
tell_main_loop(gpointer user_data)
{
    FolioSampled *guest = user_data;

    g_atomic_int_set(&guest->telling, FALSE);
    if (guest->changed != NULL)
        guest->changed(guest->user_data);
    return G_SOURCE_REMOVE;
}

static void
tell(FolioSampled *guest)
{
    g_autoptr(GSource) source = NULL;

    if (!g_atomic_int_compare_and_exchange(&guest->telling, FALSE, TRUE))
        return;
    source = g_idle_source_new();
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_atomic_ref_count_inc(&guest->references);
    g_source_set_callback(source, tell_main_loop, guest, (GDestroyNotify) folio_sampled_unref);
    g_source_attach(source, guest->context);
}

static void
prepare_poll(FolioSampler *sampler)
{
    struct pollfd fd = { .fd = sampler->wake_fd, .events = POLLIN };

    g_array_set_size(sampler->fds, 0);
    g_array_append_val(sampler->fds, fd);
    fd.fd = folio_sampled_host_get_fd(&sampler->host);
    g_array_append_val(sampler->fds, fd);
    for (guint i = 0; i < sampler->guests->len; i++) {
        fd.fd = folio_sampled_get_fd(g_ptr_array_index(sampler->guests, i));
        g_array_append_val(sampler->fds, fd);
    }
}

static int
wait_until(FolioSampler *sampler, gint64 due)
{
    const gint64 left = due == G_MAXINT64 ? -1 : MAX(due - g_get_monotonic_time(), 0);

    return poll((struct pollfd *) (gpointer) sampler->fds->data, sampler->fds->len,
                left < 0 ? -1 : (int) MIN((left + 999) / 1000, G_MAXINT));
}

/* Takes in what has come to the host's stream if nothing else has happened. FALSE: it is for a
 * round, which meets an error again. */
static gboolean
drain_host_alone(FolioSampler *sampler, int ready, gint64 due)
{
    const struct pollfd *fd = &g_array_index(sampler->fds, struct pollfd, 1);

    return ready == 1 && fd->revents == POLLIN && sampler->host.stream != NULL &&
           g_get_monotonic_time() < due && folio_stream_drain_ready(sampler->host.stream, NULL);
}

/* Waits until due or until something happens. The host's buffers may fill hundreds of times a
 * second, and a round asks each guest: there is none for that alone. */
static void
sleep_until(FolioSampler *sampler, gint64 due)
{
    const struct pollfd *fds;
    guint64 woken;
    int ready;

    prepare_poll(sampler);
    do {
        ready = wait_until(sampler, due);
    } while (drain_host_alone(sampler, ready, due));
    fds = (const struct pollfd *) (gpointer) sampler->fds->data;
    if ((fds[0].revents & POLLIN) != 0 && read(sampler->wake_fd, &woken, sizeof woken) < 0)
        return;
}

/* Of descriptor 0, the host's, and those of the guests behind it. */
static gboolean
is_readable(const FolioSampler *sampler, guint index)
{
    return index + 1 < sampler->fds->len &&
           g_array_index(sampler->fds, struct pollfd, index + 1).revents != 0;
}

static guint
count_enabled(const FolioSampler *sampler)
{
    guint n = 0;

    for (guint i = 0; i < sampler->guests->len; i++)
        n += ((const FolioSampled *) g_ptr_array_index(sampler->guests, i))->enabled;
    return n;
}

static gint64
serve_all(FolioSampler *sampler)
{
    gint64 due;

    sampler->common.round_at = g_get_monotonic_time();
    sampler->common.n_enabled = count_enabled(sampler);
    due = folio_sampled_host_serve(&sampler->host, sampler->guests, sampler->common.round_at,
                                   is_readable(sampler, 0));
    for (guint i = 0; i < sampler->guests->len; i++) {
        FolioSampled *guest = g_ptr_array_index(sampler->guests, i);
        gboolean changed = FALSE;
        const gint64 guest_due = folio_sampled_serve(guest, g_get_monotonic_time(),
                                                     is_readable(sampler, i + 1), &changed);

        due = MIN(due, guest_due);
        if (changed)
            tell(guest);
    }
    return due;
}

static gpointer
run(gpointer data)
{
    FolioSampler *sampler = data;

    while (take_orders(sampler)) {
        drop_removed(sampler);
        follow_costs(sampler);
        share_out_turns(sampler, g_get_monotonic_time());
        sleep_until(sampler, serve_all(sampler));
    }
    while (sampler->guests->len > 0)
        drop_guest(sampler, sampler->guests->len - 1);
    replace_source(sampler, NULL, &sampler->common.settings);
    return NULL;
}

/* In the main loop */

FolioSampler *
folio_sampler_new(const char *proc_root)
{
    FolioSampler *sampler = g_new0(FolioSampler, 1);
    g_autofree char *path = g_build_filename(proc_root, "kpageflags", NULL);

    g_mutex_init(&sampler->lock);
    sampler->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g_assert_cmpint(sampler->wake_fd, >=, 0);
    sampler->incoming = g_ptr_array_new();
    sampler->guests = g_ptr_array_new_with_free_func((GDestroyNotify) folio_sampled_unref);
    sampler->fds = g_array_new(FALSE, FALSE, sizeof(struct pollfd));
    sampler->turns = g_array_new(FALSE, FALSE, sizeof(FolioDutySession));
    sampler->common.settings = (FolioSamplerSettings){ .cpu_share = 0.01, .epoch_msec = 5000 };
    sampler->max_tracked = G_MAXUINT;
    sampler->common.map = folio_frame_map_new();
    sampler->common.space = folio_block_space_new();
    sampler->common.host = &sampler->host;
    sampler->host.common = &sampler->common;
    sampler->common.lock = &sampler->lock;
    sampler->common.kpageflags_fd = folio_file_open(AT_FDCWD, path, O_RDONLY, NULL);
    sampler->thread = g_thread_new("sampler", run, sampler);
    return sampler;
}

void
folio_sampler_free(FolioSampler *sampler)
{
    g_mutex_lock(&sampler->lock);
    sampler->quit = TRUE;
    g_mutex_unlock(&sampler->lock);
    wake(sampler);
    g_thread_join(sampler->thread);

    g_ptr_array_unref(sampler->incoming);
    g_ptr_array_unref(sampler->guests);
    g_array_unref(sampler->fds);
    g_array_unref(sampler->turns);
    folio_frame_map_free(sampler->common.map);
    folio_block_space_free(sampler->common.space);
    if (sampler->common.kpageflags_fd >= 0)
        close(sampler->common.kpageflags_fd);
    close(sampler->wake_fd);
    g_mutex_clear(&sampler->lock);
    g_free(sampler);
}

void
folio_sampler_configure(FolioSampler *sampler, FolioSource *source,
                        const FolioSamplerSettings *settings)
{
    FolioSource *unused;

    g_return_if_fail(source == NULL || source->klass->evidence);
    g_mutex_lock(&sampler->lock);
    unused = sampler->next_source;
    sampler->next_source = source;
    sampler->next_settings = *settings;
    sampler->configured = TRUE;
    g_mutex_unlock(&sampler->lock);
    if (unused != NULL)
        unused->klass->free(unused);
    wake(sampler);
}

void
folio_sampler_set_max_tracked(FolioSampler *sampler, guint max_tracked)
{
    g_mutex_lock(&sampler->lock);
    sampler->max_tracked = max_tracked;
    g_mutex_unlock(&sampler->lock);
}

void
folio_sampler_get_host_figures(FolioSampler *sampler, FolioSamplingHostFigures *figures)
{
    g_mutex_lock(&sampler->lock);
    *figures = sampler->host.figures;
    g_mutex_unlock(&sampler->lock);
}

gboolean
folio_sampler_has_progressed(FolioSampler *sampler)
{
    gboolean progressed;

    g_mutex_lock(&sampler->lock);
    progressed = !sampler->looked || sampler->rounds != sampler->rounds_seen;
    sampler->rounds_seen = sampler->rounds;
    g_mutex_unlock(&sampler->lock);
    sampler->looked = TRUE;
    wake(sampler);
    return progressed;
}

GArray *
folio_sampler_make_ranges(const FolioGuestRam *ram)
{
    GArray *ranges = folio_heat_ranges_new();

    for (guint i = 0; i < ram->blocks->len; i++) {
        const FolioRamBlock *block = g_ptr_array_index(ram->blocks, i);

        folio_heat_ranges_add(ranges, block->id,
                              (guint) ((block->bytes + FOLIO_BLOCK_BYTES - 1) / FOLIO_BLOCK_BYTES));
    }
    return ranges;
}

FolioSampled *
folio_sampler_add_with(FolioSampler *sampler, FolioProcess *process, const FolioGuestRam *ram,
                       FolioHeatSummary *brought, FolioSampledChanged changed, gpointer user_data)
{
    FolioSampled *guest = g_new0(FolioSampled, 1);

    g_atomic_ref_count_init(&guest->references);
    g_atomic_ref_count_inc(&guest->references); /* the thread's */
    guest->sampler = sampler;
    guest->common = &sampler->common;
    guest->id = ++sampler->last_id;
    guest->process = folio_process_ref(process);
    guest->ram = folio_guest_ram_copy(ram);
    guest->n_blocks = folio_frame_refresh_count_blocks(ram);
    guest->ranges = folio_sampler_make_ranges(ram);
    guest->brought = brought;
    guest->changed = changed;
    guest->user_data = user_data;
    guest->context = g_main_context_ref_thread_default();
    guest->now.source = guest->figures.source = "none";
    g_mutex_lock(&sampler->lock);
    g_ptr_array_add(sampler->incoming, guest);
    g_mutex_unlock(&sampler->lock);
    wake(sampler);
    return guest;
}

FolioSampled *
folio_sampler_add(FolioSampler *sampler, FolioProcess *process, const FolioGuestRam *ram,
                  FolioSampledChanged changed, gpointer user_data)
{
    return folio_sampler_add_with(sampler, process, ram, NULL, changed, user_data);
}

void
folio_sampled_remove(FolioSampled *guest)
{
    guest->changed = NULL;
    g_mutex_lock(&guest->sampler->lock);
    guest->removed = TRUE;
    g_mutex_unlock(&guest->sampler->lock);
    wake(guest->sampler);
    folio_sampled_unref(guest);
}

void
folio_sampled_pause(FolioSampled *guest, gboolean paused)
{
    g_mutex_lock(&guest->sampler->lock);
    guest->pause_wanted = paused;
    g_mutex_unlock(&guest->sampler->lock);
    wake(guest->sampler);
}

void
folio_sampled_follow(FolioSampled *guest, guint8 *classes, guint n)
{
    if (n != guest->n_blocks) {
        g_free(classes);
        return;
    }
    g_mutex_lock(&guest->sampler->lock);
    g_free(guest->follow_wanted);
    guest->follow_wanted = classes;
    g_mutex_unlock(&guest->sampler->lock); /* the next round is early enough */
}

void
folio_sampled_get_figures(FolioSampled *guest, FolioSamplingFigures *figures)
{
    g_mutex_lock(&guest->sampler->lock);
    *figures = guest->figures;
    g_mutex_unlock(&guest->sampler->lock);
}

FolioHeatSnapshot *
folio_sampled_ref_heat(FolioSampled *guest)
{
    FolioHeatSnapshot *snapshot = NULL;

    g_mutex_lock(&guest->sampler->lock);
    if (guest->snapshot != NULL)
        snapshot = folio_heat_snapshot_ref(guest->snapshot);
    g_mutex_unlock(&guest->sampler->lock);
    return snapshot;
}

FolioHeatHistory *
folio_sampled_dup_history(FolioSampled *guest)
{
    FolioHeatHistory *history = NULL;

    g_mutex_lock(&guest->sampler->lock);
    if (guest->history != NULL)
        history = folio_heat_history_copy(guest->history);
    g_mutex_unlock(&guest->sampler->lock);
    return history;
}
