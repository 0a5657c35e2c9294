/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest of a few blocks whose verdicts and memory are as a test says, and its plan. */
#pragma once

#include "policy/plan.h"

#define STAGE_BLOCKS 64

typedef struct {
    FolioHeatSnapshot snapshot;
    FolioHeatEvidence evidence[STAGE_BLOCKS];
    guint8 verdicts[STAGE_BLOCKS];
    guint8 states[STAGE_BLOCKS];
    FolioPlanInput input;
    FolioPlan *plan;
} Stage;

/* Of n blocks, huge and idle, in mode adaptive, with nothing in the way. */
static inline void
stage_init(Stage *stage, guint n)
{
    memset(stage, 0, sizeof *stage);
    memset(stage->states, FOLIO_BLOCK_HUGE, sizeof stage->states);
    stage->snapshot = (FolioHeatSnapshot){ .n_blocks = n,
                                           .evidence = stage->evidence,
                                           .verdicts = stage->verdicts };
    stage->input = (FolioPlanInput){ .snapshot = &stage->snapshot,
                                     .states = stage->states,
                                     .mode = FOLIO_MODE_ADAPTIVE,
                                     .sparse_below = 512,
                                     .max_splits = STAGE_BLOCKS,
                                     .max_collapses = STAGE_BLOCKS };
    stage->plan = folio_plan_new();
}

static inline void
stage_clear(Stage *stage)
{
    folio_plan_free(stage->plan);
}

/* What samples show of a block of that verdict. */
static inline FolioHeatEvidence
stage_evidence(FolioVerdict verdict)
{
    const guint16 pages = verdict == FOLIO_VERDICT_SPARSE  ? 7
                          : verdict == FOLIO_VERDICT_DENSE ? 300
                                                           : 0;

    return (FolioHeatEvidence){ .incidences = pages, .seen = pages, .footprint = pages, .age = 40 };
}

static inline void
stage_set(Stage *stage, guint block, FolioVerdict verdict)
{
    stage->verdicts[block] = (guint8) verdict;
    stage->evidence[block] = stage_evidence(verdict);
}

/* Of one block, huge and sparse. */
static inline void
stage_init_sparse(Stage *stage)
{
    stage_init(stage, 1);
    stage_set(stage, 0, FOLIO_VERDICT_SPARSE);
}

/* Ends a window. */
static inline void
stage_window(Stage *stage)
{
    stage->snapshot.windows++;
    folio_plan_window(stage->plan, &stage->input);
}

static inline void
stage_windows(Stage *stage, guint n)
{
    for (guint i = 0; i < n; i++)
        stage_window(stage);
}

/* The step that is planned for that block; NULL: none. */
static inline const FolioPlanStep *
stage_find(const Stage *stage, guint block)
{
    const GArray *lists[] = { folio_plan_splits(stage->plan), folio_plan_collapses(stage->plan) };

    for (guint l = 0; l < G_N_ELEMENTS(lists); l++) {
        for (guint i = 0; i < lists[l]->len; i++) {
            const FolioPlanStep *step = &g_array_index(lists[l], FolioPlanStep, i);

            if (step->block == block)
                return step;
        }
    }
    return NULL;
}

/* The same; the test fails when there is none. */
static inline FolioPlanStep
stage_get(const Stage *stage, guint block)
{
    const FolioPlanStep *step = stage_find(stage, block);

    if (step != NULL)
        return *step;
    fail_msg("nothing is planned for block %u", block);
    return (FolioPlanStep){ 0 };
}

/* Begins what is planned for that block, if anything is; what it was. */
static inline FolioPlanAction
stage_begin(Stage *stage, guint block)
{
    const FolioPlanStep *step = stage_find(stage, block);

    if (step == NULL || !folio_plan_begin(stage->plan, step, stage->snapshot.windows))
        return FOLIO_PLAN_NOTHING;
    return step->action;
}

/* The same, and its memory follows. */
static inline FolioPlanAction
stage_act(Stage *stage, guint block)
{
    const FolioPlanAction action = stage_begin(stage, block);

    if (action != FOLIO_PLAN_NOTHING)
        stage->states[block] = action == FOLIO_PLAN_SPLIT ? FOLIO_BLOCK_SPLIT : FOLIO_BLOCK_HUGE;
    return action;
}
