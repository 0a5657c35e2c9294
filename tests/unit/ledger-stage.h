/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A run directory in memory, a guest whose process is the test itself, and writes that fail when
 * they are told to. */
#pragma once

#include "fake-proc.h"
#include "ledger-fixture.h"

#include "act/ledger.h"

#include <sys/stat.h>

typedef struct {
    FakeHost *host;
    FolioProcess *process;
    FolioGuestRam *ram;
    char *run;  /* the run directory; made when it is first needed */
    char *dir;  /* its ledger */
    char *file; /* of the guest */
} Stage;

static inline int
stage_set_up(void **state)
{
    Stage *stage = g_new0(Stage, 1);
    g_autofree char *root = g_mkdtemp(g_strdup("/dev/shm/foliod-ledger.XXXXXX"));

    *state = stage;
    stage->host = fake_host_new(getpid());
    stage->process = fake_locate(stage->host, 0, &(FolioReason){ 0 }, NULL);
    stage->ram = fixture_ram(2, DIMM_BLOCKS);
    stage->run = g_build_filename(root, "run", NULL);
    stage->dir = g_build_filename(stage->run, "ledger", NULL);
    stage->file = g_build_filename(stage->dir, FAKE_UUID, NULL);
    return root != NULL && stage->process != NULL ? 0 : -1;
}

static inline int
stage_tear_down(void **state)
{
    Stage *stage = *state;
    g_autofree char *root = g_path_get_dirname(stage->run);

    fake_remove(root);
    folio_process_unref(stage->process);
    fake_host_free(stage->host);
    folio_guest_ram_free(stage->ram);
    g_free(stage->run);
    g_free(stage->dir);
    g_free(stage->file);
    g_free(stage);
    return 0;
}

/* The guest's QEMU is another process from now on. */
static inline void
stage_restart_guest(Stage *stage, guint64 start_time)
{
    g_autofree char *stat = g_strdup_printf(
        "%d (qemu-system-x86) S 1 1 1 0 -1 4194624 1 0 0 0 1 2 0 0 20 0 5 0 %" G_GUINT64_FORMAT
        " 1 2 3\n",
        stage->host->pid, start_time);

    fake_proc_write(stage->host, "stat", stat, -1);
    folio_process_unref(stage->process);
    stage->process = fake_locate(stage->host, 0, &(FolioReason){ 0 }, NULL);
    assert_non_null(stage->process);
}

static inline FolioLedgerGuest *
stage_guest(Stage *stage, FolioLedger *ledger)
{
    return folio_ledger_get_guest(ledger, FAKE_UUID, stage->process);
}

/* All n blocks from first on come to that. */
static inline void
stage_act(Stage *stage, FolioLedgerGuest *guest, FolioActKind kind, guint64 first, guint n,
          FolioOutcome outcome)
{
    FolioActRequest request =
        request_of(kind, kind == FOLIO_ACT_SPLIT ? 4 : FOLIO_ORDER_HUGE, stage->ram);
    const FolioBlockRange range = range_of(first, n);
    g_autofree FolioOutcome *outcomes = g_new(FolioOutcome, n);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < n; i++)
        outcomes[i] = outcome;
    folio_ledger_begin(guest, &request, &range, 1, &error);
    assert_no_error(error);
    folio_ledger_ended(guest, &request, &range, 1, outcomes);
}

static inline gboolean
stage_begin(Stage *stage, FolioLedgerGuest *guest, guint64 first, guint n, GError **error)
{
    FolioActRequest request = request_of(FOLIO_ACT_SPLIT, 4, stage->ram);
    const FolioBlockRange range = range_of(first, n);

    return folio_ledger_begin(guest, &request, &range, 1, error);
}

/* Expects exactly that one range to be split; none when n is 0. */
static inline void
assert_split(Stage *stage, FolioLedgerGuest *guest, guint64 first, guint n)
{
    g_autoptr(GArray) split = folio_ledger_get_split(guest, stage->ram);

    assert_int_equal(folio_ledger_count(guest).split_now, n);
    assert_int_equal(split->len, n > 0 ? 1 : 0);
    if (n == 0)
        return;
    assert_int_equal(g_array_index(split, FolioBlockRange, 0).start, RAM_HVA + first * BLOCK);
    assert_int_equal(g_array_index(split, FolioBlockRange, 0).bytes, n * BLOCK);
}

/* The call through the seam that fails, counted from 0 over creating, writing and renaming; a write
 * may be short first. */
static int stage_fail_at = -1;
static int stage_errno;
static gboolean stage_short;
static int stage_calls;

static inline gboolean
stage_fails(void)
{
    if (stage_calls++ != stage_fail_at)
        return FALSE;
    errno = stage_errno;
    return TRUE;
}

static int
stage_createat(int dir_fd, const char *path, int flags, mode_t mode)
{
    return stage_fails() ? -1 : openat(dir_fd, path, flags, mode);
}

static ssize_t
stage_write(int fd, const void *buffer, size_t size)
{
    if (stage_fails())
        return -1;
    return write(fd, buffer, stage_short && size > 7 ? 7 : size);
}

static int
stage_renameat(int dir_fd, const char *from, const char *to)
{
    return stage_fails() ? -1 : renameat(dir_fd, from, dir_fd, to);
}

static const FolioFileCalls stage_faulty = {
    .getlk = fake_getlk,
    .createat = stage_createat,
    .write = stage_write,
    .renameat = stage_renameat,
};

static inline void
stage_arm(int at, int with_errno, gboolean short_writes)
{
    stage_fail_at = at;
    stage_errno = with_errno;
    stage_short = short_writes;
    stage_calls = 0;
    folio_file_set_calls(&stage_faulty);
}

/* TRUE when the fault came. */
static inline gboolean
stage_disarm(void)
{
    folio_file_set_calls(&fake_calls);
    return stage_calls > stage_fail_at;
}

#define STAGE_TEST(function) \
    cmocka_unit_test_setup_teardown(function, stage_set_up, stage_tear_down)
