/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod is killed at any point of splits, collapses and restores, and the guest is: the next
 * foliod finds in the ledger all that was done, and gives all of it back.
 *
 * This process plays the kernel, which outlives foliod: a child plays foliod and hands its writes
 * to sysfs over a socket, so that each of them is done wholly or not at all, as the kernel does it,
 * and kdamonds that are on go on. Half of the kills come after a time, half of them at a write,
 * just before it is done or just before its end is told. */
#include "act-foliod.h"

#include <poll.h>

#define N_ROUNDS 200
#define SEED     20u

/* The kernel, and whoever kills */

typedef enum { KILL_NOBODY, KILL_FOLIOD, KILL_GUEST, KILL_BOTH } Victim;

typedef struct {
    Victim victim;
    gint64 after_usec; /* since foliod was started; G_MAXINT64: at a write */
    guint at_call;
    gboolean late; /* once it is done, before foliod hears of it */
} Kill;

/* What is known of a foliod. */
typedef struct {
    Whole *whole;
    Kill kill;
    pid_t pid;
    int fd;
    guint calls;
    gboolean killed, dead; /* whoever was to be; foliod */
    Message job;           /* that began last */
    gboolean under_way;
    guint ended;
    Message end; /* of the last that ended */
} Watched;

/* The end of the unit takes what foliod has started with it, as systemd does that. */
static void
reap_foliod(Watched *watched)
{
    int status;

    assert_int_equal(waitpid(watched->pid, &status, 0), watched->pid);
    kill(-watched->pid, SIGKILL);
    while (waitpid(-watched->pid, NULL, 0) > 0)
        ;
    /* It may have ended by itself just before. */
    watched->dead = watched->dead && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!watched->dead)
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
do_kill(Watched *watched)
{
    watched->killed = TRUE;
    if (watched->kill.victim == KILL_GUEST || watched->kill.victim == KILL_BOTH)
        whole_kill_guest(watched->whole);
    if (watched->kill.victim == KILL_GUEST)
        return;
    watched->dead = TRUE;
    assert_int_equal(kill(watched->pid, SIGKILL), 0);
}

static gboolean
is_kill_due(const Watched *watched, gboolean late)
{
    return !watched->killed && watched->kill.victim != KILL_NOBODY &&
           watched->kill.after_usec == G_MAXINT64 && watched->kill.late == late &&
           watched->calls >= watched->kill.at_call;
}

static Answer
do_call(const Message *message)
{
    const FolioFileCalls *calls = fake_damon_get_calls();
    Answer answer = { .result = -1 };
    int fd;

    errno = 0;
    if (message->word == SAY_MKDIR)
        answer.result = calls->mkdir(message->path, 0700);
    else if (message->word == SAY_RMDIR)
        answer.result = calls->rmdir(message->path);
    else if ((fd = open(message->path, O_WRONLY | O_CLOEXEC)) >= 0) {
        answer.result = calls->write(fd, message->text, strlen(message->text));
        answer.error = errno;
        close(fd);
        return answer;
    }
    answer.error = errno;
    return answer;
}

static void
take_message(Watched *watched, const Message *message)
{
    Answer answer;

    if (message->word == SAY_BEGIN || message->word == SAY_END) {
        watched->under_way = message->word == SAY_BEGIN;
        watched->ended += !watched->under_way;
        *(watched->under_way ? &watched->job : &watched->end) = *message;
        return;
    }
    if (is_kill_due(watched, FALSE))
        do_kill(watched);
    answer = do_call(message);
    if (is_kill_due(watched, TRUE))
        do_kill(watched);
    watched->calls++;
    if (send(watched->fd, &answer, sizeof answer, MSG_NOSIGNAL) < 0)
        assert_true(watched->dead);
}

/* Until it has ended, and all that it has asked for is done. */
static void
serve(Watched *watched)
{
    const gint64 begin = g_get_monotonic_time();
    const gboolean timed =
        watched->kill.victim != KILL_NOBODY && watched->kill.after_usec != G_MAXINT64;

    for (;;) {
        const gint64 left = timed ? begin + watched->kill.after_usec - g_get_monotonic_time() : 0;
        const struct timespec wait = { .tv_sec = MAX(left, 0) / 1000000,
                                       .tv_nsec = MAX(left, 0) % 1000000 * 1000 };
        struct pollfd fd = { .fd = watched->fd, .events = POLLIN };
        Message message;
        const int n = ppoll(&fd, 1, timed && !watched->killed ? &wait : NULL, NULL);

        if (n == 0)
            do_kill(watched);
        else if (recv(watched->fd, &message, sizeof message, 0) == sizeof message)
            take_message(watched, &message);
        else
            return;
    }
}

static void
run_foliod(Watched *watched, Whole *whole, const Task *task, const Kill *with)
{
    int fds[2];

    *watched = (Watched){ .whole = whole, .kill = *with };
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
    watched->pid = fork();
    assert_true(watched->pid >= 0);
    if (watched->pid == 0) {
        setpgid(0, 0);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(fds[0]);
        play_foliod(whole, task, fds[1]);
    }
    setpgid(watched->pid, watched->pid);
    close(fds[1]);
    watched->fd = fds[0];
    serve(watched);
    close(watched->fd);
    reap_foliod(watched);
}

/* The test */

/* Of one guest, over all the foliods that there were. */
typedef struct {
    FolioLedgerCounters counters;
    gboolean open[WHOLE_BLOCKS]; /* the ledger says that they may be split, and they are not */
    guint in_job;                /* how often a foliod was killed in one */
} Known;

static void
assert_counted(guint64 now, guint64 before, const Watched *watched)
{
    assert_in_range(now, before, before + (watched->under_way ? watched->job.n : 0));
}

/* What the next foliod will find: of the job under way, and of one that was when an earlier foliod
 * was killed, it may say "may be split" of what is not, but never the opposite; and of all others
 * what is so. Counters are those that were told, and what has ended since. */
static void
assert_ledger(Whole *whole, const Watched *watched, Known *known)
{
    const Message *job = &watched->job;
    FolioLedgerCounters now;
    gboolean found[WHOLE_BLOCKS];

    if (watched->ended > 0)
        known->counters = watched->end.counters;
    whole_read_ledger(whole, found, &now);
    for (guint i = 0; i < WHOLE_BLOCKS; i++) {
        if (watched->under_way && i >= job->first && i < job->first + job->n)
            known->open[i] = TRUE;
        if (whole->split[i] && !found[i])
            fail_msg("block %u is split, and not in the ledger", i);
        if (found[i] && !whole->split[i] && !known->open[i])
            fail_msg("block %u is in the ledger, and not split", i);
        known->open[i] = found[i] && !whole->split[i];
    }
    assert_counted(now.split, known->counters.split, watched);
    assert_counted(now.collapsed, known->counters.collapsed, watched);
    assert_counted(now.left, known->counters.left, watched);
    assert_counted(now.partly, known->counters.partly, watched);
    known->counters = now;
}

static void
restore_all(Whole *whole, Known *known)
{
    static const Kill nobody = { KILL_NOBODY, G_MAXINT64, 0, FALSE };
    static const Task restore = { .restores = TRUE };
    Watched watched;

    run_foliod(&watched, whole, &restore, &nobody);
    assert_int_equal(watched.ended, 1);
    if (watched.end.outcome != FOLIO_ACT_DONE)
        fail_msg("restore failed: %s", watched.end.text);
    whole_assert_restored(whole);
    assert_ledger(whole, &watched, known);
}

/* How long some jobs take, and how many calls. */
typedef struct {
    gint64 usec;
    guint calls;
} Span;

static Span
measure(Whole *whole, Known *known)
{
    static const Kill nobody = { KILL_NOBODY, G_MAXINT64, 0, FALSE };
    static const Task task = { .seed = SEED, .max_jobs = 3 };
    const gint64 begin = g_get_monotonic_time();
    Watched watched;
    Span span;

    run_foliod(&watched, whole, &task, &nobody);
    assert_int_equal(watched.ended, 3);
    span = (Span){ g_get_monotonic_time() - begin, watched.calls };
    assert_ledger(whole, &watched, known);
    restore_all(whole, known);
    return span;
}

static Kill
choose_kill(GRand *rand, Victim victim, const Span *span)
{
    Kill with = { .victim = victim, .after_usec = G_MAXINT64 };

    if (g_rand_boolean(rand))
        with.after_usec = (gint64) g_rand_double_range(rand, 0, (double) span->usec);
    with.at_call = (guint) g_rand_int_range(rand, 0, (gint) span->calls);
    with.late = g_rand_boolean(rand);
    return with;
}

/* The guest is gone, and its record with it; foliod, if it lives, has said so and ended as it does
 * at a stop. */
static void
assert_guest_forgotten(Whole *whole, const Watched *watched)
{
    g_autofree char *record = g_build_filename(whole->run, "ledger", FAKE_UUID, NULL);
    Foliod next;

    if (!watched->dead) {
        assert_int_equal(watched->end.outcome, FOLIO_ACT_FAILED);
        assert_non_null(strstr(watched->end.text, "has ended"));
        assert_false(g_file_test(record, G_FILE_TEST_EXISTS));
    }
    /* What is done here is done in this thread alone: more foliods are forked from it. */
    foliod_start(&next, whole);
    foliod_stop(&next);
    assert_false(g_file_test(record, G_FILE_TEST_EXISTS));
    whole_assert_host_clean(whole);
}

static void
kill_guest_once(Whole *whole, GRand *rand, const Span *span, Victim victim)
{
    const Kill with = choose_kill(rand, victim, span);
    const Task task = { .seed = g_rand_int(rand), .max_jobs = G_MAXUINT };
    Watched watched;

    run_foliod(&watched, whole, &task, &with);
    assert_true(watched.killed);
    assert_guest_forgotten(whole, &watched);
    whole_end_guest(whole);
    whole_start_guest(whole);
}

/* Returns whether it was. It was not when it was to end and did so earlier. */
static gboolean
kill_one(Whole *whole, GRand *rand, const Span *span, gboolean restores, Known *known)
{
    const Kill with = choose_kill(rand, KILL_FOLIOD, span);
    const Task task = { g_rand_int(rand), G_MAXUINT, restores };
    Watched watched;

    run_foliod(&watched, whole, &task, &with);
    assert_true(watched.dead || restores);
    if (g_rand_boolean(rand))
        fake_damon_make_passes(whole->fake);
    assert_ledger(whole, &watched, known);
    known->in_job += watched.dead && watched.under_way;
    return watched.dead;
}

/* Some are killed while they take over from one that was, or give all back. Returns how many were.
 */
static guint
kill_foliods(Whole *whole, GRand *rand, const Span *span, Known *known)
{
    const guint more = (guint) g_rand_int_range(rand, 0, 4);
    guint n = kill_one(whole, rand, span, FALSE, known);

    if (more == 0)
        n += kill_one(whole, rand, span, FALSE, known);
    else if (more == 1)
        n += kill_one(whole, rand, span, TRUE, known);
    restore_all(whole, known);
    return n;
}

static void
test_crash(void **state)
{
    const char *given = g_getenv("FOLIOD_TEST_SEED");
    const guint32 seed =
        given != NULL ? (guint32) g_ascii_strtoull(given, NULL, 10) : g_random_int();
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    Known known = { 0 };
    Whole *whole = whole_new();
    const Span span = measure(whole, &known);
    guint n_killed = 0, n_guests = 0;

    print_message("FOLIOD_TEST_SEED=%u; three jobs take %d ms and %u calls\n", seed,
                  (int) (span.usec / 1000), span.calls);
    while (n_killed < N_ROUNDS) {
        n_killed += kill_foliods(whole, rand, &span, &known);
        if (n_killed / 10 <= n_guests)
            continue;
        kill_guest_once(whole, rand, &span, n_guests++ % 2 == 0 ? KILL_GUEST : KILL_BOTH);
        known = (Known){ .in_job = known.in_job };
    }
    print_message("foliod was killed %u times, %u of them in an action; a guest %u times\n",
                  n_killed, known.in_job, n_guests);
    assert_true(known.in_job > n_killed / 3);
    whole_free(whole);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_crash) };

    enter_mount_namespace();
    /* What a killed foliod leaves is waited for here. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
