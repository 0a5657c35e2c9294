/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What became of a 2 MiB block that was to be split or collapsed, by the folios at its frames
 * before and after. Pure. */
#pragma once

#include <glib.h>

typedef enum {
    FOLIO_OUTCOME_DONE,    /* it is now as was wanted, and was not before */
    FOLIO_OUTCOME_ALREADY, /* it was so before */
    FOLIO_OUTCOME_PARTLY,  /* some of its folios are */
    FOLIO_OUTCOME_LEFT,    /* it is as it was */
    FOLIO_OUTCOME_ABSENT,  /* it held no memory that could be acted on */
    FOLIO_OUTCOME_GONE,    /* its memory was given back or moved meanwhile: it cannot be told */
    FOLIO_N_OUTCOMES,
} FolioOutcome;

/* "done", "already", "partly", "left", "absent", "gone". */
const char *folio_outcome_token(FolioOutcome outcome);

/* Why a block was left, or done in part, as far as the kernel says so (damon:damos_result, errno of
 * madvise). */
typedef enum {
    FOLIO_LEFT_UNSAID,
    FOLIO_LEFT_BUSY,      /* in use in a way that may soon end: pinned, locked for a moment */
    FOLIO_LEFT_NO_MEMORY, /* no huge page is free */
    FOLIO_LEFT_REFUSED,   /* not of a kind that this can be done with: mlocked, userfaultfd */
    FOLIO_N_LEFT,
} FolioLeft;

/* "unsaid", "busy", "no-memory", "refused". */
const char *folio_left_token(FolioLeft left);

/* What became of one. */
typedef struct {
    guint64 address; /* where it is in the process */
    FolioOutcome outcome;
    FolioLeft said; /* of LEFT and PARTLY, why */
} FolioBlockResult;

/* Of a run, in blocks. */
typedef struct {
    guint64 outcomes[FOLIO_N_OUTCOMES];
    guint64 left[FOLIO_N_LEFT]; /* of LEFT and PARTLY, why */
    guint64 cpu_usec; /* that its thread took; what the kernel's own threads did is not in it */
    const char *way;  /* what did it: a name of FolioWayClass; NULL: nothing did anything */
} FolioActReport;

/* For people, one line: "split 37, were split before 2, left 1 (busy 1)". kind as of
 * folio_act_kind_token. To be freed. */
char *folio_act_report_print(const FolioActReport *report, const char *kind);
