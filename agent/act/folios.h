/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What became of a 2 MiB block, by the orders of the folios at its frames before and after. Pure.
 *
 * Page tables alone cannot tell: a split of tmpfs memory keeps its frames and unmaps them, so that
 * it looks like memory that is gone. A collapse moves to another frame. So a split is seen at the
 * frames that were recorded before it, and a collapse at those that there are afterwards. */
#pragma once

#include "act/actuator.h"
#include "memory/block-frames.h"

/* In place of an order. */
enum {
    FOLIO_ORDER_UNKNOWN = -1, /* no frame is known */
    FOLIO_ORDER_GONE = -2,    /* the frame is free, or holds no tmpfs memory */
};

/* The memory of a block as it was seen. */
typedef struct {
    guint64 frames[FOLIO_BLOCK_PAGES]; /* FOLIO_NO_FRAME: the page is not mapped */
    gint8 orders[FOLIO_BLOCK_PAGES];   /* of the folio that the page is of; or FOLIO_ORDER_* */
    gboolean pmd_mapped;
} FolioBlockFolios;

/* The order of the folio at each of 512 frames, the first of which is a multiple of 512, by their
 * flags in /proc/kpageflags: a folio is aligned to its size. One of more than 2 MiB counts as one
 * of 2 MiB. */
void folio_orders_of_flags(const guint64 flags[FOLIO_BLOCK_PAGES], gint8 orders[FOLIO_BLOCK_PAGES]);

/* What the file of a block that is not mapped has of it. */
typedef enum {
    FOLIO_FILE_UNKNOWN,
    FOLIO_FILE_EMPTY, /* a hole: the memory was never there or was given back */
    FOLIO_FILE_HOLDS,
} FolioFileMemory;

/* What there is to judge by. */
typedef struct {
    FolioActKind kind; /* SPLIT or COLLAPSE */
    guint order;       /* 0 to 8, or FOLIO_ORDER_HUGE */
    const FolioBlockFolios *before;
    const gint8 *there_now;      /* orders now at the frames of before */
    const FolioBlockFolios *now; /* as it is mapped now */
    gboolean split_before;       /* the ledger says that foliod has split it earlier */
    FolioLeft said;              /* what the kernel said of it */
    FolioFileMemory in_file;     /* asked for when folio_evidence_is_unmapped */
} FolioEvidence;

/* Does it take there_now to judge? Reading it costs most of all. */
gboolean folio_evidence_wants_frames(const FolioEvidence *evidence);

/* Was nothing of it mapped before, so that page tables and frames do not say all? */
gboolean folio_evidence_is_unmapped(const FolioEvidence *evidence);

/* A split counts as done with folios of the order or smaller; a collapse with one huge folio that a
 * PMD maps. tests/unit/test-folios.c has the table. */
FolioOutcome folio_evidence_judge(const FolioEvidence *evidence);
