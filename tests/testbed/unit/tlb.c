/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tlb.h"

#include <string.h>

#define SMALL_SHIFT 12
#define HUGE_SHIFT  21

/* Puts the entry first. Returns whether it was there; if not, the last one made room. */
static bool
use(uint64_t *set, unsigned ways, uint64_t entry)
{
    unsigned at = 0;
    bool found;

    while (at < ways - 1 && set[at] != entry)
        at++;
    found = set[at] == entry;
    memmove(set + 1, set, at * sizeof *set);
    set[0] = entry;
    return found;
}

enum tlb_result
tlb_access(struct tlb *tlb, uint64_t pa, bool huge)
{
    uint64_t page = pa >> (huge ? HUGE_SHIFT : SMALL_SHIFT);
    uint64_t entry = page << 2 | (uint64_t) huge << 1 | 1; /* never 0 */

    if (use(tlb->l1, TLB_L1, entry))
        return TLB_IN_L1;
    return use(tlb->l2[page % TLB_L2_SETS], TLB_L2_WAYS, entry) ? TLB_IN_L2 : TLB_WALK;
}
