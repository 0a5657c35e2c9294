/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has a running QEMU change its own transparent-huge-page setting, by foliod-inject: a program of
 * its own, because it stops a thread of QEMU for a moment, and must be free to die meanwhile. */
#pragma once

#include "memory/process.h"

/* What PR_SET_THP_DISABLE is to say. */
typedef enum {
    FOLIO_THP_AS_USUAL,      /* (0): nothing is disabled */
    FOLIO_THP_NO_KHUGEPAGED, /* (1, 1 << 16): khugepaged leaves this process alone; only for kernels
                                whose /proc/PID/status has a line THP_khugepaged */
    FOLIO_THP_NO_HUGE_PAGES, /* (1, 0): far stronger, see launch/thp.h */
} FolioThp;

/* "usual", "no-khugepaged", "no-huge-pages": the words that foliod-inject takes. */
const char *folio_thp_token(FolioThp thp);
gboolean folio_thp_from_token(const char *token, FolioThp *thp);

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

typedef struct {
    guint stop_usec; /* how long the thread stood still, all stops together */
    guint attempts;  /* threads or system calls that were tried */
} FolioInjectResult;

/* program is foliod-inject's path. Blocking, a few seconds at most, after which the helper is
 * killed: QEMU is right whenever that happens, and then /proc/PID/status says whether it was done.
 * UNSUPPORTED: not on this architecture or kernel, or Yama forbids it; BUSY: no thread made a
 * system call that could be used, or somebody traces it; the error names what was wrong. */
gboolean folio_inject(const char *program, const FolioProcess *process, FolioThp thp,
                      FolioInjectResult *result, GError **error);
