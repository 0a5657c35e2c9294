/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The records of a perf event's ring. Pure: records in, samples and counts out. Layouts:
 * include/uapi/linux/perf_event.h, enum perf_event_type. */
#pragma once

#include "sample/source.h"

#include <linux/perf_event.h>

/* What folio_perf_sample_read understands: an event must have exactly this sample_type. */
#define FOLIO_PERF_SAMPLE_TYPE \
    (PERF_SAMPLE_ADDR | PERF_SAMPLE_WEIGHT | PERF_SAMPLE_DATA_SRC | PERF_SAMPLE_PHYS_ADDR)

/* Reads a PERF_RECORD_SAMPLE. FALSE when it is too short. pa is 0 when the kernel did not know the
 * physical address. */
gboolean folio_perf_sample_read(const struct perf_event_header *record, FolioSample *sample);

/* Counts what any other record says about loss: LOST, LOST_SAMPLES, THROTTLE, and AUX with its
 * flags. The rest (UNTHROTTLE, ITRACE_START, what a newer kernel may add) says nothing. TRUE when
 * it is an AUX record of a buffer that filled up: the kernel has stopped the event. */
gboolean folio_perf_record_count(const struct perf_event_header *record,
                                 FolioSourceCounters *counters);
