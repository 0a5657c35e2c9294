/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is to be split and collapsed of one guest, out of the verdicts on its blocks, and when not.
 * Pure: it neither acts nor asks what time it is.
 *
 * Which actions a mode has:
 *   split     a huge block that is sparse is split. A block that foliod has split and that is dense
 *             is collapsed: it was split by mistake, or its time has passed, and each split costs
 *             for as long as it is wrong. So is one of which it was measured that its split costs
 *             more than it is worth (split-cost.h). Other small blocks stay small.
 *   collapse  a small block that is dense is collapsed, whoever made it small. Nothing is split,
 *             not even what foliod has collapsed.
 *   adaptive  both.
 * Undecided blocks stay as they are. Idle ones are not split: no sub-page of theirs is hotter than
 * the others, so that a split exposes nothing that the kernel cannot reclaim as a whole, and no
 * sample at all is the weakest evidence there is.
 *
 * A verdict must have stood for FOLIO_PLAN_HELD windows, and FOLIO_PLAN_DWELL must have passed
 * since foliod last acted on the block. Where an action did not last (a split that was collapsed
 * soon, a block that is again, or still, as it was before) or was dearer than it was worth the wait
 * doubles; but a wrong split never waits longer for its collapse than the dwell. A block that flaps
 * so comes to rest as a huge one. Nothing is split of a guest whose accesses have become too slow
 * by it, until that is over.
 *
 * The order is the guest's split order (agent/hint-set.h), to which hints cannot do more than raise
 * it. That is 0 by default, and no order in between is chosen here: stage 2 of a KVM guest maps
 * 4 KiB or 2 MiB and nothing else, so that folios of 16 or 64 KiB save it no TLB entry and hide
 * cold pages behind hot ones. */
#pragma once

#include "heat/heat-snapshot.h"
#include "hint-set.h"

/* Windows in a row for which a block must have had its verdict. On recordings of real programs an
 * estimate that had to hold for two was wrong a quarter to a third as often as in one. */
#define FOLIO_PLAN_HELD 2

/* Windows between two actions on a block: twice the five that a verdict of dense takes, so that
 * what came of an action has been seen before the next. And how often that can double: to 640
 * windows, nine hours at the default EpochSeconds=, so that the worst block is split three times a
 * day. */
#define FOLIO_PLAN_DWELL     10u
#define FOLIO_PLAN_DOUBLINGS 6u

/* An action that is followed by its contrary, or by itself, within so many windows after it could
 * first have been, did not last. */
#define FOLIO_PLAN_LASTS 40u

/* How many decisions are remembered of a guest. */
#define FOLIO_PLAN_DECISIONS 64u

/* How a block is in memory. */
typedef enum {
    FOLIO_BLOCK_ABSENT, /* it has no memory, or cannot be acted on */
    FOLIO_BLOCK_HUGE,   /* in one folio of 2 MiB */
    FOLIO_BLOCK_SPLIT,  /* in smaller ones, and foliod has split it */
    FOLIO_BLOCK_SMALL,  /* in smaller ones otherwise */
} FolioBlockState;

typedef enum {
    FOLIO_PLAN_NOTHING,
    FOLIO_PLAN_SPLIT,
    FOLIO_PLAN_COLLAPSE,
} FolioPlanAction;

/* "nothing", "split", "collapse". */
const char *folio_plan_action_token(FolioPlanAction action);

/* Why a block is acted on. */
typedef enum {
    FOLIO_PLAN_CAUSE_SPARSE, /* it is huge and sparse */
    FOLIO_PLAN_CAUSE_DENSE,  /* it is small and dense */
    FOLIO_PLAN_CAUSE_UNDO,   /* foliod has split it and it is dense */
    FOLIO_PLAN_CAUSE_COSTLY, /* foliod has split it, and that costs more than it is worth */
    FOLIO_N_PLAN_CAUSES,
} FolioPlanCause;

/* "sparse", "dense", "undo", "costly". */
const char *folio_plan_cause_token(FolioPlanCause cause);

/* What became of an action on a block. */
typedef enum {
    FOLIO_PLAN_UNTOLD,  /* nothing was heard of it yet */
    FOLIO_PLAN_DONE,    /* the block is as it was to be, or partly so */
    FOLIO_PLAN_LEFT,    /* it is as it was; that may be otherwise another time */
    FOLIO_PLAN_REFUSED, /* it is as it was, and of a kind that this cannot be done with */
    FOLIO_PLAN_VOID,    /* there was no memory to act on, or it cannot be told */
} FolioPlanResult;

/* "untold", "done", "left", "refused", "void". */
const char *folio_plan_result_token(FolioPlanResult result);

/* One block that is to be acted on, and what speaks for it. */
typedef struct {
    guint block;
    FolioPlanAction action;
    guint order; /* of the folios that are to be; 9, 2 MiB, for a collapse */
    FolioPlanCause cause;
    FolioVerdict verdict;
    guint held;                  /* windows in a row that it has stood; stays at 255 */
    guint seen;                  /* sub-pages, of FolioHeatEvidence */
    guint footprint;             /* likewise */
    float in_use;                /* sub-pages, folio_estimate_in_use() */
    float reach;                 /* sub-pages, folio_estimate_reach() */
    double confidence;           /* folio_outcomes_confidence() */
    guint doublings;             /* of its dwell, at present */
    float cost_before, cost_now; /* of FolioSplitCost; 0 unless the cause is COSTLY */
} FolioPlanStep;

/* A step that was taken. */
typedef struct {
    FolioPlanStep step;
    guint32 window; /* of the snapshot that it was planned by */
    gint64 usec;    /* when, as the caller says */
    FolioPlanResult result;
} FolioPlanDecision;

typedef struct {
    const FolioHeatSnapshot *snapshot;
    const guint8 *states; /* FolioBlockState of each of its blocks; NULL: nobody has looked, and
                           * nothing is planned */
    FolioMode mode;       /* in force: folio_mode_in_force() */
    guint split_order;    /* 0 to 8, of the guest's policy */
    guint sparse_below;   /* 1 to 512, likewise */
    /* No more steps than that, the best ones: what the budget might allow until the next window; 0
     * where the host cannot do it. */
    guint max_splits;
    guint max_collapses;
} FolioPlanInput;

/* What became of the blocks on which the mode has an action, by state and verdict. */
typedef struct {
    guint splits;      /* could be done now, those beyond max_splits too */
    guint collapses;   /* likewise */
    guint unconfirmed; /* the verdict has not stood for long enough */
    guint resting;     /* acted on too recently */
    guint wide;        /* sparse, and as much is in use as sparse-below or more */
    guint held_back;   /* could be split, but the guest is too slow by what was split before */
    guint costly;      /* of collapses, those that are because of what the split costs */
} FolioPlanCounts;

typedef struct _FolioPlan FolioPlan;

/* Of one guest; to be made anew when its blocks come to mean other memory. 4 bytes a block. */
FolioPlan *folio_plan_new(void);
void folio_plan_free(FolioPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioPlan, folio_plan_free)

/* Enters a window, and plans. To be called once for each window in every mode: what stood in a
 * window that was left out does not count. Called again for the same one it plans again. A snapshot
 * of another number of blocks than before is of another guest: all is forgotten. */
void folio_plan_window(FolioPlan *plan, const FolioPlanInput *input);

/* The plan of the last window, FolioPlanStep, the best first; valid until the next one.
 *
 * Splits: those that expose most, 512 sub-pages less the block's reach, weighed with how long the
 * verdict has stood (n windows as (n + 1) / (n + 2)), for the account's confidence is one for all
 * sparse blocks of a guest. Collapses: what is most in use. Of equals, the first block. */
const GArray *folio_plan_splits(const FolioPlan *plan);
const GArray *folio_plan_collapses(const FolioPlan *plan);

/* Of the last window. */
FolioPlanCounts folio_plan_counts(const FolioPlan *plan);

/* This step of the last window is about to be done: remembered as a decision, and its block rests.
 * Steps that are not begun are planned again at the next window, if they still hold then. FALSE,
 * and nothing happens: the block rests since it was planned. */
gboolean folio_plan_begin(FolioPlan *plan, const FolioPlanStep *step, gint64 now_usec);

/* What became of a block that was begun; not UNTOLD. It need not be called: the states of later
 * windows tell of what was left or undone. With it, one that was LEFT waits twice as long, one that
 * was REFUSED as long as can be; what is VOID counts for nothing but the dwell. Of a block that is
 * not begun it is ignored. */
void folio_plan_done(FolioPlan *plan, guint block, FolioPlanResult result);

/* Somebody else has split or collapsed that block, or has found it so: it rests as if the plan had
 * acted. No decision. Ignored before the first window. */
void folio_plan_note(FolioPlan *plan, guint block, FolioPlanAction action);

/* The last decisions, the oldest first: FolioPlanDecision, to be freed with g_array_unref. */
GArray *folio_plan_list_decisions(const FolioPlan *plan);

/* Memory, for whoever keeps it while there is no plan */

/* Longer ago than that, windows make no difference any more: the longest dwell, and what judges of
 * an action whether it lasted. */
#define FOLIO_PLAN_SINCE_MAX ((FOLIO_PLAN_DWELL << FOLIO_PLAN_DOUBLINGS) + FOLIO_PLAN_LASTS + 1)

/* What is remembered of a block that has been acted on. */
typedef struct {
    guint block;
    guint since;            /* windows since that, at most FOLIO_PLAN_SINCE_MAX */
    FolioPlanAction action; /* NOTHING: of which nothing can come to be undone */
    guint doublings;        /* of its dwell, at most FOLIO_PLAN_DOUBLINGS */
} FolioPlanMark;

/* A plan that remembers the same, and has no steps. */
FolioPlan *folio_plan_copy(const FolioPlan *plan);

/* FolioPlanMark of each block that is not as if it had never been acted on, ascending; free with
 * g_array_unref. */
GArray *folio_plan_list_marks(const FolioPlan *plan);

/* 0 before the first window. */
guint folio_plan_count_blocks(const FolioPlan *plan);

/* Has a new plan remember that of n_blocks: FolioPlanMark and FolioPlanDecision, as listed. Time
 * that has passed meanwhile does not count: no block rests for less than it would have. How long
 * verdicts had stood is not remembered. Marks of no such block are ignored. */
void folio_plan_recall(FolioPlan *plan, guint n_blocks, const GArray *marks,
                       const GArray *decisions);
