/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The transparent-huge-page setting of a process: its names, what /proc/PID/status says of it, and
 * what prctl(PR_SET_THP_DISABLE) is to be given. */
#pragma once

#include "memory/process.h"

/* PR_THP_DISABLE_KHUGEPAGED of kernel/patches: third argument of PR_SET_THP_DISABLE. */
#define FOLIO_THP_DISABLE_KHUGEPAGED (1UL << 16)

/* What PR_SET_THP_DISABLE is to say. */
typedef enum {
    FOLIO_THP_AS_USUAL,      /* (0): nothing is disabled */
    FOLIO_THP_NO_KHUGEPAGED, /* (1, 1 << 16): khugepaged leaves this process alone; only for kernels
                                whose /proc/PID/status has a line THP_khugepaged */
    FOLIO_THP_NO_HUGE_PAGES, /* (1, 0): far stronger, see launch/thp.c */
} FolioThp;

/* "usual", "no-khugepaged", "no-huge-pages": the words that foliod-inject takes. */
const char *folio_thp_token(FolioThp thp);
gboolean folio_thp_from_token(const char *token, FolioThp *thp);

/* The second and the third argument of prctl(PR_SET_THP_DISABLE, ...); the others are 0. */
void folio_thp_get_arguments(FolioThp thp, unsigned long *disable, unsigned long *flags);

/* As /proc/PID/status has it. */
typedef struct {
    gboolean knows_khugepaged; /* there is a line THP_khugepaged */
    gboolean khugepaged;       /* its value; TRUE when there is none */
    gboolean enabled;          /* THP_enabled; TRUE when there is none */
} FolioThpStatus;

/* Reads it. NOT_FOUND when the process has ended. */
gboolean folio_thp_read_status(const FolioProcess *process, FolioThpStatus *status, GError **error);
/* The same of the text. Pure. */
void folio_thp_parse_status(const char *text, FolioThpStatus *status);

/* Whether it is that setting which the status shows. Pure. */
gboolean folio_thp_is(const FolioThpStatus *status, FolioThp thp);
