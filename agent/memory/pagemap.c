/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What PAGEMAP_SCAN says of a range, one by one and added up. */
#include "memory/pagemap.h"

#include "base/error.h"
#include "base/file-io.h"
#include "memory/pagemap-abi.h"

#include <errno.h>

/* The kernel collects at most 512 regions at a time (PAGEMAP_WALK_SIZE in fs/proc/task_mmu.c); more
 * room would not save calls. */
#define MAX_REGIONS 512
/* The kernel holds the process's mmap lock while it walks. One call walks no further than this, so
 * that a mapping system call of the process never waits for the walk of a whole guest. */
#define STEP_BYTES (1024 * 1024 * 1024ULL)

static int
scan(int pagemap_fd, FolioScanArgument *argument)
{
    int n;

    do {
        n = folio_file_ioctl(pagemap_fd, FOLIO_PAGEMAP_SCAN, argument);
    } while (n < 0 && errno == EINTR);
    return n;
}

gboolean
folio_pagemap_can_scan(int pagemap_fd)
{
    FolioScanArgument argument = { .size = sizeof(argument) };

    return scan(pagemap_fd, &argument) == 0;
}

/* The kernel's word is believed for what a page is, not for how far we may count. */
static gboolean
answer_is_sound(const FolioScanArgument *argument, const FolioPageRegion *regions, int n)
{
    guint64 at = argument->start;

    if (n > MAX_REGIONS || argument->walk_end <= argument->start ||
        argument->walk_end > argument->end)
        return FALSE;
    for (int i = 0; i < n; i++) {
        if (regions[i].start < at || regions[i].end <= regions[i].start ||
            regions[i].end > argument->end)
            return FALSE;
        at = regions[i].end;
    }
    return TRUE;
}

/* Visits from start to at most end; returns where the walk ended, 0 on error. */
static guint64
walk_step(int pagemap_fd, guint64 start, guint64 end, FolioPagemapVisit visit, gpointer user_data,
          GError **error)
{
    FolioPageRegion regions[MAX_REGIONS];
    FolioScanArgument argument = {
        .size = sizeof(argument),
        .start = start,
        .end = end,
        .vec = (guint64) (gsize) regions,
        .vec_len = MAX_REGIONS,
        .category_anyof_mask = FOLIO_PAGE_IS_PRESENT | FOLIO_PAGE_IS_SWAPPED,
        .return_mask = FOLIO_PAGE_IS_PRESENT | FOLIO_PAGE_IS_SWAPPED | FOLIO_PAGE_IS_PFNZERO |
                       FOLIO_PAGE_IS_HUGE,
    };
    const int n = scan(pagemap_fd, &argument);

    if (n < 0) {
        folio_set_error_errno(error, errno, "pagemap, PAGEMAP_SCAN");
        return 0;
    }
    if (!answer_is_sound(&argument, regions, n)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED,
                    "pagemap, PAGEMAP_SCAN: the answer makes no sense");
        return 0;
    }
    for (int i = 0; i < n; i++) {
        if (!visit(regions[i].start, regions[i].end, regions[i].categories, user_data, error))
            return 0;
    }
    return argument.walk_end;
}

gboolean
folio_pagemap_walk(int pagemap_fd, guint64 start, guint64 end, FolioPagemapVisit visit,
                   gpointer user_data, GError **error)
{
    for (guint64 at = start; at < end;) {
        const guint64 step_end = at - at % STEP_BYTES + STEP_BYTES;

        at = walk_step(pagemap_fd, at, MIN(step_end, end), visit, user_data, error);
        if (at == 0)
            return FALSE;
    }
    return TRUE;
}

static gboolean
add_region(guint64 start, guint64 end, guint64 categories, gpointer user_data, GError **error)
{
    FolioResidency *sum = user_data;

    if (categories & FOLIO_PAGE_IS_SWAPPED)
        sum->swapped += end - start;
    if (!(categories & FOLIO_PAGE_IS_PRESENT) || (categories & FOLIO_PAGE_IS_PFNZERO))
        return TRUE;
    sum->present += end - start;
    if (categories & FOLIO_PAGE_IS_HUGE)
        sum->pmd_mapped += end - start;
    return TRUE;
}

gboolean
folio_pagemap_scan(int pagemap_fd, guint64 start, guint64 end, FolioResidency *residency,
                   GError **error)
{
    FolioResidency sum = { 0 };

    if (!folio_pagemap_walk(pagemap_fd, start, end, add_region, &sum, error))
        return FALSE;
    *residency = sum;
    return TRUE;
}
