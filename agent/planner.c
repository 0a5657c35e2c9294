/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of one guest. */
#include "planner.h"

#include "base/log.h"
#include "heat/frame-map.h"
#include "survey.h"

#include <gio/gio.h>

/* What the plan remembers is written so long after it has changed, and once in so many windows if
 * it has not: of blocks that rest the time passes. */
#define KEEP_SECONDS 5
#define KEEP_WINDOWS FOLIO_PLAN_DWELL

/* What became of a block that was begun, or what somebody else has made of it. */
typedef struct {
    guint block;
    FolioPlanAction noted; /* NOTHING: it was begun */
    FolioPlanResult result;
} Settled;

struct _FolioPlanner {
    FolioPlannerCalls calls;
    void (*planned)(const GError *error, gpointer user_data); /* NULL: nobody listens */
    gpointer user_data;
    char *uuid;
    FolioPlanStore *store; /* a reference; NULL: nothing is kept */
    FolioProcess *process; /* whose memory the plan is of; NULL: none yet */
    FolioGuestRam *ram;    /* as it was planned by */
    char *layout;          /* of that RAM */
    FolioPlan *plan;       /* the task's while busy */
    gboolean fresh;        /* the plan has not been looked for in the store */
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
    gboolean acted;    /* there is something to be remembered */
    guint unkept;      /* windows since it was written */
    guint keep_source; /* waits for the time to write it */
    gboolean keeping;  /* it is being written */
    gboolean failed;   /* it could not be, which has been said */
};

static void release(FolioPlanner *planner);

FolioPlanner *
folio_planner_new(const FolioPlannerCalls *calls, const char *uuid,
                  void (*planned)(const GError *error, gpointer user_data), gpointer user_data)
{
    FolioPlanner *planner = g_rc_box_new0(FolioPlanner);

    planner->calls = *calls;
    planner->uuid = g_strdup(uuid);
    planner->store = calls->store != NULL ? folio_plan_store_ref(calls->store) : NULL;
    planner->planned = planned;
    planner->user_data = user_data;
    planner->plan = folio_plan_new();
    planner->settled = g_array_new(FALSE, FALSE, sizeof(Settled));
    return planner;
}

/* Keeping what is remembered */

typedef struct {
    FolioPlanner *planner; /* a reference; NULL: it has been freed */
    FolioPlannerCalls calls;
    char *uuid;
} Keeping;

static void
on_kept(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Keeping *keeping = user_data;
    FolioPlanner *planner = keeping->planner;
    g_autoptr(GError) error = NULL;
    const gboolean kept = folio_plan_store_keep_finish(result, &error);

    if (!kept && (planner == NULL || !planner->failed))
        folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_LEDGER, NULL, keeping->uuid,
                  "what rests of the guest after an action cannot be written down, and would be "
                  "forgotten at a restart: %s",
                  error->message);
    keeping->calls.release(keeping->calls.user_data);
    if (planner != NULL) {
        planner->keeping = FALSE;
        planner->failed = !kept;
        release(planner);
    }
    g_free(keeping->uuid);
    g_free(keeping);
}

/* Of a plan that no window has been entered in yet: what was noted meanwhile. */
static GArray *
list_notes(const FolioPlanner *planner)
{
    GArray *notes = g_array_new(FALSE, FALSE, sizeof(FolioPlanNote));

    for (guint i = 0; i < planner->settled->len; i++) {
        const Settled *settled = &g_array_index(planner->settled, Settled, i);
        const FolioPlanNote note = { settled->block, settled->noted };

        g_array_append_val(notes, note);
    }
    return notes;
}

/* The plan is not in the hands of its task. */
static void
start_keeping(FolioPlanner *planner, gboolean last)
{
    g_autoptr(GArray) notes = planner->fresh ? list_notes(planner) : NULL;
    Keeping *keeping = g_new0(Keeping, 1);

    planner->unkept = 0;
    planner->keeping = TRUE;
    keeping->planner = last ? NULL : g_rc_box_acquire(planner);
    keeping->calls = planner->calls;
    keeping->uuid = g_strdup(planner->uuid);
    planner->calls.hold(planner->calls.user_data);
    folio_plan_store_keep_async(planner->store, planner->uuid, planner->process, planner->ram,
                                folio_plan_copy(planner->plan), notes, on_kept, keeping);
}

static gboolean
on_keep_time(gpointer user_data)
{
    FolioPlanner *planner = user_data;

    if (planner->busy || planner->keeping || planner->fresh)
        return G_SOURCE_CONTINUE;
    planner->keep_source = 0;
    start_keeping(planner, FALSE);
    return G_SOURCE_REMOVE;
}

/* Something is to be remembered that was not, or time has passed. */
static void
keep_soon(FolioPlanner *planner)
{
    planner->acted = TRUE;
    if (planner->store != NULL && planner->keep_source == 0 && planner->planned != NULL)
        planner->keep_source = g_timeout_add_seconds(KEEP_SECONDS, on_keep_time, planner);
}

static void
planner_clear(gpointer data)
{
    FolioPlanner *planner = data;

    if (planner->store != NULL && (planner->fresh ? planner->settled->len > 0 : planner->acted))
        start_keeping(planner, TRUE);
    g_clear_pointer(&planner->store, folio_plan_store_unref);
    g_free(planner->uuid);
    g_free(planner->layout);
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
    g_clear_handle_id(&planner->keep_source, g_source_remove);
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
    if (begun->len > 0)
        keep_soon(planner);
    return begun;
}

/* The plan is told what became of blocks, when it is not in the hands of the task. */
static void
hand_in_settled(FolioPlanner *planner)
{
    gboolean decided = FALSE;

    if (planner->busy || planner->fresh || planner->settled->len == 0)
        return;
    for (guint i = 0; i < planner->settled->len; i++) {
        const Settled *settled = &g_array_index(planner->settled, Settled, i);

        if (settled->noted != FOLIO_PLAN_NOTHING) {
            folio_plan_note(planner->plan, settled->block, settled->noted);
        } else {
            folio_plan_done(planner->plan, settled->block, settled->result);
            decided = TRUE;
        }
    }
    g_array_set_size(planner->settled, 0);
    if (decided)
        refresh_decisions(planner);
    keep_soon(planner);
}

void
folio_planner_settle(FolioPlanner *planner, guint block, FolioPlanResult result)
{
    const Settled settled = { .block = block, .result = result };

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
    gboolean recall; /* what is kept of that process */
    gboolean recalled;
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
    const FolioPlanner *planner = window->planner;
    const gboolean looks = window->input.mode > FOLIO_MODE_OBSERVE;
    GError *error = NULL;
    g_autofree guint8 *states = NULL;

    if (window->recall)
        window->recalled = folio_plan_store_recall(planner->store, planner->uuid, window->process,
                                                   window->ram, planner->plan);
    if (looks)
        states = folio_survey_take(window->process, window->ram, window->record, &error);
    if (looks && states == NULL) {
        g_task_return_error(task, error);
        return;
    }
    window->input.snapshot = window->snapshot;
    window->input.states = states;
    folio_plan_window(planner->plan, &window->input);
    if (looks)
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
        planner->fresh = FALSE;
        take_classes(planner, window);
    }
    if (window->recalled) {
        planner->acted = TRUE;
        refresh_decisions(planner);
    }
    hand_in_settled(planner);
    if (planner->acted && ++planner->unkept >= KEEP_WINDOWS)
        keep_soon(planner);
    if (planner->planned != NULL)
        planner->planned(error, planner->user_data);
    /* Not with the task, which may be freed by its thread. */
    release(planner);
}

static gboolean
is_same_process(const FolioProcess *a, const FolioProcess *b)
{
    return a == b ||
           (a != NULL && b != NULL && folio_process_get_pid(a) == folio_process_get_pid(b) &&
            folio_process_get_start_time(a) == folio_process_get_start_time(b));
}

/* What it had a plan of may have gone: another process, or other RAM. */
static void
follow(FolioPlanner *planner, FolioProcess *process, const FolioGuestRam *ram)
{
    g_autofree char *layout = folio_plan_file_layout(ram);
    const gboolean same =
        is_same_process(planner->process, process) && g_strcmp0(planner->layout, layout) == 0;

    g_clear_pointer(&planner->ram, folio_guest_ram_free);
    planner->ram = folio_guest_ram_copy(ram);
    folio_process_ref(process);
    g_clear_pointer(&planner->process, folio_process_unref);
    planner->process = process;
    if (same)
        return;
    g_free(planner->layout);
    planner->layout = g_steal_pointer(&layout);
    folio_plan_free(planner->plan);
    planner->plan = folio_plan_new();
    planner->windows = 0;
    planner->fresh = TRUE;
    planner->acted = FALSE;
    planner->valid = FALSE;
    g_array_set_size(planner->settled, 0);
    refresh_decisions(planner);
}

/* The number of the block at that address; G_MAXUINT: it is none of that RAM. */
static guint
block_at(const FolioGuestRam *ram, guint64 address)
{
    guint64 before = 0;

    for (guint i = 0; i < ram->blocks->len; i++) {
        const FolioRamBlock *block = ram->blocks->pdata[i];

        if (address >= block->hva && address - block->hva < block->bytes)
            return (guint) (before + (address - block->hva) / FOLIO_BLOCK_BYTES);
        before += block->bytes / FOLIO_BLOCK_BYTES + (block->bytes % FOLIO_BLOCK_BYTES != 0);
    }
    return G_MAXUINT;
}

void
folio_planner_note(FolioPlanner *planner, FolioProcess *process, const FolioGuestRam *ram,
                   guint64 address, FolioPlanAction action)
{
    const Settled settled = { .block = block_at(ram, address), .noted = action };

    if (!is_same_process(planner->process, process)) {
        if (planner->busy)
            return; /* with a window of one that has ended */
        follow(planner, process, ram);
    }
    /* The last ones count, should no window ever come. */
    if (planner->fresh && planner->settled->len >= 2 * folio_block_ranges_count(ram))
        g_array_remove_range(planner->settled, 0, planner->settled->len / 2);
    g_array_append_val(planner->settled, settled);
    hand_in_settled(planner);
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

    follow(planner, view->process, view->ram);
    planner->windows = view->snapshot->windows;
    planner->input = make_input(view);
    window->planner = g_rc_box_acquire(planner);
    window->process = folio_process_ref(view->process);
    window->ram = folio_guest_ram_copy(view->ram);
    window->record = view->record != NULL ? folio_ledger_guest_ref(view->record) : NULL;
    window->snapshot = folio_heat_snapshot_ref(view->snapshot);
    window->recall = planner->fresh && planner->store != NULL;
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
           (view->snapshot->windows != planner->windows || view->process != planner->process ||
            (planner->input.mode <= FOLIO_MODE_OBSERVE && view->mode > FOLIO_MODE_OBSERVE)) &&
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
