/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an access costs: a model of one CPU's data cache and TLB, so that samples have events and
 * latencies that depend on what the CPU did before. Pure.
 *
 *   data cache    64 KiB of 64-byte lines by physical address, direct-mapped: a hit takes 4 cycles,
 *                 a refill 40
 *   TLB           1024 entries of 4 KiB, direct-mapped: a hit takes 1 cycle, a walk 25 on the host
 *                 and 100 in a guest, whose walk has two stages. An entry is of a virtual page that
 *                 is at this frame; it needs no address space and no invalidation, since another
 *                 address space or mapping has another frame there.
 *   issue         2 cycles
 *
 * An access is dispatched each cycle. Nothing here says anything of real hardware. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define MODEL_LINES   1024
#define MODEL_ENTRIES 1024

struct model {
    uint64_t line[MODEL_LINES];    /* physical address of the line in each place; / 64 */
    uint64_t frame[MODEL_ENTRIES]; /* of the page in each place */
};

/* One access, as the model has it. */
struct flight {
    uint64_t events;                    /* of the events packet */
    unsigned issue, translation, total; /* cycles */
};

/* Bits of what model_access() returns. */
enum { MODEL_REFILL = 1, MODEL_WALK = 2 };

static inline unsigned
model_access(struct model *model, uint64_t va, uint64_t pa)
{
    uint64_t *line = &model->line[(pa >> 6) % MODEL_LINES];
    uint64_t *frame = &model->frame[(va >> 12) % MODEL_ENTRIES];
    unsigned missed = (*line != pa >> 6 ? MODEL_REFILL : 0) | (*frame != pa >> 12 ? MODEL_WALK : 0);

    *line = pa >> 6;
    *frame = pa >> 12;
    return missed;
}

/* missed: of model_access(). */
struct flight model_flight(unsigned missed, bool guest, bool misaligned);
