/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of one guest. */
#include "planner.h"

#include "heat/frame-map.h"
#include "survey.h"

#include <gio/gio.h>

/* What became of a block. */
typedef struct {
    guint block;
    FolioPlanResult result;
} Settled;

struct _FolioPlanner {
    FolioPlannerCalls calls;
    void (*planned)(const GError *error, gpointer user_data); /* NULL: nobody listens */
    gpointer user_data;
    FolioProcess *process; /* whose memory the plan is of; NULL: none yet */
    FolioGuestRam *ram;    /* as it was planned by */
    FolioPlan *plan;       /* the task's while busy */
    guint32 windows;       /* of the snapshot that it was planned by last */
    gboolean busy;
    gboolean valid;       /* the plan is of the last window, and may be carried out */
    gboolean stale;       /* the one that is being made must not */
    FolioPlanInput input; /* it is, or was, made by; without snapshot and states */
    guint next[2];        /* steps that were begun: collapses, splits */
    FolioPlanCounts counts;
    guint8 *classes; /* FolioCostClass of n_classes blocks; NULL: none that is new */
    guint n_classes;
    GArray *settled;   /* of which the plan is still to be told */
    GArray *decisions; /* FolioPlanDecision; NULL: none */
};

FolioPlanner *
folio_planner_new(const FolioPlannerCalls *calls,
                  void (*planned)(const GError *error, gpointer user_data), gpointer user_data)
{
    FolioPlanner *planner = g_rc_box_new0(FolioPlanner);

    planner->calls = *calls;
    planner->planned = planned;
    planner->user_data = user_data;
    planner->plan = folio_plan_new();
    planner->settled = g_array_new(FALSE, FALSE, sizeof(Settled));
    return planner;
}

static void
planner_clear(gpointer data)
{
    FolioPlanner *planner = data;

    g_clear_pointer(&planner->process, folio_process_unref);
    g_clear_pointer(&planner->ram, folio_guest_ram_free);
    g_clear_pointer(&planner->decisions, g_array_unref);
    g_free(planner->classes);
    g_array_unref(planner->settled);
    folio_plan_free(planner->plan);
}

static void
release(FolioPlanner *planner)
{
    g_rc_box_release_full(planner, planner_clear);
}

void
folio_planner_free(FolioPlanner *planner)
{
    planner->planned = NULL;
    release(planner);
}

gboolean
folio_planner_is_busy(const FolioPlanner *planner)
{
    return planner->busy;
}

void
folio_planner_drop(FolioPlanner *planner)
{
    planner->valid = FALSE;
    planner->stale = TRUE;
}

/* Steps */

const FolioPlanStep *
folio_planner_rest(const FolioPlanner *planner, gboolean splits, guint *n)
{
    const GArray *steps;

    *n = 0;
    if (planner->busy || !planner->valid)
        return NULL;
    steps = splits ? folio_plan_splits(planner->plan) : folio_plan_collapses(planner->plan);
    *n = steps->len - MIN(planner->next[splits], steps->len);
    return *n > 0 ? &g_array_index(steps, FolioPlanStep, planner->next[splits]) : NULL;
}

static void
refresh_decisions(FolioPlanner *planner)
{
    g_clear_pointer(&planner->decisions, g_array_unref);
    planner->decisions = folio_plan_list_decisions(planner->plan);
}

GArray *
folio_planner_begin(FolioPlanner *planner, gboolean splits, guint n)
{
    GArray *begun = g_array_new(FALSE, FALSE, sizeof(FolioPlannedBlock));
    const gint64 now = g_get_real_time();
    guint rest;
    const FolioPlanStep *steps = folio_planner_rest(planner, splits, &rest);

    for (guint i = 0; i < MIN(n, rest); i++) {
        g_autoptr(GArray) range = folio_block_ranges_new(planner->ram, steps[i].block, 1);
        FolioPlannedBlock block = { .block = steps[i].block };

        if (range->len == 0 || !folio_plan_begin(planner->plan, &steps[i], now))
            continue;
        block.address = g_array_index(range, FolioBlockRange, 0).start;
        g_array_append_val(begun, block);
    }
    planner->next[splits] += MIN(n, rest);
    refresh_decisions(planner);
    return begun;
}

/* The plan is told what became of blocks, when it is not in the hands of the task. */
static void
hand_in_settled(FolioPlanner *planner)
{
    if (planner->busy || planner->settled->len == 0)
        return;
    for (guint i = 0; i < planner->settled->len; i++) {
        const Settled *settled = &g_array_index(planner->settled, Settled, i);

        folio_plan_done(planner->plan, settled->block, settled->result);
    }
    g_array_set_size(planner->settled, 0);
    refresh_decisions(planner);
}

void
folio_planner_settle(FolioPlanner *planner, guint block, FolioPlanResult result)
{
    const Settled settled = { block, result };

    g_array_append_val(planner->settled, settled);
    hand_in_settled(planner);
}

const GArray *
folio_planner_get_decisions(const FolioPlanner *planner)
{
    return planner->decisions;
}

FolioPlanCounts
folio_planner_counts(const FolioPlanner *planner)
{
    return planner->counts;
}

/* Windows */

typedef struct {
    FolioPlanner *planner; /* a reference, given back on the main context */
    FolioProcess *process;
    FolioGuestRam *ram;
    FolioLedgerGuest *record;
    FolioHeatSnapshot *snapshot;
    FolioPlanInput input;
    guint8 *classes; /* of the snapshot's blocks; NULL until it is planned */
} Window;

static void
window_free(gpointer data)
{
    Window *window = data;

    folio_process_unref(window->process);
    folio_guest_ram_free(window->ram);
    folio_heat_snapshot_unref(window->snapshot);
    g_clear_pointer(&window->record, folio_ledger_guest_unref);
    g_free(window->classes);
    g_free(window);
}

static guint8 *
classify(const FolioPlanInput *input)
{
    const FolioHeatSnapshot *snapshot = input->snapshot;
    guint8 *classes = g_new0(guint8, MAX(snapshot->n_blocks, 1));

    for (guint b = 0; b < snapshot->n_blocks; b++) {
        if (input->states[b] == FOLIO_BLOCK_SPLIT)
            classes[b] = FOLIO_COST_SPLIT;
        else if (input->max_splits > 0 && input->states[b] == FOLIO_BLOCK_HUGE &&
                 snapshot->verdicts[b] == FOLIO_VERDICT_SPARSE)
            classes[b] = FOLIO_COST_CANDIDATE;
    }
    return classes;
}

static void
plan_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    Window *window = task_data;
    GError *error = NULL;
    g_autofree guint8 *states =
        folio_survey_take(window->process, window->ram, window->record, &error);

    if (states == NULL) {
        g_task_return_error(task, error);
        return;
    }
    window->input.snapshot = window->snapshot;
    window->input.states = states;
    folio_plan_window(window->planner->plan, &window->input);
    window->classes = classify(&window->input);
    g_task_return_boolean(task, TRUE);
}

static void
take_classes(FolioPlanner *planner, Window *window)
{
    g_free(planner->classes);
    planner->classes = g_steal_pointer(&window->classes);
    planner->n_classes = window->snapshot->n_blocks;
}

guint8 *
folio_planner_steal_classes(FolioPlanner *planner, guint *n)
{
    *n = planner->n_classes;
    return g_steal_pointer(&planner->classes);
}

static void
on_planned(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Window *window = g_task_get_task_data(G_TASK(result));
    FolioPlanner *planner = window->planner;
    g_autoptr(GError) error = NULL;

    planner->calls.release(planner->calls.user_data);
    planner->busy = FALSE;
    planner->valid = g_task_propagate_boolean(G_TASK(result), &error) && !planner->stale;
    if (error == NULL) {
        planner->next[0] = planner->next[1] = 0;
        planner->counts = folio_plan_counts(planner->plan);
        take_classes(planner, window);
    }
    hand_in_settled(planner);
    if (planner->planned != NULL)
        planner->planned(error, planner->user_data);
    /* Not with the task, which may be freed by its thread. */
    release(planner);
}

/* What it had a plan of may have gone. */
static void
follow(FolioPlanner *planner, const FolioDecidedView *view)
{
    const gboolean same =
        planner->process == view->process && view->snapshot->windows >= planner->windows;

    g_clear_pointer(&planner->ram, folio_guest_ram_free);
    planner->ram = folio_guest_ram_copy(view->ram);
    if (same)
        return;
    g_clear_pointer(&planner->process, folio_process_unref);
    planner->process = folio_process_ref(view->process);
    folio_plan_free(planner->plan);
    planner->plan = folio_plan_new();
    g_array_set_size(planner->settled, 0);
}

/* Blocks that could be done until the next window. */
static guint
blocks_a_window(const FolioHeatSnapshot *snapshot, guint64 rate)
{
    const double bytes = (double) rate * ((double) snapshot->window_usec / G_USEC_PER_SEC);

    return (guint) CLAMP(bytes / (double) FOLIO_BLOCK_BYTES, 1, FOLIO_MAX_BLOCKS);
}

static FolioPlanInput
make_input(const FolioDecidedView *view)
{
    const guint most = blocks_a_window(view->snapshot, view->wanted->max_rate);

    return (FolioPlanInput){ .mode = view->mode,
                             .split_order = view->wanted->split_order,
                             .sparse_below = view->wanted->sparse_below,
                             .max_splits = view->can_split ? most : 0,
                             .max_collapses = view->can_collapse ? most : 0 };
}

static void
start_planning(FolioPlanner *planner, const FolioDecidedView *view)
{
    Window *window = g_new0(Window, 1);
    g_autoptr(GTask) task = g_task_new(NULL, NULL, on_planned, NULL);

    follow(planner, view);
    planner->windows = view->snapshot->windows;
    planner->input = make_input(view);
    window->planner = g_rc_box_acquire(planner);
    window->process = folio_process_ref(view->process);
    window->ram = folio_guest_ram_copy(view->ram);
    window->record = view->record != NULL ? folio_ledger_guest_ref(view->record) : NULL;
    window->snapshot = folio_heat_snapshot_ref(view->snapshot);
    window->input = planner->input;
    planner->busy = TRUE;
    planner->stale = FALSE;
    planner->calls.hold(planner->calls.user_data);
    g_task_set_task_data(task, window, window_free);
    g_task_run_in_thread(task, plan_in_thread);
}

/* What is wanted, or can be done, is no longer what it was planned by. */
static gboolean
is_outdated(const FolioPlanner *planner, const FolioDecidedView *view)
{
    const FolioPlanInput *was = &planner->input;

    return view->mode != was->mode || view->wanted->split_order != was->split_order ||
           view->wanted->sparse_below != was->sparse_below ||
           view->can_split != (was->max_splits > 0) ||
           view->can_collapse != (was->max_collapses > 0);
}

static gboolean
is_new_window(const FolioPlanner *planner, const FolioDecidedView *view)
{
    return !planner->busy &&
           (view->snapshot->windows != planner->windows || view->process != planner->process) &&
           view->snapshot->n_blocks == folio_block_ranges_count(view->ram);
}

gboolean
folio_planner_enter(FolioPlanner *planner, const FolioDecidedView *view)
{
    if (is_new_window(planner, view)) {
        start_planning(planner, view);
        return TRUE;
    }
    if (is_outdated(planner, view))
        folio_planner_drop(planner);
    return FALSE;
}
