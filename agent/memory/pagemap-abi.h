/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PAGEMAP_SCAN ioctl as Linux 6.7 and later have it, from include/uapi/linux/fs.h (the names
 * there stand beside each). Defined here because the kernel headers to build with may be older than
 * the kernel to run on. */
#pragma once

#include <glib.h>
#include <linux/ioctl.h>

/* struct page_region */
typedef struct {
    guint64 start;
    guint64 end;
    guint64 categories;
} FolioPageRegion;

/* struct pm_scan_arg */
typedef struct {
    guint64 size; /* of this structure */
    guint64 flags;
    guint64 start;
    guint64 end;
    guint64 walk_end; /* out: where the walk ended */
    guint64 vec;      /* address of an array of regions */
    guint64 vec_len;
    guint64 max_pages; /* 0: no limit */
    guint64 category_inverted;
    guint64 category_mask;
    guint64 category_anyof_mask;
    guint64 return_mask;
} FolioScanArgument;

G_STATIC_ASSERT(sizeof(FolioPageRegion) == 24);
G_STATIC_ASSERT(sizeof(FolioScanArgument) == 96);

/* PAGEMAP_SCAN; 'f' is PROCFS_IOCTL_MAGIC */
#define FOLIO_PAGEMAP_SCAN _IOWR('f', 16, FolioScanArgument)

enum {
    FOLIO_PAGE_IS_PRESENT = 1 << 3, /* PAGE_IS_PRESENT */
    FOLIO_PAGE_IS_SWAPPED = 1 << 4, /* PAGE_IS_SWAPPED */
    FOLIO_PAGE_IS_PFNZERO = 1 << 5, /* PAGE_IS_PFNZERO */
    FOLIO_PAGE_IS_HUGE = 1 << 6,    /* PAGE_IS_HUGE */
};
