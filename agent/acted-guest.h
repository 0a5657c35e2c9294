/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What has been done to one guest, and how khugepaged stands to it: looked at again and again, in
 * tasks. */
#pragma once

#include "act/khugepaged.h"
#include "act/way.h"
#include "guest.h"

/* Of the host; borrowed, outlives all acted guests and their tasks. */
typedef struct {
    char *proc_root;
    FolioLedger *ledger;
    FolioKhugepagedControl *khugepaged;
    FolioWay *damon; /* what renews the hold of a file */
    guint looks;     /* tasks under way */
    guint64 n_split; /* blocks of all guests, some seconds ago */
} FolioActedHost;

typedef struct _FolioActedGuest FolioActedGuest;

/* guest is borrowed until folio_acted_guest_free. looked is called after each look, unless the
 * guest has been freed. */
FolioActedGuest *folio_acted_guest_new(FolioActedHost *host, FolioGuest *guest,
                                       void (*looked)(FolioGuest *guest, gpointer user_data),
                                       gpointer user_data);

FolioGuest *folio_acted_guest_get(const FolioActedGuest *acted);

/* A look that is under way is not waited for. */
void folio_acted_guest_free(FolioActedGuest *acted);

/* Follows the process that the guest has now, and looks, unless it does already: is what was split
 * split still; is khugepaged kept away. may_inject: as of FolioActRequest. */
void folio_acted_guest_look(FolioActedGuest *acted, gboolean may_inject);

/* Is the process another than at the last look? */
gboolean folio_acted_guest_is_outdated(const FolioActedGuest *acted);

/* Zero while its record is not known. */
FolioLedgerCounters folio_acted_guest_count(const FolioActedGuest *acted);

/* What the ledger has of its process, borrowed; NULL while that is not known: when there is none,
 * or whoever has the ledger is at its files, until the first look at the process has ended. */
FolioLedgerGuest *folio_acted_guest_get_record(const FolioActedGuest *acted);

/* As of the last look; FREE before. */
FolioKeeper folio_acted_guest_get_keeper(const FolioActedGuest *acted);

/* Is khugepaged kept away, or would it be for a split? TRUE before the first look. */
gboolean folio_acted_guest_is_keepable(const FolioActedGuest *acted);
