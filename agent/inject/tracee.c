/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread of another process that is traced.
 *
 * All of it is such that the end of the tracer, at any moment, lets the thread run on as it would
 * have:
 *  - PTRACE_O_TRACESYSGOOD, because the kernel sends a tracee the signal of a stop at a system call
 *    when its tracer ends there: SIGTRAP | 0x80 is none, SIGTRAP would kill.
 *  - Stops are looked at with WNOWAIT, because a signal that a tracer has waited for is lost with
 *    the tracer (wait_task_stopped in kernel/exit.c takes the exit code, which is what the thread
 *    goes on with).
 *  - Never PTRACE_O_EXITKILL. */
#include "inject/tracee.h"

#include "base/error.h"
#include "base/file-io.h"
#include "inject/registers.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#define SYSCALL_STOP (SIGTRAP | 0x80)

static void
set_seize_error(GError **error, pid_t tid, int saved_errno)
{
    g_autofree char *yama = folio_file_read_value("/proc/sys", "kernel/yama/ptrace_scope");

    if (saved_errno == EPERM && g_strcmp0(yama, "3") == 0)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "/proc/sys/kernel/yama/ptrace_scope is 3: nothing may be traced on this host "
                    "until it is booted anew");
    else
        folio_set_error_errno(error, saved_errno, "PTRACE_SEIZE of thread %d", tid);
}

gboolean
folio_tracee_seize(FolioTracee *tracee, pid_t tid, GError **error)
{
    *tracee = (FolioTracee){ .tid = tid };
    if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD) == 0)
        return TRUE;
    set_seize_error(error, tid, errno);
    return FALSE;
}

static void
stand_still(FolioTracee *tracee)
{
    if (tracee->still_since == 0)
        tracee->still_since = g_get_monotonic_time();
}

guint64
folio_tracee_get_still_usec(const FolioTracee *tracee)
{
    if (tracee->still_since == 0)
        return tracee->still_usec;
    return tracee->still_usec + (guint64) (g_get_monotonic_time() - tracee->still_since);
}

static void
run(FolioTracee *tracee)
{
    tracee->still_usec = folio_tracee_get_still_usec(tracee);
    tracee->still_since = 0;
}

void
folio_tracee_interrupt(FolioTracee *tracee)
{
    /* What is not there any more is seen by waiting for it. */
    stand_still(tracee);
    ptrace(PTRACE_INTERRUPT, tracee->tid, 0, 0);
}

static FolioStop
look_at_call(FolioTracee *tracee)
{
    struct __ptrace_syscall_info info = { 0 };

    if (ptrace(PTRACE_GET_SYSCALL_INFO, tracee->tid, sizeof info, &info) <= 0)
        return FOLIO_STOP_OTHER;
    if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
        tracee->result = info.exit.rval;
        return FOLIO_STOP_EXIT;
    }
    if (info.op != PTRACE_SYSCALL_INFO_ENTRY || info.arch != folio_registers_arch)
        return FOLIO_STOP_OTHER;
    tracee->number = info.entry.nr;
    tracee->pc = info.instruction_pointer;
    tracee->sp = info.stack_pointer;
    return FOLIO_STOP_ENTRY;
}

static FolioStop
classify(FolioTracee *tracee, const siginfo_t *info)
{
    const int signal = info->si_status & 0xff;

    tracee->signal = 0;
    if (info->si_code != CLD_TRAPPED && info->si_code != CLD_STOPPED)
        return FOLIO_STOP_ENDED;
    if (info->si_status >> 8 == PTRACE_EVENT_STOP)
        return signal == SIGTRAP ? FOLIO_STOP_ATTENDED : FOLIO_STOP_GROUP;
    if (signal == SYSCALL_STOP)
        return look_at_call(tracee);
    tracee->signal = signal;
    return FOLIO_STOP_SIGNAL;
}

/* Until a child changes, or that time. SIGCHLD is blocked, so none is missed. */
static void
sleep_until_child(gint64 until)
{
    const gint64 left = MAX(until - g_get_monotonic_time(), 0);
    const struct timespec limit = { left / G_USEC_PER_SEC, left % G_USEC_PER_SEC * 1000 };
    sigset_t child;

    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigtimedwait(&child, NULL, &limit);
}

FolioStop
folio_tracee_wait(FolioTracee *tracee, gint64 until)
{
    for (;;) {
        siginfo_t info = { 0 };

        if (waitid(P_PID, (id_t) tracee->tid, &info,
                   WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL) != 0)
            return FOLIO_STOP_ENDED;
        if (info.si_pid != 0) {
            stand_still(tracee);
            return classify(tracee, &info);
        }
        if (g_get_monotonic_time() >= until)
            return FOLIO_STOP_NOT_YET;
        sleep_until_child(until);
    }
}

void
folio_tracee_go_on(FolioTracee *tracee, gboolean by_itself)
{
    ptrace(PTRACE_SYSCALL, tracee->tid, 0, tracee->signal);
    if (by_itself)
        run(tracee);
}

void
folio_tracee_detach(FolioTracee *tracee)
{
    ptrace(PTRACE_DETACH, tracee->tid, 0, tracee->signal);
    run(tracee);
}
