/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record of one guest: which of its blocks foliod has split, or may have, what it did last and
 * how often. Rules only, no files: ledger.c keeps it, ledger-file.c is its text. Pure. */
#pragma once

#include "act/ledger.h"

/* Bounds of a record, so that a file can never make foliod take memory without end: 16 TiB of RAM,
 * a byte each block; RAM blocks; a string. */
#define FOLIO_LEDGER_MAX_BLOCKS (16 * 1024 * 1024ULL / 2)
#define FOLIO_LEDGER_MAX_RAMS   256u
#define FOLIO_LEDGER_MAX_STRING 1024u

/* The state of one block, a byte; 0: as far as foliod is concerned it is whole. */
enum {
    FOLIO_LEDGER_ORDER = 0x0f,   /* mask: what it was split to; 9: it was to be collapsed */
    FOLIO_LEDGER_SPLIT = 0x10,   /* seen to be split */
    FOLIO_LEDGER_PERHAPS = 0x20, /* may be split: nobody could look */
    FOLIO_LEDGER_BEGUN = 0x40,   /* an action on it is under way; beside what it was before */
};

/* One RAM block of the guest. */
typedef struct {
    char *id;
    guint64 inode;
    guint64 bytes;
    guint8 *states; /* of each whole block */
    guint n_blocks;
} FolioLedgerRam;

typedef struct {
    char *uuid; /* lower case */
    char *boot; /* /proc/sys/kernel/random/boot_id */
    pid_t pid;
    guint64 start_time; /* as folio_process_get_start_time */
    FolioLedgerThp thp;
    FolioLedgerCounters counters; /* split_now is of no use here, see folio_ledger_record_count */
    GPtrArray *rams;              /* FolioLedgerRam */
    GArray *actions;              /* FolioLedgerAction, the last one last */
} FolioLedgerRecord;

FolioLedgerRecord *folio_ledger_record_new(const char *uuid, const char *boot, pid_t pid,
                                           guint64 start_time);
FolioLedgerRecord *folio_ledger_record_copy(const FolioLedgerRecord *record);
void folio_ledger_record_free(FolioLedgerRecord *record);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioLedgerRecord, folio_ledger_record_free)

/* Adds a RAM block of which nothing is split. NULL when that goes beyond the bounds. */
FolioLedgerRam *folio_ledger_record_add_ram(FolioLedgerRecord *record, const char *id,
                                            guint64 inode, guint64 bytes);

/* FolioLedgerAction with their own strings; free with g_array_unref. */
GArray *folio_ledger_actions_new(void);
GArray *folio_ledger_actions_copy(GArray *actions);

/* An action on these blocks begins. One that follows another of the same kind, order and origin
 * within seconds is the next part of that. now is in seconds since 1970. INVALID, naming the
 * address, when a range is not of whole blocks of one RAM block; BUSY beyond the bounds. After an
 * error the record is of no use. */
gboolean folio_ledger_record_begin(FolioLedgerRecord *record, const FolioActRequest *request,
                                   const FolioBlockRange *ranges, guint n_ranges, gint64 now,
                                   GError **error);

/* It has ended, with an outcome for each block. Errors likewise. */
gboolean folio_ledger_record_end(FolioLedgerRecord *record, const FolioActRequest *request,
                                 const FolioBlockRange *ranges, guint n_ranges,
                                 const FolioOutcome *outcomes, gint64 now, GError **error);

/* What was seen of blocks, see folio_ledger_looked. TRUE if that changes anything; with change
 * FALSE nothing is changed. */
gboolean folio_ledger_record_look(FolioLedgerRecord *record, const FolioGuestRam *ram,
                                  const FolioLedgerSight *sights, guint n_sights, gboolean change);

/* FolioBlockRange of the blocks that are, or may be, split; by address. */
GArray *folio_ledger_record_get_split(const FolioLedgerRecord *record, const FolioGuestRam *ram);

/* The first block of that RAM block that was seen to be split, is under no action, and does not
 * lie below address from; FALSE when there is none. */
gboolean folio_ledger_record_find_split(const FolioLedgerRecord *record, const FolioRamBlock *block,
                                        guint64 from, guint64 *address, guint *order);

/* Forgets RAM blocks that the guest has no more. TRUE if there were any; with change FALSE only
 * looks. */
gboolean folio_ledger_record_prune(FolioLedgerRecord *record, const FolioGuestRam *ram,
                                   gboolean change);

/* Blocks that are, or may be, split. */
guint64 folio_ledger_record_count(const FolioLedgerRecord *record);
