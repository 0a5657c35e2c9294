/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the blocks of a guest are in memory now. */
#include "survey.h"

#include "base/error.h"
#include "base/file-io.h"
#include "memory/pagemap-abi.h"
#include "memory/pagemap.h"

#include <fcntl.h>
#include <unistd.h>

/* One RAM block. */
typedef struct {
    guint8 *states; /* of its blocks */
    guint64 start;  /* address of the first one */
} Part;

/* Visited by ascending address: a block with a page of its own page table is no huge one. */
static gboolean
visit(guint64 start, guint64 end, guint64 categories, gpointer user_data, GError **error)
{
    const Part *part = user_data;
    const guint64 first = (start - part->start) / FOLIO_BLOCK_BYTES;
    const guint64 last = (end - 1 - part->start) / FOLIO_BLOCK_BYTES;
    const gboolean huge = (categories & FOLIO_PAGE_IS_HUGE) != 0;

    if (!(categories & FOLIO_PAGE_IS_PRESENT))
        return TRUE;
    for (guint64 block = first; block <= last; block++)
        part->states[block] = huge ? FOLIO_BLOCK_HUGE : FOLIO_BLOCK_SMALL;
    return TRUE;
}

static guint64
whole_blocks(const FolioRamBlock *block)
{
    return block->bytes / FOLIO_BLOCK_BYTES;
}

static void
mark_split(guint8 *states, const FolioRamBlock *block, const GArray *split)
{
    const guint64 end = block->hva + whole_blocks(block) * FOLIO_BLOCK_BYTES;

    for (guint i = 0; i < split->len; i++) {
        const FolioBlockRange *range = &g_array_index(split, FolioBlockRange, i);
        const guint64 to = MIN(range->start + range->bytes, end);

        for (guint64 at = MAX(range->start, block->hva); at < to; at += FOLIO_BLOCK_BYTES) {
            guint8 *state = &states[(at - block->hva) / FOLIO_BLOCK_BYTES];

            if (*state == FOLIO_BLOCK_SMALL)
                *state = FOLIO_BLOCK_SPLIT;
        }
    }
}

static gboolean
look(int pagemap_fd, const FolioGuestRam *ram, const GArray *split, guint8 *states, GError **error)
{
    guint64 before = 0;

    for (guint i = 0; i < ram->blocks->len; i++) {
        const FolioRamBlock *block = ram->blocks->pdata[i];
        Part part = { .states = states + before, .start = block->hva };

        before += whole_blocks(block) + (block->bytes % FOLIO_BLOCK_BYTES != 0);
        if (block->reason != FOLIO_REASON_NONE)
            continue;
        if (!folio_pagemap_walk(pagemap_fd, block->hva,
                                block->hva + whole_blocks(block) * FOLIO_BLOCK_BYTES, visit, &part,
                                error))
            return FALSE;
        mark_split(part.states, block, split);
    }
    return TRUE;
}

guint8 *
folio_survey_take(const FolioProcess *process, const FolioGuestRam *ram, FolioLedgerGuest *record,
                  GError **error)
{
    g_autofree guint8 *states = g_new0(guint8, MAX(folio_block_ranges_count(ram), 1));
    g_autoptr(GArray) split = record != NULL ? folio_ledger_get_split(record, ram)
                                             : g_array_new(FALSE, FALSE, sizeof(FolioBlockRange));
    const int fd = folio_file_open(folio_process_get_proc_fd(process), "pagemap", O_RDONLY, error);
    gboolean looked = FALSE;

    if (fd < 0)
        return NULL;
    if (folio_pagemap_can_scan(fd))
        looked = look(fd, ram, split, states, error);
    else
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "pagemap: this kernel does not have PAGEMAP_SCAN");
    close(fd);
    return looked ? g_steal_pointer(&states) : NULL;
}
