/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fills what meter.h has of one CPU. */
#pragma once

#include "meter.h"
#include "tlb.h"

#include <stdint.h>

struct gauge {
    struct meter_cpu *words;
    const struct meter_control *control;
    uint64_t ram_base;
    uint32_t tlb_was; /* control->tlb, of which the entries are */
    struct tlb tlb;
};

/* An access of RAM at that physical address. */
void gauge_access(struct gauge *gauge, uint64_t pa, enum unit_class class);
