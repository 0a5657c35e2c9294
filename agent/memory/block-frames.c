/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading frame numbers of a process, as few of them as will do. */
#include "memory/block-frames.h"

#include "base/error.h"
#include "base/file-io.h"
#include "memory/pagemap-abi.h"
#include "memory/pagemap.h"

#include <errno.h>
#include <linux/kernel-page-flags.h>
#include <string.h>

#define BLOCK_BYTES (FOLIO_BLOCK_PAGES * FOLIO_PAGE_BYTES)

typedef struct {
    int fd;
    guint64 start, end;
    FolioBlockFramesSkip skip; /* NULL: none */
    FolioBlockFramesSink sink;
    gpointer user_data;
    FolioBlockFrames block; /* being gathered */
    gboolean skipped;       /* it is not to be told of */
} Reader;

/* The block in which address lies is gathered next, from nothing. */
static void
begin_block(Reader *reader, guint64 address)
{
    const guint64 left = reader->end - address;

    reader->block.address = address;
    reader->block.n_pages = (guint) (MIN(left, BLOCK_BYTES) / FOLIO_PAGE_BYTES);
    reader->block.n_present = 0;
    reader->block.in_one = FALSE;
    reader->skipped = FALSE;
}

static gboolean
stands_in_one(const FolioBlockFrames *block)
{
    if (block->n_present != FOLIO_BLOCK_PAGES || block->frames[0] % FOLIO_BLOCK_PAGES != 0)
        return FALSE;
    for (guint i = 1; i < FOLIO_BLOCK_PAGES; i++) {
        if (block->frames[i] != block->frames[0] + i)
            return FALSE;
    }
    return TRUE;
}

/* Tells of the block at hand, and of those without anything before the one that address is in. */
static void
flush_until(Reader *reader, guint64 address)
{
    while (reader->block.address < reader->end && address >= reader->block.address + BLOCK_BYTES) {
        if (!reader->block.in_one)
            reader->block.in_one = stands_in_one(&reader->block);
        if (!reader->skipped)
            reader->sink(&reader->block, reader->user_data);
        if (reader->block.address + BLOCK_BYTES >= reader->end) {
            reader->block.address = reader->end;
            return;
        }
        begin_block(reader, reader->block.address + BLOCK_BYTES);
    }
}

/* Pages [address, end) of the block at hand. */
static gboolean
gather_pages(Reader *reader, guint64 address, guint64 end, GError **error)
{
    FolioBlockFrames *block = &reader->block;
    const guint first = (guint) ((address - block->address) / FOLIO_PAGE_BYTES);
    const guint n = (guint) ((end - address) / FOLIO_PAGE_BYTES);

    if (block->n_present == 0)
        memset(block->frames, 0, sizeof block->frames);
    if (!folio_frames_read(reader->fd, address, &block->frames[first], n, error))
        return FALSE;
    for (guint i = first; i < first + n; i++)
        block->n_present += block->frames[i] != FOLIO_NO_FRAME;
    return TRUE;
}

/* The block at hand is mapped by a PMD: one entry says all, unless that has changed meanwhile. */
static gboolean
gather_huge(Reader *reader, GError **error)
{
    FolioBlockFrames *block = &reader->block;
    guint64 frame = 0;

    if (!folio_frames_read(reader->fd, block->address, &frame, 1, error))
        return FALSE;
    if (frame == FOLIO_NO_FRAME || frame % FOLIO_BLOCK_PAGES != 0)
        return gather_pages(reader, block->address, block->address + BLOCK_BYTES, error);
    block->frames[0] = frame;
    block->n_present = FOLIO_BLOCK_PAGES;
    block->in_one = TRUE;
    return TRUE;
}

static gboolean
gather(guint64 start, guint64 end, guint64 categories, gpointer user_data, GError **error)
{
    Reader *reader = user_data;

    if (!(categories & FOLIO_PAGE_IS_PRESENT) || (categories & FOLIO_PAGE_IS_PFNZERO))
        return TRUE;
    while (start < end) {
        guint64 block_end, part_end;
        gboolean all, huge = (categories & FOLIO_PAGE_IS_HUGE) != 0;

        flush_until(reader, start);
        block_end = reader->block.address + reader->block.n_pages * FOLIO_PAGE_BYTES;
        part_end = MIN(end, block_end);
        all = start == reader->block.address && part_end - start == BLOCK_BYTES;
        /* A PMD maps what is aligned; a block of misaligned RAM reaches over two of them. */
        if (all && reader->skip != NULL && reader->skip(start, reader->user_data)) {
            reader->skipped = TRUE;
        } else if (all && huge && start % BLOCK_BYTES == 0) {
            if (!gather_huge(reader, error))
                return FALSE;
        } else if (!gather_pages(reader, start, part_end, error)) {
            return FALSE;
        }
        start = part_end;
    }
    return TRUE;
}

gboolean
folio_block_frames_read(int pagemap_fd, guint64 start, guint64 end, FolioBlockFramesSkip skip,
                        FolioBlockFramesSink sink, gpointer user_data, GError **error)
{
    Reader reader = { pagemap_fd, start, end, NULL, sink, user_data };
    gboolean read;

    begin_block(&reader, start);
    if (folio_pagemap_can_scan(pagemap_fd)) {
        reader.skip = skip; /* else nobody knows what is mapped */
        read = folio_pagemap_walk(pagemap_fd, start, end, gather, &reader, error);
    } else {
        read = gather(start, end, FOLIO_PAGE_IS_PRESENT, &reader, error);
    }
    if (read)
        flush_until(&reader, end + BLOCK_BYTES);
    return read;
}

gboolean
folio_frame_flags_read(int kpageflags_fd, guint64 first, guint n, guint64 *flags, GError **error)
{
    const gsize bytes = n * sizeof *flags;
    const gssize got = folio_file_read_at(kpageflags_fd, first * sizeof *flags, flags, bytes);

    if (got < 0)
        folio_set_error_errno(error, errno, "kpageflags");
    else if ((gsize) got < bytes)
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED,
                    "kpageflags: no frames %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, first,
                    first + n - 1);
    return got == (gssize) bytes;
}

gboolean
folio_frame_may_be_shmem(guint64 flags)
{
    const guint64 never = 1 << KPF_ANON | 1 << KPF_BUDDY | 1 << KPF_SLAB | 1 << KPF_HUGE |
                          1 << KPF_NOPAGE | 1 << KPF_HWPOISON | 1 << KPF_PGTABLE;

    return (flags & never) == 0 && (flags & 1 << KPF_SWAPBACKED) != 0;
}
