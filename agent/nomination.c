/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The ranges that the smaps source nominates, added up. */
#include "nomination.h"

#include "sample/smaps-source.h"

static void
add_up(FolioNomination *nomination, const FolioGuestRam *ram, const GArray *ranges)
{
    for (guint i = 0; i < ranges->len; i++) {
        const FolioHugeRange *range = &g_array_index(ranges, FolioHugeRange, i);
        const FolioRamBlock *block = g_ptr_array_index(ram->blocks, range->ram_block);

        if (block->reason != FOLIO_REASON_NONE)
            continue;
        nomination->ranges++;
        nomination->bytes += range->huge;
    }
}

void
folio_nomination_take(FolioNomination *nomination, const FolioGuestRam *ram,
                      const FolioProcess *process)
{
    FolioSource *source = folio_smaps_source_new();
    FolioSourceSession *session = source->klass->open(source, process, NULL);
    g_autoptr(GArray) ranges = g_array_new(FALSE, FALSE, sizeof(FolioHugeRange));

    *nomination = (FolioNomination){ 0 };
    if (session != NULL) {
        nomination->known = source->klass->nominate(session, ram, ranges, NULL);
        source->klass->close(session);
    }
    if (nomination->known)
        add_up(nomination, ram, ranges);
    source->klass->free(source);
}
