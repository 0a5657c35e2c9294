/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asking a mapped file for its data and holes, by /proc/PID/map_files. */
#include "act/holes.h"

#include "base/file-io.h"
#include "memory/read-maps.h"

#include <errno.h>
#include <unistd.h>

void
folio_holes_init(FolioHoles *holes, const FolioProcess *process)
{
    *holes = (FolioHoles){ .process = process, .fd = -1 };
}

static void
close_file(FolioHoles *holes)
{
    if (holes->fd >= 0)
        close(holes->fd);
    holes->fd = -1;
}

void
folio_holes_clear(FolioHoles *holes)
{
    close_file(holes);
    g_clear_pointer(&holes->maps, folio_maps_free);
}

/* Of the mapping of a file that has all of the block; NULL when there is none. */
static const FolioVma *
find_vma(FolioHoles *holes, guint64 address)
{
    if (holes->maps == NULL && !holes->failed)
        holes->maps = folio_read_maps(holes->process, FALSE, NULL);
    holes->failed = holes->maps == NULL;
    for (guint i = 0; !holes->failed && i < holes->maps->vmas->len; i++) {
        const FolioVma *vma = &g_array_index(holes->maps->vmas, FolioVma, i);

        if (vma->start <= address && address + FOLIO_BLOCK_BYTES <= vma->end)
            return vma->inode != 0 ? vma : NULL;
    }
    return NULL;
}

static gboolean
open_file(FolioHoles *holes, const FolioVma *vma)
{
    g_autofree char *path = g_strdup_printf(
        "map_files/%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER "x", vma->start, vma->end);

    if (holes->fd >= 0 && holes->start == vma->start)
        return TRUE;
    close_file(holes);
    holes->start = vma->start;
    holes->fd = folio_file_open(folio_process_get_proc_fd(holes->process), path,
                                O_RDONLY | O_NONBLOCK, NULL);
    return holes->fd >= 0;
}

FolioFileMemory
folio_holes_look(FolioHoles *holes, guint64 address)
{
    const FolioVma *vma = find_vma(holes, address);
    guint64 offset;
    off_t data;

    if (vma == NULL || !open_file(holes, vma))
        return FOLIO_FILE_UNKNOWN;
    offset = vma->offset + (address - vma->start);
    data = lseek(holes->fd, (off_t) offset, SEEK_DATA);
    if (data < 0)
        return errno == ENXIO ? FOLIO_FILE_EMPTY : FOLIO_FILE_UNKNOWN;
    return (guint64) data < offset + FOLIO_BLOCK_BYTES ? FOLIO_FILE_HOLDS : FOLIO_FILE_EMPTY;
}
