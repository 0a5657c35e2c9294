/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The oracle: what stands at the page frames that were recorded before a run. A split keeps its
 * frames and a collapse changes them, whatever the page tables say afterwards: a split of tmpfs
 * memory leaves it unmapped, which pagemap alone cannot tell from memory that is gone. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "mapping.h"

enum {
    FRAMES_MIXED = -1, /* folios of more than one order */
    FRAMES_GONE = -2,  /* a frame is free, or no memory of a process or file */
};

/* Reads the frame of each page of the mapping into map->frame. Faults nothing in. */
void frames_record(struct mapping *map);

/* Order of the folios at the recorded frames of a block, 0..PMD_ORDER, when all have one; or
 * FRAMES_*. */
int frames_order(const struct mapping *map, size_t block);
/* The same of any BLOCK_PAGES frames; one that is 0 is gone. */
int frames_order_of(const uint64_t *frames);
/* Order of the folio at the recorded frame of one page of the mapping, or FRAMES_GONE. */
int frames_order_at(const struct mapping *map, size_t page);
/* Reads each page of the block (and so faults it in), then counts those that are no longer at their
 * recorded frame: 0 after a split, BLOCK_PAGES after a collapse. */
size_t frames_moved(const struct mapping *map, size_t block);
/* Blocks of [first, last) that are not one PMD-sized folio at their recorded frames. */
size_t frames_not_whole(const struct mapping *map, size_t first, size_t last);
/* Order of the folio that is mapped at addr now (faulted in by reading), or FRAMES_GONE. */
int folio_order_now(const void *addr);

/* /proc/kpageflags of one frame, and the frame at an address (0: not present), for other uses. */
uint64_t frame_flags(uint64_t frame);
uint64_t frame_of(const void *addr);
/* The frames at the pages from an address on, in any process; 0 for those not present. */
void frames_of_process(pid_t pid, uintptr_t addr, size_t pages, uint64_t *frames);
