/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sampling thread with one session that feeds two guests. */
#include "sampler-stage.h"

#include <signal.h>
#include <sys/wait.h>

#define SECOND "second"

typedef struct {
    Stage base;
    FolioSampled *other;
    char *other_ram; /* CELL_BYTES */
} Pair;

static int
set_up_pair(void **state)
{
    Pair *pair = g_new0(Pair, 1);

    fixture_init(&pair->base.base, getpid());
    *state = pair;
    return 0;
}

static int
tear_down_pair(void **state)
{
    Pair *pair = *state;

    if (pair->other != NULL)
        folio_sampled_remove(pair->other);
    if (pair->other_ram != NULL)
        munmap(pair->other_ram, CELL_BYTES);
    return tear_down_stage(state);
}

static void
add_other(Pair *pair)
{
    const FolioRamSpec spec = { FOLIO_RAM_MAIN, FOLIO_BACKING_FILE, 0, CELL_BYTES, NULL };
    g_autoptr(FolioGuestRam) ram = locate(&pair->base.base, &spec, 1);

    pair->other =
        folio_sampler_add(pair->base.sampler, pair->base.base.process, ram, on_changed, pair);
}

/* Two guests on one source, of the host; all RAM of both is there. */
static void
pair_open(Pair *pair)
{
    stage_open(&pair->base, huge_dir);
    pair->other_ram = reserve(CELL_BYTES);
    map_file_at(pair->other_ram, CELL_BYTES, huge_dir, SECOND, MAP_SHARED);
    memset(pair->base.ram, 1, RAM_BYTES);
    memset(pair->other_ram, 1, CELL_BYTES);
    pair->base.player->base.whole_host = TRUE;
}

static void
pair_begin(Pair *pair)
{
    stage_begin(&pair->base);
    add_other(pair);
    wait_until_on(&pair->base);
    wait_for(figures_of(pair->other).state == FOLIO_SAMPLING_ON);
}

static FolioSamplingHostFigures
host_of(const Pair *pair)
{
    FolioSamplingHostFigures figures;

    folio_sampler_get_host_figures(pair->base.sampler, &figures);
    return figures;
}

static guint64
samples_of(FolioSampled *guest)
{
    return figures_of(guest).samples;
}

static void
wait_for_other_windows(const Pair *pair, guint n)
{
    const guint32 until = figures_of(pair->other).windows + n;

    wait_for(figures_of(pair->other).windows >= until);
}

/* How many blocks of the guest were ever seen in use. */
static guint
count_used(FolioSampled *guest)
{
    g_autoptr(FolioHeatSnapshot) heat = folio_sampled_ref_heat(guest);
    guint n = 0;

    for (guint i = 0; heat != NULL && i < heat->n_blocks; i++)
        n += heat->verdicts[i] != FOLIO_VERDICT_IDLE;
    return n;
}

static void
test_each_gets_its_own(void **state)
{
    Pair *pair = *state;
    Player *player;

    pair_open(pair);
    player = pair->base.player;
    pair_begin(pair);
    for (guint i = 0; i < 60; i++) {
        play(player, pair->base.ram + 3 * BLOCK + i * 7 * PAGE);
        if (i % 2 == 0)
            play(player, pair->other_ram + (i % 5) * BLOCK + i * PAGE);
        if (i % 3 == 0)
            play_pa(player, 0x1000 + i * PAGE); /* of nobody */
    }
    play_pa(player, G_GUINT64_CONSTANT(0xfffffffffff)); /* no memory at all */
    wait_for(host_of(pair).unmapped == 21);
    assert_int_equal(samples_of(pair->base.guest), 60);
    assert_int_equal(samples_of(pair->other), 30);
    assert_int_equal(host_of(pair).samples, 111);
    assert_int_equal(host_of(pair).aside, 0);
    assert_int_equal(player->opened, 1);
    wait_for_windows(&pair->base, 2);
    wait_for_other_windows(pair, 2);
    assert_int_equal(count_used(pair->base.guest), 1);
    assert_int_equal(count_used(pair->other), 5);

    assert_true(host_of(pair).by_host);
    assert_int_equal(host_of(pair).state, FOLIO_SAMPLING_ON);
    assert_int_equal(host_of(pair).period, 1000);
    assert_true(figures_of(pair->other).by_host);
    assert_string_equal(figures_of(pair->other).source, "player");
    /* What is nobody's is no guest's either. */
    assert_int_equal(figures_of(pair->base.guest).unmapped + figures_of(pair->other).unmapped, 0);
}

/* Memory that is first touched between two passes. A frame that no pass finds for some epochs is
 * given up, so an epoch is long enough for a pass on a busy machine. */
static void
test_late_pages(void **state)
{
    Pair *pair = *state;

    pair->base.epoch_msec = 10 * EPOCH_MSEC;
    stage_open(&pair->base, never_dir);
    pair->other_ram = reserve(CELL_BYTES);
    map_file_at(pair->other_ram, CELL_BYTES, never_dir, SECOND, MAP_SHARED);
    pair->base.player->base.whole_host = TRUE;
    pair_begin(pair);
    for (guint i = 0; i < 100; i++) {
        pair->base.ram[i * 37 * PAGE] = 1;
        play(pair->base.player, pair->base.ram + i * 37 * PAGE);
        pair->other_ram[i * 31 * PAGE] = 1;
        play(pair->base.player, pair->other_ram + i * 31 * PAGE);
    }
    wait_for(samples_of(pair->base.guest) == 100 && samples_of(pair->other) == 100);
    assert_int_equal(host_of(pair).unmapped, 0);
}

/* Of blocks that are known and of frames that are not. */
static void
test_no_allocation(void **state)
{
    Pair *pair = *state;
    Player *player;

    pair_open(pair);
    player = pair->base.player;
    alloc_count();
    pair_begin(pair);
    for (guint i = 1; i <= 10; i++) {
        for (guint j = 0; j < 512; j++) {
            play(player, pair->base.ram + j * PAGE);
            play(player, pair->other_ram + j * PAGE);
            play_pa(player, j * 4096);
        }
        wait_for(samples_of(pair->base.guest) >= i * 512 && samples_of(pair->other) >= i * 512);
    }
    assert_true(player->big_drains > 0);
    assert_int_equal(player->fewest_allocs, 0);
}

/* No time passes for a guest that is paused, and what falls into its RAM is not counted for it. */
static void
test_pause(void **state)
{
    Pair *pair = *state;
    FolioSamplingFigures before;

    pair_open(pair);
    pair_begin(pair);
    play(pair->base.player, pair->other_ram);
    wait_for(samples_of(pair->other) == 1);
    folio_sampled_pause(pair->other, TRUE);
    wait_for(figures_of(pair->other).state == FOLIO_SAMPLING_PAUSED);
    before = figures_of(pair->other);
    for (guint i = 0; i < 10; i++) {
        play(pair->base.player, pair->base.ram + i * BLOCK);
        play(pair->base.player, pair->other_ram + i * PAGE);
    }
    wait_for(samples_of(pair->base.guest) == 10 && host_of(pair).aside == 10);
    wait_for_windows(&pair->base, 2);
    assert_int_equal(samples_of(pair->other), 1);
    assert_int_equal(figures_of(pair->other).windows, before.windows);
    assert_int_equal(figures_of(pair->other).epoch, before.epoch);

    folio_sampled_pause(pair->other, FALSE);
    wait_for_other_windows(pair, 1);
    play(pair->base.player, pair->other_ram);
    wait_for(samples_of(pair->other) == 2);

    /* When all stand still, so does the session. */
    folio_sampled_pause(pair->other, TRUE);
    folio_sampled_pause(pair->base.guest, TRUE);
    wait_for(host_of(pair).state == FOLIO_SAMPLING_PAUSED);
    folio_sampled_pause(pair->base.guest, FALSE);
    wait_for(host_of(pair).state == FOLIO_SAMPLING_ON);
    wait_for_windows(&pair->base, 1);
}

/* A guest leaves while samples of it are on their way: they are nobody's then, and the numbers of
 * its blocks are another's. */
static void
test_leaving(void **state)
{
    Pair *pair = *state;

    pair_open(pair);
    pair_begin(pair);
    for (guint i = 0; i < 4; i++) {
        const guint64 unmapped = host_of(pair).unmapped;

        g_atomic_int_set(&pair->base.player->held, TRUE);
        play(pair->base.player, pair->other_ram + i % 7 * BLOCK);
        folio_sampled_remove(g_steal_pointer(&pair->other));
        wait_for(g_atomic_int_get(&pair->base.player->held_drains) > 0);
        g_atomic_int_set(&pair->base.player->held, FALSE);
        wait_for(host_of(pair).unmapped == unmapped + 1);
        add_other(pair);
        wait_for(figures_of(pair->other).state == FOLIO_SAMPLING_ON);
        play(pair->base.player, pair->other_ram + i % 7 * BLOCK);
        wait_for(samples_of(pair->other) == 1);
        assert_int_equal(samples_of(pair->base.guest), 0);
    }
    assert_int_equal(pair->base.player->opened, 1);

    /* Without guests there is nothing to sample. */
    folio_sampled_remove(g_steal_pointer(&pair->other));
    folio_sampled_remove(g_steal_pointer(&pair->base.guest));
    wait_for(g_atomic_int_get(&pair->base.player->closed) == 1);
    wait_for(host_of(pair).state == FOLIO_SAMPLING_OFF);
}

/* Whoever has three times the samples pays three times as much, and all together no more than it
 * cost. */
static void
test_cost(void **state)
{
    Pair *pair = *state;
    guint64 first, second;

    pair_open(pair);
    pair->base.player->cpu_a_drain = G_USEC_PER_SEC; /* nsec: 1 ms */
    pair_begin(pair);
    for (guint i = 0; i < 400; i++) {
        play(pair->base.player, (i % 4 == 0 ? pair->other_ram : pair->base.ram) + i % 7 * BLOCK);
        if (i % 100 == 0)
            g_usleep(300000);
    }
    for (guint i = 0; i < 100; i++)
        play_pa(pair->base.player, 0x1000);
    wait_for(samples_of(pair->base.guest) == 300 && samples_of(pair->other) == 100 &&
             host_of(pair).unmapped == 100);
    wait_for(figures_of(pair->other).cpu_nsec > 0);
    g_usleep(2 * G_USEC_PER_SEC);
    first = figures_of(pair->base.guest).cpu_nsec;
    second = figures_of(pair->other).cpu_nsec;
    assert_true(first > 2 * second);
    assert_true(first < 4 * second);
    assert_true(first + second <= host_of(pair).cpu_nsec);
}

static void
lose(Player *player, guint64 n)
{
    g_mutex_lock(&player->lock);
    player->counters.lost += n;
    player->counters.damaged += 1;
    g_mutex_unlock(&player->lock);
}

/* Nobody can tell whose it was: each guest may have lost all of it, since it came. */
static void
test_loss(void **state)
{
    Pair *pair = *state;

    pair_open(pair);
    stage_begin(&pair->base);
    wait_until_on(&pair->base);
    lose(pair->base.player, 4);
    wait_for(host_of(pair).lost == 5);
    add_other(pair);
    wait_for(figures_of(pair->other).state == FOLIO_SAMPLING_ON);
    lose(pair->base.player, 6);
    wait_for(host_of(pair).lost == 12);
    wait_for(figures_of(pair->base.guest).lost == 12);
    wait_for(figures_of(pair->other).lost == 7);
    wait_for(figures_of(pair->base.guest).period > 1000);
}

static void
test_busy_then_free(void **state)
{
    Pair *pair = *state;

    pair_open(pair);
    pair->base.player->refusals = 2;
    stage_begin(&pair->base);
    add_other(pair);
    wait_for(figures_of(pair->base.guest).state == FOLIO_SAMPLING_FAILED &&
             figures_of(pair->other).state == FOLIO_SAMPLING_FAILED);
    assert_non_null(strstr(figures_of(pair->other).error, "perf (1234)"));
    assert_non_null(strstr(host_of(pair).error, "perf (1234)"));
    assert_int_equal(host_of(pair).state, FOLIO_SAMPLING_FAILED);
    wait_until_on(&pair->base);
    wait_for(figures_of(pair->other).state == FOLIO_SAMPLING_ON);
    assert_string_equal(host_of(pair).error, "");
    assert_int_equal(pair->base.player->opened, 1);
}

/* A session that breaks is one for all: it is opened again, and counters go on. */
static void
test_breaks(void **state)
{
    Pair *pair = *state;

    pair_open(pair);
    pair_begin(pair);
    play(pair->base.player, pair->base.ram);
    play(pair->base.player, pair->other_ram);
    wait_for(samples_of(pair->base.guest) == 1 && samples_of(pair->other) == 1);
    lose(pair->base.player, 2);
    pair->base.player->broken = TRUE;
    wait_for(figures_of(pair->base.guest).state == FOLIO_SAMPLING_FAILED &&
             figures_of(pair->other).state == FOLIO_SAMPLING_FAILED);
    pair->base.player->broken = FALSE;
    wait_until_on(&pair->base);
    wait_for(figures_of(pair->other).state == FOLIO_SAMPLING_ON);
    assert_int_equal(pair->base.player->opened, 2);
    play(pair->base.player, pair->other_ram);
    wait_for(samples_of(pair->other) == 2);
    assert_int_equal(samples_of(pair->base.guest), 1);
    /* The player's counters do not begin anew with each session, as those of real ones do. */
    assert_true(figures_of(pair->other).lost >= 3);
}

/* By process, by host, and back, with the same guests. */
static void
test_sources_change(void **state)
{
    Pair *pair = *state;
    Player *by_process = player_new();
    Player *by_host = player_new();
    gboolean freed = FALSE;
    guint fds, windows;

    by_host->base.whole_host = TRUE;
    by_host->freed = &freed;
    pair_open(pair);
    pair->base.player->base.whole_host = FALSE;
    pair_begin(pair);
    assert_false(host_of(pair).by_host);
    assert_int_equal(pair->base.player->opened, 2);
    fds = count_fds();

    folio_sampler_configure(pair->base.sampler, &by_host->base, &settings);
    wait_for(figures_of(pair->base.guest).by_host && figures_of(pair->other).by_host);
    wait_until_on(&pair->base);
    wait_for(figures_of(pair->other).state == FOLIO_SAMPLING_ON);
    assert_int_equal(count_fds(), fds - 1);
    play(by_host, pair->base.ram);
    play(by_host, pair->other_ram);
    wait_for(samples_of(pair->base.guest) == 1 && samples_of(pair->other) == 1);
    wait_for(host_of(pair).state == FOLIO_SAMPLING_ON);
    windows = figures_of(pair->other).windows;

    folio_sampler_configure(pair->base.sampler, &by_process->base, &settings);
    wait_for(g_atomic_int_get(&by_process->opened) == 2);
    wait_for(figures_of(pair->other).windows > windows);
    wait_for(!host_of(pair).by_host && host_of(pair).state == FOLIO_SAMPLING_OFF);
    assert_false(figures_of(pair->other).by_host);
    assert_true(freed);
    assert_int_equal(count_fds(), fds);
    assert_int_equal(samples_of(pair->base.guest), 1);
    assert_int_equal(host_of(pair).samples, 2);
    pair->base.player = by_process;
}

/* What costs more than the budget at the longest period has its turns. */
static void
test_turns(void **state)
{
    Pair *pair = *state;

    pair_open(pair);
    pair->base.player->cpu_a_drain = 30 * G_USEC_PER_SEC;
    pair_begin(pair);
    wait_for(figures_of(pair->base.guest).period > 1000);
    wait_for(figures_of(pair->base.guest).state == FOLIO_SAMPLING_PAUSED &&
             figures_of(pair->other).state == FOLIO_SAMPLING_PAUSED);
    wait_for(figures_of(pair->base.guest).state == FOLIO_SAMPLING_ON &&
             figures_of(pair->other).state == FOLIO_SAMPLING_ON);
}

/* One of the two processes ends; the other goes on. */
static void
test_process_ends(void **state)
{
    Pair *pair = *state;
    Fixture child = { NULL };
    pid_t pid;

    pair_open(pair);
    stage_begin(&pair->base);
    pid = fork();
    if (pid == 0) {
        pair->other_ram[0] = 2;
        pause();
        _exit(0);
    }
    fixture_init(&child, pid);
    {
        const FolioRamSpec spec = { FOLIO_RAM_MAIN, FOLIO_BACKING_FILE, 0, CELL_BYTES, NULL };
        g_autoptr(FolioGuestRam) ram = locate(&child, &spec, 1);

        pair->other = folio_sampler_add(pair->base.sampler, child.process, ram, on_changed, pair);
    }
    wait_until_on(&pair->base);
    wait_for_other_windows(pair, 1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    wait_for(figures_of(pair->other).state == FOLIO_SAMPLING_ENDED);
    wait_for_windows(&pair->base, 1);
    assert_int_equal(pair->base.player->opened, 1);
    folio_process_unref(child.process);
    fake_host_free(child.host);
    g_free(child.sys_root);
}

#define PAIR_TEST(function) cmocka_unit_test_setup_teardown(function, set_up_pair, tear_down_pair)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        PAIR_TEST(test_each_gets_its_own),
        PAIR_TEST(test_late_pages),
        PAIR_TEST(test_no_allocation),
        PAIR_TEST(test_pause),
        PAIR_TEST(test_leaving),
        PAIR_TEST(test_cost),
        PAIR_TEST(test_loss),
        PAIR_TEST(test_busy_then_free),
        PAIR_TEST(test_breaks),
        PAIR_TEST(test_sources_change),
        PAIR_TEST(test_turns),
        PAIR_TEST(test_process_ends),
    };

    return cmocka_run_group_tests_name("sampler-host", tests, set_up_group, tear_down_group);
}
