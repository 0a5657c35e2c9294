/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parser of /proc/PID/maps and smaps. Pure: text in, VMAs out. */
#pragma once

#include <glib.h>

typedef enum {
    FOLIO_VMA_READ = 1 << 0,
    FOLIO_VMA_WRITE = 1 << 1,
    FOLIO_VMA_EXEC = 1 << 2,
    FOLIO_VMA_SHARED = 1 << 3,
    FOLIO_VMA_DELETED = 1 << 4,  /* the path had " (deleted)" behind it */
    FOLIO_VMA_LOCKED = 1 << 5,   /* smaps, VmFlags lo */
    FOLIO_VMA_HUGEPAGE = 1 << 6, /* smaps, VmFlags hg */
    FOLIO_VMA_HUGETLB = 1 << 7,  /* smaps, VmFlags ht */
    FOLIO_VMA_PFNMAP = 1 << 8,   /* smaps, VmFlags pf or io */
} FolioVmaFlags;

typedef struct {
    guint64 start, end; /* bytes, [start, end) */
    guint64 offset;     /* bytes into the file */
    guint64 inode;
    guint32 dev_major, dev_minor;
    guint32 flags;    /* FolioVmaFlags */
    const char *path; /* unescaped; "" when there is none; owned by the FolioMaps */
    /* From smaps, in bytes; 0 from maps. */
    guint64 rss;        /* without hugetlb pages */
    guint64 pmd_mapped; /* AnonHugePages + ShmemPmdMapped + FilePmdMapped */
    guint64 hugetlb;    /* Shared_Hugetlb + Private_Hugetlb */
    guint64 swap;
    guint64 locked;
    guint64 kernel_page_size;
} FolioVma;

typedef struct {
    GArray *vmas; /* FolioVma, by ascending address */
    GStringChunk *paths;
} FolioMaps;

/* Parses either file; maps and smaps may be told apart by nothing but their contents. The text need
 * not be NUL-terminated. An unknown smaps key is passed over (kernels add them); anything else
 * unexpected (bad line, end before start, descending addresses, number overflow, a key line before
 * the first VMA) gives FOLIO_ERROR_INVALID with the line's number. A text that ends within a line
 * is an error too: a short read must not look like a whole map. An empty text is a map without
 * VMAs: that is what the kernel gives of a process that is ending.
 *
 * Two things in a path cannot be told apart, because the kernel writes both alike: an unlinked
 * file and a linked one whose name ends in " (deleted)" (taken as unlinked, that end cut off), and
 * a newline and the four characters \012 (taken as a newline). So a path is for people and for
 * comparing; a file is known by its device and inode. */
FolioMaps *folio_maps_parse(const char *text, gsize length, GError **error);

void folio_maps_free(FolioMaps *maps);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioMaps, folio_maps_free)
