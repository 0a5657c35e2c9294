/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether the filters of system calls of a thread let it call prctl and sched_yield.
 *
 * A tracer stops a thread before its filters are asked (since Linux 4.8), so they see the number
 * that was put there, and QEMU's kill the process for one that they deny. They cannot be asked
 * beforehand: PTRACE_SECCOMP_GET_FILTER is refused to who has a filter itself, as foliod's service
 * has. But the one that QEMU's -sandbox installs is known: a list of calls that are denied
 * (system/qemu-seccomp.c in QEMU, softmmu/ and the top directory before that), which has neither of
 * the two in any of its sets and never had; QEMU's threads call prctl under it when they name
 * themselves. It is one filter, installed once for all threads. So a thread is left alone when it
 * has another number of filters than one, or one that is not QEMU's. */
#include "inject/sandbox.h"

#include "base/error.h"

#include <linux/seccomp.h>
#include <string.h>

/* The number of a line of status; -1 when there is none. */
static int
find_number(const char *status, const char *name)
{
    const char *line = strstr(status, name);

    return line != NULL ? (int) g_ascii_strtoll(line + strlen(name), NULL, 10) : -1;
}

static gboolean
is_on(const char *value)
{
    return g_str_equal(value, "on") || g_str_has_prefix(value, "on,") ||
           g_str_has_prefix(value, "enable=on");
}

/* The kernel ends cmdline with a NUL; whoever reads it adds one. */
static gboolean
has_sandbox(const char *cmdline, gsize length)
{
    const char *end = cmdline + length;

    for (const char *at = cmdline; at < end; at += strlen(at) + 1) {
        const char *value = at + strlen(at) + 1;

        if ((g_str_equal(at, "-sandbox") || g_str_equal(at, "--sandbox")) && value < end &&
            is_on(value))
            return TRUE;
    }
    return FALSE;
}

gboolean
folio_sandbox_allows_prctl(const char *status, const char *cmdline, gsize length, GError **error)
{
    const int mode = find_number(status, "\nSeccomp:");
    const int filters = find_number(status, "\nSeccomp_filters:");

    /* Without the line the kernel has no seccomp. */
    if (mode <= SECCOMP_MODE_DISABLED)
        return TRUE;
    if (mode == SECCOMP_MODE_FILTER && filters == 1 && has_sandbox(cmdline, length))
        return TRUE;
    if (mode == SECCOMP_MODE_FILTER && filters >= 0)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "it has %d filters of system calls, not just that of QEMU's -sandbox: they may "
                    "kill it for prctl",
                    filters);
    else
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "its seccomp mode is %d, with filters that are not known", mode);
    return FALSE;
}
