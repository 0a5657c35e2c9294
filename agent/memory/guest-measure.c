/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Measuring the RAM blocks of a guest: how much of each is present and PMD-mapped. */
#include "memory/guest-ram.h"

#include "base/error.h"
#include "base/file-io.h"
#include "memory/maps.h"
#include "memory/read-maps.h"

#include <fcntl.h>
#include <sys/sysinfo.h>
#include <unistd.h>

static const FolioRamBlock *
block_at(const FolioGuestRam *ram, guint i)
{
    return g_ptr_array_index(ram->blocks, i);
}

static gint
compare_starts(gconstpointer a, gconstpointer b)
{
    const guint64 x = ((const FolioVma *) a)->start;
    const guint64 y = ((const FolioVma *) b)->start;

    return x == y ? 0 : x < y ? -1 : 1;
}

static gboolean
vma_is_of_block(const FolioVma *vma, const FolioRamBlock *block)
{
    return vma->inode == block->inode && vma->dev_major == block->dev_major &&
           vma->dev_minor == block->dev_minor &&
           ((vma->flags & FOLIO_VMA_SHARED) != 0) == block->shared &&
           (block->inode == 0 || vma->offset - block->offset == vma->start - block->hva);
}

/* The VMAs of a block, when they are still what it was found to be; otherwise an error. */
static gboolean
find_vmas(const FolioMaps *maps, const FolioRamBlock *block, const FolioVma **first, guint *n,
          GError **error)
{
    const FolioVma wanted = { .start = block->hva };
    const guint64 end = block->hva + block->bytes;
    guint64 at = block->hva;
    guint i = 0;

    *n = 0;
    if (g_array_binary_search(maps->vmas, &wanted, compare_starts, &i)) {
        *first = &g_array_index(maps->vmas, FolioVma, i);
        for (; at < end && i < maps->vmas->len; i++, (*n)++) {
            const FolioVma *vma = &g_array_index(maps->vmas, FolioVma, i);

            if (vma->start != at || vma->end > end || !vma_is_of_block(vma, block))
                break;
            at = vma->end;
        }
    }
    if (at == end)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "maps: %s is no longer mapped as it was",
                block->id);
    return FALSE;
}

static gboolean
measure_by_smaps(const FolioGuestRam *ram, const FolioProcess *process, FolioResidency *figures,
                 GError **error)
{
    g_autoptr(FolioMaps) maps = folio_read_maps(process, TRUE, error);

    if (maps == NULL)
        return FALSE;
    for (guint i = 0; i < ram->blocks->len; i++) {
        const FolioVma *vma = NULL;
        guint n = 0;

        if (!find_vmas(maps, block_at(ram, i), &vma, &n, error))
            return FALSE;
        figures[i] = (FolioResidency){ 0 };
        for (; n > 0; n--, vma++) {
            figures[i].present += vma->rss + vma->hugetlb;
            figures[i].pmd_mapped += vma->pmd_mapped + vma->hugetlb;
            figures[i].swapped += vma->swap;
        }
    }
    return TRUE;
}

/* pagemap_fd is that of the process. */
static gboolean
measure_by_scan(const FolioGuestRam *ram, const FolioProcess *process, int pagemap_fd,
                FolioResidency *figures, GError **error)
{
    g_autoptr(FolioMaps) maps = folio_read_maps(process, FALSE, error);

    if (maps == NULL)
        return FALSE;
    for (guint i = 0; i < ram->blocks->len; i++) {
        const FolioRamBlock *block = block_at(ram, i);
        const FolioVma *vma = NULL;
        guint n = 0;

        if (!find_vmas(maps, block, &vma, &n, error) ||
            !folio_pagemap_scan(pagemap_fd, block->hva, block->hva + block->bytes, &figures[i],
                                error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
has_anonymous(const FolioGuestRam *ram)
{
    for (guint i = 0; i < ram->blocks->len; i++) {
        if (block_at(ram, i)->inode == 0)
            return TRUE;
    }
    return FALSE;
}

/* Could it be that some of what a scan did not find is in swap? */
static gboolean
may_be_in_swap(const FolioGuestRam *ram, const FolioResidency *figures)
{
    struct sysinfo host;

    if (sysinfo(&host) < 0 || host.freeswap == host.totalswap)
        return FALSE;
    for (guint i = 0; i < ram->blocks->len; i++) {
        if (block_at(ram, i)->shared && figures[i].present < block_at(ram, i)->bytes)
            return TRUE;
    }
    return FALSE;
}

/* Opens pagemap if it can be scanned; otherwise -1 with an error, UNSUPPORTED or as opening it
 * gave.
 */
static int
open_scannable(const FolioProcess *process, GError **error)
{
    const int fd = folio_file_open(folio_process_get_proc_fd(process), "pagemap", O_RDONLY, error);

    if (fd < 0 || folio_pagemap_can_scan(fd))
        return fd;
    close(fd);
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                "pagemap: this kernel does not have PAGEMAP_SCAN");
    return -1;
}

/* Can smaps serve where a scan cannot? pagemap has mode 0400, and wants CAP_DAC_READ_SEARCH. */
static gboolean
smaps_may_serve(const GError *error)
{
    return g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED) ||
           g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED);
}

/* Measures in the way that scan asks for, or in the one that is left, and says in *scan which. */
static gboolean
measure(const FolioGuestRam *ram, const FolioProcess *process, FolioScan *scan,
        FolioResidency *figures, GError **error)
{
    const FolioScan wanted = has_anonymous(ram) ? FOLIO_SCAN_SMAPS : *scan;
    g_autoptr(GError) cause = NULL;
    gboolean measured;
    int pagemap_fd;

    *scan = FOLIO_SCAN_SMAPS;
    if (wanted == FOLIO_SCAN_SMAPS)
        return measure_by_smaps(ram, process, figures, error);

    pagemap_fd = open_scannable(process, &cause);
    if (pagemap_fd < 0) {
        if (wanted == FOLIO_SCAN_AUTO && smaps_may_serve(cause))
            return measure_by_smaps(ram, process, figures, error);
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    measured = measure_by_scan(ram, process, pagemap_fd, figures, error);
    close(pagemap_fd);
    if (measured && wanted == FOLIO_SCAN_AUTO && may_be_in_swap(ram, figures))
        return measure_by_smaps(ram, process, figures, error);
    *scan = FOLIO_SCAN_PAGEMAP;
    return measured;
}

static void
add(FolioResidency *sum, const FolioResidency *more)
{
    sum->present += more->present;
    sum->pmd_mapped += more->pmd_mapped;
    sum->swapped += more->swapped;
}

gboolean
folio_guest_ram_measure(FolioGuestRam *ram, const FolioProcess *process, FolioScan scan,
                        GError **error)
{
    g_autofree FolioResidency *figures = g_new0(FolioResidency, ram->blocks->len);

    if (!measure(ram, process, &scan, figures, error)) {
        g_prefix_error(error, "/proc/%d/", folio_process_get_pid(process));
        return FALSE;
    }
    /* What was taken from a process on its way out is worth nothing. */
    if (!folio_process_is_alive(process)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "/proc/%d: the process has ended",
                    folio_process_get_pid(process));
        return FALSE;
    }
    ram->now = (FolioResidency){ 0 };
    for (guint i = 0; i < ram->blocks->len; i++) {
        ((FolioRamBlock *) g_ptr_array_index(ram->blocks, i))->now = figures[i];
        add(&ram->now, &figures[i]);
    }
    ram->scan = scan;
    ram->measured_usec = g_get_monotonic_time();
    return TRUE;
}
