/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a block of a mapping must look like after a run, by the oracle and by its contents. Each of
 * these fails the running test. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "mapping.h"

/* Folios of the order at the recorded frames, which are still the block's. Faults it in. */
void check_split(const struct mapping *map, size_t block, int order);
/* One huge folio on frames that are not the recorded ones, mapped by a PMD. */
void check_collapsed(const struct mapping *map, size_t block);
/* Blocks of [first, last) as they were when their frames were recorded: huge, mapped by a PMD. */
void check_untouched(const struct mapping *map, size_t first, size_t last);

/* One run of an action to an order (0 for a collapse) over [start, end) that must try all of it and
 * apply this many bytes. With a result, the tracepoint must have told it of a part of the range. */
void check_run(const char *action, int order, uintptr_t start, uintptr_t end, size_t applied,
               const char *result);
