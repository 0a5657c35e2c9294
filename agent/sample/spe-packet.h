/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets of Arm SPE records, and the reader that settles every case. Internal to spe-decoder,
 * which has quicker readers for the common ones. */
#pragma once

#include "sample/spe-record.h"

#include <string.h>

#define FOLIO_SPE_HEADER_PADDING   0x00
#define FOLIO_SPE_HEADER_END       0x01
#define FOLIO_SPE_HEADER_TIMESTAMP 0x71
/* No padding begins with this byte or a higher one. */
#define FOLIO_SPE_PADDING_BELOW 0x30

#define FOLIO_SPE_PRESENT(field) (1u << (field))
/* The class of an operation is kept above the presence bits until the record is finished. */
#define FOLIO_SPE_CLASS_SHIFT 16
#define FOLIO_SPE_FIELD_BITS  (FOLIO_SPE_PRESENT(FOLIO_SPE_CLASS_SHIFT) - 1)

typedef enum {
    FOLIO_SPE_KIND_UNKNOWN,
    FOLIO_SPE_KIND_PADDING,
    FOLIO_SPE_KIND_END,
    FOLIO_SPE_KIND_TIMESTAMP,
    FOLIO_SPE_KIND_EXTENDED,
    FOLIO_SPE_KIND_FIELD, /* the rest: a value for one field */
} FolioSpeHeaderKind;

typedef struct {
    guint64 mask; /* of the payload */
    guint32 bits; /* of the field in present, with the operation's class */
    guint8 kind;  /* FolioSpeHeaderKind */
    guint8 field; /* FolioSpeField */
    guint8 size;  /* of the payload, in bytes; for a field, 1 << bits 5..4 of the header */
} FolioSpeHeader;

/* By header byte. */
extern const FolioSpeHeader folio_spe_headers[256];

typedef struct {
    const guint8 *data;
    gsize size;
    guint64 position; /* of data[0] in the AUX area, in bytes */
} FolioSpeInput;

typedef enum {
    FOLIO_SPE_OUTCOME_WHOLE,
    FOLIO_SPE_OUTCOME_CUT, /* the input ends within the record */
    FOLIO_SPE_OUTCOME_BROKEN,
} FolioSpeOutcome;

/* Where the padding that may be at offset at ends. */
gsize folio_spe_skip_padding(const FolioSpeInput *input, gsize at);

/* Reads the record at offset start; *end, set for a whole one only, is behind it. The record may
 * hold anything unless it is whole. */
FolioSpeOutcome folio_spe_read_carefully(const FolioSpeInput *input, gsize start,
                                         FolioSpeRecord *record, gsize *end);

static inline guint64
folio_spe_load64(const guint8 *at)
{
    guint64 value;

    memcpy(&value, at, sizeof(value));
    return GUINT64_FROM_LE(value);
}

/* The address, its top byte filled where it is in the kernel's half; without a branch, since guests
 * switch between the halves all the time. */
static inline guint64
folio_spe_canonical(guint64 payload, gboolean kernel)
{
    return (payload & G_GUINT64_CONSTANT(0x00ffffffffffffff)) |
           (-(guint64) kernel & G_GUINT64_CONSTANT(0xff00000000000000));
}

/* Exception levels 1 and 2 in Non-secure state run in the kernel's half (as perf has it). */
static inline guint64
folio_spe_instruction_address(guint64 payload)
{
    return folio_spe_canonical(payload, (payload >> 61) - (4 | 1) <= 1);
}

/* The top byte is a tag. Kernel addresses have bits 55 to 52 set whatever the size of the virtual
 * address space (Documentation/arch/arm64/memory.rst). */
static inline guint64
folio_spe_data_address(guint64 payload)
{
    return folio_spe_canonical(payload, (payload >> 52 & 0xf) == 0xf);
}

/* Turns raw payloads into what a record holds. */
static inline void
folio_spe_finish_record(FolioSpeRecord *record, guint32 present)
{
    record->present = present & FOLIO_SPE_FIELD_BITS;
    record->operation_class = present >> FOLIO_SPE_CLASS_SHIFT & 3;
    record->pc_el = record->pc >> 61 & 3;
    record->pc_ns = record->pc >> 63 & 1;
    record->pc = folio_spe_instruction_address(record->pc);
    record->target = folio_spe_instruction_address(record->target);
    record->previous_target = folio_spe_instruction_address(record->previous_target);
    record->va = folio_spe_data_address(record->va);
    record->pa &= G_GUINT64_CONSTANT(0x00ffffffffffffff);
    record->reserved = 0;
}
