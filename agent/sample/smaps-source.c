/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The fallback source: PMD-mapped ranges, by PAGEMAP_SCAN where the kernel has it, else by smaps.
 */
#include "sample/smaps-source.h"

#include "base/error.h"
#include "base/file-io.h"
#include "memory/maps.h"
#include "memory/pagemap-abi.h"
#include "memory/read-maps.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* As in memory/pagemap.c: what the kernel collects at a time, and how far one call may walk while
 * it holds the process's mmap lock. */
#define SCAN_REGIONS    512
#define SCAN_STEP_BYTES (1024 * 1024 * 1024ULL)

typedef struct {
    FolioSourceSession base;
    FolioProcess *process;
} SmapsSession;

/* Joins it to the last range when it goes on there. */
static void
add_range(GArray *ranges, const FolioHugeRange *range)
{
    FolioHugeRange *last =
        ranges->len > 0 ? &g_array_index(ranges, FolioHugeRange, ranges->len - 1) : NULL;

    if (last != NULL && last->ram_block == range->ram_block && last->huge == last->bytes &&
        range->huge == range->bytes && last->start + last->bytes == range->start) {
        last->bytes += range->bytes;
        last->huge += range->huge;
        return;
    }
    g_array_append_val(ranges, *range);
}

/* What the kernel says is where we asked, and gets on. */
static gboolean
answer_is_sound(const FolioScanArgument *scan, const FolioPageRegion *regions, int n)
{
    guint64 at = scan->start;

    if (n > SCAN_REGIONS || scan->walk_end <= scan->start || scan->walk_end > scan->end)
        return FALSE;
    for (int i = 0; i < n; i++) {
        if (regions[i].start < at || regions[i].end <= regions[i].start ||
            regions[i].end > scan->end)
            return FALSE;
        at = regions[i].end;
    }
    return TRUE;
}

/* One call of PAGEMAP_SCAN. Returns where it stopped; 0 is an error. */
static guint64
scan_step(int fd, guint64 start, guint64 end, guint ram_block, GArray *ranges, GError **error)
{
    FolioPageRegion regions[SCAN_REGIONS];
    FolioScanArgument scan = {
        .size = sizeof(scan),
        .start = start,
        .end = end,
        .vec = (guint64) (gsize) regions,
        .vec_len = SCAN_REGIONS,
        .category_inverted = FOLIO_PAGE_IS_PFNZERO,
        .category_mask = FOLIO_PAGE_IS_PRESENT | FOLIO_PAGE_IS_HUGE | FOLIO_PAGE_IS_PFNZERO,
        .return_mask = FOLIO_PAGE_IS_HUGE,
    };
    int n;

    do {
        n = folio_file_ioctl(fd, FOLIO_PAGEMAP_SCAN, &scan);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        folio_set_error_errno(error, errno, "pagemap, PAGEMAP_SCAN");
        return 0;
    }
    if (!answer_is_sound(&scan, regions, n)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED,
                    "pagemap, PAGEMAP_SCAN: the answer makes no sense");
        return 0;
    }
    for (int i = 0; i < n; i++) {
        const guint64 bytes = regions[i].end - regions[i].start;

        add_range(ranges, &(const FolioHugeRange){ .start = regions[i].start,
                                                   .bytes = bytes,
                                                   .huge = bytes,
                                                   .ram_block = ram_block });
    }
    return scan.walk_end;
}

static gboolean
scan_block(int fd, const FolioRamBlock *block, guint ram_block, GArray *ranges, GError **error)
{
    const guint64 end = block->hva + block->bytes;

    for (guint64 at = block->hva; at < end;) {
        const guint64 step_end = at - at % SCAN_STEP_BYTES + SCAN_STEP_BYTES;

        at = scan_step(fd, at, MIN(step_end, end), ram_block, ranges, error);
        if (at == 0)
            return FALSE;
    }
    return TRUE;
}

/* smaps tells how much of a mapping is mapped by PMDs, not where. */
static void
take_mappings(const FolioMaps *maps, const FolioRamBlock *block, guint ram_block, GArray *ranges)
{
    for (guint i = 0; i < maps->vmas->len; i++) {
        const FolioVma *vma = &g_array_index(maps->vmas, FolioVma, i);
        const guint64 start = MAX(vma->start, block->hva);
        const guint64 end = MIN(vma->end, block->hva + block->bytes);
        FolioHugeRange range = { .start = start, .ram_block = ram_block };

        if (start >= end || vma->pmd_mapped == 0)
            continue;
        range.bytes = end - start;
        range.huge = MIN(vma->pmd_mapped, range.bytes);
        add_range(ranges, &range);
    }
}

static gboolean
nominate_by_smaps(const SmapsSession *session, const FolioGuestRam *ram, GArray *ranges,
                  GError **error)
{
    g_autoptr(FolioMaps) maps = folio_read_maps(session->process, TRUE, error);

    if (maps == NULL)
        return FALSE;
    for (guint i = 0; i < ram->blocks->len; i++)
        take_mappings(maps, g_ptr_array_index(ram->blocks, i), i, ranges);
    return TRUE;
}

static gboolean
nominate_by_scan(int fd, const FolioGuestRam *ram, GArray *ranges, GError **error)
{
    for (guint i = 0; i < ram->blocks->len; i++)
        if (!scan_block(fd, g_ptr_array_index(ram->blocks, i), i, ranges, error))
            return FALSE;
    return TRUE;
}

static gboolean
smaps_nominate(FolioSourceSession *base, const FolioGuestRam *ram, GArray *ranges, GError **error)
{
    const SmapsSession *session = (const SmapsSession *) base;
    const guint n_before = ranges->len;
    const int proc_fd = folio_process_get_proc_fd(session->process);
    const int fd = folio_file_open(proc_fd, "pagemap", O_RDONLY, error);
    gboolean done;

    if (fd < 0) {
        g_prefix_error(error, "/proc/%d/", folio_process_get_pid(session->process));
        return FALSE;
    }
    done = folio_pagemap_can_scan(fd) ? nominate_by_scan(fd, ram, ranges, error)
                                      : nominate_by_smaps(session, ram, ranges, error);
    close(fd);
    if (!done)
        g_array_set_size(ranges, n_before);
    return done;
}

static FolioSourceSession *
smaps_open(FolioSource *source, const FolioProcess *process, GError **error)
{
    SmapsSession *session = g_new0(SmapsSession, 1);

    session->base.source = source;
    session->process = folio_process_ref((FolioProcess *) process);
    return &session->base;
}

static gboolean
smaps_follow(FolioSourceSession *base, GError **error)
{
    const SmapsSession *session = (const SmapsSession *) base;
    const gboolean alive = folio_process_is_alive(session->process);

    if (!alive)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "process %d has ended",
                    folio_process_get_pid(session->process));
    return alive;
}

static gboolean
smaps_drain(FolioSourceSession *base, FolioSampleSink sink, gpointer user_data, GError **error)
{
    return smaps_follow(base, error);
}

/* There is nothing to switch on, and no period. */
static void
smaps_enable(FolioSourceSession *base, gboolean enabled)
{
}

static void
smaps_set_period(FolioSourceSession *base, guint64 period)
{
}

static void
smaps_get_counters(FolioSourceSession *base, FolioSourceCounters *counters)
{
    *counters = (FolioSourceCounters){ 0 };
}

static int
smaps_get_fd(FolioSourceSession *base)
{
    return -1;
}

static void
smaps_close(FolioSourceSession *base)
{
    SmapsSession *session = (SmapsSession *) base;

    folio_process_unref(session->process);
    g_free(session);
}

static void
smaps_free(FolioSource *source)
{
    g_free(source);
}

static const FolioSourceClass smaps_class = {
    .name = "smaps",
    .evidence = FALSE,
    .open = smaps_open,
    .drain = smaps_drain,
    .follow = smaps_follow,
    .enable = smaps_enable,
    .set_period = smaps_set_period,
    .get_counters = smaps_get_counters,
    .get_fd = smaps_get_fd,
    .nominate = smaps_nominate,
    .close = smaps_close,
    .free = smaps_free,
};

FolioSource *
folio_smaps_source_new(void)
{
    FolioSource *source = g_new0(FolioSource, 1);

    source->klass = &smaps_class;
    return source;
}
