/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a perf event could not be opened: what was tried, what the kernel said, who may be the
 * reason, and what to do about it. */
#pragma once

#include <glib.h>

/* Sets an error for what perf_event_open answered for that event (such as "arm_spe_0"), for a
 * thread (cpu -1) or a CPU (tid -1). Its code is NOT_FOUND when the thread is gone, UNSUPPORTED
 * when there is no such unit, BUSY, NOT_PERMITTED or FAILED. Pure. */
void folio_perf_open_error(GError **error, const char *what, int tid, int cpu, int saved_errno);

/* Says in an error which is BUSY who holds events, "": none were found; any other stays as it is.
 * Pure. */
void folio_perf_blame_holders(GError *error, const char *holders);

/* Who has perf events open, other than this process: "perf (1234), agent (5)", three at most; ""
 * when none was seen. User space is not told of which unit they are, nor of a user in the kernel.
 * Reads the descriptors of all processes below proc_root, 50,000 at most (some 0.1 s): only for a
 * unit that is busy. */
char *folio_perf_find_holders(const char *proc_root);
