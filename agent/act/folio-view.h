/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at the folios of another process's memory, by its pagemap and the host's kpageflags. All
 * of it blocks. */
#pragma once

#include "act/folios.h"

typedef struct {
    int pagemap_fd;
    int kpageflags_fd;
    gboolean can_scan; /* PAGEMAP_SCAN is there, see below */
} FolioView;

/* proc_root has kpageflags. Free with folio_view_close, also when it failed. NOT_FOUND when the
 * process has ended; NOT_PERMITTED when the flags of frames may not be read. */
gboolean folio_view_open(FolioView *view, const FolioProcess *process, const char *proc_root,
                         GError **error);
void folio_view_close(FolioView *view);

/* The blocks of the ranges (ascending, of whole blocks at multiples of 2 MiB), in that order, into
 * folios, which has room for all of them. Without PAGEMAP_SCAN (before Linux 6.7) what a PMD maps
 * cannot be told from a huge folio that is mapped page by page, and counts as PMD-mapped. Errors as
 * of folio_block_frames_read. Some 10 us a block that a PMD maps; up to 1 ms one in small pages. */
gboolean folio_view_at_ranges(const FolioView *view, const FolioBlockRange *ranges, guint n_ranges,
                              FolioBlockFolios *folios, GError **error);

/* The orders there are now at those frames. */
gboolean folio_view_at_frames(const FolioView *view, const guint64 frames[FOLIO_BLOCK_PAGES],
                              gint8 orders[FOLIO_BLOCK_PAGES], GError **error);
