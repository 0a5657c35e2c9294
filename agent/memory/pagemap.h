/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much of a range of another process is present, and mapped by PMDs, by the PAGEMAP_SCAN ioctl
 * (Linux 6.7 and later). */
#pragma once

#include <glib.h>

typedef struct {
    guint64 present;    /* bytes that its page tables map; the zero page does not count */
    guint64 pmd_mapped; /* bytes of these that a PMD (or, for hugetlb, a PUD) maps */
    guint64 swapped;    /* bytes in swap; see below */
} FolioResidency;

/* Does this kernel have PAGEMAP_SCAN? Tried on pagemap_fd with an empty range. */
gboolean folio_pagemap_can_scan(int pagemap_fd);

/* A stretch of pages that are alike; FALSE ends the walk, with an error. */
typedef gboolean (*FolioPagemapVisit)(guint64 start, guint64 end, guint64 categories,
                                      gpointer user_data, GError **error);

/* Visits what is present or swapped in [start, end) (both multiples of the page size) of the
 * process whose /proc/PID/pagemap is pagemap_fd, by ascending address. The categories are those of
 * memory/pagemap-abi.h. A process that has ended gives NOT_FOUND. */
gboolean folio_pagemap_walk(int pagemap_fd, guint64 start, guint64 end, FolioPagemapVisit visit,
                            gpointer user_data, GError **error);

/* Adds up [start, end) (both multiples of the page size) of the process whose /proc/PID/pagemap is
 * pagemap_fd. *residency is set whole or not at all. A process that has ended gives NOT_FOUND.
 * Page tables know swap of private memory only: a page of a tmpfs or memfd that went to swap leaves
 * no entry behind, and counts neither as present nor as swapped. */
gboolean folio_pagemap_scan(int pagemap_fd, guint64 start, guint64 end, FolioResidency *residency,
                            GError **error);
