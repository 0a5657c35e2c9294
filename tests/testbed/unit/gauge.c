/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gauge.h"

#include <string.h>

static bool
is_huge(const struct gauge *gauge, uint64_t pa)
{
    uint64_t block = (pa - gauge->ram_base) >> METER_HUGE_SHIFT;

    return block / 64 < METER_HUGE_WORDS && (gauge->control->huge[block / 64] >> block % 64 & 1);
}

static void
look_up(struct gauge *gauge, uint64_t pa)
{
    enum tlb_result result;

    if (gauge->tlb_was != gauge->control->tlb) {
        gauge->tlb_was = gauge->control->tlb;
        memset(&gauge->tlb, 0, sizeof gauge->tlb);
    }
    result = tlb_access(&gauge->tlb, pa, is_huge(gauge, pa));
    gauge->words->lookups++;
    gauge->words->l1_misses += result != TLB_IN_L1;
    gauge->words->walks += result == TLB_WALK;
}

void
gauge_access(struct gauge *gauge, uint64_t pa, enum unit_class class)
{
    gauge->words->accesses[class]++;
    if (gauge->control->tlb != 0 && (class == UNIT_GUEST_EL0 || class == UNIT_GUEST_EL1))
        look_up(gauge, pa);
}
