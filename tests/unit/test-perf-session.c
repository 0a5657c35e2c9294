/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* perf-source on a process whose threads come and go: this program runs again under the name of a
 * QEMU, and does what it is told. Minor faults, on the kernel that runs here. Needs root. */
#include "base/error.h"
#include "cmocka-all.h"
#include "common/alloc-count.h"
#include "sample/perf-source.h"
#include "sample/smaps-source.h"

#include <dirent.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE   4096
#define UUID   "6f1c2f5e-0d3a-4c57-9a0e-2f4a3b5c6d7e"
#define NAME   "victim"
#define PLAYER "qemu-system-test"
/* Faults of a thread beside those that it is told to make: its stack, its allocator. */
#define SPARE 30

/* ---- The process that is sampled. Commands on standard input, each answered by a byte: t one more
 * thread, e the last thread ends, f each thread touches 10 fresh pages, m the main thread ends and
 * the others stay. ---- */

#define MAX_THREADS 64

typedef struct {
    pthread_t thread;
    int order[2]; /* a pipe: 'f' or 'e' */
    int done[2];
} Worker;

static void
touch_pages(gsize n)
{
    volatile guint8 *memory =
        mmap(NULL, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    madvise((void *) memory, n * PAGE, MADV_NOHUGEPAGE);
    for (gsize i = 0; i < n; i++)
        memory[i * PAGE] = 1;
    munmap((void *) memory, n * PAGE);
}

static void *
work(void *data)
{
    const Worker *worker = data;
    char order;

    while (read(worker->order[0], &order, 1) == 1 && order == 'f') {
        touch_pages(10);
        if (write(worker->done[1], "", 1) != 1)
            return NULL;
    }
    return NULL;
}

static void
order_all(Worker *workers, guint n)
{
    char done;

    for (guint i = 0; i < n; i++)
        if (write(workers[i].order[1], "f", 1) != 1 || read(workers[i].done[0], &done, 1) != 1)
            _exit(3);
}

/* As libvirt has QEMU do it: the PID file is locked by the process that it names. */
static gboolean
write_pid_file(void)
{
    const struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
    const int fd = open(NAME ".pid", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    return fd >= 0 && fcntl(fd, F_SETLK, &lock) == 0 && dprintf(fd, "%d", getpid()) > 0;
}

static int
play(void)
{
    static Worker workers[MAX_THREADS];
    guint n = 0;
    char command;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!write_pid_file())
        return 2;
    while (read(STDIN_FILENO, &command, 1) == 1) {
        if (command == 't' && n < MAX_THREADS) {
            if (pipe(workers[n].order) != 0 || pipe(workers[n].done) != 0 ||
                pthread_create(&workers[n].thread, NULL, work, &workers[n]) != 0)
                return 2;
            n++;
        } else if (command == 'e' && n > 0) {
            if (write(workers[--n].order[1], "e", 1) != 1)
                return 2;
            pthread_join(workers[n].thread, NULL);
            for (guint i = 0; i < 2; i++) {
                close(workers[n].order[i]);
                close(workers[n].done[i]);
            }
        } else if (command == 'f') {
            order_all(workers, n);
        }
        if (write(STDOUT_FILENO, "", 1) != 1)
            return 2;
        if (command == 'm')
            pthread_exit(NULL);
    }
    return 0;
}

/* ---- The tests. ---- */

typedef struct {
    char *dir;
    pid_t pid;
    int to, from;
    FolioProcess *process;
    guint fds; /* with the process held, before any session */
    guint64 handed_over;
    gboolean in_order;
} Fixture;

static const char *own_path;

static guint
count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    guint n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static void
start_player(Fixture *fixture)
{
    g_autofree char *path = g_build_filename(fixture->dir, PLAYER, NULL);
    char *arguments[] = { path, (char[]){ "-uuid" }, (char[]){ UUID }, NULL };
    g_autoptr(GError) error = NULL;
    g_autofree char *program = NULL;
    gsize size = 0;

    g_file_get_contents(own_path, &program, &size, &error);
    assert_no_error(error);
    g_file_set_contents_full(path, program, (gssize) size, G_FILE_SET_CONTENTS_NONE, 0700, &error);
    assert_no_error(error);
    g_spawn_async_with_pipes(fixture->dir, arguments, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                             &fixture->pid, &fixture->to, &fixture->from, NULL, &error);
    assert_no_error(error);
}

static void
tell(const Fixture *fixture, char command)
{
    char answer;

    assert_int_equal(write(fixture->to, &command, 1), 1);
    assert_int_equal(read(fixture->from, &answer, 1), 1);
}

static int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    g_autoptr(GError) error = NULL;
    FolioReason reason = FOLIO_REASON_NONE;
    FolioProcessQuery query = { .proc_root = "/proc", .name = NAME, .uuid = UUID };

    *state = fixture;
    fixture->dir = g_dir_make_tmp("foliod-test.XXXXXX", NULL);
    start_player(fixture);
    tell(fixture, 'f'); /* it runs under its name now */
    query.run_dir = fixture->dir;
    fixture->process = folio_process_locate(&query, &reason, &error);
    assert_no_error(error);
    fixture->fds = count_fds();
    return 0;
}

static void
end_player(Fixture *fixture)
{
    if (fixture->pid == 0)
        return;
    kill(fixture->pid, SIGKILL);
    waitpid(fixture->pid, NULL, 0);
    fixture->pid = 0;
}

static int
tear_down(void **state)
{
    static const char *const files[] = { PLAYER, NAME ".pid" };
    Fixture *fixture = *state;

    assert_int_equal(count_fds(), fixture->fds);
    end_player(fixture);
    folio_process_unref(fixture->process);
    close(fixture->to);
    close(fixture->from);
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *path = g_build_filename(fixture->dir, files[i], NULL);

        g_unlink(path);
    }
    g_rmdir(fixture->dir);
    g_free(fixture->dir);
    g_free(fixture);
    return 0;
}

static void
take(const FolioSample *samples, gsize n, gpointer user_data)
{
    Fixture *fixture = user_data;

    for (gsize i = 0; i < n; i++)
        assert_true(samples[i].pa >= PAGE);
    assert_true(n > 0);
    fixture->handed_over += n;
}

static guint64
drain(Fixture *fixture, FolioSourceSession *session)
{
    const guint64 before = fixture->handed_over;
    g_autoptr(GError) error = NULL;

    assert_true(session->source->klass->drain(session, take, fixture, &error));
    return fixture->handed_over - before;
}

static FolioSourceCounters
counters_of(FolioSourceSession *session)
{
    FolioSourceCounters counters;

    session->source->klass->get_counters(session, &counters);
    return counters;
}

static void
follow(FolioSourceSession *session)
{
    g_autoptr(GError) error = NULL;

    session->source->klass->follow(session, &error);
    assert_no_error(error);
}

static FolioSourceSession *
open_session(const Fixture *fixture, FolioSource *source)
{
    g_autoptr(GError) error = NULL;
    FolioSourceSession *session = source->klass->open(source, fixture->process, &error);

    assert_no_error(error);
    return session;
}

static void
close_session(FolioSourceSession *session)
{
    FolioSource *source = session->source;

    source->klass->close(session);
    source->klass->free(source);
}

static void
test_threads_are_sampled(void **state)
{
    Fixture *fixture = *state;
    FolioSource *source = folio_perf_source_new(&folio_perf_minor_faults);
    FolioSourceSession *session;
    FolioSourceCounters counters;
    guint64 n, n_allocations;

    for (guint i = 0; i < 7; i++)
        tell(fixture, 't');
    session = open_session(fixture, source);
    assert_int_equal(counters_of(session).threads, 8);
    tell(fixture, 'f');
    assert_int_equal(drain(fixture, session), 0); /* disabled */
    source->klass->enable(session, TRUE);
    tell(fixture, 'f');
    n_allocations = alloc_count();
    n = drain(fixture, session);
    assert_int_equal(alloc_count(), n_allocations);
    assert_in_range(n, 70, 70 + 8 * SPARE);
    counters = counters_of(session);
    assert_int_equal(counters.samples, n);
    assert_int_equal(counters.guest_samples, 0);
    assert_int_equal(counters.lost + counters.throttled + counters.garbage, 0);
    assert_true(counters.cpu_nsec > 0);
    assert_int_equal(counters.period, 1);
    assert_int_equal(drain(fixture, session), 0);
    source->klass->enable(session, FALSE);
    tell(fixture, 'f');
    assert_int_equal(drain(fixture, session), 0);
    close_session(session);
}

/* 40 rounds of threads that come and go: all that live when follow looks are sampled, what one left
 * behind is handed over, descriptors go with the threads. */
static void
test_threads_come_and_go(void **state)
{
    Fixture *fixture = *state;
    FolioSource *source = folio_perf_source_new(&folio_perf_minor_faults);
    FolioSourceSession *session = open_session(fixture, source);
    const guint fds = count_fds();

    source->klass->enable(session, TRUE);
    for (guint round = 0; round < 40; round++) {
        const guint n = 1 + round % 9;

        for (guint i = 0; i < n; i++)
            tell(fixture, 't');
        follow(session);
        assert_int_equal(counters_of(session).threads, n + 1);
        assert_int_equal(count_fds(), fds + n);
        drain(fixture, session);
        tell(fixture, 'f');
        for (guint i = 0; i < n; i++)
            tell(fixture, 'e');
        /* The others' places are taken at once, perhaps under the same numbers. */
        tell(fixture, 't');
        follow(session);
        assert_int_equal(counters_of(session).threads, 2);
        assert_true(drain(fixture, session) >= 10 * n);
        assert_int_equal(count_fds(), fds + 1);
        tell(fixture, 'f');
        assert_in_range(drain(fixture, session), 10, 10 + 2 * SPARE);
        tell(fixture, 'e');
        follow(session);
        drain(fixture, session);
        assert_int_equal(count_fds(), fds);
    }
    assert_int_equal(counters_of(session).unsampled, 0);
    close_session(session);
}

static void
test_process_ends(void **state)
{
    Fixture *fixture = *state;
    FolioSource *source = folio_perf_source_new(&folio_perf_minor_faults);
    FolioSourceSession *session;
    g_autoptr(GError) error = NULL;

    tell(fixture, 't');
    session = open_session(fixture, source);
    source->klass->enable(session, TRUE);
    tell(fixture, 'f');
    end_player(fixture);
    assert_false(source->klass->drain(session, take, fixture, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    assert_true(fixture->handed_over >= 10);
    g_clear_error(&error);
    assert_false(source->klass->follow(session, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    close_session(session);
    g_clear_error(&error);

    source = folio_perf_source_new(&folio_perf_minor_faults);
    assert_null(source->klass->open(source, fixture->process, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    source->klass->free(source);
}

/* The main thread ends: it stays in the list of threads, but its event has hung up, as that of a
 * thread has whose number was given to another. */
static void
test_main_thread_ends(void **state)
{
    Fixture *fixture = *state;
    FolioSource *source = folio_perf_source_new(&folio_perf_minor_faults);
    FolioSourceSession *session;
    gint64 end = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;

    tell(fixture, 't');
    tell(fixture, 't');
    session = open_session(fixture, source);
    assert_int_equal(counters_of(session).threads, 3);
    tell(fixture, 'm');
    do {
        follow(session);
    } while (counters_of(session).threads != 2 && g_get_monotonic_time() < end);
    assert_int_equal(counters_of(session).threads, 2);
    assert_int_equal(counters_of(session).unsampled, 0);
    drain(fixture, session);
    close_session(session);
}

static void
test_period(void **state)
{
    Fixture *fixture = *state;
    FolioPerfSourceOptions options = folio_perf_minor_faults;
    FolioSource *source = NULL;
    FolioSourceSession *session = NULL;

    options.min_period = 5;
    source = folio_perf_source_new(&options);
    session = open_session(fixture, source);
    assert_int_equal(counters_of(session).period, 5);
    source->klass->set_period(session, 10);
    tell(fixture, 't');
    follow(session); /* the new thread's event has the new period too */
    source->klass->enable(session, TRUE);
    for (guint i = 0; i < 30; i++)
        tell(fixture, 'f');
    assert_in_range(drain(fixture, session), 29, 30 + 2 * SPARE);
    source->klass->set_period(session, 1);
    assert_int_equal(counters_of(session).period, 5);
    close_session(session);
}

/* When descriptors run out, the session says so and goes on with what it has; later it catches up.
 */
static void
test_descriptors_run_out(void **state)
{
    Fixture *fixture = *state;
    FolioSource *source = folio_perf_source_new(&folio_perf_minor_faults);
    FolioSourceSession *session = open_session(fixture, source);
    g_autoptr(GError) error = NULL;
    struct rlimit limit, low;
    guint sampled;

    source->klass->enable(session, TRUE);
    for (guint i = 0; i < 10; i++)
        tell(fixture, 't');
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = (rlim_t) dup(0);
    close((int) low.rlim_cur);
    low.rlim_cur += 5;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_false(source->klass->follow(session, &error));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_folio_error(error, FOLIO_ERROR_FAILED);
    assert_non_null(strstr(error->message, "LimitNOFILE"));
    sampled = (guint) counters_of(session).threads;
    assert_in_range(sampled, 4, 7);
    assert_int_equal(counters_of(session).unsampled, 11 - sampled);
    tell(fixture, 'f');
    assert_in_range(drain(fixture, session), 10 * (sampled - 1), (10 + SPARE) * sampled);
    follow(session);
    assert_int_equal(counters_of(session).threads, 11);
    assert_int_equal(counters_of(session).unsampled, 0);
    tell(fixture, 'f');
    assert_in_range(drain(fixture, session), 100, 100 + 11 * SPARE);
    close_session(session);
}

/* The descriptor to poll speaks up when a ring is half full, and is quiet after the drain, also
 * when a thread has hung up. */
static void
test_wake_up(void **state)
{
    Fixture *fixture = *state;
    FolioSource *source = folio_perf_source_new(&folio_perf_minor_faults);
    FolioSourceSession *session;
    struct pollfd fd = { .events = POLLIN };
    g_autoptr(GError) error = NULL;
    guint n = 0;

    tell(fixture, 't');
    session = open_session(fixture, source);
    fd.fd = source->klass->get_fd(session);
    source->klass->enable(session, TRUE);
    assert_int_equal(poll(&fd, 1, 0), 0);
    while (poll(&fd, 1, 0) == 0 && n++ < 1000)
        tell(fixture, 'f');
    assert_in_range(n, 100, 400);
    /* What woke us is there to be read. */
    assert_true(source->klass->drain_ready(session, take, fixture, &error));
    assert_true(fixture->handed_over >= 1000);
    drain(fixture, session);
    assert_true(fixture->handed_over >= 10 * n - 10);
    assert_int_equal(poll(&fd, 1, 0), 0);
    tell(fixture, 'e');
    drain(fixture, session);
    assert_int_equal(poll(&fd, 1, 0), 0);
    close_session(session);
}

static void
test_whole_host(void **state)
{
    Fixture *fixture = *state;
    FolioPerfSourceOptions options = folio_perf_minor_faults;
    FolioSource *source = NULL;
    FolioSourceSession *session = NULL;
    g_autoptr(GError) error = NULL;
    guint64 n = 0;

    options.whole_host = TRUE;
    source = folio_perf_source_new(&options);
    assert_true(source->whole_host);
    session = source->klass->open(source, NULL, &error);
    assert_no_error(error);
    assert_int_equal(counters_of(session).threads, sysconf(_SC_NPROCESSORS_ONLN));
    source->klass->enable(session, TRUE);
    tell(fixture, 't');
    for (guint i = 0; i < 20; i++)
        tell(fixture, 'f');
    follow(session);
    n = drain(fixture, session);
    assert_true(n >= 190 || counters_of(session).throttled + counters_of(session).lost > 0);
    assert_int_equal(counters_of(session).threads, sysconf(_SC_NPROCESSORS_ONLN));
    close_session(session);
}

/* It is no evidence: no samples, ever. */
static void
test_smaps_has_no_samples(void **state)
{
    Fixture *fixture = *state;
    FolioSource *source = folio_smaps_source_new();
    FolioSourceSession *session = open_session(fixture, source);
    g_autoptr(GError) error = NULL;

    assert_false(source->klass->evidence);
    source->klass->enable(session, TRUE);
    source->klass->set_period(session, 1);
    tell(fixture, 't');
    tell(fixture, 'f');
    follow(session);
    assert_int_equal(drain(fixture, session), 0);
    assert_int_equal(counters_of(session).samples, 0);
    assert_int_equal(source->klass->get_fd(session), -1);
    end_player(fixture);
    assert_false(source->klass->drain(session, take, fixture, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    close_session(session);
}

#define live(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        live(test_threads_are_sampled),
        live(test_threads_come_and_go),
        live(test_process_ends),
        live(test_main_thread_ends),
        live(test_period),
        live(test_descriptors_run_out),
        live(test_wake_up),
        live(test_whole_host),
        live(test_smaps_has_no_samples),
    };

    own_path = "/proc/self/exe";
    if (g_str_has_suffix(argv[0], PLAYER))
        return play();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
