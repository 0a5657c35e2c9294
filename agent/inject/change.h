/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has a thread of QEMU change the THP setting of its process, in place of a ppoll of its own. */
#pragma once

#include "memory/thp.h"

typedef struct {
    guint64 stop_usec; /* how long threads stood still at most, all stops together */
    guint attempts;    /* system calls that were looked at */
    gboolean held;     /* a thread stands still until this program ends */
} FolioChange;

/* Tries the threads of QEMU's event loops, one after the other, seconds at most. BUSY when
 * none called ppoll, or the process is traced or stopped; UNSUPPORTED when the kernel, Yama or a
 * filter of system calls forbids it; otherwise as it went. Blocks. What is traced still after an
 * error is let go by the end of this program. *change is set in any case. SIGCHLD has to be
 * blocked. */
gboolean folio_change(const FolioProcess *process, FolioThp thp, FolioChange *change,
                      GError **error);
