/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One chunk of a run. Whatever happens once the way was asked, its blocks are verified. */
#include "act/act-chunk.h"

#include "act/act-blocks.h"
#include "base/error.h"

typedef struct {
    FolioChunkWork *work;
    const guint64 *blocks;
    guint n;
    GArray *ranges;           /* FolioBlockRange */
    FolioBlockFolios *before; /* of each block */
    FolioLeft said[FOLIO_CHUNK_BLOCKS];
} Chunk;

static gboolean
look_at(const Chunk *chunk, FolioBlockFolios *folios, GError **error)
{
    return folio_view_at_ranges(&chunk->work->view,
                                (const FolioBlockRange *) (gpointer) chunk->ranges->data,
                                chunk->ranges->len, folios, error);
}

static gboolean
write_down(const Chunk *chunk, GError **error)
{
    const FolioChunkWork *work = chunk->work;

    return work->guest == NULL ||
           folio_ledger_begin(work->guest, work->request,
                              (const FolioBlockRange *) (gpointer) chunk->ranges->data,
                              chunk->ranges->len, error);
}

/* For a collapse of a guest that is treated strictly huge pages have to be allowed. */
static gboolean
brackets(const FolioChunkWork *work)
{
    return work->kind == FOLIO_ACT_COLLAPSE && work->guest != NULL &&
           work->context->khugepaged != NULL;
}

static gboolean
apply_way(Chunk *chunk, GError **error)
{
    FolioChunkWork *work = chunk->work;
    FolioChunk asked = {
        .kind = work->kind,
        .order = work->order,
        .process = work->request->process,
        .ranges = (const FolioBlockRange *) (gpointer) chunk->ranges->data,
        .n_ranges = chunk->ranges->len,
        .n_blocks = chunk->n,
        .said = chunk->said,
    };

    return work->way->klass->apply(work->way, &asked, work->cancellable, error);
}

static gboolean
apply(Chunk *chunk, GError **error)
{
    const FolioChunkWork *work = chunk->work;
    FolioKhugepagedControl *khugepaged = work->context->khugepaged;
    gboolean applied;

    if (!brackets(work))
        return apply_way(chunk, error);
    if (!folio_khugepaged_before_collapse(khugepaged, work->request, work->guest, error))
        return FALSE;
    applied = apply_way(chunk, error);
    return folio_khugepaged_after_collapse(khugepaged, work->request, work->guest,
                                           applied ? error : NULL) &&
           applied;
}

static gboolean
judge_block(Chunk *chunk, guint i, const FolioBlockFolios *now, FolioOutcome *outcome,
            GError **error)
{
    FolioChunkWork *work = chunk->work;
    gint8 there_now[FOLIO_BLOCK_PAGES];
    FolioEvidence evidence = {
        .kind = work->kind,
        .order = work->order,
        .before = &chunk->before[i],
        .there_now = there_now,
        .now = now,
        .split_before = folio_act_blocks_have(work->split_before, chunk->blocks[i]),
        .said = chunk->said[i],
    };

    if (folio_evidence_wants_frames(&evidence) &&
        !folio_view_at_frames(&work->view, chunk->before[i].frames, there_now, error))
        return FALSE;
    if (folio_evidence_is_unmapped(&evidence))
        evidence.in_file = folio_holes_look(&work->holes, chunk->blocks[i]);
    *outcome = folio_evidence_judge(&evidence);
    return TRUE;
}

/* Of blocks that can no longer be looked at it cannot be told. */
static gboolean
verify(Chunk *chunk, FolioBlockResult *results, GError **error)
{
    g_autofree FolioBlockFolios *now = g_new(FolioBlockFolios, chunk->n);
    gboolean seen;

    for (guint i = 0; i < chunk->n; i++) {
        results[i] = (FolioBlockResult){ .address = chunk->blocks[i],
                                         .outcome = FOLIO_OUTCOME_GONE,
                                         .said = chunk->said[i] };
    }
    seen = look_at(chunk, now, error);
    for (guint i = 0; i < chunk->n && seen; i++)
        seen = judge_block(chunk, i, &now[i], &results[i].outcome, error);
    return seen;
}

gboolean
folio_chunk_work_do(FolioChunkWork *work, const guint64 *blocks, guint n, gboolean again,
                    FolioBlockResult *results, gboolean *tried, GError **error)
{
    g_autoptr(GArray) ranges = folio_act_blocks_to_ranges(blocks, n);
    g_autofree FolioBlockFolios *before = g_new(FolioBlockFolios, n);
    Chunk chunk = { work, blocks, n, ranges, before, { FOLIO_LEFT_UNSAID } };
    gboolean applied;

    *tried = FALSE;
    if (!look_at(&chunk, before, error) || (!again && !write_down(&chunk, error)))
        return FALSE;
    *tried = TRUE;
    applied = apply(&chunk, error);
    return verify(&chunk, results, applied ? error : NULL) && applied;
}
