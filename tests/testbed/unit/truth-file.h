/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file of the truth: how often each page of the emulated host's RAM was accessed, exactly,
 * window by window. Little-endian:
 *
 *   truth_header
 *   for each window: truth_window, then its truth_page, by ascending index
 *
 * A window ends when unit_header.cut changes (unit.h); the last one ends with the emulated host.
 * Each access since the host was switched on is in exactly one window. */
#pragma once

#include "unit.h"

#define TRUTH_MAGIC   0x4854555254464c46ULL /* "FLFTRUTH" */
#define TRUTH_VERSION 1

struct truth_header {
    unit_u64 magic;
    unit_u32 version;
    unit_u32 classes; /* UNIT_CLASSES */
    unit_u64 ram_base, ram_size;
};

struct truth_window {
    unit_u32
        cut; /* the value that ended it; in the last window, that it would have had to change */
    unit_u32 last;  /* 1: the emulated host ended */
    unit_u64 pages; /* that were accessed: as many truth_page follow */
};

struct truth_page {
    unit_u64 index; /* (physical address - ram_base) / 4096 */
    unit_u64 counts[UNIT_CLASSES];
};
