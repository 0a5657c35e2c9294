/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the blocks of a guest are in memory now. */
#pragma once

#include "act/ledger.h"
#include "policy/plan.h"

/* FolioBlockState of each of its blocks, by number (memory/block-ranges.h), to be freed. Huge is
 * what a PMD maps; small is any other block of which some page is mapped, and split what of these
 * foliod has split by the record (NULL: nothing). Blocks that no huge page can map count as absent.
 * Blocking: 45 us per 256 MiB that PMDs map, much longer in small pages. UNSUPPORTED: the kernel
 * has no PAGEMAP_SCAN (before Linux 6.7); NOT_FOUND: the process has ended. */
guint8 *folio_survey_take(const FolioProcess *process, const FolioGuestRam *ram,
                          FolioLedgerGuest *record, GError **error);
