/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spe-record.h"

#include <string.h>

#define HEADER_PADDING 0x00
#define HEADER_END     0x01
#define HEADER_TIME    0x71

/* Arm Architecture Reference Manual (DDI 0487), "Statistical Profiling Extension Sample Record
 * Specification"; of operations only loads and stores. */
static int
field_of(uint8_t header)
{
    switch (header) {
    case 0xb0:
        return SPE_PC;
    case 0xb2:
        return SPE_VA;
    case 0xb3:
        return SPE_PA;
    case HEADER_TIME:
        return SPE_TIME;
    case 0x42:
    case 0x52:
    case 0x62:
    case 0x72:
        return SPE_EVENTS;
    case 0x98:
        return SPE_TOTAL;
    case 0x99:
        return SPE_ISSUE;
    case 0x9a:
        return SPE_TRANSLATION;
    case 0x64:
        return SPE_CONTEXT1;
    case 0x65:
        return SPE_CONTEXT2;
    case 0x49:
        return SPE_OPERATION;
    default:
        return -1;
    }
}

/* One packet with a payload. Returns its length, or 0. */
static size_t
read_packet(const uint8_t *data, size_t size, struct spe_record *record)
{
    int field = field_of(data[0]);
    size_t bytes = (size_t) 1 << (data[0] >> 4 & 3);

    if (field < 0 || record->present >> field & 1 || 1 + bytes > size)
        return 0;
    record->present |= 1u << field;
    memcpy(&record->field[field], data + 1, bytes);
    return 1 + bytes;
}

size_t
spe_record_read(const uint8_t *data, size_t size, struct spe_record *record)
{
    size_t at = 0;

    memset(record, 0, sizeof *record);
    while (at < size) {
        uint8_t header = data[at];
        size_t length = header == HEADER_PADDING || header == HEADER_END
                            ? 1
                            : read_packet(data + at, size - at, record);

        if (length == 0)
            return 0;
        at += length;
        if (header == HEADER_END || header == HEADER_TIME)
            return at % 4 == 0 ? at : 0;
    }
    return 0;
}
