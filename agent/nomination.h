/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of a guest whose accesses nobody samples: which of its RAM huge pages map, and so
 * could be worth splitting if somebody knew how it is used. It is no verdict, and never becomes
 * one. */
#pragma once

#include "memory/guest-ram.h"

typedef struct {
    gboolean known; /* FALSE: not looked for, or it failed */
    guint ranges;   /* of huge mappings in a row */
    guint64 bytes;  /* that they map */
} FolioNomination;

/* Asks the smaps source about the RAM blocks that can be served. Blocking, as measuring is. */
void folio_nomination_take(FolioNomination *nomination, const FolioGuestRam *ram,
                           const FolioProcess *process);
