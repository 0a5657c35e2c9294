/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* act/khugepaged: what is done to a guest's process and to the knob of the hold, in what order, and
 * what is left of it when a step fails. QEMU, the helper and the ledger are made up here; the files
 * of sysfs are a tree of the test's own. */
#include "act/khugepaged.h"

#include "base/error.h"
#include "fake-proc.h"

#define THP      "kernel/mm/transparent_hugepage/"
#define KNOB     THP "khugepaged/split_backoff_millisecs"
#define HOUR     "3600000"
#define RAM      (1024ULL * 1024 * 1024)
#define WOULD    "khugepaged would undo splits"
#define NEVER    (-1)
#define KEEP     FOLIO_KHUGEPAGED_KEEP
#define AUTO     FOLIO_KHUGEPAGED_AUTO
#define STRICT   FOLIO_KHUGEPAGED_STRICT
#define USUAL    FOLIO_THP_AS_USUAL
#define NO_KHUGE FOLIO_THP_NO_KHUGEPAGED
#define NO_HUGE  FOLIO_THP_NO_HUGE_PAGES

/* The QEMU process, as its kernel and its setting have it. */
static struct {
    gboolean gone;
    gboolean knows;
    FolioThp thp;
} qemu;

/* What the helper is to do. */
static struct {
    int fails_at;          /* which call, from 0 */
    FolioErrorCode code;   /* with what */
    gboolean done_as_well; /* and does it all the same */
    int calls;
} helper;

/* What is written down. */
static struct {
    FolioLedgerThp thp;
    char *original, *ours; /* of the knob */
    gboolean split;
    gboolean full; /* nothing more can be */
} ledger;

/* Steps, one word each, in their order. */
static GString *steps;

static gboolean
no_room(GError **error)
{
    if (ledger.full)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "ledger: no space is left");
    return ledger.full;
}

const char *
folio_thp_token(FolioThp thp)
{
    static const char *const tokens[] = { "usual", "no-khugepaged", "no-huge-pages" };

    return tokens[thp];
}

gboolean
folio_thp_read_status(const FolioProcess *process, FolioThpStatus *status, GError **error)
{
    if (qemu.gone) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "status: No such process");
        return FALSE;
    }
    *status = (FolioThpStatus){ .knows_khugepaged = qemu.knows,
                                .khugepaged = !qemu.knows || qemu.thp == USUAL,
                                .enabled = qemu.thp != NO_HUGE };
    return TRUE;
}

gboolean
folio_inject(const char *program, const FolioProcess *process, FolioThp thp,
             FolioInjectResult *result, GError **error)
{
    const gboolean fails = helper.calls++ == helper.fails_at;

    assert_string_equal(program, "/inject");
    assert_true(ledger.thp.changed);
    assert_true(qemu.knows || thp != NO_KHUGE);
    g_string_append_printf(steps, "%s ", fails ? "failed" : folio_thp_token(thp));
    if (!fails || helper.done_as_well)
        qemu.thp = thp;
    if (fails)
        g_set_error(error, FOLIO_ERROR, helper.code, "no thread of it would");
    return !fails;
}

FolioLedgerThp
folio_ledger_get_thp(FolioLedgerGuest *guest)
{
    return ledger.thp;
}

gboolean
folio_ledger_set_thp(FolioLedgerGuest *guest, const FolioLedgerThp *thp, GError **error)
{
    if (no_room(error))
        return FALSE;
    g_string_append(steps, thp->changed ? "note-thp " : "drop-thp ");
    ledger.thp = *thp;
    return TRUE;
}

gboolean
folio_ledger_get_knob(FolioLedger *of, const char *path, char **original, char **ours)
{
    *original = g_strdup(ledger.original);
    *ours = g_strdup(ledger.ours);
    return ledger.original != NULL;
}

gboolean
folio_ledger_take_knob(FolioLedger *of, const char *path, const char *original, const char *ours,
                       GError **error)
{
    assert_true(g_str_has_suffix(path, "/" KNOB));
    if (no_room(error))
        return FALSE;
    g_string_append(steps, "note-knob ");
    if (ledger.original == NULL) {
        ledger.original = g_strdup(original);
        ledger.ours = g_strdup(ours);
    }
    return TRUE;
}

gboolean
folio_ledger_drop_knob(FolioLedger *of, const char *path, GError **error)
{
    g_string_append(steps, "drop-knob ");
    g_clear_pointer(&ledger.original, g_free);
    g_clear_pointer(&ledger.ours, g_free);
    return TRUE;
}

gboolean
folio_ledger_has_split(FolioLedger *of)
{
    return ledger.split;
}

typedef struct {
    FakeHost *host;
    char *sys_root;
    FolioProcess *process;
    FolioGuestRam ram;
    FolioActRequest request;
    FolioKhugepagedControl *control;
    char *reason;
} Stage;

static void
put(Stage *stage, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(stage->sys_root, name, NULL);
    g_autofree char *dir = g_path_get_dirname(path);

    assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
    fake_write(path, text, -1);
}

static void
assert_knob(Stage *stage, const char *expected)
{
    g_autofree char *text = folio_file_read_value(stage->sys_root, KNOB);

    assert_string_equal(text, expected);
}

/* A write to a file in place of one to sysfs: it replaces what was there. */
static ssize_t
sysfs_write(int fd, const void *buffer, size_t size)
{
    assert_int_equal(ftruncate(fd, 0), 0);
    return write(fd, buffer, size);
}

static ssize_t
failing_write(int fd, const void *buffer, size_t size)
{
    errno = EIO;
    return -1;
}

static void
use_write(ssize_t (*call)(int, const void *, size_t))
{
    const FolioFileCalls calls = { .getlk = fake_getlk, .write = call };

    folio_file_set_calls(&calls);
}

static int
set_up(void **state)
{
    Stage *stage = g_new0(Stage, 1);
    FolioReason reason;

    stage->host = fake_host_new(getpid());
    use_write(sysfs_write);
    stage->sys_root = g_build_filename(stage->host->root, "sys", NULL);
    stage->process = fake_locate(stage->host, 2, &reason, NULL);
    assert_non_null(stage->process);
    put(stage, THP "enabled", "[always] madvise never\n");
    put(stage, KNOB, "0\n");
    stage->ram = (FolioGuestRam){ .bytes = RAM, .now.present = RAM, .measured_usec = 1 };
    stage->request = (FolioActRequest){ .process = stage->process,
                                        .uuid = (char *) FAKE_UUID,
                                        .name = (char *) FAKE_NAME,
                                        .ram = &stage->ram,
                                        .khugepaged = AUTO,
                                        .may_inject = TRUE };
    stage->control = folio_khugepaged_new(stage->sys_root, "/inject", NULL);
    memset(&ledger, 0, sizeof ledger);
    helper = (typeof(helper)){ .fails_at = NEVER, .code = FOLIO_ERROR_BUSY };
    qemu = (typeof(qemu)){ .knows = TRUE, .thp = USUAL };
    steps = g_string_new(NULL);
    *state = stage;
    return 0;
}

static int
tear_down(void **state)
{
    Stage *stage = *state;

    folio_khugepaged_free(stage->control);
    folio_process_unref(stage->process);
    fake_host_free(stage->host);
    g_free(stage->sys_root);
    g_free(stage->reason);
    g_free(stage);
    g_free(ledger.original);
    g_free(ledger.ours);
    g_string_free(steps, TRUE);
    folio_file_set_calls(NULL);
    return 0;
}

static void
assert_steps(const char *expected)
{
    assert_string_equal(steps->str, expected);
    g_string_truncate(steps, 0);
}

/* words NULL: no reason. */
static void
assert_keeps(Stage *stage, FolioKeeper expected, const char *words)
{
    g_clear_pointer(&stage->reason, g_free);
    assert_int_equal(
        folio_khugepaged_keep_away(stage->control, &stage->request, NULL, &stage->reason),
        expected);
    assert_int_equal(stage->reason != NULL, words != NULL);
    if (words != NULL && strstr(stage->reason, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", stage->reason, words);
    if (words != NULL)
        assert_false(g_str_has_suffix(stage->reason, "."));
}

static gboolean
give_back(Stage *stage, GError **error)
{
    return folio_khugepaged_give_back(stage->control, &stage->request, NULL, error);
}

/* By the host's settings it does nothing, so nothing is done about it. */
static void
test_idle(void **state)
{
    Stage *stage = *state;

    put(stage, THP "enabled", "always madvise [never]\n");
    put(stage, THP "shmem_enabled", "always within_size advise [never] deny force\n");
    assert_int_equal(folio_khugepaged_look(stage->control, stage->process), FOLIO_KEEPER_IDLE);
    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_IDLE, NULL);
    assert_steps("");
    assert_knob(stage, "0");
    put(stage, THP "hugepages-2048kB/shmem_enabled", "[always] never\n");
    assert_int_equal(folio_khugepaged_look(stage->control, stage->process), FOLIO_KEEPER_FREE);
}

static void
test_look(void **state)
{
    Stage *stage = *state;
    static const FolioKeeper expected[] = { FOLIO_KEEPER_FREE, FOLIO_KEEPER_FLAG,
                                            FOLIO_KEEPER_STRICT };

    for (guint thp = USUAL; thp <= NO_HUGE; thp++) {
        qemu.thp = (FolioThp) thp;
        assert_int_equal(folio_khugepaged_look(stage->control, stage->process), expected[thp]);
    }
    qemu.gone = TRUE;
    assert_int_equal(folio_khugepaged_look(stage->control, stage->process), FOLIO_KEEPER_FREE);
    assert_steps("");
    assert_string_equal(folio_keeper_token(FOLIO_KEEPER_FREE), "free");
    assert_string_equal(folio_keeper_token(FOLIO_KEEPER_IDLE), "idle");
    assert_string_equal(folio_keeper_token(FOLIO_KEEPER_FLAG), "flag");
    assert_string_equal(folio_keeper_token(FOLIO_KEEPER_STRICT), "strict");
}

/* Each step is written down before; a second time nothing is left to do; and all of it goes back,
 * the knob only when nothing is split. */
static void
test_auto(void **state)
{
    Stage *stage = *state;

    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("note-thp no-khugepaged note-knob ");
    assert_knob(stage, HOUR);
    assert_int_equal(folio_khugepaged_hold_msec(stage->control), 3600000);
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("");

    ledger.split = TRUE;
    assert_true(give_back(stage, NULL));
    assert_steps("usual drop-thp ");
    assert_int_equal(qemu.thp, USUAL);
    assert_knob(stage, HOUR);
    ledger.split = FALSE;
    assert_true(folio_khugepaged_release_hold(stage->control, NULL));
    assert_steps("drop-knob ");
    assert_knob(stage, "0");
    assert_true(give_back(stage, NULL));
    assert_steps("");
}

/* It was started with the flag, or without huge pages: that stays, whatever is done. */
static void
test_set_at_launch(void **state)
{
    Stage *stage = *state;

    qemu.thp = NO_KHUGE;
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("note-knob ");
    assert_true(give_back(stage, NULL));
    assert_steps("drop-knob ");
    assert_int_equal(qemu.thp, NO_KHUGE);

    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    assert_true(give_back(stage, NULL));
    assert_steps("note-thp no-huge-pages note-knob no-khugepaged drop-thp drop-knob ");

    qemu.thp = NO_HUGE;
    stage->request.khugepaged = AUTO;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    assert_true(give_back(stage, NULL));
    assert_int_equal(qemu.thp, NO_HUGE);
    assert_steps("note-knob drop-knob ");
}

static void
test_keep(void **state)
{
    Stage *stage = *state;

    stage->request.khugepaged = KEEP;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "Khugepaged=auto");
    qemu.thp = NO_KHUGE;
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("");
    assert_knob(stage, "0");
}

static void
test_may_not_inject(void **state)
{
    Stage *stage = *state;

    stage->request.may_inject = FALSE;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "thp=khugepaged-off");
    folio_khugepaged_free(stage->control);
    stage->control = folio_khugepaged_new(stage->sys_root, NULL, NULL);
    stage->request.may_inject = TRUE;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "thp=khugepaged-off");
    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "thp=khugepaged-off");
    assert_steps("");
    assert_knob(stage, "0");
}

static void
test_kernel_without_flag(void **state)
{
    Stage *stage = *state;
    g_autofree char *knob = g_build_filename(stage->sys_root, KNOB, NULL);

    assert_int_equal(g_remove(knob), 0);
    qemu.knows = FALSE;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "patches");
    assert_steps("");
    assert_int_equal(folio_khugepaged_hold_msec(stage->control), 0);
    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    assert_steps("note-thp no-huge-pages ");
    assert_true(give_back(stage, NULL));
    assert_steps("usual drop-thp ");
}

/* Not before the RAM is there: what comes later would be small for good. */
static void
test_strict_waits(void **state)
{
    Stage *stage = *state;

    stage->request.khugepaged = STRICT;
    stage->ram.now.present = RAM / 10 * 8;
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("note-thp no-khugepaged note-knob ");
    stage->ram.now.swapped = RAM / 10;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    assert_steps("no-huge-pages ");
    stage->ram.now.present = 0;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    assert_steps("");
    stage->request.khugepaged = AUTO;
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("no-khugepaged ");

    qemu.knows = FALSE;
    qemu.thp = USUAL;
    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "waits until 90 %");
    stage->ram.now.present = RAM;
    stage->ram.measured_usec = 0;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "waits until 90 %");
    assert_steps("");
}

static void
assert_nothing_left(Stage *stage)
{
    assert_false(ledger.thp.changed);
    assert_null(ledger.original);
    assert_int_equal(qemu.thp, USUAL);
    assert_knob(stage, "0");
    g_string_truncate(steps, 0);
}

static void
test_failures(void **state)
{
    Stage *stage = *state;

    ledger.full = TRUE;
    assert_keeps(stage, FOLIO_KEEPER_FREE, WOULD);
    assert_nothing_left(stage);
    ledger.full = FALSE;

    helper.fails_at = 0;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "no thread of it would");
    assert_nothing_left(stage);

    /* The knob comes last: the process is as before again. */
    use_write(failing_write);
    assert_keeps(stage, FOLIO_KEEPER_FREE, "split_backoff_millisecs");
    assert_nothing_left(stage);
    use_write(sysfs_write);
    put(stage, KNOB, "soon\n");
    assert_keeps(stage, FOLIO_KEEPER_FREE, "number of milliseconds");
    put(stage, KNOB, "0\n");
    assert_nothing_left(stage);

    qemu.gone = TRUE;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "No such process");
    qemu.gone = FALSE;
    assert_nothing_left(stage);
}

/* A helper that had to be killed may have done it, or may yet. */
static void
test_helper_killed(void **state)
{
    Stage *stage = *state;

    helper.fails_at = 0;
    helper.code = FOLIO_ERROR_FAILED;
    helper.done_as_well = TRUE;
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("note-thp failed note-knob ");
    assert_true(give_back(stage, NULL));
    assert_nothing_left(stage);

    helper.fails_at = helper.calls;
    helper.done_as_well = FALSE;
    assert_keeps(stage, FOLIO_KEEPER_FREE, WOULD);
    assert_steps("note-thp failed ");
    assert_true(ledger.thp.changed);
    qemu.thp = NO_KHUGE;
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_true(give_back(stage, NULL));
    assert_nothing_left(stage);
}

/* foliod ended between two steps: what is found decides. */
static void
test_crashes(void **state)
{
    Stage *stage = *state;

    ledger.thp = (FolioLedgerThp){ TRUE, TRUE, TRUE };
    ledger.original = g_strdup("0");
    ledger.ours = g_strdup(HOUR);
    assert_true(give_back(stage, NULL));
    assert_steps("drop-thp drop-knob ");

    ledger.thp = (FolioLedgerThp){ TRUE, TRUE, TRUE };
    ledger.original = g_strdup("0");
    ledger.ours = g_strdup(HOUR);
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("no-khugepaged note-knob ");
    assert_knob(stage, HOUR);
    assert_string_equal(ledger.original, "0");
}

static void
test_give_back_fails(void **state)
{
    Stage *stage = *state;
    g_autoptr(GError) error = NULL;

    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    stage->request.may_inject = FALSE;
    assert_false(give_back(stage, &error));
    assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED));
    assert_true(ledger.thp.changed);
    /* The knob does not wait for the process. */
    assert_knob(stage, "0");
    g_clear_error(&error);

    stage->request.may_inject = TRUE;
    helper.fails_at = helper.calls;
    assert_false(give_back(stage, &error));
    assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_BUSY));
    assert_true(ledger.thp.changed);
    g_clear_error(&error);

    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    use_write(failing_write);
    assert_false(give_back(stage, &error));
    assert_non_null(strstr(error->message, "split_backoff_millisecs"));
    assert_string_equal(ledger.original, "0");
    use_write(sysfs_write);
    assert_true(give_back(stage, NULL));
    assert_nothing_left(stage);
}

/* It is an administrator's too. */
static void
test_knob_of_others(void **state)
{
    Stage *stage = *state;

    qemu.thp = NO_KHUGE;
    put(stage, KNOB, "7200000\n");
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_knob(stage, "7200000");
    assert_steps("");

    put(stage, KNOB, "1000\n");
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_knob(stage, HOUR);
    put(stage, KNOB, "5000\n");
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_knob(stage, HOUR);
    assert_string_equal(ledger.original, "5000");
    put(stage, KNOB, "7000\n");
    assert_true(give_back(stage, NULL));
    assert_knob(stage, "7000");
    assert_null(ledger.original);
}

static gboolean
collapse(Stage *stage, GError **error)
{
    return folio_khugepaged_before_collapse(stage->control, &stage->request, NULL, error) &&
           folio_khugepaged_after_collapse(stage->control, &stage->request, NULL, error);
}

static void
test_collapse(void **state)
{
    Stage *stage = *state;

    assert_true(collapse(stage, NULL));
    assert_steps("");
    qemu.thp = NO_HUGE; /* by its starter, and not to be treated strictly */
    assert_true(collapse(stage, NULL));
    assert_steps("");

    qemu.thp = USUAL;
    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    g_string_truncate(steps, 0);
    assert_true(folio_khugepaged_before_collapse(stage->control, &stage->request, NULL, NULL));
    assert_int_equal(qemu.thp, NO_KHUGE);
    assert_true(folio_khugepaged_after_collapse(stage->control, &stage->request, NULL, NULL));
    assert_true(folio_khugepaged_after_collapse(stage->control, &stage->request, NULL, NULL));
    assert_steps("no-khugepaged no-huge-pages ");
    qemu.knows = FALSE;
    assert_true(collapse(stage, NULL));
    assert_steps("usual no-huge-pages ");
    assert_true(give_back(stage, NULL));
    assert_int_equal(qemu.thp, USUAL);
}

/* Its starter's is put back as its starter's; also by a foliod that finds it open. */
static void
test_collapse_set_at_launch(void **state)
{
    Stage *stage = *state;

    qemu.thp = NO_HUGE;
    stage->request.khugepaged = STRICT;
    assert_true(collapse(stage, NULL));
    assert_steps("note-thp no-khugepaged no-huge-pages drop-thp ");

    assert_true(folio_khugepaged_before_collapse(stage->control, &stage->request, NULL, NULL));
    folio_khugepaged_free(stage->control);
    stage->control = folio_khugepaged_new(stage->sys_root, "/inject", NULL);
    assert_true(collapse(stage, NULL));
    assert_steps("note-thp no-khugepaged no-huge-pages drop-thp ");
    assert_int_equal(qemu.thp, NO_HUGE);
}

static void
test_collapse_fails(void **state)
{
    Stage *stage = *state;
    g_autoptr(GError) error = NULL;

    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    stage->request.may_inject = FALSE;
    assert_false(collapse(stage, &error));
    assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED));
    g_clear_error(&error);
    stage->request.may_inject = TRUE;
    helper.fails_at = helper.calls;
    assert_false(collapse(stage, &error));
    assert_int_equal(qemu.thp, NO_HUGE);
    g_clear_error(&error);

    helper.fails_at = helper.calls + 1;
    assert_false(collapse(stage, &error));
    assert_int_equal(qemu.thp, NO_KHUGE);
    g_clear_error(&error);
    assert_true(folio_khugepaged_after_collapse(stage->control, &stage->request, NULL, &error));
    assert_int_equal(qemu.thp, NO_HUGE);
    qemu.gone = TRUE;
    assert_false(collapse(stage, &error));
    assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND));
}

static void
test_could_keep_away(void **state)
{
    Stage *stage = *state;
    static const struct {
        FolioThp thp;
        FolioKhugepaged khugepaged;
        gboolean knows, may_inject, expected;
    } cases[] = {
        { USUAL, AUTO, TRUE, TRUE, TRUE },     { USUAL, AUTO, TRUE, FALSE, FALSE },
        { USUAL, AUTO, FALSE, TRUE, FALSE },   { USUAL, KEEP, TRUE, TRUE, FALSE },
        { USUAL, STRICT, FALSE, TRUE, TRUE },  { USUAL, STRICT, FALSE, FALSE, FALSE },
        { NO_KHUGE, KEEP, TRUE, FALSE, TRUE }, { NO_HUGE, AUTO, FALSE, FALSE, TRUE },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        qemu.thp = cases[i].thp;
        qemu.knows = cases[i].knows;
        assert_int_equal(folio_khugepaged_could_keep_away(stage->control, stage->process,
                                                          cases[i].khugepaged, cases[i].may_inject),
                         cases[i].expected);
    }
    qemu.gone = TRUE;
    assert_false(folio_khugepaged_could_keep_away(stage->control, stage->process, AUTO, TRUE));
    put(stage, THP "enabled", "always madvise [never]\n");
    assert_true(folio_khugepaged_could_keep_away(stage->control, stage->process, KEEP, FALSE));
    assert_steps("");
}

#define stage_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(test_idle),
        stage_test(test_look),
        stage_test(test_auto),
        stage_test(test_set_at_launch),
        stage_test(test_keep),
        stage_test(test_may_not_inject),
        stage_test(test_kernel_without_flag),
        stage_test(test_strict_waits),
        stage_test(test_failures),
        stage_test(test_helper_killed),
        stage_test(test_crashes),
        stage_test(test_give_back_fails),
        stage_test(test_knob_of_others),
        stage_test(test_collapse),
        stage_test(test_collapse_set_at_launch),
        stage_test(test_collapse_fails),
        stage_test(test_could_keep_away),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
