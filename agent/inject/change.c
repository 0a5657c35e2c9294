/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has a thread of QEMU change the THP setting of its process.
 *
 * This program may be killed before and after each step, and QEMU must be right whenever it is: the
 * thread then goes on from where it stands, with what is in its registers. So:
 *
 *  - The program counter is never moved. The thread is taken at the entry of a ppoll that it makes
 *    itself, which becomes prctl.
 *  - ppoll, because 0 is a result that it may have at any time: nothing is ready and the time is
 *    over. That is also what prctl returns. The event loops of QEMU (util/main-loop.c,
 *    util/fdmon-poll.c) look for timers and call it again; what ppoll says of each descriptor they
 *    have set to 0 before.
 *  - ppoll, because it has as many arguments as prctl. The registers of these, which the call would
 *    have kept, are the only ones that change: the C library does not look at them after the call,
 *    neither as arguments, which it has handed over, nor as a place for something else (poll, with
 *    three arguments, is called with live values in the registers of the fourth and the fifth).
 *  - Number and arguments cannot be set in one step. Between them stands sched_yield, which looks
 * at no argument and returns 0 as well.
 *  - prctl with these arguments cannot fail: the kernel was seen to know the flag, and filters of
 *    system calls were looked at (sandbox.c).
 *  - Afterwards the thread's own call is made again, by the kernel itself: with the result
 *    -ERESTARTNOINTR it goes back as after a signal. That call is first sched_yield again, because
 *    on aarch64 the kernel may have lost the first argument (registers-aarch64.c); at its entry all
 *    registers become what they were, and last the number of the call. So the thread sees its own
 *    call and the result of that, nothing else. The kernel looks at that result when the thread has
 *    been told to look for signals, which both PTRACE_INTERRUPT and the end of tracing do
 *    (__ptrace_unlink in kernel/ptrace.c).
 *
 * PTRACE_INTERRUPT ends a blocking call for a moment, which the kernel then restarts by itself; a
 * few return EINTR instead, such as epoll_wait: QEMU's loops are used to it. A vCPU is never
 * stopped. */
#include "inject/change.h"

#include "base/error.h"
#include "base/file-io.h"
#include "inject/registers.h"
#include "inject/sandbox.h"
#include "inject/tracee.h"

#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* include/linux/errno.h of the kernel: the call is made again, whatever the signal. */
#define ERESTARTNOINTR 513

#define STATUS_MAX_BYTES (64 * 1024)
/* execve takes at most 6 MiB of arguments and environment: 3/4 of _STK_LIM, fs/exec.c. */
#define CMDLINE_MAX_BYTES (6 * 1024 * 1024)

/* All in all less than what folio_inject waits. */
#define THREADS_MAX     4
#define MAIN_CALL_LIMIT (2 * G_TIME_SPAN_SECOND) /* for a ppoll to come */
#define IO_CALL_LIMIT   (500 * G_TIME_SPAN_MILLISECOND)
#define PRCTL_LIMIT     (2 * G_TIME_SPAN_SECOND) /* it waits for the lock of QEMU's memory map */
#define RESTART_LIMIT   (500 * G_TIME_SPAN_MILLISECOND)
#define LET_GO_LIMIT    (200 * G_TIME_SPAN_MILLISECOND)

static gboolean
replace(const FolioTracee *tracee, const FolioRegisters *own, FolioThp thp)
{
    unsigned long arguments[FOLIO_CALL_ARGUMENTS] = { PR_SET_THP_DISABLE };
    FolioRegisters registers = *own;

    folio_thp_get_arguments(thp, &arguments[1], &arguments[2]);
    folio_registers_put_call(&registers, SYS_sched_yield, arguments);
    return folio_registers_set_call(tracee->tid, SYS_sched_yield) &&
           folio_registers_write(tracee->tid, &registers) &&
           folio_registers_set_call(tracee->tid, SYS_prctl);
}

static gboolean
set_error(GError **error, FolioErrorCode code, const char *text)
{
    g_set_error_literal(error, FOLIO_ERROR, (gint) code, text);
    return FALSE;
}

/* Once prctl has returned: has the kernel restart the call, as sched_yield. */
static gboolean
restart(FolioTracee *tracee, const FolioRegisters *own)
{
    FolioRegisters registers = *own;

    folio_tracee_interrupt(tracee);
    folio_registers_put_restart(&registers, SYS_sched_yield);
    folio_registers_put_result(&registers, 0);
    if (!folio_registers_write(tracee->tid, &registers))
        return FALSE;
    folio_registers_put_result(&registers, -ERESTARTNOINTR);
    return folio_registers_write(tracee->tid, &registers);
}

/* The entry of that sched_yield becomes that of the thread's own call. A handler of a signal may
 * come before it, which is told by the stack. When it does not come, the thread's ppoll has timed
 * out, no more. */
static void
make_own_call(FolioTracee *tracee, const FolioRegisters *own)
{
    const gint64 until = g_get_monotonic_time() + RESTART_LIMIT;
    const guint64 pc = tracee->pc;
    const guint64 sp = tracee->sp;
    FolioStop stop;

    do {
        folio_tracee_go_on(tracee, FALSE);
        stop = folio_tracee_wait(tracee, until);
        if (stop == FOLIO_STOP_NOT_YET || stop == FOLIO_STOP_ENDED)
            return;
    } while (stop != FOLIO_STOP_GROUP && (stop != FOLIO_STOP_ENTRY || tracee->pc != pc ||
                                          tracee->sp != sp || tracee->number != SYS_sched_yield));
    if (stop == FOLIO_STOP_ENTRY && folio_registers_write(tracee->tid, own))
        folio_registers_set_call(tracee->tid, SYS_ppoll);
    folio_tracee_detach(tracee);
}

/* At the entry of a ppoll. */
static gboolean
make_call(FolioTracee *tracee, FolioThp thp, GError **error)
{
    FolioRegisters own;
    FolioStop stop;
    gint64 result;

    if (!folio_registers_read(tracee->tid, &own) || !replace(tracee, &own, thp))
        return set_error(error, FOLIO_ERROR_FAILED, "the thread's registers cannot be set");
    folio_tracee_go_on(tracee, FALSE);
    stop = folio_tracee_wait(tracee, g_get_monotonic_time() + PRCTL_LIMIT);
    if (stop == FOLIO_STOP_ENDED)
        return set_error(error, FOLIO_ERROR_NOT_FOUND, "the thread has ended");
    if (stop == FOLIO_STOP_NOT_YET)
        return set_error(error, FOLIO_ERROR_BUSY, "prctl has not returned in time");
    if (stop != FOLIO_STOP_EXIT) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "stop %d in place of prctl's return",
                    (int) stop);
        return FALSE;
    }
    result = tracee->result;
    if (restart(tracee, &own))
        make_own_call(tracee, &own);
    if (result == 0)
        return TRUE;
    folio_set_error_errno(error, (int) -result, "prctl(PR_SET_THP_DISABLE) in QEMU");
    return FALSE;
}

/* Until it stands at the entry of a ppoll, or it is no use to wait. */
static FolioStop
wait_for_ppoll(FolioTracee *tracee, gint64 limit, guint *looked_at)
{
    const gint64 until = g_get_monotonic_time() + limit;

    folio_tracee_interrupt(tracee);
    for (;;) {
        const FolioStop stop = folio_tracee_wait(tracee, until);

        if (stop == FOLIO_STOP_ENTRY)
            (*looked_at)++;
        if ((stop == FOLIO_STOP_ENTRY && tracee->number == SYS_ppoll) || stop == FOLIO_STOP_GROUP ||
            stop == FOLIO_STOP_NOT_YET || stop == FOLIO_STOP_ENDED)
            return stop;
        /* From where it was interrupted it mostly comes straight to the call that it was in. */
        folio_tracee_go_on(tracee, stop != FOLIO_STOP_ATTENDED);
    }
}

/* What does not stop in time is let go by the end of this program. */
static void
let_go(FolioTracee *tracee)
{
    FolioStop stop;

    folio_tracee_interrupt(tracee);
    stop = folio_tracee_wait(tracee, g_get_monotonic_time() + LET_GO_LIMIT);
    if (stop != FOLIO_STOP_NOT_YET && stop != FOLIO_STOP_ENDED)
        folio_tracee_detach(tracee);
}

static gboolean
change_by_tracee(FolioTracee *tracee, FolioThp thp, gint64 limit, guint *looked_at, GError **error)
{
    const FolioStop stop = wait_for_ppoll(tracee, limit, looked_at);

    if (stop == FOLIO_STOP_ENTRY)
        return make_call(tracee, thp, error);
    if (stop == FOLIO_STOP_ENDED)
        return set_error(error, FOLIO_ERROR_NOT_FOUND, "the thread has ended");
    if (stop == FOLIO_STOP_GROUP) {
        /* The kernel keeps it stopped. */
        folio_tracee_detach(tracee);
        return set_error(error, FOLIO_ERROR_BUSY, "the process is stopped by a signal");
    }
    let_go(tracee);
    return set_error(error, FOLIO_ERROR_BUSY, "no event loop of it has called ppoll in time");
}

static pid_t
find_tracer(const char *status)
{
    const char *line = strstr(status, "\nTracerPid:");

    return line != NULL ? (pid_t) g_ascii_strtoll(line + strlen("\nTracerPid:"), NULL, 10) : 0;
}

static char *
read_thread_status(const FolioProcess *process, pid_t tid, GError **error)
{
    g_autofree char *path = g_strdup_printf("task/%d/status", tid);

    return folio_file_read(folio_process_get_proc_fd(process), path, STATUS_MAX_BYTES, NULL, error);
}

static gboolean
may_be_used(const FolioProcess *process, pid_t tid, GError **error)
{
    g_autofree char *status = read_thread_status(process, tid, error);
    g_autofree char *cmdline = NULL;
    gsize length = 0;
    pid_t tracer;

    if (status == NULL)
        return FALSE;
    tracer = find_tracer(status);
    if (tracer != 0) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "process %d traces it", tracer);
        return FALSE;
    }
    cmdline = folio_file_read(folio_process_get_proc_fd(process), "cmdline", CMDLINE_MAX_BYTES,
                              &length, error);
    return cmdline != NULL && folio_sandbox_allows_prctl(status, cmdline, length, error);
}

static gboolean
change_by_thread(const FolioProcess *process, const FolioThread *thread, FolioThp thp,
                 FolioChange *change, GError **error)
{
    const pid_t tid = thread->tid;
    const gint64 limit = thread->kind == FOLIO_THREAD_MAIN ? MAIN_CALL_LIMIT : IO_CALL_LIMIT;
    FolioTracee tracee;
    g_autofree char *status = NULL;
    gboolean done;

    if (!may_be_used(process, tid, error) || !folio_tracee_seize(&tracee, tid, error))
        return FALSE;
    /* Seen through the process that is held, so the thread is of that process, and no other that
     * got its number meanwhile. */
    status = read_thread_status(process, tid, error);
    if (status == NULL || find_tracer(status) != getpid()) {
        let_go(&tracee);
        return status == NULL ? FALSE
                              : set_error(error, FOLIO_ERROR_NOT_FOUND, "the thread has ended");
    }
    done = change_by_tracee(&tracee, thp, limit, &change->attempts, error);
    change->stop_usec += folio_tracee_get_still_usec(&tracee);
    change->held = tracee.still_since != 0;
    return done;
}

/* QEMU's event loops, the main one first: only of these it is known what they make of a ppoll. */
static GArray *
list_loops(const FolioProcess *process, GError **error)
{
    g_autoptr(GArray) threads = folio_process_list_threads(process, error);
    GArray *loops;

    if (threads == NULL)
        return NULL;
    loops = g_array_new(FALSE, FALSE, sizeof(FolioThread));
    for (guint i = 0; i < threads->len; i++) {
        const FolioThread *thread = &g_array_index(threads, FolioThread, i);

        if (thread->kind == FOLIO_THREAD_MAIN)
            g_array_prepend_vals(loops, thread, 1);
        else if (thread->kind == FOLIO_THREAD_IO)
            g_array_append_vals(loops, thread, 1);
    }
    return loops;
}

gboolean
folio_change(const FolioProcess *process, FolioThp thp, FolioChange *change, GError **error)
{
    g_autoptr(GError) first = NULL;
    g_autoptr(GArray) loops = list_loops(process, error);

    *change = (FolioChange){ 0 };
    if (loops == NULL)
        return FALSE;
    for (guint i = 0; i < MIN(loops->len, THREADS_MAX); i++) {
        const FolioThread *thread = &g_array_index(loops, FolioThread, i);
        g_autoptr(GError) cause = NULL;

        if (change_by_thread(process, thread, thp, change, &cause))
            return TRUE;
        if (change->held || !g_error_matches(cause, FOLIO_ERROR, FOLIO_ERROR_BUSY)) {
            g_propagate_error(error, g_steal_pointer(&cause));
            return FALSE;
        }
        /* The main loop's is the one to tell. */
        if (first == NULL)
            first = g_steal_pointer(&cause);
    }
    if (first == NULL)
        return set_error(error, FOLIO_ERROR_BUSY, "none of its threads is an event loop");
    g_propagate_error(error, g_steal_pointer(&first));
    return FALSE;
}
