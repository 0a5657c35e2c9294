/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A process that writes the ledger is killed at any point: what is found then is whole, has all
 * that was confirmed, and nothing that was never begun. */
#include "ledger-stage.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#define N_KILLS 200

/* What the child does in one step: splits, or restores, some blocks. */
typedef struct {
    FolioActKind kind;
    guint first, n;
} Step;

/* What the child says of a step: it will begin it, it has begun, it has ended. */
typedef struct {
    guint step;
    enum { WILL_BEGIN, BEGUN, WILL_END, ENDED } what;
} Word;

/* The same for parent and child. Each block in 4 comes to nothing. */
static Step
step_of(guint seed, guint number)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed * 65536 + number);
    Step step = { .kind = g_rand_boolean(rand) ? FOLIO_ACT_SPLIT : FOLIO_ACT_RESTORE };

    step.first = (guint) g_rand_int_range(rand, 0, RAM_BLOCKS);
    step.n = (guint) g_rand_int_range(rand, 1, (gint) MIN(64, RAM_BLOCKS - step.first) + 1);
    return step;
}

static FolioOutcome
outcome_of(guint block)
{
    return block % 4 == 0 ? FOLIO_OUTCOME_LEFT : FOLIO_OUTCOME_DONE;
}

static void
say(int fd, guint step, guint what)
{
    const Word word = { step, what };

    if (write(fd, &word, sizeof word) != sizeof word)
        _exit(1);
}

static void G_GNUC_NORETURN
run_child(Stage *stage, guint seed, int fd)
{
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, ledger);

    for (guint number = 0;; number++) {
        const Step step = step_of(seed, number);
        FolioActRequest request = request_of(step.kind, 0, stage->ram);
        const FolioBlockRange range = range_of(step.first, step.n);
        FolioOutcome outcomes[64];

        for (guint i = 0; i < step.n; i++)
            outcomes[i] = outcome_of(step.first + i);
        say(fd, number, WILL_BEGIN);
        if (!folio_ledger_begin(guest, &request, &range, 1, NULL))
            _exit(2);
        say(fd, number, BEGUN);
        say(fd, number, WILL_END);
        folio_ledger_ended(guest, &request, &range, 1, outcomes);
        say(fd, number, ENDED);
    }
}

/* What the parent knows of each block. */
typedef struct {
    gboolean split[RAM_BLOCKS];
    gboolean open[RAM_BLOCKS]; /* may or may not be in the ledger */
    gboolean sure[RAM_BLOCKS]; /* must be, since it was begun or ended so */
    guint64 n_split, n_collapsed;
    guint64 may_split, may_collapse; /* these may be counted in already */
} Known;

static void
end_step(Known *known, const Step *step, gboolean sure)
{
    for (guint i = step->first; i < step->first + step->n; i++) {
        const gboolean done = outcome_of(i) == FOLIO_OUTCOME_DONE;
        const guint64 split = done && step->kind == FOLIO_ACT_SPLIT;
        const guint64 collapsed = done && step->kind == FOLIO_ACT_RESTORE;

        known->may_split += sure ? 0 : split;
        known->may_collapse += sure ? 0 : collapsed;
        if (!sure)
            continue;
        known->n_split += split;
        known->n_collapsed += collapsed;
        if (done)
            known->split[i] = step->kind == FOLIO_ACT_SPLIT;
    }
}

/* Takes what the child said last into account. */
static void
mark_last(Known *known, const Step *step, const Word *word)
{
    for (guint i = step->first; i < step->first + step->n; i++) {
        /* Once it is begun each block may be split, until the end is written. */
        known->sure[i] = word->what == BEGUN;
        known->open[i] = word->what == WILL_BEGIN || word->what == WILL_END;
    }
    if (word->what == WILL_END)
        end_step(known, step, FALSE);
}

static void
hear(int fd, guint seed, Known *known)
{
    Word word = { 0 }, last = { 0 };
    Step step;
    gboolean any = FALSE;

    while (read(fd, &word, sizeof word) == sizeof word) {
        step = step_of(seed, word.step);
        if (word.what == ENDED)
            end_step(known, &step, TRUE);
        last = word;
        any = TRUE;
    }
    if (!any)
        return;
    step = step_of(seed, last.step);
    mark_last(known, &step, &last);
}

static void
check(Stage *stage, Known *known, guint round)
{
    g_autofree char *aside = g_strconcat(stage->file, ".damaged", NULL);
    g_autoptr(FolioLedger) ledger = folio_ledger_open(stage->run);
    g_autoptr(FolioLedgerGuest) guest = stage_guest(stage, ledger);
    g_autoptr(GArray) split = folio_ledger_get_split(guest, stage->ram);
    const FolioLedgerCounters counters = folio_ledger_count(guest);
    gboolean found[RAM_BLOCKS] = { FALSE };

    assert_false(g_file_test(aside, G_FILE_TEST_EXISTS));
    for (guint i = 0; i < split->len; i++) {
        const FolioBlockRange *range = &g_array_index(split, FolioBlockRange, i);
        const guint64 first = (range->start - RAM_HVA) / BLOCK;

        for (guint64 j = first; j < first + range->bytes / BLOCK; j++)
            found[j] = TRUE;
    }
    for (guint i = 0; i < RAM_BLOCKS; i++) {
        if (!known->open[i] && found[i] != (known->split[i] || known->sure[i]))
            fail_msg("round %u: block %u is %sin the ledger", round, i, found[i] ? "" : "not ");
        /* From here on: what it says. */
        known->split[i] = found[i];
        known->open[i] = known->sure[i] = FALSE;
    }
    assert_in_range(counters.split, known->n_split, known->n_split + known->may_split);
    assert_in_range(counters.collapsed, known->n_collapsed,
                    known->n_collapsed + known->may_collapse);
    known->n_split = counters.split;
    known->n_collapsed = counters.collapsed;
    known->may_split = known->may_collapse = 0;
}

static void
kill_one(Stage *stage, Known *known, guint round, guint delay_usec)
{
    int fds[2], status;
    pid_t child;

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, 1024 * 1024), 1024 * 1024);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(fds[0]);
        run_child(stage, round, fds[1]);
    }
    close(fds[1]);
    /* Every other one is at work by then, however slow the machine is. */
    if (round % 2 == 1) {
        struct pollfd first = { .fd = fds[0], .events = POLLIN };

        assert_int_equal(poll(&first, 1, 20000), 1);
    }
    g_usleep(delay_usec);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    hear(fds[0], round, known);
    close(fds[0]);
    check(stage, known, round);
}

/* Each child goes on where the one before was killed. */
static void
test_kill(void **state)
{
    Stage *stage = *state;
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    g_autofree Known *known = g_new0(Known, 1);
    guint64 n_steps = 0;

    for (guint round = 0; round < N_KILLS; round++)
        kill_one(stage, known, round, (guint) g_rand_int_range(rand, 500, 20000));
    n_steps = known->n_split + known->n_collapsed;
    print_message("%d kills; %" G_GUINT64_FORMAT " blocks were split or made whole\n", N_KILLS,
                  n_steps);
    assert_true(n_steps > N_KILLS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { STAGE_TEST(test_kill) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
