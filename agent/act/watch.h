/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of split blocks later: who made them huge again, and keeping khugepaged from it by
 * renewing the hold of their files. All of it blocks: for threads of tasks. */
#pragma once

#include "act/ledger.h"
#include "act/way.h"

/* Looks at the blocks that the ledger says are, or may be, split, and tells it of each of which a
 * page is mapped: whether it is of a folio of 2 MiB, mapped by a PMD or not, or of a smaller one.
 * *recollapsed is how many were counted as made huge again by others. Of more than max_blocks the
 * next call looks at the rest. May be called while actions are under way: what they touch meanwhile
 * is left for another look. proc_root has kpageflags. NOT_FOUND: the process has ended;
 * NOT_PERMITTED: frames are hidden. After an error what was told stays told. Some 8 us a block
 * where the kernel has PAGEMAP_SCAN; else 35. */
gboolean folio_watch_look(const FolioProcess *process, const FolioGuestRam *ram,
                          FolioLedgerGuest *guest, const char *proc_root, guint max_blocks,
                          guint64 *recollapsed, GError **error);

/* Renews the hold that keeps khugepaged from the guest's files, when less than half of hold_msec
 * (folio_khugepaged_hold_msec; 0: nothing to do) is left of it. *renewed_usec is when it was last
 * renewed, by g_get_monotonic_time, 0 for never, and is set.
 *
 * In each RAM block one block that is split is split once more, to the order that it has: the
 * kernel starts the hold anew with every split that DAMON tries (split_backoff_millisecs in
 * Documentation/admin-guide/mm/transhuge.rst of the patched kernel). damon is the way of that
 * name. The first error is given after all RAM blocks were tried, and then *renewed_usec stays. */
gboolean folio_watch_renew(FolioWay *damon, FolioProcess *process, const FolioGuestRam *ram,
                           FolioLedgerGuest *guest, const char *proc_root, guint hold_msec,
                           gint64 *renewed_usec, GCancellable *cancellable, GError **error);
