/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each write of a whole action fails in turn, be it to DAMON's files, the trace's, the knob of the
 * hold or the ledger: the run says how it ended, the ledger agrees with what was done, and the next
 * foliod puts all as it was. So does each read, after which more may be unknown, but nothing is
 * taken for whole that is not. */
#include "act-whole.h"

#define SHORT FAKE_DAMON_SHORT
#define GONE  FAKE_DAMON_GONE

/* Of the blocks that are acted on. */
#define FIRST 2u
#define N     2u

static struct {
    Whole *whole;
    gboolean armed, of_reads;
    guint nth, calls;
    int failure;
    gboolean fired, in_ledger; /* it came; and was of a file of the ledger */
} fault;

static gboolean
is_call_due(gboolean of_reads)
{
    if (!fault.armed || fault.of_reads != of_reads || fault.calls++ != fault.nth)
        return FALSE;
    fault.fired = TRUE;
    return TRUE;
}

static gboolean
is_due(void)
{
    return is_call_due(FALSE);
}

/* To be returned. */
static int
fail_with(int failure)
{
    errno = failure;
    return -1;
}

static ssize_t
failing_write(int fd, const void *buffer, size_t size)
{
    g_autofree char *link = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *path = g_file_read_link(link, NULL);

    if (is_due()) {
        fault.in_ledger = !g_str_has_prefix(path, fake_damon_sys_root(fault.whole->fake));
        if (fault.in_ledger && fault.failure == SHORT)
            return write(fd, buffer, size - 1);
        if (fault.in_ledger)
            return fail_with(fault.failure == GONE ? ESTALE : fault.failure);
        fake_damon_fail(fault.whole->fake, 0, fault.failure);
    }
    return fake_damon_get_calls()->write(fd, buffer, size);
}

static int
failing_createat(int dir_fd, const char *path, int flags, mode_t mode)
{
    if (!is_due())
        return openat(dir_fd, path, flags, mode);
    fault.in_ledger = TRUE;
    return fail_with(fault.failure > 0 ? fault.failure : ENOENT);
}

static int
failing_renameat(int dir_fd, const char *from, const char *to)
{
    if (!is_due())
        return renameat(dir_fd, from, dir_fd, to);
    fault.in_ledger = TRUE;
    if (fault.failure > 0)
        return fail_with(fault.failure);
    unlinkat(dir_fd, from, 0);
    return fail_with(ENOENT);
}

static int
failing_mkdir(const char *path, mode_t mode)
{
    if (!is_due())
        return fake_damon_get_calls()->mkdir(path, mode);
    return fail_with(fault.failure > 0 ? fault.failure : ENOENT);
}

/* Gone is what somebody else has removed. */
static int
failing_rmdir(const char *path)
{
    if (!is_due())
        return fake_damon_get_calls()->rmdir(path);
    if (fault.failure > 0)
        return fail_with(fault.failure);
    fake_damon_get_calls()->rmdir(path);
    return fail_with(ENOENT);
}

static int
failing_openat(int dir_fd, const char *path, int flags)
{
    return is_call_due(TRUE) ? fail_with(fault.failure) : openat(dir_fd, path, flags);
}

static ssize_t
failing_read(int fd, void *buffer, size_t size)
{
    return is_call_due(TRUE) ? fail_with(fault.failure) : read(fd, buffer, size);
}

static int
failing_ioctl(int fd, unsigned long request, void *argument)
{
    return is_call_due(TRUE) ? fail_with(fault.failure) : ioctl(fd, request, argument);
}

static const FolioFileCalls failing_calls = {
    .openat = failing_openat,
    .read = failing_read,
    .ioctl = failing_ioctl,
    .getlk = fake_getlk,
    .write = failing_write,
    .createat = failing_createat,
    .renameat = failing_renameat,
    .mkdir = failing_mkdir,
    .rmdir = failing_rmdir,
};

typedef struct {
    FolioActKind kind; /* of the action */
    gboolean of_reads;
    guint nth;
    int failure;
} Case;

#define fail_case(of, format, ...)                                                             \
    fail_msg("%s, write %u, failure %d: " format, folio_act_kind_token((of)->kind), (of)->nth, \
             (of)->failure, __VA_ARGS__)

static void
arm(const Case *of)
{
    fault.armed = TRUE;
    fault.of_reads = of->of_reads;
    fault.nth = of->nth;
    fault.failure = of->failure;
    fault.calls = 0;
    fault.fired = fault.in_ledger = FALSE;
}

/* What stays split, says the run, and says the ledger that the next foliod finds. */
static void
assert_agrees(const Case *of, const Foliod *foliod)
{
    Whole *whole = fault.whole;
    const guint64 done = foliod->report.outcomes[FOLIO_OUTCOME_DONE];
    FolioLedgerCounters counters;
    gboolean found[WHOLE_BLOCKS];
    guint n_split = 0, real;

    whole_read_ledger(whole, found, &counters);
    for (guint i = 0; i < WHOLE_BLOCKS; i++) {
        n_split += whole->split[i];
        if (whole->split[i] && !found[i])
            fail_case(of, "block %u is split, and not in the ledger", i);
        if (found[i] && !whole->split[i] && !fault.in_ledger && !of->of_reads)
            fail_case(of, "block %u is in the ledger, and not split", i);
    }
    if (foliod->outcome == FOLIO_ACT_FAILED ? *foliod->error == '\0' : done != N && !of->of_reads)
        fail_case(of, "outcome %u, done %u, error \"%s\"", foliod->outcome, (guint) done,
                  foliod->error);
    real = of->kind == FOLIO_ACT_SPLIT ? n_split : N - n_split;
    if (of->of_reads ? done > real : done != real)
        fail_case(of, "%u are split, but done is %u", n_split, (guint) done);
}

/* Once more, and all is well. */
static void
restore_all(const Case *of)
{
    Foliod foliod;

    foliod_start(&foliod, fault.whole);
    foliod_act(&foliod, FOLIO_ACT_RESTORE, 0, WHOLE_BLOCKS);
    if (foliod.outcome != FOLIO_ACT_DONE)
        fail_case(of, "a restore afterwards: %s", foliod.error);
    foliod_stop(&foliod);
    whole_assert_restored(fault.whole);
}

static void
split_before(void)
{
    Foliod foliod;

    foliod_start(&foliod, fault.whole);
    foliod_act(&foliod, FOLIO_ACT_SPLIT, FIRST, N);
    assert_int_equal(foliod.outcome, FOLIO_ACT_DONE);
    foliod_stop(&foliod);
}

/* FALSE when the action has no such write any more. */
static gboolean
try_case(const Case *of)
{
    Foliod foliod;

    if (of->kind == FOLIO_ACT_RESTORE)
        split_before();
    foliod_start(&foliod, fault.whole);
    arm(of);
    foliod_act(&foliod, of->kind, FIRST, N);
    foliod_stop(&foliod);
    fault.armed = FALSE;
    assert_agrees(of, &foliod);
    restore_all(of);
    return fault.fired;
}

/* Returns how many calls the action has. */
static guint
try_each(FolioActKind kind, gboolean of_reads, int failure)
{
    guint n = 0;

    while (try_case(&(Case){ kind, of_reads, n, failure }))
        n++;
    return n;
}

static void
test_writes(FolioActKind kind)
{
    static const int failures[] = { EBUSY, EINVAL, ENOSPC, EIO, SHORT, GONE };
    guint n = 0;

    for (guint i = 0; i < G_N_ELEMENTS(failures); i++)
        n = try_each(kind, FALSE, failures[i]);
    print_message("%s: %u writes\n", folio_act_kind_token(kind), n);
    assert_true(n > 50);
}

static void
test_reads(FolioActKind kind)
{
    const guint n = try_each(kind, TRUE, EIO);

    print_message("%s: %u reads\n", folio_act_kind_token(kind), n);
    assert_true(n > 50);
}

static void
test_writes_of_split(void **state)
{
    test_writes(FOLIO_ACT_SPLIT);
}

static void
test_writes_of_restore(void **state)
{
    test_writes(FOLIO_ACT_RESTORE);
}

static void
test_reads_of_split(void **state)
{
    test_reads(FOLIO_ACT_SPLIT);
}

static void
test_reads_of_restore(void **state)
{
    test_reads(FOLIO_ACT_RESTORE);
}

static int
set_up(void **state)
{
    enter_mount_namespace();
    fault.whole = whole_new();
    folio_file_set_calls(&failing_calls);
    return 0;
}

static int
tear_down(void **state)
{
    whole_free(fault.whole);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writes_of_split),
        cmocka_unit_test(test_writes_of_restore),
        cmocka_unit_test(test_reads_of_split),
        cmocka_unit_test(test_reads_of_restore),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
