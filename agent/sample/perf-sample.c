/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records of a perf event's ring. */
#include "sample/perf-sample.h"

#include <string.h>

#define AUX_DAMAGE (PERF_AUX_FLAG_TRUNCATED | PERF_AUX_FLAG_PARTIAL | PERF_AUX_FLAG_COLLISION)

/* Behind the header, in words of 8 bytes, in the order that the kernel writes
 * FOLIO_PERF_SAMPLE_TYPE: address, weight, data source, physical address. */
enum {
    SAMPLE_WEIGHT = 1,
    SAMPLE_DATA_SRC,
    SAMPLE_PHYS_ADDR,
    SAMPLE_WORDS,
};

/* Word n behind the header; 0 when the record does not have it. */
static guint64
read_word(const struct perf_event_header *record, guint n)
{
    const gsize at = sizeof(*record) + n * sizeof(guint64);
    guint64 word = 0;

    if (record->size >= at + sizeof(word))
        memcpy(&word, (const guint8 *) record + at, sizeof(word));
    return word;
}

/* Whose code it was: the kernel tells guests apart where the unit can (Intel PEBS, AMD IBS). */
static guint32
flags_of_mode(guint16 misc)
{
    const guint16 mode = misc & PERF_RECORD_MISC_CPUMODE_MASK;

    return mode == PERF_RECORD_MISC_GUEST_KERNEL || mode == PERF_RECORD_MISC_GUEST_USER
               ? FOLIO_SAMPLE_GUEST
               : 0;
}

static guint32
flags_of_source(guint64 word)
{
    const union perf_mem_data_src source = { .val = word };
    guint32 flags = 0;

    if ((source.mem_op & PERF_MEM_OP_STORE) != 0)
        flags |= FOLIO_SAMPLE_STORE;
    if ((source.mem_dtlb & PERF_MEM_TLB_WK) != 0)
        flags |= FOLIO_SAMPLE_TLB_WALK;
    return flags;
}

gboolean
folio_perf_sample_read(const struct perf_event_header *record, FolioSample *sample)
{
    const guint64 weight = read_word(record, SAMPLE_WEIGHT);

    if (record->size < sizeof(*record) + SAMPLE_WORDS * sizeof(guint64))
        return FALSE;
    *sample = (FolioSample){
        .pa = read_word(record, SAMPLE_PHYS_ADDR),
        .flags = flags_of_mode(record->misc) | flags_of_source(read_word(record, SAMPLE_DATA_SRC)),
    };
    if (weight != 0) {
        sample->flags |= FOLIO_SAMPLE_HAS_LATENCY;
        sample->total_latency = (guint16) MIN(weight, G_MAXUINT16);
    }
    return TRUE;
}

gboolean
folio_perf_record_count(const struct perf_event_header *record, FolioSourceCounters *counters)
{
    guint64 flags = 0;

    if (record->type == PERF_RECORD_LOST)
        counters->lost += read_word(record, 1); /* behind the event's number */
    else if (record->type == PERF_RECORD_LOST_SAMPLES)
        counters->lost += read_word(record, 0);
    else if (record->type == PERF_RECORD_THROTTLE)
        counters->throttled++;
    else if (record->type == PERF_RECORD_AUX)
        flags = read_word(record, 2); /* behind offset and size */
    counters->truncated += (flags & PERF_AUX_FLAG_TRUNCATED) != 0;
    counters->partial += (flags & PERF_AUX_FLAG_PARTIAL) != 0;
    counters->collisions += (flags & PERF_AUX_FLAG_COLLISION) != 0;
    /* Lost data is flagged as truncated and partial (arm_spe_pmu_buf_get_fault_act): one loss. */
    counters->damaged += (flags & AUX_DAMAGE) != 0;
    return (flags & PERF_AUX_FLAG_TRUNCATED) != 0;
}
