/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* heat-scale: what the bookkeeping of samples costs for a guest of a TiB (or --gib N): from host
 * frame to bitmap for each sample, the fold at the end of an epoch, the scan for verdicts, the
 * snapshot and the line of the history that are left for whoever asks, the plan of what to split
 * and collapse, and the memory of it all.
 * Times are of one thread; the best of --rounds. */
#include <json-glib/json-glib.h>
#include <math.h>
#include <stdio.h>

#include "heat/frame-map.h"
#include "heat/heat-columns.h"
#include "policy/plan.h"

#define BLOCKS_A_GIB 512

/* Steps of a plan: what MaxRate= and EpochSeconds= allow in a window by default. */
#define STEPS (256 / 2 * 50)

typedef struct {
    int gib, rounds, samples;
    gboolean json;
} Options;

typedef struct {
    double add_ns, map_add_ns, fold_ms, close_ms, decide_ms, snapshot_ms, history_ms, columns_ms,
        plan_ms;
    guint bytes_a_block;
} Cost;

static guint64
next_random(guint64 *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Frames of all blocks at random: no sample is helped by the one before it. */
static guint64 *
make_frames(guint n, guint n_blocks)
{
    guint64 *frames = g_new(guint64, n), state = 88172645463325252u;

    for (guint i = 0; i < n; i++)
        frames[i] = next_random(&state) % ((guint64) n_blocks * FOLIO_SUB_PAGES);
    return frames;
}

static double
ms_since(gint64 start)
{
    return (double) (g_get_monotonic_time() - start) / 1000;
}

static double
time_add(FolioHeatTable *table, const guint64 *frames, guint n)
{
    gint64 start = g_get_monotonic_time();

    for (guint i = 0; i < n; i++)
        folio_heat_table_add(table, (guint) (frames[i] / FOLIO_SUB_PAGES),
                             (guint) (frames[i] % FOLIO_SUB_PAGES));
    return ms_since(start) * 1e6 / n;
}

static double
time_map_add(const FolioFrameMap *map, FolioHeatTable *table, const guint64 *frames, guint n)
{
    gint64 start = g_get_monotonic_time();

    for (guint i = 0; i < n; i++) {
        FolioPlace place = folio_frame_map_find(map, frames[i]);

        if (place != FOLIO_NO_PLACE)
            folio_heat_table_add(table, place / FOLIO_SUB_PAGES, place % FOLIO_SUB_PAGES);
    }
    return ms_since(start) * 1e6 / n;
}

/* The worst case: all blocks are to be acted on, half of them split, half collapsed. */
static void
time_plan(const FolioHeatSnapshot *snapshot, Cost *best)
{
    g_autoptr(FolioPlan) plan = folio_plan_new();
    g_autofree guint8 *verdicts = g_new(guint8, snapshot->n_blocks);
    g_autofree guint8 *states = g_new(guint8, snapshot->n_blocks);
    FolioHeatSnapshot worst = *snapshot;
    const FolioPlanInput input = { .snapshot = &worst,
                                   .states = states,
                                   .mode = FOLIO_MODE_ADAPTIVE,
                                   .sparse_below = FOLIO_SUB_PAGES,
                                   .max_splits = STEPS,
                                   .max_collapses = STEPS };

    for (guint b = 0; b < snapshot->n_blocks; b++) {
        verdicts[b] = b % 2 == 0 ? FOLIO_VERDICT_SPARSE : FOLIO_VERDICT_DENSE;
        states[b] = b % 2 == 0 ? FOLIO_BLOCK_HUGE : FOLIO_BLOCK_SMALL;
    }
    worst.verdicts = verdicts;
    for (guint window = 0; window < FOLIO_PLAN_HELD; window++) {
        const gint64 start = g_get_monotonic_time();

        worst.windows++;
        folio_plan_window(plan, &input);
        if (window == FOLIO_PLAN_HELD - 1)
            best->plan_ms = fmin(best->plan_ms, ms_since(start));
    }
}

/* What is left at the end of a window; and what a question about all blocks costs, which is not the
 * sampling thread's. */
static void
leave_heat(const FolioHeatTable *table, const FolioVerdict *verdicts, Cost *best)
{
    const FolioHeatRequest request = { .blocks = G_MAXUINT64, .granule = 1 };
    g_autoptr(GArray) ranges = folio_heat_ranges_new();
    g_autoptr(FolioHeatSnapshot) snapshot = NULL;
    g_autoptr(FolioHeatHistory) history = NULL;
    g_autoptr(GPtrArray) columns = NULL;
    guint16 row[FOLIO_HISTORY_GRANULES];
    gint64 start = g_get_monotonic_time();

    folio_heat_ranges_add(ranges, "ram", table->n_blocks);
    history = folio_heat_history_new(ranges);
    snapshot = folio_heat_snapshot_new(table, verdicts, ranges, NULL);
    best->snapshot_ms = fmin(best->snapshot_ms, ms_since(start));
    start = g_get_monotonic_time();
    folio_heat_history_measure(history, snapshot, row);
    folio_heat_history_add(history, 0, row);
    best->history_ms = fmin(best->history_ms, ms_since(start));
    start = g_get_monotonic_time();
    columns = folio_heat_columns_new(snapshot, &request);
    best->columns_ms = fmin(best->columns_ms, ms_since(start));
    time_plan(snapshot, best);
}

/* One window: the samples, ten epoch ends, the verdicts. */
static void
run_window(const FolioFrameMap *map, FolioHeatTable *table, const guint64 *frames, guint n,
           FolioVerdict *verdicts, Cost *best)
{
    double fold = 0;
    gint64 start;

    best->add_ns = fmin(best->add_ns, time_add(table, frames, n));
    for (guint epoch = 0; epoch < FOLIO_EPOCHS - 1; epoch++) {
        best->map_add_ns = fmin(best->map_add_ns, time_map_add(map, table, frames, n));
        start = g_get_monotonic_time();
        folio_heat_table_end_epoch(table);
        fold = fmax(fold, ms_since(start));
    }
    best->fold_ms = fmin(best->fold_ms, fold);
    start = g_get_monotonic_time();
    folio_heat_table_end_epoch(table);
    best->close_ms = fmin(best->close_ms, ms_since(start));
    start = g_get_monotonic_time();
    folio_heat_table_decide(table, verdicts);
    best->decide_ms = fmin(best->decide_ms, ms_since(start));
    leave_heat(table, verdicts, best);
}

static Cost
measure(const Options *options)
{
    guint n_blocks = (guint) options->gib * BLOCKS_A_GIB, n = (guint) options->samples;
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();
    g_autoptr(FolioHeatTable) table = folio_heat_table_new(n_blocks);
    g_autofree guint64 *frames = make_frames(n, n_blocks);
    g_autofree FolioVerdict *verdicts = g_new0(FolioVerdict, n_blocks);
    Cost best = { INFINITY, INFINITY, INFINITY, INFINITY, INFINITY,
                  INFINITY, INFINITY, INFINITY, INFINITY, folio_heat_table_block_bytes() };

    for (guint b = 0; b < n_blocks; b++)
        folio_frame_map_set_block(map, b, (guint64) b * FOLIO_SUB_PAGES);
    for (int round = 0; round < options->rounds; round++)
        run_window(map, table, frames, n, verdicts, &best);
    return best;
}

static void
print_json(const Options *options, const Cost *cost)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *text = NULL;
    const struct {
        const char *name;
        double value;
    } members[] = {
        { "guest_gib", options->gib },
        { "samples_an_epoch", options->samples },
        { "bytes_per_block", cost->bytes_a_block },
        { "ns_per_sample", cost->add_ns },
        { "ns_per_sample_with_frame_lookup", cost->map_add_ns },
        { "epoch_fold_ms", cost->fold_ms },
        { "window_close_ms", cost->close_ms },
        { "decision_scan_ms", cost->decide_ms },
        { "snapshot_ms", cost->snapshot_ms },
        { "history_ms", cost->history_ms },
        { "columns_ms", cost->columns_ms },
        { "plan_ms", cost->plan_ms },
    };

    json_builder_begin_object(builder);
    for (gsize i = 0; i < G_N_ELEMENTS(members); i++) {
        json_builder_set_member_name(builder, members[i].name);
        json_builder_add_double_value(builder, members[i].value);
    }
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    text = json_to_string(root, TRUE);
    puts(text);
}

static void
print_text(const Options *options, const Cost *cost)
{
    printf("%d GiB, %d samples an epoch, %u bytes a block\n", options->gib, options->samples,
           cost->bytes_a_block);
    printf("a sample: %.1f ns, with the frame lookup %.1f ns\n", cost->add_ns, cost->map_add_ns);
    printf("end of an epoch %.1f ms, of a window %.1f ms; verdicts %.2f ms\n", cost->fold_ms,
           cost->close_ms, cost->decide_ms);
    printf("snapshot %.2f ms, a window of the history %.2f ms; columns of all blocks %.1f ms\n",
           cost->snapshot_ms, cost->history_ms, cost->columns_ms);
    printf("plan, all blocks to be acted on: %.2f ms\n", cost->plan_ms);
}

int
main(int argc, char **argv)
{
    Options options = { .gib = 1024, .rounds = 3, .samples = 4000000 };
    const GOptionEntry entries[] = {
        { "gib", 'g', 0, G_OPTION_ARG_INT, &options.gib, "Guest RAM (1024)", "N" },
        { "rounds", 'r', 0, G_OPTION_ARG_INT, &options.rounds, "Windows to run (3)", "N" },
        { "samples", 's', 0, G_OPTION_ARG_INT, &options.samples, "Samples an epoch (4000000)",
          "N" },
        { "json", 'j', 0, G_OPTION_ARG_NONE, &options.json, "Print JSON", NULL },
        { NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    g_autoptr(GError) error = NULL;
    Cost cost;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc > 1 || options.gib < 1 ||
        options.gib > 8192 || options.rounds < 1 || options.samples < 1) {
        fprintf(stderr, "heat-scale: %s\n", error ? error->message : "bad option; see --help");
        return 2;
    }
    cost = measure(&options);
    if (options.json)
        print_json(&options, &cost);
    else
        print_text(&options, &cost);
    return 0;
}
