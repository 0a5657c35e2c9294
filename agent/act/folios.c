/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading orders out of page flags, and outcomes out of orders. */
#include "act/folios.h"

#include <linux/kernel-page-flags.h>

#define HEAD (G_GUINT64_CONSTANT(1) << KPF_COMPOUND_HEAD)
#define TAIL (G_GUINT64_CONSTANT(1) << KPF_COMPOUND_TAIL)

/* Fills in one folio from its first frame on. Returns where it ends. */
static guint
read_folio(const guint64 *flags, guint first, gint8 *orders)
{
    guint end = first + 1;
    gint8 order = 0;

    /* Flags of a tail are its own on some kernels and the head's on others: only the head's say
     * what the memory is. */
    if (flags[first] & (HEAD | TAIL)) {
        while (end < FOLIO_BLOCK_PAGES && flags[end] & TAIL)
            end++;
        order = (gint8) (g_bit_storage(end - first) - 1);
    }
    /* Tails without a head are those of a folio that is larger than 2 MiB, or changed while its
     * flags were read. */
    if (flags[first] & TAIL ? end - first < FOLIO_BLOCK_PAGES
                            : !folio_frame_may_be_shmem(flags[first]))
        order = FOLIO_ORDER_GONE;
    for (guint i = first; i < end; i++)
        orders[i] = order;
    return end;
}

void
folio_orders_of_flags(const guint64 flags[FOLIO_BLOCK_PAGES], gint8 orders[FOLIO_BLOCK_PAGES])
{
    for (guint i = 0; i < FOLIO_BLOCK_PAGES;)
        i = read_folio(flags, i, orders);
}

/* Pages whose folio is known. */
static guint
count_known(const FolioBlockFolios *folios)
{
    guint n = 0;

    for (guint i = 0; i < FOLIO_BLOCK_PAGES; i++)
        n += folios->orders[i] >= 0;
    return n;
}

/* Is all of it, as far as it is mapped, one huge folio in its place? */
static gboolean
is_huge(const FolioBlockFolios *folios)
{
    guint n = 0;
    guint64 first = FOLIO_NO_FRAME; /* of the folio */

    for (guint i = 0; i < FOLIO_BLOCK_PAGES; i++) {
        if (folios->orders[i] == FOLIO_ORDER_UNKNOWN)
            continue;
        if (folios->orders[i] < FOLIO_ORDER_HUGE || folios->frames[i] < i)
            return FALSE;
        if (n++ == 0)
            first = folios->frames[i] - i;
        if (folios->frames[i] - i != first)
            return FALSE;
    }
    return n > 0 && first % FOLIO_BLOCK_PAGES == 0;
}

gboolean
folio_evidence_wants_frames(const FolioEvidence *evidence)
{
    if (evidence->kind == FOLIO_ACT_COLLAPSE)
        return count_known(evidence->now) == 0;
    for (guint i = 0; i < FOLIO_BLOCK_PAGES; i++) {
        if (evidence->before->orders[i] > (gint8) evidence->order)
            return TRUE;
    }
    return FALSE;
}

gboolean
folio_evidence_is_unmapped(const FolioEvidence *evidence)
{
    return count_known(evidence->before) == 0 &&
           (evidence->kind == FOLIO_ACT_SPLIT || count_known(evidence->now) == 0);
}

/* Split memory is unmapped until it is used again. What cannot be seen was not collapsed, since a
 * collapse maps it; it may have been split. */
static FolioOutcome
judge_unmapped(const FolioEvidence *evidence)
{
    if (evidence->in_file == FOLIO_FILE_EMPTY)
        return FOLIO_OUTCOME_ABSENT;
    if (evidence->said == FOLIO_LEFT_BUSY || evidence->said == FOLIO_LEFT_NO_MEMORY)
        return FOLIO_OUTCOME_LEFT;
    if (!evidence->split_before && evidence->in_file == FOLIO_FILE_UNKNOWN)
        return FOLIO_OUTCOME_ABSENT;
    if (evidence->kind == FOLIO_ACT_COLLAPSE)
        return FOLIO_OUTCOME_LEFT;
    return evidence->split_before ? FOLIO_OUTCOME_ALREADY : FOLIO_OUTCOME_GONE;
}

/* Does the frame that page i had still hold it? One that is mapped at another has moved, and the
 * old one may be anybody's. */
static gboolean
is_still_there(const FolioEvidence *evidence, guint i)
{
    const guint64 now = evidence->now->frames[i];

    return evidence->there_now[i] >= 0 &&
           (now == FOLIO_NO_FRAME || now == evidence->before->frames[i]);
}

static FolioOutcome
judge_split(const FolioEvidence *evidence)
{
    const gint8 order = (gint8) evidence->order;
    guint n_small = 0, n_large = 0, n_before = 0; /* of the pages that were in too large folios */

    if (folio_evidence_is_unmapped(evidence))
        return judge_unmapped(evidence);
    for (guint i = 0; i < FOLIO_BLOCK_PAGES; i++) {
        if (evidence->before->orders[i] <= order)
            continue;
        n_before++;
        if (!is_still_there(evidence, i))
            continue;
        n_large += evidence->there_now[i] > order;
        n_small += evidence->there_now[i] <= order;
    }
    if (n_before == 0)
        return FOLIO_OUTCOME_ALREADY;
    if (n_large > 0)
        return n_small > 0 ? FOLIO_OUTCOME_PARTLY : FOLIO_OUTCOME_LEFT;
    return n_small > 0 ? FOLIO_OUTCOME_DONE : FOLIO_OUTCOME_GONE;
}

/* Nothing is mapped after a collapse that was to be. */
static FolioOutcome
judge_vanished(const FolioEvidence *evidence)
{
    for (guint i = 0; i < FOLIO_BLOCK_PAGES; i++) {
        if (evidence->before->orders[i] >= 0 && evidence->there_now[i] >= 0)
            return FOLIO_OUTCOME_LEFT;
    }
    return FOLIO_OUTCOME_GONE;
}

static FolioOutcome
judge_collapse(const FolioEvidence *evidence)
{
    const gboolean was_huge = is_huge(evidence->before);

    if (is_huge(evidence->now)) {
        if (evidence->now->pmd_mapped)
            return was_huge && evidence->before->pmd_mapped ? FOLIO_OUTCOME_ALREADY
                                                            : FOLIO_OUTCOME_DONE;
        return was_huge ? FOLIO_OUTCOME_LEFT : FOLIO_OUTCOME_PARTLY;
    }
    if (count_known(evidence->now) > 0)
        return FOLIO_OUTCOME_LEFT;
    if (folio_evidence_is_unmapped(evidence))
        return judge_unmapped(evidence);
    return judge_vanished(evidence);
}

FolioOutcome
folio_evidence_judge(const FolioEvidence *evidence)
{
    return evidence->kind == FOLIO_ACT_SPLIT ? judge_split(evidence) : judge_collapse(evidence);
}
