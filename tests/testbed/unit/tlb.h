/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A model of one CPU's TLB for data, to tell how far it reaches with huge and with small pages.
 * Pure.
 *
 *   first level    48 entries, fully associative
 *   second level   2048 entries, 8 ways, by the low bits of the page's number
 *
 * Both replace the entry that was used longest ago, and a walk fills both. An entry is of 4 KiB or
 * of 2 MiB, as the host's stage 2 maps the address: the guest is taken to map the same way itself.
 * Entries are by physical address: one page at two addresses in a guest is one entry. There is no
 * invalidation, and instructions are not fetched through it. The sizes are those that are known of
 * a Kunpeng 920's second level and usual for a first; nothing here says what a processor does. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TLB_L1      48
#define TLB_L2_SETS 256
#define TLB_L2_WAYS 8

struct tlb { /* all zero: empty. Entries of a set by when they were used, the latest first */
    uint64_t l1[TLB_L1];
    uint64_t l2[TLB_L2_SETS][TLB_L2_WAYS];
};

enum tlb_result { TLB_IN_L1, TLB_IN_L2, TLB_WALK };

/* One access to a physical address in a page of 2 MiB or of 4 KiB. */
enum tlb_result tlb_access(struct tlb *tlb, uint64_t pa, bool huge);
