/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sampling thread with a source that plays what the test wrote, on real memory. */
#include "sampler-stage.h"

#include <signal.h>
#include <sys/wait.h>

static void
test_samples_find_their_blocks(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioHeatSnapshot) heat = NULL;
    FolioSamplingFigures figures;

    stage_open(stage, huge_dir);
    memset(stage->ram, 1, 3 * BLOCK);
    stage_begin(stage);
    wait_until_on(stage);
    for (guint i = 0; i < 100; i++)
        play(stage->player, stage->ram + BLOCK + i * 5 * PAGE + i);
    play(stage->player, stage->ram + 2 * BLOCK);
    play_pa(stage->player, 0x1000);                            /* a frame of no guest */
    play_pa(stage->player, G_GUINT64_CONSTANT(0xfffffffffff)); /* or of no host */
    wait_for(figures_of(stage->guest).samples == 101 && figures_of(stage->guest).unmapped == 2);
    wait_for_windows(stage, 1);

    figures = figures_of(stage->guest);
    assert_string_equal(figures.source, "player");
    assert_int_equal(figures.samples, 101);
    heat = folio_sampled_ref_heat(stage->guest);
    assert_non_null(heat);
    assert_int_equal(heat->n_blocks, RAM_BYTES / BLOCK);
    assert_int_equal(heat->verdicts[0], FOLIO_VERDICT_IDLE);
    assert_int_not_equal(heat->verdicts[1], FOLIO_VERDICT_IDLE);
    assert_int_not_equal(heat->verdicts[2], FOLIO_VERDICT_IDLE);
    assert_int_equal(heat->evidence[1].footprint, 100);
    assert_int_equal(heat->evidence[2].footprint, 1);
    assert_int_equal(heat->unseen[0], FOLIO_NEVER_SEEN);
    assert_int_not_equal(heat->unseen[1], FOLIO_NEVER_SEEN);
    assert_int_equal(figures.bytes[FOLIO_VERDICT_IDLE], RAM_BYTES - 2 * BLOCK);
    assert_int_equal(figures.bytes[FOLIO_VERDICT_SPARSE] + figures.bytes[FOLIO_VERDICT_DENSE] +
                         figures.bytes[FOLIO_VERDICT_UNDECIDED],
                     2 * BLOCK);
    assert_true(figures.window_usec >= 10 * EPOCH_MSEC * 1000);
    wait_for(stage->n_changes > 0);
}

/* One sub-page, again and again, makes a sparse block. */
static void
test_sparse(void **state)
{
    Stage *stage = *state;

    stage_open(stage, huge_dir);
    stage->ram[0] = 1;
    stage_begin(stage);
    wait_until_on(stage);
    for (guint i = 0; i < 40 && figures_of(stage->guest).bytes[FOLIO_VERDICT_SPARSE] == 0; i++) {
        for (guint j = 0; j < 10; j++)
            play(stage->player, stage->ram + 17 * PAGE);
        wait_for_windows(stage, 1);
    }
    assert_int_equal(figures_of(stage->guest).bytes[FOLIO_VERDICT_SPARSE], BLOCK);
    assert_int_equal(figures_of(stage->guest).bytes[FOLIO_VERDICT_IDLE], RAM_BYTES - BLOCK);
}

/* Memory that is first touched between two passes. */
static void
test_late_pages(void **state)
{
    Stage *stage = *state;

    stage_open(stage, never_dir);
    stage_begin(stage);
    wait_until_on(stage);
    for (guint i = 0; i < 300; i++) {
        stage->ram[i * 37 * PAGE] = 1;
        play(stage->player, stage->ram + i * 37 * PAGE);
    }
    wait_for(figures_of(stage->guest).samples == 300);
    assert_int_equal(figures_of(stage->guest).unmapped, 0);
}

/* Of blocks that are known and of frames that are not. */
static void
test_no_allocation(void **state)
{
    Stage *stage = *state;

    stage_open(stage, huge_dir);
    memset(stage->ram, 1, 2 * BLOCK);
    alloc_count();
    stage_begin(stage);
    wait_until_on(stage);
    for (guint i = 1; i <= 10; i++) {
        for (guint j = 0; j < 2 * 512; j++) {
            play(stage->player, stage->ram + j * PAGE);
            play_pa(stage->player, j * 4096);
        }
        wait_for(figures_of(stage->guest).samples >= i * 1024);
    }
    assert_true(stage->player->big_drains > 0);
    assert_int_equal(stage->player->fewest_allocs, 0);
}

/* What a split unmapped stays where it was, until it is freed. TRUE when that was noticed. */
static gboolean
unmap_and_free(Stage *stage, char *block)
{
    const FolioSamplingFigures before = figures_of(stage->guest);
    guint64 pa;

    *block = 1;
    pa = pa_of(block);
    wait_for_windows(stage, 2);
    assert_int_equal(madvise(block, BLOCK, MADV_DONTNEED), 0);
    assert_int_equal(pa_of(block), 0);
    wait_for_windows(stage, 2);
    play_pa(stage->player, pa);
    wait_for(figures_of(stage->guest).samples == before.samples + 1);

    assert_int_equal(madvise(block, BLOCK, MADV_REMOVE), 0);
    wait_for_windows(stage, 2);
    play_pa(stage->player, pa);
    wait_for(figures_of(stage->guest).samples + figures_of(stage->guest).unmapped ==
             before.samples + before.unmapped + 2);
    return figures_of(stage->guest).unmapped > before.unmapped;
}

/* Another program's tmpfs may take the frame as soon as it is free: that cannot be told. */
static void
test_unmapped_and_freed(void **state)
{
    Stage *stage = *state;
    gboolean noticed = FALSE;

    stage_open(stage, huge_dir);
    stage_begin(stage);
    wait_until_on(stage);
    for (guint i = 0; i < 8 && !noticed; i++)
        noticed = unmap_and_free(stage, stage->ram + (5 + i) * BLOCK);
    assert_true(noticed);
}

/* No time passes for a guest that is paused. */
static void
test_pause(void **state)
{
    Stage *stage = *state;
    FolioSamplingFigures before;

    stage_open(stage, huge_dir);
    stage->ram[0] = 1;
    stage_begin(stage);
    wait_for_windows(stage, 1);
    folio_sampled_pause(stage->guest, TRUE);
    wait_for(figures_of(stage->guest).state == FOLIO_SAMPLING_PAUSED);
    before = figures_of(stage->guest);
    g_usleep(20 * EPOCH_MSEC * 1000);
    assert_int_equal(figures_of(stage->guest).windows, before.windows);
    assert_int_equal(figures_of(stage->guest).epoch, before.epoch);
    folio_sampled_pause(stage->guest, FALSE);
    wait_for_windows(stage, 1);
    assert_int_equal(figures_of(stage->guest).state, FOLIO_SAMPLING_ON);
}

static void
test_busy_then_free(void **state)
{
    Stage *stage = *state;

    stage_open(stage, huge_dir);
    stage->ram[0] = 1;
    stage->player->refusals = 1;
    stage_begin(stage);
    wait_for(figures_of(stage->guest).state == FOLIO_SAMPLING_FAILED);
    assert_non_null(strstr(figures_of(stage->guest).error, "perf (1234)"));
    wait_for(stage->n_changes > 0);
    wait_until_on(stage);
    assert_string_equal(figures_of(stage->guest).error, "");
}

/* A source that fails although the process is there is tried again; counters go on from where
 * they were. */
static void
test_breaks(void **state)
{
    Stage *stage = *state;

    stage_open(stage, huge_dir);
    stage->ram[0] = 1;
    stage_begin(stage);
    wait_until_on(stage);
    play(stage->player, stage->ram);
    wait_for(figures_of(stage->guest).samples == 1);
    stage->player->broken = TRUE;
    wait_for(figures_of(stage->guest).state == FOLIO_SAMPLING_FAILED);
    stage->player->broken = FALSE;
    wait_until_on(stage);
    assert_int_equal(stage->player->opened, 2);
    assert_int_equal(figures_of(stage->guest).samples, 1);
}

static void
test_process_ends(void **state)
{
    Stage *stage = *state;
    Fixture child = { NULL };
    pid_t pid;

    stage_open(stage, huge_dir);
    pid = fork();
    if (pid == 0) {
        stage->ram[0] = 1;
        pause();
        _exit(0);
    }
    fixture_init(&child, pid);
    {
        g_autoptr(FolioGuestRam) ram = locate(&child, &main_file, 1);

        folio_sampler_configure(stage->sampler, &stage->player->base, &settings);
        stage->guest = folio_sampler_add(stage->sampler, child.process, ram, on_changed, stage);
    }
    wait_for_windows(stage, 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    wait_for(figures_of(stage->guest).state == FOLIO_SAMPLING_ENDED);
    folio_process_unref(child.process);
    fake_host_free(child.host);
    g_free(child.sys_root);
}

static void
test_sources_change(void **state)
{
    Stage *stage = *state;
    Player *next = player_new();
    gboolean freed[2] = { FALSE, FALSE };
    guint fds, windows;

    stage_open(stage, huge_dir);
    stage->player->freed = &freed[0];
    next->freed = &freed[1];
    stage->ram[0] = 1;
    stage_begin(stage);
    wait_for_windows(stage, 1);
    fds = count_fds();
    windows = figures_of(stage->guest).windows;
    folio_sampler_configure(stage->sampler, &next->base, &settings);
    wait_for(g_atomic_int_get(&next->opened) == 1);
    assert_true(freed[0]);
    wait_for(figures_of(stage->guest).windows > windows);
    assert_int_equal(count_fds(), fds);

    folio_sampler_configure(stage->sampler, NULL, &settings);
    wait_for(figures_of(stage->guest).state == FOLIO_SAMPLING_OFF);
    assert_string_equal(figures_of(stage->guest).source, "none");
    assert_true(freed[1]);
    assert_int_equal(count_fds(), fds - 2); /* the session's, and pagemap */
}

/* Draining that takes more than its share makes the period longer; what the hardware cannot do is
 * not asked for. */
static void
test_period(void **state)
{
    Stage *stage = *state;

    stage_open(stage, huge_dir);
    stage->ram[0] = 1;
    stage->player->cpu_a_drain = G_GUINT64_CONSTANT(1000000000);
    stage_begin(stage);
    wait_for(figures_of(stage->guest).period > 1000);
}

/* So do many drains that each take little: an epoch's end is one, and there are 50 a second. */
static void
test_all_drains_count(void **state)
{
    const FolioSamplerSettings frugal = { .cpu_share = 0.05, .epoch_msec = EPOCH_MSEC };
    Stage *stage = *state;
    Player *next = player_new();

    stage_open(stage, huge_dir);
    stage->ram[0] = 1;
    stage_begin(stage);
    wait_until_on(stage);
    next->cpu_a_drain = 8 * G_USEC_PER_SEC; /* nsec: 8 ms, 40% in all, 0.8% of one a second */
    folio_sampler_configure(stage->sampler, &next->base, &frugal);
    wait_for(figures_of(stage->guest).period > 1000);
}

static void
test_watchdog(void **state)
{
    Stage *stage = *state;

    stage_open(stage, huge_dir);
    stage->ram[0] = 1;
    assert_true(folio_sampler_has_progressed(stage->sampler));
    stage_begin(stage);
    wait_until_on(stage);
    for (guint i = 0; i < 5; i++)
        wait_for(folio_sampler_has_progressed(stage->sampler));
    g_mutex_lock(&stage->player->stuck_lock);
    g_atomic_int_set(&stage->player->stuck, TRUE);
    /* It is stuck within a second; a thread that is only late moves meanwhile. */
    wait_for(!folio_sampler_has_progressed(stage->sampler) &&
             (g_usleep(G_USEC_PER_SEC), !folio_sampler_has_progressed(stage->sampler)));
    assert_false(folio_sampler_has_progressed(stage->sampler));
    g_atomic_int_set(&stage->player->stuck, FALSE);
    g_mutex_unlock(&stage->player->stuck_lock);
    wait_for(folio_sampler_has_progressed(stage->sampler));
}

/* A thread with nothing to do still answers the watchdog. */
static void
test_watchdog_idle(void **state)
{
    Stage *stage = *state;

    stage->sampler = folio_sampler_new("/proc");
    for (guint i = 0; i < 5; i++)
        wait_for(folio_sampler_has_progressed(stage->sampler));
}

/* Guests come and go; the frames of one do not count for another. */
static void
test_two_guests(void **state)
{
    Stage *stage = *state;
    const FolioRamSpec spec = { FOLIO_RAM_MAIN, FOLIO_BACKING_FILE, 0, CELL_BYTES, NULL };
    g_autoptr(FolioGuestRam) ram = NULL;
    char *other = reserve(CELL_BYTES);
    FolioSampled *second;

    stage_open(stage, huge_dir);
    map_file_at(other, CELL_BYTES, huge_dir, "other", MAP_SHARED);
    stage->ram[0] = other[0] = 1;
    stage_begin(stage);
    ram = locate(&stage->base, &spec, 1);
    for (guint i = 0; i < 20; i++) { /* more than once, so that numbers are used again */
        second = folio_sampler_add(stage->sampler, stage->base.process, ram, NULL, NULL);
        if (i < 19)
            folio_sampled_remove(second);
    }
    wait_until_on(stage);
    wait_for(figures_of(second).state == FOLIO_SAMPLING_ON);
    /* Whoever drains first gets both of them. */
    play(stage->player, stage->ram);
    play(stage->player, other);
    wait_for(figures_of(stage->guest).samples + figures_of(second).samples == 1 &&
             figures_of(stage->guest).unmapped + figures_of(second).unmapped == 1);
    assert_int_equal(figures_of(stage->guest).samples, figures_of(stage->guest).unmapped);
    folio_sampled_remove(second);
    munmap(other, CELL_BYTES);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(test_samples_find_their_blocks),
        STAGE_TEST(test_sparse),
        STAGE_TEST(test_late_pages),
        STAGE_TEST(test_no_allocation),
        STAGE_TEST(test_unmapped_and_freed),
        STAGE_TEST(test_pause),
        STAGE_TEST(test_busy_then_free),
        STAGE_TEST(test_breaks),
        STAGE_TEST(test_process_ends),
        STAGE_TEST(test_sources_change),
        STAGE_TEST(test_period),
        STAGE_TEST(test_all_drains_count),
        STAGE_TEST(test_watchdog),
        STAGE_TEST(test_watchdog_idle),
        STAGE_TEST(test_two_guests),
    };

    return cmocka_run_group_tests_name("sampler", tests, set_up_group, tear_down_group);
}
