/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at folios, with as few reads as will do. */
#include "act/folio-view.h"

#include "base/error.h"
#include "base/file-io.h"
#include "memory/pagemap-abi.h"

#include <linux/kernel-page-flags.h>
#include <string.h>
#include <unistd.h>

#define HEAD (G_GUINT64_CONSTANT(1) << KPF_COMPOUND_HEAD)
#define TAIL (G_GUINT64_CONSTANT(1) << KPF_COMPOUND_TAIL)

gboolean
folio_view_open(FolioView *view, const FolioProcess *process, const char *proc_root, GError **error)
{
    g_autofree char *path = g_build_filename(proc_root, "kpageflags", NULL);

    view->pagemap_fd = -1;
    view->kpageflags_fd = folio_file_open(AT_FDCWD, path, O_RDONLY, error);
    if (view->kpageflags_fd < 0)
        return FALSE;
    view->pagemap_fd =
        folio_file_open(folio_process_get_proc_fd(process), "pagemap", O_RDONLY, error);
    if (view->pagemap_fd < 0)
        return FALSE;
    view->can_scan = folio_pagemap_can_scan(view->pagemap_fd);
    return TRUE;
}

void
folio_view_close(FolioView *view)
{
    if (view->pagemap_fd >= 0)
        close(view->pagemap_fd);
    if (view->kpageflags_fd >= 0)
        close(view->kpageflags_fd);
    view->pagemap_fd = view->kpageflags_fd = -1;
}

/* The 512 aligned frames that were looked at last: neighbours are often of one folio. */
typedef struct {
    guint64 first; /* FOLIO_NO_FRAME: none yet */
    gint8 orders[FOLIO_BLOCK_PAGES];
} Around;

/* Are these 512 frames one folio? Folios are aligned to their size: what is in the middle and not
 * the first of its folio is of one that has both halves. Reading two flags instead of 512 is what
 * makes it cheap to look at memory that is huge. */
static gboolean
look_for_huge(const FolioView *view, guint64 first, gboolean *huge, GError **error)
{
    guint64 head, middle;

    *huge = FALSE;
    if (!folio_frame_flags_read(view->kpageflags_fd, first, 1, &head, error))
        return FALSE;
    if (!(head & HEAD) || !folio_frame_may_be_shmem(head))
        return TRUE;
    if (!folio_frame_flags_read(view->kpageflags_fd, first + FOLIO_BLOCK_PAGES / 2, 1, &middle,
                                error))
        return FALSE;
    *huge = (middle & TAIL) != 0;
    return TRUE;
}

static gboolean
look_around(const FolioView *view, Around *around, guint64 frame, GError **error)
{
    guint64 flags[FOLIO_BLOCK_PAGES];
    const guint64 first = frame - frame % FOLIO_BLOCK_PAGES;
    gboolean huge;

    if (around->first == first && first != FOLIO_NO_FRAME)
        return TRUE;
    if (!look_for_huge(view, first, &huge, error))
        return FALSE;
    around->first = first;
    if (huge) {
        memset(around->orders, FOLIO_ORDER_HUGE, sizeof around->orders);
        return TRUE;
    }
    if (!folio_frame_flags_read(view->kpageflags_fd, first, FOLIO_BLOCK_PAGES, flags, error))
        return FALSE;
    folio_orders_of_flags(flags, around->orders);
    return TRUE;
}

/* How many pages from i on stand in a row, and in the same 512 frames. */
static guint
row_at(const guint64 *frames, guint i)
{
    guint n = 1;

    while (i + n < FOLIO_BLOCK_PAGES && frames[i + n] == frames[i] + n &&
           frames[i + n] % FOLIO_BLOCK_PAGES != 0)
        n++;
    return n;
}

/* Orders of n frames in a row, by their own flags where these are of single pages. */
static gboolean
look_at_row(const FolioView *view, Around *around, guint64 frame, guint n, gint8 *orders,
            GError **error)
{
    guint64 flags[FOLIO_BLOCK_PAGES];
    gboolean compound = n == FOLIO_BLOCK_PAGES;

    if (!compound) {
        if (!folio_frame_flags_read(view->kpageflags_fd, frame, n, flags, error))
            return FALSE;
        for (guint i = 0; i < n; i++) {
            orders[i] = folio_frame_may_be_shmem(flags[i]) ? 0 : FOLIO_ORDER_GONE;
            compound |= (flags[i] & (HEAD | TAIL)) != 0;
        }
    }
    if (!compound)
        return TRUE;
    if (!look_around(view, around, frame, error))
        return FALSE;
    memcpy(orders, &around->orders[frame % FOLIO_BLOCK_PAGES], n);
    return TRUE;
}

gboolean
folio_view_at_frames(const FolioView *view, const guint64 frames[FOLIO_BLOCK_PAGES],
                     gint8 orders[FOLIO_BLOCK_PAGES], GError **error)
{
    Around around = { .first = FOLIO_NO_FRAME };

    for (guint i = 0, n; i < FOLIO_BLOCK_PAGES; i += n) {
        n = 1;
        orders[i] = FOLIO_ORDER_UNKNOWN;
        if (frames[i] == FOLIO_NO_FRAME)
            continue;
        n = row_at(frames, i);
        if (!look_at_row(view, &around, frames[i], n, &orders[i], error))
            return FALSE;
    }
    return TRUE;
}

/* Where a walk over ranges is. */
typedef struct {
    const FolioView *view;
    guint64 start;            /* of the range */
    FolioBlockFolios *folios; /* of its first block */
    GError *error;
} Walk;

static void
take_frames(const FolioBlockFrames *block, gpointer user_data)
{
    Walk *walk = user_data;
    FolioBlockFolios *folios = &walk->folios[(block->address - walk->start) / FOLIO_BLOCK_BYTES];

    for (guint i = 0; i < FOLIO_BLOCK_PAGES; i++) {
        if (block->in_one)
            folios->frames[i] = block->frames[0] + i;
        else
            folios->frames[i] = block->n_present > 0 ? block->frames[i] : FOLIO_NO_FRAME;
    }
    folios->pmd_mapped = block->in_one && !walk->view->can_scan;
    if (walk->error == NULL)
        folio_view_at_frames(walk->view, folios->frames, folios->orders, &walk->error);
}

/* A stretch that PMDs map. */
static gboolean
take_huge(guint64 start, guint64 end, guint64 categories, gpointer user_data, GError **error)
{
    Walk *walk = user_data;

    if (!(categories & FOLIO_PAGE_IS_HUGE) || !(categories & FOLIO_PAGE_IS_PRESENT))
        return TRUE;
    for (; start + FOLIO_BLOCK_BYTES <= end; start += FOLIO_BLOCK_BYTES)
        walk->folios[(start - walk->start) / FOLIO_BLOCK_BYTES].pmd_mapped = TRUE;
    return TRUE;
}

gboolean
folio_view_at_ranges(const FolioView *view, const FolioBlockRange *ranges, guint n_ranges,
                     FolioBlockFolios *folios, GError **error)
{
    for (guint i = 0; i < n_ranges; i++) {
        const guint64 end = ranges[i].start + ranges[i].bytes;
        Walk walk = { view, ranges[i].start, folios, NULL };

        if (!folio_block_frames_read(view->pagemap_fd, walk.start, end, NULL, take_frames, &walk,
                                     error))
            return FALSE;
        if (walk.error != NULL) {
            g_propagate_error(error, walk.error);
            return FALSE;
        }
        if (view->can_scan &&
            !folio_pagemap_walk(view->pagemap_fd, walk.start, end, take_huge, &walk, error))
            return FALSE;
        folios += ranges[i].bytes / FOLIO_BLOCK_BYTES;
    }
    return TRUE;
}
