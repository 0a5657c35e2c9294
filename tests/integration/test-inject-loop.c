/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod-inject on a process that counts what its own ppoll returns: it sees its own calls and
 * signals and nothing else, and whatever stands in the way is told. */
#include "base/error.h"
#include "cmocka-all.h"
#include "injected.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define INJECTIONS 300
#define KILLS      20 /* of each step */
#define MANY_STEPS 200

/* What the other process counts. */
typedef struct {
    gint bytes;       /* that came */
    gint timeouts;    /* ppoll returned 0 */
    gint interrupted; /* EINTR */
    gint wrong;       /* anything else, the last of which is */
    gint wrong_errno;
    gint signals; /* that came */
} Counts;

typedef struct {
    FolioProcess *process;
    pid_t pid;
    int writer; /* a byte here wakes it */
    Counts *counts;
    char *program;
} Loop;

static Counts *shared;

static void
count_signal(int number)
{
    g_atomic_int_inc(&shared->signals);
}

static G_GNUC_NORETURN void
poll_for_ever(int reader)
{
    for (;;) {
        struct pollfd end = { .fd = reader, .events = POLLIN };
        const struct timespec limit = { .tv_sec = 1000 };
        const int ready = ppoll(&end, 1, &limit, NULL);
        char byte;

        if (ready == 1 && read(reader, &byte, 1) == 1)
            g_atomic_int_inc(&shared->bytes);
        else if (ready == 0 && end.revents == 0)
            g_atomic_int_inc(&shared->timeouts);
        else if (ready < 0 && errno == EINTR)
            g_atomic_int_inc(&shared->interrupted);
        else {
            shared->wrong_errno = errno;
            g_atomic_int_inc(&shared->wrong);
        }
    }
}

/* Never calls ppoll; its read is not to end before the byte comes. */
static G_GNUC_NORETURN void
read_for_ever(int reader)
{
    for (;;) {
        char byte;

        if (read(reader, &byte, 1) == 1)
            g_atomic_int_inc(&shared->bytes);
        else
            g_atomic_int_inc(&shared->wrong);
    }
}

/* A filter that allows all; whoever looks from outside cannot know. */
static void
filter_calls(void)
{
    struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const struct sock_fprog program = { .len = 1, .filter = &allow };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(1);
}

static void
poll_with_filter(int reader)
{
    filter_calls();
    poll_for_ever(reader);
}

static void
wake(const Loop *loop)
{
    const gint before = g_atomic_int_get(&loop->counts->bytes);

    assert_int_equal(write(loop->writer, "x", 1), 1);
    for (guint i = 0; g_atomic_int_get(&loop->counts->bytes) == before; i++) {
        if (i == 10000)
            fail_msg("it does not go on");
        g_usleep(1000);
    }
}

static Loop *
loop_start(void (*body)(int reader))
{
    Loop *loop = g_new0(Loop, 1);
    int ends[2];

    shared = loop->counts =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(shared != MAP_FAILED);
    assert_int_equal(pipe(ends), 0);
    loop->pid = fork();
    assert_true(loop->pid >= 0);
    if (loop->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        signal(SIGRTMIN, count_signal);
        body(ends[0]);
        _exit(1);
    }
    close(ends[0]);
    loop->writer = ends[1];
    loop->process = injected_hold(loop->pid);
    loop->program = injected_program();
    wake(loop);
    return loop;
}

static void
loop_end(Loop *loop)
{
    kill(loop->pid, SIGKILL);
    assert_int_equal(waitpid(loop->pid, NULL, 0), loop->pid);
    close(loop->writer);
    folio_process_unref(loop->process);
    munmap(loop->counts, sizeof *loop->counts);
    g_free(loop->program);
    g_free(loop);
}

static void
assert_free(const Loop *loop)
{
    pid_t tracer = 0;
    const char found = injected_state(loop->pid, loop->pid, &tracer);

    assert_int_equal(tracer, 0);
    if (found != 'S' && found != 'R')
        fail_msg("state %c", found);
}

static void
assert_injected(const Loop *loop, FolioThp thp)
{
    g_autoptr(GError) error = NULL;
    FolioInjectResult result;
    FolioThpStatus status;

    folio_inject(loop->program, loop->process, thp, &result, &error);
    assert_no_error(error);
    assert_true(result.attempts >= 1 && result.stop_usec > 0);
    assert_true(folio_thp_read_status(loop->process, &status, NULL));
    assert_true(folio_thp_is(&status, thp));
    assert_free(loop);
}

static void
assert_refused(const Loop *loop, FolioThp thp, FolioErrorCode code, const char *named)
{
    g_autoptr(GError) error = NULL;
    FolioInjectResult result;

    assert_false(folio_inject(loop->program, loop->process, thp, &result, &error));
    assert_folio_error(error, (gint) code);
    if (strstr(error->message, named) == NULL)
        fail_msg("\"%s\" does not name %s", error->message, named);
}

/* The call that is replaced is made all the same. */
static void
test_sees_nothing(void **state)
{
    Loop *loop = loop_start(poll_for_ever);
    FolioInjectResult result = { .attempts = 1 };

    for (guint i = 0; i < INJECTIONS; i++) {
        assert_injected(loop, i % 2 == 0 ? FOLIO_THP_NO_HUGE_PAGES : FOLIO_THP_AS_USUAL);
        if (i % 10 == 0)
            wake(loop);
    }
    wake(loop);
    assert_int_equal(loop->counts->timeouts, 0);
    assert_int_equal(loop->counts->interrupted, 0);
    assert_int_equal(loop->counts->wrong, 0);
    /* As it is wanted: nothing to do. */
    assert_true(folio_inject(loop->program, loop->process, FOLIO_THP_AS_USUAL, &result, NULL));
    assert_int_equal(result.attempts, 0);
    loop_end(loop);
}

/* Once at each step, with a signal on its way to the process. */
static guint
kill_at_each_step(const Loop *loop)
{
    guint at;

    for (at = 1; at < MANY_STEPS; at++) {
        g_autofree char *step = NULL;
        const gint signals = g_atomic_int_get(&loop->counts->signals);
        gboolean killed;

        assert_int_equal(sigqueue(loop->pid, SIGRTMIN, (union sigval){ 0 }), 0);
        killed = injected_kill_at(loop->process, injected_other(loop->process), at, &step);
        assert_int_equal(sigqueue(loop->pid, SIGRTMIN, (union sigval){ 0 }), 0);
        wake(loop);
        assert_free(loop);
        for (guint i = 0; g_atomic_int_get(&loop->counts->signals) < signals + 2; i++) {
            if (i == 1000)
                fail_msg("a signal was lost: %s", step);
            g_usleep(1000);
        }
        if (!killed)
            return at - 1;
    }
    fail_msg("more than %d steps", MANY_STEPS);
    return at;
}

static void
test_killed_on_the_way(void **state)
{
    Loop *loop = loop_start(poll_for_ever);
    guint steps = 0;

    for (guint i = 0; i < KILLS; i++)
        steps = kill_at_each_step(loop);
    print_message("%u steps, %d times; %d bytes, %d timeouts, %d interrupted, %d signals\n", steps,
                  KILLS, loop->counts->bytes, loop->counts->timeouts, loop->counts->interrupted,
                  loop->counts->signals);
    assert_true(steps > 20);
    assert_int_equal(loop->counts->wrong, 0);
    /* The one for which ppoll was chosen. */
    assert_true(loop->counts->timeouts > 0);
    loop_end(loop);
}

/* Signals in any moment, some of which meet the tracer. */
static void
test_signals(void **state)
{
    Loop *loop = loop_start(poll_for_ever);
    gint sent = 0;

    for (guint i = 0; i < INJECTIONS / 3; i++) {
        const FolioThp thp = i % 2 == 0 ? FOLIO_THP_NO_HUGE_PAGES : FOLIO_THP_AS_USUAL;
        pid_t sender = fork();

        if (sender == 0) {
            for (guint n = 0; n < 20; n++) {
                sigqueue(loop->pid, SIGRTMIN, (union sigval){ 0 });
                g_usleep(200);
            }
            _exit(0);
        }
        assert_injected(loop, thp);
        assert_int_equal(waitpid(sender, NULL, 0), sender);
        sent += 20;
    }
    wake(loop);
    assert_int_equal(loop->counts->signals, sent);
    assert_int_equal(loop->counts->timeouts, 0);
    assert_int_equal(loop->counts->wrong, 0);
    loop_end(loop);
}

/* A thread that is let go while its process is stopped runs for a moment before it stops again. */
static void
assert_stops(const Loop *loop)
{
    const gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;
    pid_t tracer = 0;

    while (injected_state(loop->pid, loop->pid, &tracer) != 'T' && g_get_monotonic_time() < end)
        g_usleep(1000);
    assert_int_equal(injected_state(loop->pid, loop->pid, &tracer), 'T');
    assert_int_equal(tracer, 0);
}

static void
test_stopped(void **state)
{
    Loop *loop = loop_start(poll_for_ever);

    kill(loop->pid, SIGSTOP);
    assert_int_equal(waitpid(loop->pid, NULL, WUNTRACED), loop->pid);
    assert_refused(loop, FOLIO_THP_NO_HUGE_PAGES, FOLIO_ERROR_BUSY, "stopped");
    assert_stops(loop);
    kill(loop->pid, SIGCONT);
    wake(loop);
    assert_injected(loop, FOLIO_THP_NO_HUGE_PAGES);
    assert_int_equal(loop->counts->wrong, 0);
    loop_end(loop);
}

static void
test_traced_by_another(void **state)
{
    Loop *loop = loop_start(poll_for_ever);
    g_autofree char *self = g_strdup_printf("process %d traces it", getpid());

    assert_int_equal(ptrace(PTRACE_SEIZE, loop->pid, 0, 0), 0);
    assert_refused(loop, FOLIO_THP_NO_HUGE_PAGES, FOLIO_ERROR_BUSY, self);
    wake(loop);
    loop_end(loop);
}

static void
test_never_calls(void **state)
{
    Loop *loop = loop_start(read_for_ever);

    assert_refused(loop, FOLIO_THP_NO_HUGE_PAGES, FOLIO_ERROR_BUSY, "in time");
    assert_free(loop);
    wake(loop);
    assert_int_equal(loop->counts->wrong, 0);
    loop_end(loop);
}

static void
test_unknown_filter(void **state)
{
    Loop *loop = loop_start(poll_with_filter);

    assert_refused(loop, FOLIO_THP_NO_HUGE_PAGES, FOLIO_ERROR_UNSUPPORTED, "1 filters");
    assert_free(loop);
    wake(loop);
    loop_end(loop);
}

static void
test_unknown_to_kernel(void **state)
{
    Loop *loop = loop_start(poll_for_ever);
    FolioThpStatus status;

    assert_true(folio_thp_read_status(loop->process, &status, NULL));
    if (status.knows_khugepaged)
        assert_injected(loop, FOLIO_THP_NO_KHUGEPAGED);
    else
        assert_refused(loop, FOLIO_THP_NO_KHUGEPAGED, FOLIO_ERROR_UNSUPPORTED, "khugepaged");
    loop_end(loop);
}

/* Another process has its PID: only the start time tells. */
static void
test_other_process(void **state)
{
    Loop *loop = loop_start(poll_for_ever);
    const guint64 start_time = folio_process_get_start_time(loop->process) + 1;
    g_autofree char *command = g_strdup_printf("%s %d %" G_GUINT64_FORMAT " no-huge-pages",
                                               loop->program, loop->pid, start_time);
    g_autofree char *errors = NULL;
    int status = 0;

    assert_true(g_spawn_command_line_sync(command, NULL, &errors, &status, NULL));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 16 + FOLIO_ERROR_NOT_FOUND);
    assert_non_null(strstr(errors, "another process"));
    assert_int_equal(injected_other(loop->process), FOLIO_THP_NO_HUGE_PAGES);
    loop_end(loop);
}

static void
test_ended(void **state)
{
    Loop *loop = loop_start(poll_for_ever);

    kill(loop->pid, SIGKILL);
    assert_int_equal(waitid(P_PID, (id_t) loop->pid, NULL, WEXITED | WNOWAIT), 0);
    assert_refused(loop, FOLIO_THP_NO_HUGE_PAGES, FOLIO_ERROR_NOT_FOUND, "");
    loop_end(loop);
}

static void
test_no_program(void **state)
{
    Loop *loop = loop_start(poll_for_ever);

    g_free(loop->program);
    loop->program = g_strdup("/nonexistent/foliod-inject");
    assert_refused(loop, FOLIO_THP_NO_HUGE_PAGES, FOLIO_ERROR_UNSUPPORTED, "/nonexistent/");
    loop_end(loop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sees_nothing),      cmocka_unit_test(test_killed_on_the_way),
        cmocka_unit_test(test_signals),           cmocka_unit_test(test_stopped),
        cmocka_unit_test(test_traced_by_another), cmocka_unit_test(test_never_calls),
        cmocka_unit_test(test_unknown_filter),    cmocka_unit_test(test_unknown_to_kernel),
        cmocka_unit_test(test_other_process),     cmocka_unit_test(test_ended),
        cmocka_unit_test(test_no_program),
    };

    return cmocka_run_group_tests_name("inject-loop", tests, NULL, NULL);
}
