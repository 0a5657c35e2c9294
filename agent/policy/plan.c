/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is to be split and collapsed of one guest, and when not. */
#include "policy/plan.h"

#include "policy/best.h"
#include "policy/guest-policy.h"
#include "policy/split-cost.h"

/* Of `since`: longer ago than can be told, or never. */
#define LONG_AGO G_MAXUINT16

/* A score of n sub-pages is n times this, so that fractions count. */
#define SCORE_SCALE 1024.0f

#define SUB_PAGE_BYTES 4096.0

/* Log2 of a block's pages. */
#define ORDER_HUGE 9
G_STATIC_ASSERT(1 << ORDER_HUGE == FOLIO_SUB_PAGES);

/* What is remembered of a block. */
typedef struct {
    guint16 since;        /* windows since the last action began */
    guint8 held;          /* windows in a row of the verdict; stays at 255 */
    guint8 verdict : 2;   /* FolioVerdict */
    guint8 action : 2;    /* FolioPlanAction, the last one */
    guint8 doublings : 4; /* of its dwell */
} Block;

G_STATIC_ASSERT(sizeof(Block) == 4);

struct _FolioPlan {
    gboolean started;
    guint32 window; /* the last one that was entered */
    guint n_blocks;
    Block *blocks;
    GArray *splits, *collapses; /* FolioPlanStep */
    FolioPlanCounts counts;
    FolioCostBaseline baseline; /* of the last window */
    gboolean holds;             /* folio_split_cost_holds() */
    FolioPlanDecision decisions[FOLIO_PLAN_DECISIONS];
    guint64 n_decisions; /* ever; the place of the next one, modulo the size */
};

/* The time from the last window to this one. */
typedef struct {
    guint windows;
    gboolean broken; /* there were windows in between that were not seen */
} Passed;

const char *
folio_plan_action_token(FolioPlanAction action)
{
    static const char *const tokens[] = { "nothing", "split", "collapse" };

    return tokens[action];
}

const char *
folio_plan_cause_token(FolioPlanCause cause)
{
    static const char *const tokens[] = { "sparse", "dense", "undo", "costly" };

    return tokens[cause];
}

const char *
folio_plan_result_token(FolioPlanResult result)
{
    static const char *const tokens[] = { "untold", "done", "left", "refused", "void" };

    return tokens[result];
}

FolioPlan *
folio_plan_new(void)
{
    FolioPlan *plan = g_new0(FolioPlan, 1);

    plan->splits = g_array_new(FALSE, FALSE, sizeof(FolioPlanStep));
    plan->collapses = g_array_new(FALSE, FALSE, sizeof(FolioPlanStep));
    return plan;
}

void
folio_plan_free(FolioPlan *plan)
{
    g_free(plan->blocks);
    g_array_unref(plan->splits);
    g_array_unref(plan->collapses);
    g_free(plan);
}

/* ---- Time */

static void
forget_blocks(FolioPlan *plan, guint n_blocks)
{
    g_free(plan->blocks);
    plan->blocks = g_new0(Block, n_blocks);
    plan->n_blocks = n_blocks;
    plan->started = FALSE;
    plan->n_decisions = 0;
    plan->holds = FALSE;
    for (guint b = 0; b < n_blocks; b++)
        plan->blocks[b].since = LONG_AGO;
}

/* A number that has gone down is of a table that was made anew: how long that took is not known. */
static Passed
enter_window(FolioPlan *plan, guint32 window)
{
    Passed passed = { .windows = 1, .broken = TRUE };

    if (plan->started && window >= plan->window) {
        passed.windows = window - plan->window;
        passed.broken = passed.windows > 1;
    }
    plan->started = TRUE;
    plan->window = window;
    return passed;
}

static void
age(Block *block, const Passed *passed, FolioVerdict verdict)
{
    if (passed->windows == 0)
        return;
    block->since = (guint16) MIN((guint64) block->since + passed->windows, LONG_AGO);
    if (passed->broken || block->verdict != verdict) {
        block->verdict = verdict & 3u;
        block->held = 1;
    } else if (block->held < G_MAXUINT8) {
        block->held++;
    }
}

/* Windows that must pass between the block's last action and this one. That a block was split by
 * mistake is no reason to leave it so. */
static guint
wait_for(const Block *block, FolioPlanAction action)
{
    if (block->action == FOLIO_PLAN_SPLIT && action == FOLIO_PLAN_COLLAPSE)
        return FOLIO_PLAN_DWELL;
    return FOLIO_PLAN_DWELL << block->doublings;
}

static gboolean
rests(const Block *block, FolioPlanAction action)
{
    return block->since < wait_for(block, action);
}

/* ---- Choice */

typedef struct {
    gboolean splits, collapses;
} Deeds;

/* The mode, by what is left of it where one of both cannot be done. */
static Deeds
deeds_of(FolioMode mode)
{
    return (Deeds){
        .splits = folio_mode_in_force(mode, TRUE, FALSE) == FOLIO_MODE_SPLIT,
        .collapses = folio_mode_in_force(mode, FALSE, TRUE) == FOLIO_MODE_COLLAPSE,
    };
}

static FolioPlanAction
wanted_action(Deeds deeds, FolioBlockState state, FolioVerdict verdict)
{
    if (verdict == FOLIO_VERDICT_SPARSE && state == FOLIO_BLOCK_HUGE && deeds.splits)
        return FOLIO_PLAN_SPLIT;
    if (verdict != FOLIO_VERDICT_DENSE)
        return FOLIO_PLAN_NOTHING;
    if (state == FOLIO_BLOCK_SPLIT && (deeds.splits || deeds.collapses))
        return FOLIO_PLAN_COLLAPSE;
    return state == FOLIO_BLOCK_SMALL && deeds.collapses ? FOLIO_PLAN_COLLAPSE : FOLIO_PLAN_NOTHING;
}

/* Sub-pages in use: what the window shows or what is remembered, whichever is more. */
static gboolean
is_wide(const FolioHeatEvidence *evidence, guint sparse_below)
{
    return evidence->footprint >= sparse_below ||
           folio_estimate_in_use(evidence) >= (float) sparse_below;
}

static float
exposed(const FolioHeatEvidence *evidence)
{
    return MAX(FOLIO_SUB_PAGES - folio_estimate_reach(evidence), 0);
}

static guint32
score(const Block *block, FolioPlanAction action, const FolioHeatEvidence *evidence)
{
    const float held = block->held;

    if (action == FOLIO_PLAN_COLLAPSE)
        return (guint32) (folio_estimate_in_use(evidence) * SCORE_SCALE);
    return (guint32) (exposed(evidence) * (held + 1) / (held + 2) * SCORE_SCALE);
}

/* Its split costs more than it is worth. cost may be NULL. */
static gboolean
is_costly(const FolioPlan *plan, const FolioPlanInput *input, guint b, FolioSplitCost *cost)
{
    const FolioHeatSnapshot *snapshot = input->snapshot;
    const double bytes = (double) exposed(&snapshot->evidence[b]) * SUB_PAGE_BYTES;
    const FolioCostEntry *entry = NULL;

    if (input->states[b] == FOLIO_BLOCK_SPLIT && snapshot->costs != NULL)
        entry = folio_costs_find(snapshot->costs, b);
    return entry != NULL && folio_split_cost_is_costly(&plan->baseline, entry, bytes, cost);
}

static FolioPlanCause
cause_of(const FolioPlanInput *input, guint b, FolioPlanAction action)
{
    if (action == FOLIO_PLAN_SPLIT)
        return FOLIO_PLAN_CAUSE_SPARSE;
    if (input->snapshot->verdicts[b] != FOLIO_VERDICT_DENSE)
        return FOLIO_PLAN_CAUSE_COSTLY;
    return input->states[b] == FOLIO_BLOCK_SPLIT ? FOLIO_PLAN_CAUSE_UNDO : FOLIO_PLAN_CAUSE_DENSE;
}

/* A block that can be acted on now. */
static void
offer(FolioPlan *plan, const FolioPlanInput *input, guint b, FolioPlanAction action,
      FolioBest *best)
{
    FolioPlanCounts *counts = &plan->counts;

    if (action == FOLIO_PLAN_SPLIT && plan->holds) {
        counts->held_back++;
        return;
    }
    counts->splits += action == FOLIO_PLAN_SPLIT;
    counts->collapses += action == FOLIO_PLAN_COLLAPSE;
    counts->costly += cause_of(input, b, action) == FOLIO_PLAN_CAUSE_COSTLY;
    folio_best_offer(best, score(&plan->blocks[b], action, &input->snapshot->evidence[b]), b);
}

/* A block that the mode would act on: enters it where it belongs. That it is costly does not go by
 * its verdict. */
static void
consider(FolioPlan *plan, const FolioPlanInput *input, guint b, FolioPlanAction action,
         FolioBest *best)
{
    const gboolean costly = cause_of(input, b, action) == FOLIO_PLAN_CAUSE_COSTLY;
    const FolioHeatEvidence *evidence = &input->snapshot->evidence[b];
    const Block *block = &plan->blocks[b];

    if (action == FOLIO_PLAN_SPLIT && is_wide(evidence, input->sparse_below)) {
        plan->counts.wide++;
    } else if (block->held < FOLIO_PLAN_HELD && !costly) {
        plan->counts.unconfirmed++;
    } else if (rests(block, action)) {
        plan->counts.resting++;
    } else {
        offer(plan, input, b, action, best);
    }
}

/* ---- Steps */

static FolioPlanStep
make_step(const FolioPlan *plan, const FolioPlanInput *input, guint b, FolioPlanAction action)
{
    const FolioHeatEvidence *evidence = &input->snapshot->evidence[b];
    const Block *block = &plan->blocks[b];
    const FolioVerdict verdict = (FolioVerdict) input->snapshot->verdicts[b];
    const FolioPlanCause cause = cause_of(input, b, action);
    FolioSplitCost cost = { 0 };

    if (cause == FOLIO_PLAN_CAUSE_COSTLY)
        is_costly(plan, input, b, &cost);
    return (FolioPlanStep){
        .block = b,
        .action = action,
        .order = action == FOLIO_PLAN_SPLIT ? input->split_order : ORDER_HUGE,
        .cause = cause,
        .verdict = verdict,
        .held = block->held,
        .seen = evidence->seen,
        .footprint = evidence->footprint,
        .in_use = folio_estimate_in_use(evidence),
        .reach = folio_estimate_reach(evidence),
        .confidence = folio_outcomes_confidence(&input->snapshot->outcomes, evidence, verdict),
        .doublings = block->doublings,
        .cost_before = (float) cost.before,
        .cost_now = (float) cost.now,
    };
}

static void
make_steps(const FolioPlan *plan, const FolioPlanInput *input, FolioPlanAction action,
           FolioBest *best, GArray *steps)
{
    g_autoptr(GArray) blocks = folio_best_list(best);

    g_array_set_size(steps, 0);
    for (guint i = 0; i < blocks->len; i++) {
        const guint b = g_array_index(blocks, guint32, i);
        const FolioPlanStep step = make_step(plan, input, b, action);

        g_array_append_val(steps, step);
    }
}

void
folio_plan_window(FolioPlan *plan, const FolioPlanInput *input)
{
    const FolioHeatSnapshot *snapshot = input->snapshot;
    const Deeds deeds = deeds_of(input->mode);
    g_autoptr(FolioBest) splits = folio_best_new(input->max_splits);
    g_autoptr(FolioBest) collapses = folio_best_new(input->max_collapses);
    Passed passed;

    if (plan->n_blocks != snapshot->n_blocks)
        forget_blocks(plan, snapshot->n_blocks);
    passed = enter_window(plan, snapshot->windows);
    plan->counts = (FolioPlanCounts){ 0 };
    plan->baseline = folio_split_cost_baseline(snapshot->costs);
    plan->holds = folio_split_cost_holds(snapshot->costs, &plan->baseline, plan->holds);
    for (guint b = 0; b < snapshot->n_blocks; b++) {
        const FolioVerdict verdict = (FolioVerdict) snapshot->verdicts[b];
        FolioPlanAction action;

        age(&plan->blocks[b], &passed, verdict);
        if (input->states == NULL)
            continue;
        action = wanted_action(deeds, (FolioBlockState) input->states[b], verdict);
        if (action == FOLIO_PLAN_NOTHING && (deeds.splits || deeds.collapses) &&
            is_costly(plan, input, b, NULL))
            action = FOLIO_PLAN_COLLAPSE;
        if (action != FOLIO_PLAN_NOTHING)
            consider(plan, input, b, action, action == FOLIO_PLAN_SPLIT ? splits : collapses);
    }
    make_steps(plan, input, FOLIO_PLAN_SPLIT, splits, plan->splits);
    make_steps(plan, input, FOLIO_PLAN_COLLAPSE, collapses, plan->collapses);
}

const GArray *
folio_plan_splits(const FolioPlan *plan)
{
    return plan->splits;
}

const GArray *
folio_plan_collapses(const FolioPlan *plan)
{
    return plan->collapses;
}

FolioPlanCounts
folio_plan_counts(const FolioPlan *plan)
{
    return plan->counts;
}

/* ---- Decisions */

static void
remember(FolioPlan *plan, const FolioPlanStep *step, gint64 now_usec)
{
    plan->decisions[plan->n_decisions++ % FOLIO_PLAN_DECISIONS] =
        (FolioPlanDecision){ .step = *step, .window = plan->window, .usec = now_usec };
}

static void
double_dwell(Block *block)
{
    if (block->doublings < FOLIO_PLAN_DOUBLINGS)
        block->doublings = (block->doublings + 1u) & 15u;
}

/* What this action says of the last one: that it was a mistake or came to nothing, when it follows
 * on it closely. A split after a collapse says nothing: what is dense may well become sparse. */
static void
judge_last(Block *block, FolioPlanAction action)
{
    const gboolean lasted = block->since > wait_for(block, action) + FOLIO_PLAN_LASTS;

    if (block->action != action && block->action != FOLIO_PLAN_SPLIT)
        return;
    if (!lasted)
        double_dwell(block);
    else if (block->doublings > 0)
        block->doublings = (block->doublings - 1u) & 15u;
}

static void
rest(Block *block, FolioPlanAction action)
{
    block->action = action & 3u;
    block->since = 0;
}

gboolean
folio_plan_begin(FolioPlan *plan, const FolioPlanStep *step, gint64 now_usec)
{
    Block *block = step->block < plan->n_blocks ? &plan->blocks[step->block] : NULL;

    if (block == NULL || rests(block, step->action))
        return FALSE;
    remember(plan, step, now_usec);
    if (step->cause == FOLIO_PLAN_CAUSE_COSTLY)
        double_dwell(block); /* however long it took to find out */
    else
        judge_last(block, step->action);
    rest(block, step->action);
    return TRUE;
}

void
folio_plan_note(FolioPlan *plan, guint block, FolioPlanAction action)
{
    if (block >= plan->n_blocks || action == FOLIO_PLAN_NOTHING)
        return;
    judge_last(&plan->blocks[block], action);
    rest(&plan->blocks[block], action);
}

/* Of the last decision on that block, if it is still remembered. */
static void
remember_result(FolioPlan *plan, guint block, FolioPlanResult result)
{
    const guint64 n = MIN(plan->n_decisions, FOLIO_PLAN_DECISIONS);

    for (guint64 i = 1; i <= n; i++) {
        FolioPlanDecision *decision =
            &plan->decisions[(plan->n_decisions - i) % FOLIO_PLAN_DECISIONS];

        if (decision->step.block != block)
            continue;
        decision->result = result;
        return;
    }
}

void
folio_plan_done(FolioPlan *plan, guint b, FolioPlanResult result)
{
    Block *block = b < plan->n_blocks ? &plan->blocks[b] : NULL;

    if (block == NULL || block->action == FOLIO_PLAN_NOTHING)
        return;
    remember_result(plan, b, result);
    if (result == FOLIO_PLAN_DONE)
        return;
    if (result == FOLIO_PLAN_LEFT)
        double_dwell(block);
    else if (result == FOLIO_PLAN_REFUSED)
        block->doublings = FOLIO_PLAN_DOUBLINGS;
    block->action = FOLIO_PLAN_NOTHING; /* there is none that could come to be undone */
}

GArray *
folio_plan_list_decisions(const FolioPlan *plan)
{
    const guint64 n = MIN(plan->n_decisions, FOLIO_PLAN_DECISIONS);
    GArray *list = g_array_new(FALSE, FALSE, sizeof(FolioPlanDecision));

    for (guint64 i = plan->n_decisions - n; i < plan->n_decisions; i++)
        g_array_append_val(list, plan->decisions[i % FOLIO_PLAN_DECISIONS]);
    return list;
}

/* ---- Memory */

FolioPlan *
folio_plan_copy(const FolioPlan *plan)
{
    FolioPlan *copy = folio_plan_new();

    copy->n_blocks = plan->n_blocks;
    copy->blocks = g_memdup2(plan->blocks, plan->n_blocks * sizeof(Block));
    memcpy(copy->decisions, plan->decisions, sizeof copy->decisions);
    copy->n_decisions = plan->n_decisions;
    return copy;
}

/* As one that was never acted on: whatever comes, neither its dwell nor what it says of its last
 * action is another. */
static gboolean
is_at_rest(const Block *block)
{
    return block->doublings == 0 && block->since > FOLIO_PLAN_DWELL + FOLIO_PLAN_LASTS;
}

GArray *
folio_plan_list_marks(const FolioPlan *plan)
{
    GArray *marks = g_array_new(FALSE, FALSE, sizeof(FolioPlanMark));

    for (guint b = 0; b < plan->n_blocks; b++) {
        const Block *block = &plan->blocks[b];
        const FolioPlanMark mark = { .block = b,
                                     .since = MIN(block->since, FOLIO_PLAN_SINCE_MAX),
                                     .action = (FolioPlanAction) block->action,
                                     .doublings = block->doublings };

        if (!is_at_rest(block))
            g_array_append_val(marks, mark);
    }
    return marks;
}

guint
folio_plan_count_blocks(const FolioPlan *plan)
{
    return plan->n_blocks;
}

void
folio_plan_recall(FolioPlan *plan, guint n_blocks, const GArray *marks, const GArray *decisions)
{
    forget_blocks(plan, n_blocks);
    for (guint i = 0; i < marks->len; i++) {
        const FolioPlanMark *mark = &g_array_index(marks, FolioPlanMark, i);

        if (mark->block >= n_blocks)
            continue;
        plan->blocks[mark->block] =
            (Block){ .since = (guint16) MIN(mark->since, FOLIO_PLAN_SINCE_MAX),
                     .action = mark->action & 3u,
                     .doublings = MIN(mark->doublings, FOLIO_PLAN_DOUBLINGS) & 15u };
    }
    for (guint i = 0; i < decisions->len; i++)
        plan->decisions[plan->n_decisions++ % FOLIO_PLAN_DECISIONS] =
            g_array_index(decisions, FolioPlanDecision, i);
}
