/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads SPE records byte by byte, as strictly as those of the emulated unit can be read: each kind
 * of packet at most once, nothing unknown, a length that is a multiple of 4. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spe_field {
    SPE_PC,
    SPE_VA,
    SPE_PA,
    SPE_TIME,
    SPE_EVENTS,
    SPE_TOTAL,
    SPE_ISSUE,
    SPE_TRANSLATION,
    SPE_CONTEXT1,
    SPE_CONTEXT2,
    SPE_OPERATION,
    SPE_FIELDS
};

struct spe_record {
    unsigned present;           /* 1 << enum spe_field */
    uint64_t field[SPE_FIELDS]; /* payloads as they are */
};

/* Returns the length of the record at data, 0 when there is no whole one or something is wrong with
 * it. */
size_t spe_record_read(const uint8_t *data, size_t size, struct spe_record *record);

#define SPE_NON_SECURE   (UINT64_C(1) << 63)
#define SPE_ADDRESS_MASK ((UINT64_C(1) << 56) - 1)

static inline bool
spe_has(const struct spe_record *record, enum spe_field field)
{
    return (record->present >> field & 1) != 0;
}

static inline unsigned
spe_el(const struct spe_record *record)
{
    return record->field[SPE_PC] >> 61 & 3;
}

static inline uint64_t
spe_pa(const struct spe_record *record)
{
    return record->field[SPE_PA] & SPE_ADDRESS_MASK;
}

static inline bool
spe_is_store(const struct spe_record *record)
{
    return (record->field[SPE_OPERATION] & 1) != 0;
}

/* An atomic operation is a load and a store, and passes the filters of both. */
static inline bool
spe_is_load(const struct spe_record *record)
{
    return !spe_is_store(record) || (record->field[SPE_OPERATION] & 6) == 6;
}

static inline bool
spe_is_guest(const struct spe_record *record)
{
    return spe_has(record, SPE_CONTEXT1);
}
