/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A sampler, a source that plays what the test wrote, and the test as its guest, on real memory. */
#pragma once

#include "player.h"
#include "ram-fixture.h"
#include "sample/sampler.h"

#define EPOCH_MSEC 20
#define WAIT_USEC  (20 * G_USEC_PER_SEC)

static const FolioSamplerSettings settings = { .cpu_share = 0.5, .epoch_msec = EPOCH_MSEC };

/* The physical address of a byte of ours, by a plain read of pagemap; 0 when it is not mapped. */
static inline guint64
pa_of(const char *address)
{
    const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    guint64 entry = 0;

    assert_int_equal(pread(fd, &entry, 8, (off_t) ((gsize) address / PAGE * 8)), 8);
    close(fd);
    if (!(entry >> 63))
        return 0;
    return (entry & ((G_GUINT64_CONSTANT(1) << 55) - 1)) * PAGE + (gsize) address % PAGE;
}

static inline void
play(Player *player, const char *address)
{
    const guint64 pa = pa_of(address);

    assert_true(pa != 0);
    play_pa(player, pa);
}

/* A sampler, a player, and the test as its guest. */

typedef struct {
    Fixture base;
    FolioSampler *sampler;
    Player *player;
    FolioSampled *guest;
    char *ram;        /* RAM_BYTES on huge pages */
    guint epoch_msec; /* 0: as in settings */
    guint n_changes;
} Stage;

static inline void
on_changed(gpointer user_data)
{
    ((Stage *) user_data)->n_changes++;
}

static inline void
stage_open(Stage *stage, const char *dir)
{
    stage->ram = reserve(RAM_BYTES);
    map_file_at(stage->ram, RAM_BYTES, dir, "pc.ram", MAP_SHARED);
    stage->sampler = folio_sampler_new("/proc");
    stage->player = player_new();
}

/* What is touched before is known from the start. */
static inline void
stage_begin(Stage *stage)
{
    g_autoptr(FolioGuestRam) ram = locate(&stage->base, &main_file, 1);
    FolioSamplerSettings own = settings;

    if (stage->epoch_msec > 0)
        own.epoch_msec = stage->epoch_msec;
    folio_sampler_configure(stage->sampler, &stage->player->base, &own);
    stage->guest = folio_sampler_add(stage->sampler, stage->base.process, ram, on_changed, stage);
}

static inline int
set_up_stage(void **state)
{
    Stage *stage = g_new0(Stage, 1);

    fixture_init(&stage->base, getpid());
    *state = stage;
    return 0;
}

static inline int
tear_down_stage(void **state)
{
    Stage *stage = *state;

    if (stage->guest != NULL)
        folio_sampled_remove(stage->guest);
    if (stage->sampler != NULL)
        folio_sampler_free(stage->sampler);
    while (g_main_context_iteration(NULL, FALSE))
        ;
    if (stage->ram != NULL)
        munmap(stage->ram, RAM_BYTES);
    folio_process_unref(stage->base.process);
    fake_host_free(stage->base.host);
    g_free(stage->base.sys_root);
    g_free(stage);
    return 0;
}

static inline FolioSamplingFigures
figures_of(FolioSampled *guest)
{
    FolioSamplingFigures figures;

    folio_sampled_get_figures(guest, &figures);
    return figures;
}

/* Waits, with the main loop running, until the expression holds; fails after WAIT_USEC. */
#define wait_for(expression)                                      \
    do {                                                          \
        const gint64 latest = g_get_monotonic_time() + WAIT_USEC; \
                                                                  \
        while (!(expression)) {                                   \
            if (g_get_monotonic_time() > latest)                  \
                fail_msg("waited in vain for %s", #expression);   \
            while (g_main_context_iteration(NULL, FALSE))         \
                ;                                                 \
            g_usleep(2000);                                       \
        }                                                         \
    } while (0)

static inline void
wait_for_windows(Stage *stage, guint n)
{
    const guint32 until = figures_of(stage->guest).windows + n;

    wait_for(figures_of(stage->guest).windows >= until);
}

static inline void
wait_until_on(Stage *stage)
{
    wait_for(figures_of(stage->guest).state == FOLIO_SAMPLING_ON);
}

#define STAGE_TEST(function) \
    cmocka_unit_test_setup_teardown(function, set_up_stage, tear_down_stage)
