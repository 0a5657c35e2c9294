/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In which host frames the memory of another process stands, 2 MiB by 2 MiB, and what became of
 * frames since: /proc/PID/pagemap, with PAGEMAP_SCAN, and /proc/kpageflags. */
#pragma once

#include "memory/frames.h"

#define FOLIO_PAGE_BYTES  4096ULL
#define FOLIO_BLOCK_PAGES 512u

/* 2 MiB of the process, or less at the end of a range. */
typedef struct {
    guint64 address; /* bytes */
    guint n_pages;   /* 512, less at the end of a range */
    guint n_present; /* 0: frames say nothing */
    gboolean in_one; /* all 512 stand in a row from frames[0] on, a multiple of 512 */
    guint64 frames[FOLIO_BLOCK_PAGES]; /* FOLIO_NO_FRAME: not present; only [0] when in_one */
} FolioBlockFrames;

typedef void (*FolioBlockFramesSink)(const FolioBlockFrames *block, gpointer user_data);

/* Need the frames of this block not be read? It is wholly mapped. */
typedef gboolean (*FolioBlockFramesSkip)(guint64 address, gpointer user_data);

/* Tells the sink of each 2 MiB from start to end (multiples of the page size), by ascending
 * address, but for those that are skipped (skip may be NULL). A block that a PMD maps costs one
 * read of 8 bytes where the kernel has PAGEMAP_SCAN (Linux 6.7), else 4 KiB are read of each block.
 * NOT_PERMITTED: the kernel hides frame numbers; NOT_FOUND: the process has ended. Blocking: some 1
 * us a block that a PMD maps, 35 us one in small pages. */
gboolean folio_block_frames_read(int pagemap_fd, guint64 start, guint64 end,
                                 FolioBlockFramesSkip skip, FolioBlockFramesSink sink,
                                 gpointer user_data, GError **error);

/* Flags of n frames from first on, as /proc/kpageflags has them. Frames beyond the last that the
 * host has give FAILED. */
gboolean folio_frame_flags_read(int kpageflags_fd, guint64 first, guint n, guint64 *flags,
                                GError **error);

/* May a frame with these flags still hold a page of a tmpfs file? Not when it is free, or is
 * anonymous memory, slab, page table or file cache of another kind. That another tmpfs file has
 * taken it cannot be told. Pure. */
gboolean folio_frame_may_be_shmem(guint64 flags);
