/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A fake DAMON, a process that can be ended, a ledger of knobs alone, and the way between them. */
#pragma once

#include "act/damon.h"
#include "base/error.h"
#include "fake-damon.h"
#include "fake-proc.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define MIB         (1024 * 1024ull)
#define STAGE_START (64 * MIB)

typedef struct {
    FakeHost *host;
    FolioProcess *process;
    FakeDamon *fake;
    FolioWay *way;
} DamonStage;

/* What stands in the ledger. */
static char *ledger_path, *ledger_original, *ledger_ours;
static gboolean ledger_is_full;

static inline FolioLedger *
stage_ledger(void)
{
    return (FolioLedger *) &ledger_path;
}

static inline void
replace_text(char **text, const char *value)
{
    g_free(*text);
    *text = g_strdup(value);
}

gboolean
folio_ledger_take_knob(FolioLedger *ledger, const char *path, const char *original,
                       const char *ours, GError **error)
{
    if (ledger_is_full) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "the ledger is full");
        return FALSE;
    }
    replace_text(&ledger_path, path);
    replace_text(&ledger_original, original);
    replace_text(&ledger_ours, ours);
    return TRUE;
}

gboolean
folio_ledger_get_knob(FolioLedger *ledger, const char *path, char **original, char **ours)
{
    if (g_strcmp0(ledger_path, path) != 0)
        return FALSE;
    if (original != NULL)
        *original = g_strdup(ledger_original);
    if (ours != NULL)
        *ours = g_strdup(ledger_ours);
    return TRUE;
}

gboolean
folio_ledger_drop_knob(FolioLedger *ledger, const char *path, GError **error)
{
    if (g_strcmp0(ledger_path, path) == 0)
        g_clear_pointer(&ledger_path, g_free);
    return TRUE;
}

static inline DamonStage *
stage_new(FakeDamonLayout layout)
{
    DamonStage *stage = g_new0(DamonStage, 1);
    FolioReason reason;
    const pid_t pid = fork();

    if (pid == 0) {
        /* Not to outlive a test that fails. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        pause();
        _exit(0);
    }
    assert_true(pid > 0);
    stage->host = fake_host_new(pid);
    stage->process = fake_locate(stage->host, 2, &reason, NULL);
    assert_non_null(stage->process);
    stage->fake = fake_damon_new(layout);
    stage->way = folio_damon_way_new(fake_damon_sys_root(stage->fake),
                                     fake_damon_proc_root(stage->fake), stage_ledger());
    return stage;
}

static inline void
stage_kill(DamonStage *stage)
{
    if (stage->host->pid == 0)
        return;
    kill(stage->host->pid, SIGKILL);
    waitpid(stage->host->pid, NULL, 0);
    stage->host->pid = 0;
}

/* Whatever happened, nothing may be left. */
static inline void
stage_free(DamonStage *stage)
{
    stage->way->klass->close(stage->way);
    assert_int_equal(fake_damon_count_on(stage->fake), 0);
    assert_int_equal(fake_damon_count_kdamonds(stage->fake), 0);
    assert_int_equal(fake_damon_count_violations(stage->fake), 0);
    assert_false(fake_damon_has_instance(stage->fake));
    assert_null(ledger_path);
    stage->way->klass->free(stage->way);
    stage_kill(stage);
    folio_process_unref(stage->process);
    fake_damon_free(stage->fake);
    fake_host_free(stage->host);
    g_free(stage);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DamonStage, stage_free)

static inline gboolean
stage_probe(DamonStage *stage, FolioActKind kind, guint order, char **reason)
{
    return stage->way->klass->probe(stage->way, kind, order, reason);
}

/* A chunk of every other block. */
typedef struct {
    FolioChunk chunk;
    FolioBlockRange ranges[FOLIO_CHUNK_BLOCKS];
    FolioLeft said[FOLIO_CHUNK_BLOCKS];
} StageChunk;

static inline FolioChunk *
stage_chunk(const DamonStage *stage, StageChunk *own, FolioActKind kind, guint order,
            guint n_blocks)
{
    for (guint i = 0; i < n_blocks; i++)
        own->ranges[i] = (FolioBlockRange){ STAGE_START + i * 4 * MIB, 2 * MIB };
    own->chunk = (FolioChunk){
        .kind = kind,
        .order = order,
        .process = stage->process,
        .ranges = own->ranges,
        .n_ranges = n_blocks,
        .n_blocks = n_blocks,
        .said = own->said,
    };
    return &own->chunk;
}

static inline gboolean
stage_apply(DamonStage *stage, FolioActKind kind, guint order, guint n_blocks,
            GCancellable *cancellable, GError **error)
{
    StageChunk own;

    return stage->way->klass->apply(stage->way, stage_chunk(stage, &own, kind, order, n_blocks),
                                    cancellable, error);
}
