/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sampling thread and what translation costs: samples with latencies, of blocks that are split
 * and of others, and how many blocks are followed. */
#include "sampler-stage.h"

#define N_BLOCKS (RAM_BYTES / BLOCK)

static void
play_cost(Stage *stage, guint block, guint cycles)
{
    const FolioSample sample = { .pa = pa_of(stage->ram + block * BLOCK),
                                 .flags = FOLIO_SAMPLE_HAS_LATENCY | FOLIO_SAMPLE_TRANSLATED |
                                          (cycles > 5 ? FOLIO_SAMPLE_TLB_WALK : 0),
                                 .total_latency = (guint16) (cycles + 10),
                                 .translation_latency = (guint16) cycles };

    assert_true(sample.pa != 0);
    play_sample(stage->player, &sample);
}

/* How the first blocks are, each by a character: 'S' split, 'c' a candidate. */
static void
follow(FolioSampled *guest, guint n_blocks, const char *blocks)
{
    guint8 *classes = g_new0(guint8, n_blocks);

    for (guint i = 0; blocks[i] != '\0'; i++)
        classes[i] = blocks[i] == 'S'   ? FOLIO_COST_SPLIT
                     : blocks[i] == 'c' ? FOLIO_COST_CANDIDATE
                                        : FOLIO_COST_OTHER;
    folio_sampled_follow(guest, classes, n_blocks);
}

static FolioCostTotals
costs_of(FolioSampled *guest)
{
    return figures_of(guest).costs;
}

static void
begin(Stage *stage, gboolean by_host)
{
    stage_open(stage, huge_dir);
    stage->player->base.whole_host = by_host;
    memset(stage->ram, 1, 6 * BLOCK);
    folio_sampler_set_max_tracked(stage->sampler, 100);
    stage_begin(stage);
    wait_until_on(stage);
}

static void
test_kinds(void **state)
{
    Stage *stage = *state;
    FolioCostTotals costs;

    begin(stage, FALSE);
    follow(stage->guest, N_BLOCKS, ".S.c");
    wait_for(costs_of(stage->guest).split == 1);
    for (guint i = 0; i < 40; i++) {
        play_cost(stage, 0, 2);
        play_cost(stage, 1, 50);
        play_cost(stage, 3, 3);
    }
    play(stage->player, stage->ram + BLOCK); /* nothing is known of its cost */
    wait_for(costs_of(stage->guest).ever[FOLIO_COST_OTHER].samples == 80 &&
             costs_of(stage->guest).ever[FOLIO_COST_SPLIT].samples == 41);
    costs = costs_of(stage->guest);
    assert_int_equal(costs.ever[FOLIO_COST_OTHER].walks, 0);
    assert_int_equal(costs.ever[FOLIO_COST_OTHER].timed, 80);
    assert_int_equal(costs.ever[FOLIO_COST_OTHER].cycles, 40 * 2 + 40 * 3);
    assert_int_equal(costs.ever[FOLIO_COST_SPLIT].walks, 40);
    assert_int_equal(costs.ever[FOLIO_COST_SPLIT].timed, 40);
    assert_int_equal(costs.ever[FOLIO_COST_SPLIT].cycles, 40 * 50);
    assert_int_equal(costs.ever[FOLIO_COST_SPLIT].total, 40 * 60);
    assert_int_equal(costs.tracked, 1);
}

/* What a block costs before and after it is split goes with the heat of a window. */
static void
test_before_and_after(void **state)
{
    Stage *stage = *state;
    g_autoptr(FolioHeatSnapshot) heat = NULL;
    const FolioCostEntry *entry;

    begin(stage, FALSE);
    follow(stage->guest, N_BLOCKS, ".c");
    wait_for_windows(stage, 1);
    for (guint i = 0; i < 30; i++)
        play_cost(stage, 1, 2);
    wait_for(costs_of(stage->guest).ever[FOLIO_COST_OTHER].samples == 30);
    follow(stage->guest, N_BLOCKS, ".c");
    wait_for_windows(stage, 2);
    follow(stage->guest, N_BLOCKS, ".S");
    wait_for(costs_of(stage->guest).split == 1);
    for (guint i = 0; i < 20; i++)
        play_cost(stage, 1, 80);
    wait_for(costs_of(stage->guest).ever[FOLIO_COST_SPLIT].samples == 20);
    heat = folio_sampled_ref_heat(stage->guest);
    entry = folio_costs_find(heat->costs, 1);
    assert_non_null(entry);
    assert_true(entry->split);
    assert_int_equal(entry->before.samples, 30);
    assert_int_equal(entry->before.cycles, 60);
    assert_int_equal(entry->now.samples, 20);
    assert_int_equal(entry->now.walks, 20);
    assert_int_equal(entry->now.cycles, 1600);
    assert_true(entry->span > 0);
    assert_int_equal(heat->costs->totals.after.samples, 20);
}

/* No more blocks of all guests together are followed than there may be; a guest that leaves makes
 * room. */
static void
test_cap(void **state)
{
    Stage *stage = *state;
    const FolioRamSpec spec = { FOLIO_RAM_MAIN, FOLIO_BACKING_FILE, 0, CELL_BYTES, NULL };
    g_autoptr(FolioGuestRam) ram = NULL;
    char *other = reserve(CELL_BYTES);
    FolioSampled *second;

    begin(stage, TRUE);
    map_file_at(other, CELL_BYTES, huge_dir, "other", MAP_SHARED);
    ram = locate(&stage->base, &spec, 1);
    second = folio_sampler_add(stage->sampler, stage->base.process, ram, NULL, NULL);
    wait_for(figures_of(second).state == FOLIO_SAMPLING_ON);
    folio_sampler_set_max_tracked(stage->sampler, 5);
    follow(second, CELL_BYTES / BLOCK, "SSS");
    wait_for(costs_of(second).tracked == 3);
    follow(stage->guest, N_BLOCKS, "SSSS");
    wait_for(costs_of(stage->guest).split == 4);
    assert_int_equal(costs_of(stage->guest).tracked, 2);
    play_cost(stage, 3, 70);
    wait_for(costs_of(stage->guest).ever[FOLIO_COST_SPLIT].samples == 1);

    folio_sampled_remove(second);
    wait_for_windows(stage, 1);
    follow(stage->guest, N_BLOCKS, "SSSS");
    wait_for(costs_of(stage->guest).tracked == 4);
    folio_sampler_set_max_tracked(stage->sampler, 1);
    follow(stage->guest, N_BLOCKS, "SSSS");
    wait_for(costs_of(stage->guest).tracked == 1);
    assert_int_equal(costs_of(stage->guest).split, 4);
    munmap(other, CELL_BYTES);
}

/* Of another number of blocks than it has: that is of other memory. */
static void
test_other_memory(void **state)
{
    Stage *stage = *state;

    begin(stage, FALSE);
    follow(stage->guest, N_BLOCKS, "S");
    wait_for(costs_of(stage->guest).split == 1);
    follow(stage->guest, N_BLOCKS - 1, "SSS");
    wait_for_windows(stage, 2);
    assert_int_equal(costs_of(stage->guest).split, 1);
}

static void
test_no_allocation(void **state)
{
    Stage *stage = *state;

    begin(stage, FALSE);
    alloc_count();
    follow(stage->guest, N_BLOCKS, ".S.c");
    wait_for(costs_of(stage->guest).split == 1);
    for (guint i = 1; i <= 10; i++) {
        for (guint j = 0; j < 1024; j++)
            play_cost(stage, j % 4, j % 90);
        wait_for(figures_of(stage->guest).samples >= i * 1024);
    }
    assert_true(stage->player->big_drains > 0);
    assert_int_equal(stage->player->fewest_allocs, 0);
}

/* Small pages in frames anywhere take memory, for which there is as much room as is set. */
static void
test_room_for_pages_apart(void **state)
{
    Stage *stage = *state;

    stage_open(stage, never_dir);
    for (guint i = 0; i < RAM_BYTES / PAGE; i++) /* not in a row of frames */
        stage->ram[(i * 37) % (RAM_BYTES / PAGE) * PAGE] = 1;
    folio_sampler_set_max_tracked(stage->sampler, 1);
    stage_begin(stage);
    wait_until_on(stage);
    wait_for(strstr(figures_of(stage->guest).error, "MaxTrackedSplit=1 ") != NULL);
    folio_sampler_set_max_tracked(stage->sampler, 1000);
    wait_for(figures_of(stage->guest).error[0] == '\0');
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STAGE_TEST(test_kinds),         STAGE_TEST(test_before_and_after),
        STAGE_TEST(test_cap),           STAGE_TEST(test_other_memory),
        STAGE_TEST(test_no_allocation), STAGE_TEST(test_room_for_pages_apart),
    };

    return cmocka_run_group_tests_name("sampler-cost", tests, set_up_group, tear_down_group);
}
