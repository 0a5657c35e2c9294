/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A run from its first block to its last: chunk by chunk, then once more what was busy. */
#include "act/act-work.h"

#include "act/act-blocks.h"
#include "act/act-chunk.h"
#include "base/error.h"

/* Blocks that are busy, or left without a word, are tried again so many times, after a pause that
 * doubles. What holds a page for a moment, such as direct I/O or a fault of the guest, lets go of
 * it within milliseconds; what holds it longer than this does so for good. */
#define RETRIES          3u
#define FIRST_PAUSE_MSEC 250

/* After a failure: what was killed has mostly ended by then. */
#define ENDING_MSEC 20

typedef struct {
    FolioActWork *work;
    FolioChunkWork chunk;
    GArray *blocks; /* all of them, see act/act-blocks.h */
    GArray *busy;   /* FolioBlockResult of those to be tried again */
    guint64 done;   /* blocks that have been dealt with */
} Run;

/* These blocks have been dealt with. */
static void
settle(Run *run, const FolioBlockResult *results, guint n)
{
    g_autofree guint64 *addresses = g_new(guint64, n);
    g_autofree FolioOutcome *outcomes = g_new(FolioOutcome, n);
    FolioActReport *report = &run->work->report;
    g_autoptr(GArray) ranges = NULL;

    if (n == 0)
        return;
    for (guint i = 0; i < n; i++) {
        addresses[i] = results[i].address;
        outcomes[i] = results[i].outcome;
        report->outcomes[outcomes[i]]++;
        if (outcomes[i] == FOLIO_OUTCOME_LEFT || outcomes[i] == FOLIO_OUTCOME_PARTLY)
            report->left[results[i].said]++;
    }
    run->done += n;
    ranges = folio_act_blocks_to_ranges(addresses, n);
    if (run->chunk.guest != NULL)
        folio_ledger_ended(run->chunk.guest, run->work->request,
                           (const FolioBlockRange *) (gpointer) ranges->data, ranges->len,
                           outcomes);
    if (run->work->settled != NULL)
        run->work->settled(results, n, run->work->user_data);
}

/* Not every way is told why: then it is busy more often than not. */
static gboolean
may_be_busy(const FolioBlockResult *result)
{
    return result->outcome == FOLIO_OUTCOME_LEFT &&
           (result->said == FOLIO_LEFT_BUSY || result->said == FOLIO_LEFT_UNSAID);
}

/* Settles all but those that are busy. */
static void
settle_some(Run *run, const FolioBlockResult *results, guint n)
{
    FolioBlockResult settled[FOLIO_CHUNK_BLOCKS];
    guint n_settled = 0;

    for (guint i = 0; i < n; i++) {
        if (may_be_busy(&results[i]))
            g_array_append_val(run->busy, results[i]);
        else
            settled[n_settled++] = results[i];
    }
    settle(run, settled, n_settled);
}

static void
set_ended_error(GError **error)
{
    g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "the process has ended");
}

static gboolean
check_alive(const FolioProcess *process, GError **error)
{
    if (folio_process_is_alive(process))
        return TRUE;
    set_ended_error(error);
    return FALSE;
}

/* *tried: the blocks are settled or among the busy ones. */
static gboolean
do_chunk(Run *run, const guint64 *blocks, guint n, gboolean again, gboolean *tried, GError **error)
{
    FolioBlockResult results[FOLIO_CHUNK_BLOCKS];
    gboolean done;

    *tried = FALSE;
    if (g_cancellable_set_error_if_cancelled(run->work->cancellable, error) ||
        !check_alive(run->work->request->process, error))
        return FALSE;
    done = folio_chunk_work_do(&run->chunk, blocks, n, again, results, tried, error);
    if (*tried) {
        run->work->report.way = run->work->way->klass->name;
        settle_some(run, results, n);
        run->work->progress(run->done, run->blocks->len, run->work->user_data);
    }
    return done;
}

static gboolean
do_all(Run *run, GError **error)
{
    const guint64 *blocks = (const guint64 *) (gpointer) run->blocks->data;

    for (guint i = 0, n; i < run->blocks->len; i += n) {
        gboolean tried;

        n = MIN(run->blocks->len - i, FOLIO_CHUNK_BLOCKS);
        if (!do_chunk(run, &blocks[i], n, FALSE, &tried, error))
            return FALSE;
    }
    return TRUE;
}

/* Once more for those that were busy; what cannot be tried any more stays among them. */
static gboolean
do_busy(Run *run, GError **error)
{
    g_autoptr(GArray) before = g_steal_pointer(&run->busy);
    guint64 blocks[FOLIO_CHUNK_BLOCKS];

    run->busy = g_array_new(FALSE, FALSE, sizeof(FolioBlockResult));
    for (guint i = 0, n; i < before->len; i += n) {
        gboolean tried, done;

        n = MIN(before->len - i, FOLIO_CHUNK_BLOCKS);
        for (guint j = 0; j < n; j++)
            blocks[j] = g_array_index(before, FolioBlockResult, i + j).address;
        done = do_chunk(run, blocks, n, TRUE, &tried, error);
        if (!done) {
            const guint rest = i + (tried ? n : 0);

            g_array_append_vals(run->busy, &g_array_index(before, FolioBlockResult, rest),
                                before->len - rest);
            return FALSE;
        }
    }
    return TRUE;
}

/* Waits; no longer than the process lives and nobody cancels. */
static void
pause_for(const Run *run, int msec)
{
    GPollFD fds[2] = { { .fd = folio_process_get_pidfd(run->work->request->process),
                         .events = G_IO_IN } };
    const gboolean cancellable = g_cancellable_make_pollfd(run->work->cancellable, &fds[1]);

    g_poll(fds, cancellable ? 2 : 1, msec);
    if (cancellable)
        g_cancellable_release_fd(run->work->cancellable);
}

static gboolean
do_again(Run *run, GError **error)
{
    for (guint i = 0; i < RETRIES && run->busy->len > 0; i++) {
        pause_for(run, FIRST_PAUSE_MSEC << i);
        if (!do_busy(run, error))
            return FALSE;
    }
    return TRUE;
}

/* Which blocks it is about. */
static gboolean
find_blocks(Run *run, GError **error)
{
    const FolioActRequest *request = run->work->request;
    g_autoptr(GArray) split = g_array_new(FALSE, FALSE, sizeof(FolioBlockRange));
    g_autoptr(GArray) wanted = folio_act_blocks_new(request->ranges, error);

    if (wanted == NULL)
        return FALSE;
    if (run->chunk.guest != NULL && request->ram != NULL) {
        g_array_unref(split);
        split = folio_ledger_get_split(run->chunk.guest, request->ram);
    }
    run->chunk.split_before = folio_act_blocks_new(split, error);
    if (run->chunk.split_before == NULL)
        return FALSE;
    if (request->kind == FOLIO_ACT_RESTORE)
        run->blocks = folio_act_blocks_intersect(run->chunk.split_before, wanted);
    else
        run->blocks = g_steal_pointer(&wanted);
    return TRUE;
}

/* Before a split. */
static gboolean
keep_khugepaged_away(const Run *run, GError **error)
{
    const FolioActRequest *request = run->work->request;
    g_autofree char *reason = NULL;

    if (request->kind != FOLIO_ACT_SPLIT || run->chunk.guest == NULL ||
        run->work->context->khugepaged == NULL)
        return TRUE;
    if (folio_khugepaged_keep_away(run->work->context->khugepaged, request, run->chunk.guest,
                                   &reason) != FOLIO_KEEPER_FREE ||
        request->forced)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED, "khugepaged would undo splits: %s",
                reason);
    return FALSE;
}

static gboolean
act(Run *run, GError **error)
{
    const FolioActWork *work = run->work;

    if (work->cannot != NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED, "%s: %s", work->way->klass->name,
                    work->cannot);
        return FALSE;
    }
    return folio_view_open(&run->chunk.view, work->request->process, work->context->proc_root,
                           error) &&
           keep_khugepaged_away(run, error) && do_all(run, error) && do_again(run, error);
}

/* After a restore, when nothing of the guest is left split. */
static gboolean
give_khugepaged_back(const Run *run, GError **error)
{
    const FolioActRequest *request = run->work->request;

    if (request->kind != FOLIO_ACT_RESTORE || run->chunk.guest == NULL ||
        run->work->context->khugepaged == NULL ||
        folio_ledger_count(run->chunk.guest).split_now > 0)
        return TRUE;
    return folio_khugepaged_give_back(run->work->context->khugepaged, request, run->chunk.guest,
                                      error);
}

static gboolean
is_ending(const FolioProcess *process)
{
    GPollFD ended = { .fd = folio_process_get_pidfd(process), .events = G_IO_IN };

    return g_poll(&ended, 1, ENDING_MSEC) > 0;
}

static void
run_init(Run *run, FolioActWork *work)
{
    const FolioActRequest *request = work->request;
    const gboolean splits = request->kind == FOLIO_ACT_SPLIT;

    run->work = work;
    run->busy = g_array_new(FALSE, FALSE, sizeof(FolioBlockResult));
    run->chunk = (FolioChunkWork){
        .way = work->way,
        .context = work->context,
        .request = request,
        .kind = splits ? FOLIO_ACT_SPLIT : FOLIO_ACT_COLLAPSE,
        .order = splits ? request->order : FOLIO_ORDER_HUGE,
        .view = { -1, -1, FALSE },
        .cancellable = work->cancellable,
    };
    folio_holes_init(&run->chunk.holes, request->process);
    if (work->context->ledger != NULL)
        run->chunk.guest =
            folio_ledger_get_guest(work->context->ledger, request->uuid, request->process);
}

static void
run_clear(Run *run)
{
    g_clear_pointer(&run->blocks, g_array_unref);
    g_clear_pointer(&run->busy, g_array_unref);
    g_clear_pointer(&run->chunk.guest, folio_ledger_guest_unref);
    if (run->chunk.split_before != NULL)
        g_array_unref((GArray *) run->chunk.split_before);
    folio_view_close(&run->chunk.view);
    folio_holes_clear(&run->chunk.holes);
}

gboolean
folio_act_work_do(FolioActWork *work, GError **error)
{
    Run run = { 0 };
    gboolean done;

    if (!check_alive(work->request->process, error))
        return FALSE;
    run_init(&run, work);
    done = find_blocks(&run, error) && (run.blocks->len == 0 || act(&run, error));
    if (run.busy->len > 0) {
        settle(&run, (const FolioBlockResult *) (gpointer) run.busy->data, run.busy->len);
        work->progress(run.done, run.blocks->len, work->user_data);
    }
    done = done && give_khugepaged_back(&run, error);
    /* However it was noticed. */
    if (!done && !g_cancellable_is_cancelled(work->cancellable) &&
        is_ending(work->request->process)) {
        g_clear_error(error);
        set_ended_error(error);
    }
    run_clear(&run);
    return done;
}
