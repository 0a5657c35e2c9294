/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU's plugin counts besides the SPE unit, in the memory of unit.h, where that leaves room;
 * no driver has to do with it. Counters begin at 0 when the emulated host is switched on, and only
 * grow. */
#pragma once

#include "unit.h"

/* Of a meter_cpu, from the CPU's unit_cpu; and of the meter_control, from the beginning. */
#define METER_AT 2048

struct meter_cpu {                   /* the plugin's */
    unit_u64 instructions;           /* of each block of translated code that was begun, all */
    unit_u64 accesses[UNIT_CLASSES]; /* of RAM */
    /* By the model of the TLB (tlb.h), of accesses by guests while it was on. */
    unit_u64 lookups;
    unit_u64 l1_misses; /* of lookups, not in the first level */
    unit_u64 walks;     /* of these, not in the second either */
};

#define METER_HUGE_SHIFT 21
#define METER_HUGE_WORDS 240 /* enough for 30 GiB */

struct meter_control { /* written inside */
    unit_u32 tlb;      /* 0: off; else on, and with each new value the TLBs are empty at first */
    unit_u32 reserved;
    /* A bit for each 2 MiB of the emulated host's RAM, from its base: 1 where a guest is mapped by
     * one entry of 2 MiB. */
    unit_u64 huge[METER_HUGE_WORDS];
};

_Static_assert(sizeof(struct meter_control) <= UNIT_CPUS_AT - METER_AT, "no room");
_Static_assert(sizeof(struct unit_header) <= METER_AT, "no room");
_Static_assert(sizeof(struct unit_cpu) <= METER_AT, "no room");
