/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the filters of system calls (seccomp) of a thread let it call prctl. */
#pragma once

#include <glib.h>

/* status is the thread's /proc/PID/task/TID/status, cmdline the process's, of length bytes. FALSE
 * with UNSUPPORTED when that is not known: a filter may kill for a call. Pure. */
gboolean folio_sandbox_allows_prctl(const char *status, const char *cmdline, gsize length,
                                    GError **error);
