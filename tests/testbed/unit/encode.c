/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "encode.h"

#include <string.h>

/* Arm Architecture Reference Manual (DDI 0487), "Statistical Profiling Extension Sample Record
 * Specification". */
enum {
    PACKET_END = 0x01,
    PACKET_OPERATION_LOAD_STORE = 0x49,
    PACKET_EVENTS = 0x52, /* 2 bytes */
    PACKET_CONTEXT_EL1 = 0x64,
    PACKET_CONTEXT_EL2 = 0x65,
    PACKET_TIMESTAMP = 0x71,
    PACKET_TOTAL_LATENCY = 0x98,
    PACKET_ISSUE_LATENCY = 0x99,
    PACKET_TRANSLATION_LATENCY = 0x9a,
    PACKET_PC = 0xb0,
    PACKET_VA = 0xb2,
    PACKET_PA = 0xb3,
};

enum { OPERATION_STORE = 0x01, OPERATION_ATOMIC = 0x06 };

#define ADDRESS_BITS 56
#define NON_SECURE   (UINT64_C(1) << 63)

struct writer {
    uint8_t *out;
    size_t size;
};

/* The payload's size is in bits 5 and 4 of the header. */
static void
put(struct writer *writer, uint8_t header, uint64_t payload)
{
    size_t bytes = (size_t) 1 << (header >> 4 & 3);

    writer->out[writer->size] = header;
    /* Little-endian, as the machine that emulates must be. */
    memcpy(writer->out + writer->size + 1, &payload, bytes);
    writer->size += 1 + bytes;
}

static uint64_t
address(uint64_t value)
{
    return value & ((UINT64_C(1) << ADDRESS_BITS) - 1);
}

static uint8_t
operation(const struct record *record)
{
    if (record->load && record->store)
        return OPERATION_ATOMIC | OPERATION_STORE;
    return record->store ? OPERATION_STORE : 0;
}

/* Padding, so that what ends the record ends it on a boundary of 4 bytes. */
static void
finish(struct writer *writer, const struct record *record)
{
    size_t last = record->has_time ? 1 + sizeof record->time : 1;

    while ((writer->size + last) % 4 != 0)
        writer->out[writer->size++] = 0;
    if (record->has_time)
        put(writer, PACKET_TIMESTAMP, record->time);
    else
        writer->out[writer->size++] = PACKET_END;
}

size_t
encode_record(uint8_t out[ENCODE_MAX], const struct record *record)
{
    struct writer writer = { .out = out };

    put(&writer, PACKET_PC, address(record->pc) | (uint64_t) record->level << 61 | NON_SECURE);
    if (record->has_guest_context)
        put(&writer, PACKET_CONTEXT_EL1, 0);
    if (record->has_context)
        put(&writer, PACKET_CONTEXT_EL2, record->context);
    put(&writer, PACKET_ISSUE_LATENCY, record->flight.issue);
    put(&writer, PACKET_TOTAL_LATENCY, record->flight.total);
    put(&writer, PACKET_EVENTS, record->flight.events);
    put(&writer, PACKET_OPERATION_LOAD_STORE, operation(record));
    put(&writer, PACKET_VA, record->va);
    put(&writer, PACKET_TRANSLATION_LATENCY, record->flight.translation);
    if (record->has_pa)
        put(&writer, PACKET_PA, address(record->pa) | NON_SECURE);
    finish(&writer, record);
    return writer.size;
}
