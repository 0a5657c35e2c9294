/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One operation that Arm SPE sampled, as plain data. Bits and indices: Arm Architecture Reference
 * Manual for A-profile (DDI 0487), chapter "Statistical Profiling Extension Sample Record
 * Specification". */
#pragma once

#include <glib.h>

/* What a record may hold; each is at most once in it. */
typedef enum {
    FOLIO_SPE_PC,
    FOLIO_SPE_TARGET,
    FOLIO_SPE_PREVIOUS_TARGET,
    FOLIO_SPE_VA,
    FOLIO_SPE_PA,
    FOLIO_SPE_TIMESTAMP,
    FOLIO_SPE_EVENTS,
    FOLIO_SPE_TOTAL_LATENCY,
    FOLIO_SPE_ISSUE_LATENCY,
    FOLIO_SPE_TRANSLATION_LATENCY,
    FOLIO_SPE_CONTEXT_EL1,
    FOLIO_SPE_CONTEXT_EL2,
    FOLIO_SPE_OPERATION,
    FOLIO_SPE_DATA_SOURCE,
    FOLIO_SPE_RESERVED, /* whose index the architecture has not given out: never present */
    FOLIO_SPE_FIELDS
} FolioSpeField;

typedef enum {
    FOLIO_SPE_CLASS_OTHER = 0,
    FOLIO_SPE_CLASS_LOAD_STORE = 1,
    FOLIO_SPE_CLASS_BRANCH = 2,
    FOLIO_SPE_CLASS_RESERVED = 3,
} FolioSpeClass;

typedef enum {
    FOLIO_SPE_EVENT_EXCEPTION = 1 << 0,
    FOLIO_SPE_EVENT_RETIRED = 1 << 1,
    FOLIO_SPE_EVENT_L1D_ACCESS = 1 << 2,
    FOLIO_SPE_EVENT_L1D_REFILL = 1 << 3,
    FOLIO_SPE_EVENT_TLB_ACCESS = 1 << 4,
    FOLIO_SPE_EVENT_TLB_WALK = 1 << 5,
    FOLIO_SPE_EVENT_NOT_TAKEN = 1 << 6,
    FOLIO_SPE_EVENT_MISPREDICTED = 1 << 7,
    FOLIO_SPE_EVENT_LLC_ACCESS = 1 << 8,
    FOLIO_SPE_EVENT_LLC_MISS = 1 << 9,
    FOLIO_SPE_EVENT_REMOTE_ACCESS = 1 << 10,
    FOLIO_SPE_EVENT_MISALIGNED = 1 << 11,
    FOLIO_SPE_EVENT_PARTIAL_PREDICATE = 1 << 17,
    FOLIO_SPE_EVENT_EMPTY_PREDICATE = 1 << 18,
} FolioSpeEvent;

/* A field that the record does not hold is 0. All are 64 bits wide, so that the decoder can store
 * any of them without a branch: most of its time would go into mispredicted ones. */
typedef struct {
    union {
        struct {
            guint64 pc;              /* bytes; the kernel's half has its top byte filled */
            guint64 target;          /* of the branch, as pc */
            guint64 previous_target; /* of the branch taken before this operation, as pc */
            guint64 va;              /* bytes, without the tag; the kernel's half as pc */
            guint64 pa;              /* bytes, 56 bits; the final address, after both stages */
            guint64 timestamp;       /* ticks of the generic timer */
            guint64 events;          /* FolioSpeEvent; the other bits are implementation defined */
            guint64 total_latency;   /* cycles from dispatch to completion */
            guint64 issue_latency;   /* cycles from dispatch to issue */
            guint64 translation_latency; /* cycles for the translation of va */
            guint64 context_el1;         /* CONTEXTIDR_EL1 */
            guint64 context_el2;         /* CONTEXTIDR_EL2 */
            guint64 operation;           /* the 8 bits that refine the class */
            guint64 data_source;         /* implementation defined */
            guint64 reserved;            /* 0 */
        };
        guint64 field[FOLIO_SPE_FIELDS]; /* the same by FolioSpeField */
    };
    guint32 present;        /* 1 << FolioSpeField for each field that the record holds */
    guint8 operation_class; /* FolioSpeClass; means nothing without FOLIO_SPE_OPERATION */
    guint8 pc_el;           /* exception level of the operation; needs FOLIO_SPE_PC */
    guint8 pc_ns;           /* 1: Non-secure state */
} FolioSpeRecord;

static inline gboolean
folio_spe_record_has(const FolioSpeRecord *record, FolioSpeField field)
{
    return (record->present >> field & 1) != 0;
}

/* Loads, stores, atomics, and what else goes to memory; FALSE when the record does not say. */
static inline gboolean
folio_spe_record_is_access(const FolioSpeRecord *record)
{
    return folio_spe_record_has(record, FOLIO_SPE_OPERATION) &&
           record->operation_class == FOLIO_SPE_CLASS_LOAD_STORE;
}

static inline gboolean
folio_spe_record_is_store(const FolioSpeRecord *record)
{
    return folio_spe_record_is_access(record) && (record->operation & 1) != 0;
}
