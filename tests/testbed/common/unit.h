/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The emulated SPE unit (unit/unit.h), from inside: its counts are what truly happened to memory,
 * and any program here may read them. A CPU's words may be written on that CPU only, and belong to
 * the PMU driver while an event is active there. All of this fails the running test when there is
 * no unit: contrib/testbed run --spe has one. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "unit/unit.h"

/* Maps the unit; to be called before all else here, once or more often. */
void unit_open(void);

const struct unit_header *unit_header(void);
struct unit_cpu *unit_cpu(unsigned cpu);

/* Accesses by all CPUs to the page at a physical address, since the host was switched on. */
uint64_t unit_count(uint64_t pa, enum unit_class class);
uint64_t unit_count_page(uint64_t pa); /* of all classes */

/* Ends a window of the truth (unit/truth-file.h), which is in its file when this returns. */
void unit_cut(void);

/* Takes up to size bytes out of the ring of a CPU, on which the caller must run. They end with a
 * whole record when size has room for all. Returns the number of bytes. */
size_t unit_take(unsigned cpu, uint8_t *to, size_t size);
