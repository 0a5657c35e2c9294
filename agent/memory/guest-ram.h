/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The RAM of a guest in its QEMU process: which mappings it is, on what file, and how it is mapped.
 */
#pragma once

#include "base/ram-spec.h"
#include "base/reason.h"
#include "memory/pagemap.h"
#include "memory/process.h"

/* 2 MiB: the length of a block and of what a PMD maps with 4 KiB base pages. */
#define FOLIO_BLOCK_BYTES (2 * 1024 * 1024ULL)

typedef struct {
    char *id;          /* "ram", "cell0", "dimm0", "virtiomem0"; a device's alias */
    FolioRamSpec spec; /* what libvirt said (its alias is NULL here: see id) */
    guint64 hva;       /* where it starts in QEMU's address space */
    guint64 bytes;     /* == spec.bytes */
    guint64 offset;    /* into the file */
    guint64 inode;     /* 0: anonymous */
    guint32 dev_major, dev_minor;
    gboolean shared; /* MAP_SHARED; a private mapping copies what is written to anonymous memory */
    char *file;      /* path as the kernel names it, any bytes; "" when anonymous */
    gboolean file_deleted;
    char *fs_type;      /* "tmpfs", "hugetlbfs", "ext4"; "" when anonymous, a memfd or not known */
    char *fs_options;   /* the superblock's options in mountinfo; "" likewise */
    char *huge;         /* its huge= option, or shmem_enabled for a memfd; "" when none */
    guint64 alignment;  /* largest power of two, up to 1 GiB, that divides hva - offset */
    gboolean locked;    /* VM_LOCKED, all or in part */
    FolioResidency now; /* set by folio_guest_ram_measure */
    FolioReason reason; /* the gravest why not (more of it) is PMD-mapped; NONE when it can be */
} FolioRamBlock;

typedef enum {
    /* PAGEMAP_SCAN, or smaps where the kernel does not have it or does not let us. Smaps too when
     * some shared RAM is not present while the host has something in swap: page tables do not say
     * which of it is. */
    FOLIO_SCAN_AUTO,
    FOLIO_SCAN_PAGEMAP, /* swapped is 0 for shared RAM (memory/pagemap.h) */
    FOLIO_SCAN_SMAPS,
} FolioScan;

typedef struct {
    GPtrArray *blocks;  /* FolioRamBlock, in the order of the specs: main or cells, then devices */
    guint64 bytes;      /* sum of the blocks' */
    FolioResidency now; /* sum of the blocks' */
    FolioReason reason; /* the gravest of the blocks' */
    FolioScan scan;     /* the way of the last measurement: PAGEMAP or SMAPS */
    gint64 measured_usec; /* g_get_monotonic_time() of the last measurement; 0: never */
} FolioGuestRam;

/* Finds each of n_specs (but those of kind OTHER) in the maps of the process; memory/ram-match.h
 * says how. Blocking. sys_root ("/sys") is where shmem_enabled is read. On failure NULL, *reason
 * (RAM_NOT_FOUND, RAM_AMBIGUOUS, RAM_UNREADABLE, PROCESS_GONE, NO_ACCESS) and an error that says
 * what was looked for, and nothing of the process's other mappings: those are logged at debug
 * level. Nothing is measured yet.
 *
 * Of several reasons the gravest is given, which is the one to be dealt with first: PAGE_SIZE,
 * HUGETLB, NOT_TMPFS, PRIVATE, TMPFS_NOT_HUGE, MISALIGNED, LOCKED: what the host is, what the RAM
 * is on, how that is mounted, how it is mapped. */
FolioGuestRam *folio_guest_ram_locate(const FolioProcess *process, const FolioRamSpec *specs,
                                      guint n_specs, const char *sys_root, FolioReason *reason,
                                      GError **error);

/* Measures all blocks. Blocking: about 45 us per 256 MiB by PAGEMAP_SCAN when all is PMD-mapped,
 * much longer by smaps or when it is not. Values are set for all blocks or for none. A block whose
 * mapping is no longer there as it was, or a process that has ended, gives NOT_FOUND: locate again.
 * Anonymous RAM is always measured by smaps, because PAGEMAP_SCAN cannot tell the huge zero page
 * from memory; then so is the rest of that guest. UNSUPPORTED: PAGEMAP was asked for and this
 * kernel does not have it. */
gboolean folio_guest_ram_measure(FolioGuestRam *ram, const FolioProcess *process, FolioScan scan,
                                 GError **error);

FolioGuestRam *folio_guest_ram_copy(const FolioGuestRam *ram);

void folio_guest_ram_free(FolioGuestRam *ram);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioGuestRam, folio_guest_ram_free)
