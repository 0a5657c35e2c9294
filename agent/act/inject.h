/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has a running QEMU change its own transparent-huge-page setting, by foliod-inject: a program of
 * its own, because it stops a thread of QEMU for a moment, and must be free to die meanwhile. */
#pragma once

#include "memory/thp.h"

typedef struct {
    guint stop_usec; /* how long the thread stood still at most, all stops together */
    guint attempts;  /* system calls that were looked at; 0: nothing was to be done */
} FolioInjectResult;

/* program is foliod-inject's path. Blocking, a few seconds at most, after which the helper is
 * killed: QEMU is right whenever that happens, and then /proc/PID/status says whether it was done.
 * After BUSY or FAILED it may still come to be set a moment later, when prctl returns late.
 * UNSUPPORTED: not on this architecture or kernel, or Yama forbids it; BUSY: no thread made a
 * system call that could be used, or somebody traces it; the error names what was wrong. */
gboolean folio_inject(const char *program, const FolioProcess *process, FolioThp thp,
                      FolioInjectResult *result, GError **error);
