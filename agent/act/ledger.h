/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod has set, split and collapsed, and by whose wish, on file in its run directory, which
 * is in memory: enough for the next start to go on, and to give all of it back. What is to be done
 * is written down before it is done. Writing does not wait for any disk; all functions may be
 * called by several threads.
 *
 * DIRECTORY/ledger/host has the knobs of the host; DIRECTORY/ledger/UUID what concerns one guest.
 * Each file has a checksum. One that cannot be understood is set aside as NAME.damaged, with a
 * message in the log, and counts for nothing. What is there of an earlier boot is forgotten. */
#pragma once

#include "act/actuator.h"

typedef struct _FolioLedger FolioLedger;
typedef struct _FolioLedgerGuest FolioLedgerGuest;

/* Reads what is there. Blocking. Always succeeds. */
FolioLedger *folio_ledger_open(const char *directory);
void folio_ledger_free(FolioLedger *ledger);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioLedger, folio_ledger_free)

/* Knobs: files of the host that foliod has written to, by path. */

/* To be called before a knob is set: original is what it holds then, ours what it is to hold. Of a
 * knob that is written down already the first original stays. FALSE: it could not be written down;
 * the knob must be left alone. */
gboolean folio_ledger_take_knob(FolioLedger *ledger, const char *path, const char *original,
                                const char *ours, GError **error);
/* FALSE when it is not written down. Both may be NULL, or are to be freed. */
gboolean folio_ledger_get_knob(FolioLedger *ledger, const char *path, char **original, char **ours);
/* It is as it was before. */
gboolean folio_ledger_drop_knob(FolioLedger *ledger, const char *path, GError **error);

/* Guests */

/* The record of that guest, with a reference. A record of another process is of an earlier run of
 * the guest and is forgotten, with its counters. May wait for files. */
FolioLedgerGuest *folio_ledger_get_guest(FolioLedger *ledger, const char *uuid,
                                         const FolioProcess *process);
/* The same without waiting: NULL when there is no record of that process, or that cannot be told
 * now. */
FolioLedgerGuest *folio_ledger_peek_guest(FolioLedger *ledger, const char *uuid,
                                          const FolioProcess *process);
FolioLedgerGuest *folio_ledger_guest_ref(FolioLedgerGuest *guest);
void folio_ledger_guest_unref(FolioLedgerGuest *guest);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioLedgerGuest, folio_ledger_guest_unref)

/* The guest has ended, and with it what was done to it. */
void folio_ledger_forget_guest(FolioLedger *ledger, const char *uuid);

/* Forgets the guests whose process, by proc_root ("/proc"), is no more: those that ended while
 * foliod was away, of which nobody else will tell. Blocking. */
void folio_ledger_forget_gone(FolioLedger *ledger, const char *proc_root);

/* Is anything split of any guest? */
gboolean folio_ledger_has_split(FolioLedger *ledger);

/* These blocks are about to be split or collapsed. Until folio_ledger_ended says more, each of them
 * counts as one that may be split. FALSE: it could not be written down (BUSY: there is too much in
 * it already); nothing must be done. */
gboolean folio_ledger_begin(FolioLedgerGuest *guest, const FolioActRequest *request,
                            const FolioBlockRange *ranges, guint n_ranges, GError **error);
/* What became of each of these blocks, by address. Moves the counters. An error is logged: what was
 * written before still says that they may be split. */
void folio_ledger_ended(FolioLedgerGuest *guest, const FolioActRequest *request,
                        const FolioBlockRange *ranges, guint n_ranges,
                        const FolioOutcome *outcomes);

/* Blocks of the RAM that foliod has, or may have, split and not made whole again: FolioBlockRange
 * by address, where they are in that RAM now; free with g_array_unref. RAM blocks that have gone,
 * or are of another length, have none and are forgotten: ram is all that the guest has. */
GArray *folio_ledger_get_split(FolioLedgerGuest *guest, const FolioGuestRam *ram);

/* How many actions have begun or ended since the record was opened; for folio_ledger_looked. */
guint64 folio_ledger_get_turn(FolioLedgerGuest *guest);

/* The first block of that RAM block, from that address on, that foliod has seen to be split and
 * has nothing under way with, and the order that it was split to; FALSE when there is none. */
gboolean folio_ledger_find_split(FolioLedgerGuest *guest, const FolioRamBlock *block, guint64 from,
                                 guint64 *address, guint *order);

/* How a block was found by somebody who looked. */
typedef struct {
    guint64 address;
    gboolean huge; /* in one folio of 2 MiB; FALSE: in smaller ones */
} FolioLedgerSight;

/* Somebody looked at blocks, which folio_ledger_get_split named, after it was that turn. Those that
 * were split and are huge again, by none of foliod's doing, count as re-collapsed. What only may
 * have been split is now known to be, or is forgotten, and not counted. Blocks with which something
 * is under way stay as they are. FALSE: actions have begun or ended since then, so that what was
 * seen may be old; it counts for nothing. */
gboolean folio_ledger_looked(FolioLedgerGuest *guest, const FolioGuestRam *ram, guint64 turn,
                             const FolioLedgerSight *sights, guint n_sights, guint64 *recollapsed);

/* Where whoever looks at all blocks has come to, for the next time: an address, 0 at first. It is
 * not written down. */
guint64 folio_ledger_get_looked_until(FolioLedgerGuest *guest);
void folio_ledger_set_looked_until(FolioLedgerGuest *guest, guint64 address);

/* Blocks since the guest's process began; they never go down, and outlive foliod. */
typedef struct {
    guint64 split;       /* DONE of splits */
    guint64 collapsed;   /* DONE of collapses, restore's included */
    guint64 left;        /* LEFT, of either */
    guint64 partly;      /* PARTLY, of either */
    guint64 recollapsed; /* made huge again by others */
    guint64 split_now;   /* are, or may be, split by foliod now: this one does go down */
} FolioLedgerCounters;

FolioLedgerCounters folio_ledger_count(FolioLedgerGuest *guest);

/* How many actions are remembered of a guest. */
#define FOLIO_LEDGER_ACTIONS 64u

/* One action, all parts of it that followed each other. */
typedef struct {
    gint64 first, last; /* when it began, and when it was last heard of: seconds since 1970 */
    FolioActKind kind;
    guint order;
    guint64 blocks; /* that it was begun with */
    guint64 done;   /* that are DONE, as far as is known */
    char *by;       /* as in FolioActRequest */
} FolioLedgerAction;

/* The last actions, the oldest first: FolioLedgerAction, to be freed with g_array_unref. */
GArray *folio_ledger_list_actions(FolioLedgerGuest *guest);

/* The THP setting of the guest's process: what it was before foliod changed it, and what foliod
 * made of it. TRUE in changed when it is written down. */
typedef struct {
    gboolean changed;
    gboolean
        khugepaged_before;   /* THP_khugepaged of /proc/PID/status, 1 when there is no such line */
    gboolean enabled_before; /* THP_enabled */
} FolioLedgerThp;

FolioLedgerThp folio_ledger_get_thp(FolioLedgerGuest *guest);
/* To be called before it is changed, and with changed FALSE when it is as before. */
gboolean folio_ledger_set_thp(FolioLedgerGuest *guest, const FolioLedgerThp *thp, GError **error);
