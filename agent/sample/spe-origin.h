/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose code an SPE record is of: a guest's or the host's. Pure.
 *
 * On a host whose kernel runs at EL2 (VHE) only a guest's kernel runs at EL1, and CONTEXTIDR_EL1 is
 * collected only while a guest runs: CollectContextIDR1 in the Arm ARM's pseudocode gives FALSE at
 * EL2 and when HCR_EL2.TGE is set, as it is for the host's own programs. A record of EL0 without it
 * may be of either. On a host whose kernel runs at EL1 neither means anything; there guests are not
 * profiled at all. User space is not told which of the two a host is, but records are: there are
 * none of EL2, and none with CONTEXTIDR_EL2, unless the kernel runs there. */
#pragma once

#include "sample/spe-record.h"

/* TRUE: the host's kernel runs at EL2. FALSE: this record does not tell. */
static inline gboolean
folio_spe_record_proves_vhe(const FolioSpeRecord *record)
{
    return folio_spe_record_has(record, FOLIO_SPE_CONTEXT_EL2) ||
           (folio_spe_record_has(record, FOLIO_SPE_PC) && record->pc_el == 2);
}

/* TRUE: certainly a guest's. vhe: some record of this host proved it. */
static inline gboolean
folio_spe_record_is_guest(const FolioSpeRecord *record, gboolean vhe)
{
    return vhe && (folio_spe_record_has(record, FOLIO_SPE_CONTEXT_EL1) ||
                   (folio_spe_record_has(record, FOLIO_SPE_PC) && record->pc_el == 1));
}
