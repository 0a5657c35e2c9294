/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A source of samples that plays what a test wrote. */
#pragma once

#include "base/error.h"
#include "cmocka-all.h"
#include "common/alloc-count.h"
#include "sample/source.h"

#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_PLAYED 16384

typedef struct {
    FolioSource base;
    GMutex lock;
    FolioSample samples[MAX_PLAYED]; /* to be handed over by the next drain */
    gsize n_samples;
    guint refusals;  /* opens that are still to fail */
    gboolean broken; /* drains fail */
    gboolean stuck;  /* drains wait for the lock of stuck_lock */
    GMutex stuck_lock;
    gboolean held;     /* nothing is handed over; atomic, as is the next */
    guint held_drains; /* drains that were held since */
    FolioSourceCounters counters;
    guint64 cpu_a_drain;
    guint opened, closed;
    guint big_drains;      /* of more than 1,000 samples */
    guint64 fewest_allocs; /* while such a drain was taken in, the other thread's included */
    gboolean *freed;
} Player;

typedef struct {
    FolioSourceSession base;
    int fd;
    gboolean enabled;
} PlayerSession;

static inline Player *
player_of(FolioSourceSession *session)
{
    return (Player *) session->source;
}

static inline FolioSourceSession *
player_open(FolioSource *source, const FolioProcess *process, GError **error)
{
    Player *player = (Player *) source;
    PlayerSession *session;

    if (player->refusals > 0) {
        player->refusals--;
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "the unit is held by perf (1234)");
        return NULL;
    }
    session = g_new0(PlayerSession, 1);
    session->base.source = source;
    session->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g_atomic_int_inc(&player->opened);
    return &session->base;
}

static inline void
hand_over(Player *player, FolioSampleSink sink, gpointer user_data)
{
    const guint64 before = alloc_count();

    sink(player->samples, player->n_samples, user_data);
    if (player->n_samples > 1000) {
        player->fewest_allocs = MIN(player->fewest_allocs, alloc_count() - before);
        player->big_drains++;
    }
}

static inline gboolean
player_drain(FolioSourceSession *base, FolioSampleSink sink, gpointer user_data, GError **error)
{
    Player *player = player_of(base);

    if (g_atomic_int_get(&player->stuck)) {
        g_mutex_lock(&player->stuck_lock);
        g_mutex_unlock(&player->stuck_lock);
    }
    g_mutex_lock(&player->lock);
    if (g_atomic_int_get(&player->held)) {
        g_atomic_int_inc(&player->held_drains);
    } else if (((PlayerSession *) base)->enabled) {
        hand_over(player, sink, user_data);
        player->counters.samples += player->n_samples;
        player->n_samples = 0;
    }
    player->counters.cpu_nsec += player->cpu_a_drain;
    g_mutex_unlock(&player->lock);
    if (player->broken)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "the process has ended");
    return !player->broken;
}

static inline gboolean
player_follow(FolioSourceSession *base, GError **error)
{
    return TRUE;
}

static inline void
player_enable(FolioSourceSession *base, gboolean enabled)
{
    ((PlayerSession *) base)->enabled = enabled;
}

static inline void
player_set_period(FolioSourceSession *base, guint64 period)
{
    Player *player = player_of(base);

    g_mutex_lock(&player->lock);
    player->counters.period = MAX(period, 1000);
    g_mutex_unlock(&player->lock);
}

static inline void
player_get_counters(FolioSourceSession *base, FolioSourceCounters *counters)
{
    Player *player = player_of(base);

    g_mutex_lock(&player->lock);
    *counters = player->counters;
    g_mutex_unlock(&player->lock);
}

static inline int
player_get_fd(FolioSourceSession *base)
{
    return ((PlayerSession *) base)->fd;
}

static inline void
player_close(FolioSourceSession *base)
{
    g_atomic_int_inc(&player_of(base)->closed);
    close(((PlayerSession *) base)->fd);
    g_free(base);
}

static inline void
player_free(FolioSource *source)
{
    Player *player = (Player *) source;

    assert_int_equal(player->opened, player->closed);
    if (player->freed != NULL)
        *player->freed = TRUE;
    g_free(player);
}

static const FolioSourceClass player_class = {
    .name = "player",
    .evidence = TRUE,
    .open = player_open,
    .drain = player_drain,
    .follow = player_follow,
    .enable = player_enable,
    .set_period = player_set_period,
    .get_counters = player_get_counters,
    .get_fd = player_get_fd,
    .close = player_close,
    .free = player_free,
};

static inline Player *
player_new(void)
{
    Player *player = g_new0(Player, 1);

    player->base.klass = &player_class;
    player->counters.period = 1000;
    player->fewest_allocs = G_MAXUINT64;
    g_mutex_init(&player->lock);
    g_mutex_init(&player->stuck_lock);
    return player;
}

static inline void
play_sample(Player *player, const FolioSample *sample)
{
    g_mutex_lock(&player->lock);
    assert_true(player->n_samples < MAX_PLAYED);
    player->samples[player->n_samples++] = *sample;
    g_mutex_unlock(&player->lock);
}

static inline void
play_pa(Player *player, guint64 pa)
{
    play_sample(player, &(FolioSample){ .pa = pa });
}
