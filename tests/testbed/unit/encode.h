/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes one SPE record in the form that a Kunpeng 920 gives it: its order of packets, padded to
 * 4 bytes, without alignment to 64. Pure. */
#pragma once

#include "model.h"

#include <stddef.h>

#define ENCODE_MAX 64 /* bytes of a record at most */

struct record {
    uint64_t pc, va, pa;
    unsigned level; /* exception level of the PC, 0 to 2 */
    bool load, store;
    struct flight flight;
    bool has_pa, has_context, has_guest_context, has_time;
    uint32_t context; /* CONTEXTIDR_EL2 */
    uint64_t time;    /* ticks of the generic timer */
};

/* Returns the number of bytes, a multiple of 4. */
size_t encode_record(uint8_t out[ENCODE_MAX], const struct record *record);
