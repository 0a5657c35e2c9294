/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where the keeper of khugepaged can be watched: a QEMU, a helper and a ledger that are made up,
 * and files of sysfs in a tree of the test's own. */
#pragma once

#include "act/khugepaged.h"
#include "base/error.h"
#include "fake-proc.h"

#define THP      "kernel/mm/transparent_hugepage/"
#define KNOB     THP "khugepaged/split_backoff_millisecs"
#define HOUR     "3600000"
#define RAM      (1024ULL * 1024 * 1024)
#define UNMADE   "QEMU could not be made to keep it away"
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

static inline gboolean
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

static inline void
put(Stage *stage, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(stage->sys_root, name, NULL);
    g_autofree char *dir = g_path_get_dirname(path);

    assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
    fake_write(path, text, -1);
}

static inline void
assert_knob(Stage *stage, const char *expected)
{
    g_autofree char *text = folio_file_read_value(stage->sys_root, KNOB);

    assert_string_equal(text, expected);
}

/* A write to a file in place of one to sysfs: it replaces what was there. */
static inline ssize_t
sysfs_write(int fd, const void *buffer, size_t size)
{
    assert_int_equal(ftruncate(fd, 0), 0);
    return write(fd, buffer, size);
}

static inline ssize_t
failing_write(int fd, const void *buffer, size_t size)
{
    errno = EIO;
    return -1;
}

static inline void
use_write(ssize_t (*call)(int, const void *, size_t))
{
    const FolioFileCalls calls = { .getlk = fake_getlk, .write = call };

    folio_file_set_calls(&calls);
}

static inline int
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

static inline int
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

static inline void
assert_steps(const char *expected)
{
    assert_string_equal(steps->str, expected);
    g_string_truncate(steps, 0);
}

/* words NULL: no reason. */
static inline void
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

static inline gboolean
give_back(Stage *stage, GError **error)
{
    return folio_khugepaged_give_back(stage->control, &stage->request, NULL, error);
}

#define stage_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
