/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what sampling showed of a block to a verdict on it.
 *
 * A verdict is about what follows, not about what is: splitting a block whose sub-pages come back
 * to life costs more than it saved. Few samples cannot show that a block is sparse, and many
 * samples of a quiet window say nothing of the next one. What does say something is the block's
 * footprint, every sub-page seen in use for a long time, whether it still grows, and what became
 * of blocks like it in the same guest.
 *
 * That last part is an account which each guest has of its own. Every window, each block's reach is
 * written down as a level, whether or not anything is decided. When a block looks dense, the
 * levels it had in the two windows before are the places where a verdict of sparse would have been
 * wrong. The limit is the level below which such surprises stay under a hundredth of all dense
 * blocks, with a margin; and however clean the account, a window has no more verdicts of sparse
 * than it vouches for. There is none at all before the account says enough to be gone by: a hundred
 * dense blocks, or two dozen windows since the last surprise below the limit.
 *
 * Many blocks that become dense in one window, and stay so, are one change of what the guest does.
 * Until it has been seen to last they count as the surprises that they are, and there are hardly
 * any verdicts of sparse; then they are struck off the account, but only once: what comes again is
 * a habit of the guest. What was remembered of blocks that were in wide use before, and are not
 * now, is struck off with them. */
#pragma once

#include <glib.h>

#define FOLIO_SUB_PAGES 512 /* 4 KiB pages in a 2 MiB block */
#define FOLIO_LEVELS    64  /* of reach; level 0 is none */

/* In a guest with fewer dense blocks than this a single mistake is more than a hundredth of them.
 * So there is no verdict of sparse before they were seen, or before none was belied for so many
 * windows in which the guest did something. */
#define FOLIO_DENSE_TO_START 100
#define FOLIO_QUIET_TO_START 24

/* No verdict on a block before it has been watched for so many windows: one that has just come into
 * use is likely to be filled next. And it is dense when it looked so for so many in a row, those
 * not counted of which too little was seen for that. */
#define FOLIO_YOUNGEST      4
#define FOLIO_DENSE_WINDOWS 5

/* So many blocks that become dense together are a change: half of FOLIO_DENSE_TO_START, so that a
 * guest of a few dozen blocks has none. */
#define FOLIO_CHANGE_BLOCKS 50

/* One byte: there is one for each block. */
typedef enum __attribute__((packed)) {
    FOLIO_VERDICT_IDLE,      /* no access was ever seen */
    FOLIO_VERDICT_UNDECIDED, /* stays as it is */
    FOLIO_VERDICT_SPARSE,    /* few of its sub-pages are in use: split */
    FOLIO_VERDICT_DENSE,     /* most of its sub-pages are in use: collapse */
} FolioVerdict;

/* "idle", "undecided", "sparse", "dense". */
const char *folio_verdict_token(FolioVerdict verdict);

/* What sampling showed of one block up to the end of a window of ten epochs. "Seen" is sampled. */
typedef struct {
    guint16 incidences; /* sum over the window's epochs of the distinct sub-pages seen */
    guint16 seen;       /* distinct sub-pages seen in the window */
    guint16 once;       /* of these, seen in exactly one epoch */
    guint16 twice;      /* in exactly two */
    guint16 footprint;  /* sub-pages seen in this window or remembered from earlier ones */
    guint16 growth;     /* sub-pages that join the footprint in a window, in 64ths: an average that
                         * forgets; those of the block's first window do not count */
    guint16 history;    /* private: levels, and for how long it has looked dense */
    guint8 age;         /* windows since the block was first seen, this one included; 0 never; stays
                         * at 255 */
    guint8 again;       /* incidences of sub-pages that had been seen before; stays at 255 */
} FolioHeatEvidence;

/* Sub-pages in use in the window, seen or not, by Chao's estimator from those seen in one and in
 * two epochs; at most FOLIO_SUB_PAGES. */
float folio_estimate_in_use(const FolioHeatEvidence *evidence);

/* The mean of that over n blocks (1 or more), in 64ths of a sub-page, rounded. */
guint16 folio_estimate_mean_in_use(const FolioHeatEvidence *evidence, guint n);

/* Enters the end of a window: of its incidences and seen sub-pages, fresh are new to the footprint.
 */
void folio_estimate_age(FolioHeatEvidence *evidence, guint fresh);

/* Sub-pages that the block may use before long, on the careful side: its footprint and what still
 * joins it, all the more the shorter it has been watched. */
float folio_estimate_reach(const FolioHeatEvidence *evidence);

/* A guest's account. All counts are of blocks summed over windows. */
typedef struct {
    guint64 period; /* accesses that a sample may stand for, set by the owner; 0 is unknown */
    guint64 dense;  /* that looked dense */
    guint64 clean;  /* below the limit since it was last belied */
    guint quiet;    /* windows since then in which the guest was seen at all */
    guint shown;    /* dense ones towards the start; stays there, whatever fades */
    guint64 surprises[FOLIO_LEVELS];        /* dense ones by the levels of the two windows before */
    guint candidates[FOLIO_LEVELS];         /* of this window, that could be called sparse */
    gboolean awake;                         /* some block was seen in this window */
    guint lowest_surprise;                  /* of this window; 0 none */
    guint dense_now;                        /* dense ones of this window */
    guint turned;                           /* of this window, dense ones that had a level before */
    guint surprised[FOLIO_LEVELS];          /* what this window has added to the surprises */
    guint changing;                         /* windows of a change that has to last yet; 0 none */
    guint change_dense;                     /* dense ones when it began */
    gboolean changed;                       /* one was struck off */
    gboolean struck_off;                    /* in this window */
    guint64 change_surprises[FOLIO_LEVELS]; /* what it added to the surprises */
    guint limit;                            /* candidates of lower levels are sparse */
    guint ration; /* verdicts of sparse left to this window at the last level */
    guint last;   /* that level: below it, all are; above it, none */
} FolioOutcomes;

/* Enters one block, once a window: what it says about the windows before, and its present level. */
void folio_outcomes_enter(FolioOutcomes *outcomes, FolioHeatEvidence *evidence);

/* Sets limit and ration, when all blocks of the window are entered. */
void folio_outcomes_settle(FolioOutcomes *outcomes);

/* The verdict on a block that was entered; one of sparse takes from the ration. */
FolioVerdict folio_outcomes_verdict(FolioOutcomes *outcomes, const FolioHeatEvidence *evidence);

/* Whether the account says enough for verdicts of sparse; before that there are none. */
gboolean folio_outcomes_suffice(const FolioOutcomes *outcomes);

/* Whether what is remembered of the block is to be forgotten, in the window in which a change is
 * struck off: it was in wide use before that, and is not now. To be asked after the verdict. */
gboolean folio_outcomes_outdates(const FolioOutcomes *outcomes, const FolioHeatEvidence *evidence);

/* Why a block has the verdict it has, in the order in which the rule asks. */
typedef enum {
    FOLIO_CAUSE_IDLE,     /* no access was ever seen */
    FOLIO_CAUSE_DENSE,    /* it looked dense for FOLIO_DENSE_WINDOWS in a row */
    FOLIO_CAUSE_SPARSE,   /* little of it is in reach, and the account vouches for that */
    FOLIO_CAUSE_FILLED,   /* it looks dense, not yet for long enough */
    FOLIO_CAUSE_YOUNG,    /* watched for less than FOLIO_YOUNGEST windows */
    FOLIO_CAUSE_BUSY,     /* too much of it is in use right now */
    FOLIO_CAUSE_UNPROVEN, /* too little was seen again: it may be in use all over */
    FOLIO_CAUSE_WIDE,     /* more is in reach than the limit of this guest */
    FOLIO_CAUSE_ACCOUNT,  /* the account does not suffice for any verdict of sparse yet */
    FOLIO_CAUSE_RATION,   /* it might be sparse; others took what the account vouches for */
} FolioCause;

/* Of a block on which folio_outcomes_verdict() gave that verdict, before anything else is entered.
 */
FolioCause folio_outcomes_cause(const FolioOutcomes *outcomes, const FolioHeatEvidence *evidence,
                                FolioVerdict verdict);

/* Windows in a row for which it has looked dense, FOLIO_DENSE_WINDOWS at most. */
guint folio_estimate_dense_for(const FolioHeatEvidence *evidence);

/* The reach, in sub-pages, from which on no block of this guest is sparse. */
float folio_outcomes_reach_limit(const FolioOutcomes *outcomes);

/* How much speaks for a verdict, 0 to below 1: by Laplace's rule of succession (n + 1) / (n + 2),
 * where n for a sparse block is how often blocks below the limit stayed quiet since the last that
 * did not, and for a dense one the windows that it has looked so. 0 for other verdicts. It orders
 * evidence; the cases that it counts are not independent, so that it is no probability. */
double folio_outcomes_confidence(const FolioOutcomes *outcomes, const FolioHeatEvidence *evidence,
                                 FolioVerdict verdict);

/* Lets half of it go, so that a guest is judged by its recent past. */
void folio_outcomes_fade(FolioOutcomes *outcomes);
