/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The knob of the kernel's hold: for how long khugepaged makes no huge page in a file after DAMON's
 * split (split_backoff_millisecs of kernel/patches). It covers other processes that map the file,
 * which a flag of QEMU's does not. All of it blocks; it may be called by several threads. */
#pragma once

#include "act/ledger.h"

typedef struct _FolioKhugepagedHold FolioKhugepagedHold;

/* The ledger is borrowed. */
FolioKhugepagedHold *folio_khugepaged_hold_new(const char *sys_root, FolioLedger *ledger);
void folio_khugepaged_hold_free(FolioKhugepagedHold *hold);

/* Sets it to an hour, unless it is as much or more. TRUE where the kernel has none. On failure it
 * is as before. */
gboolean folio_khugepaged_hold_raise(FolioKhugepagedHold *hold, GError **error);

/* Once no guest has anything split, as it was before foliod raised it; a value that somebody else
 * has set since stays. */
gboolean folio_khugepaged_hold_release(FolioKhugepagedHold *hold, GError **error);

/* What it says now: milliseconds, 0 for none. */
guint folio_khugepaged_hold_read(FolioKhugepagedHold *hold);
