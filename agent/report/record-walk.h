/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Along the SPE records of a perf.data file: as they lie in it, or by time across its AUX areas.
 * Pure; what it keeps depends on the number of buffers, not on that of records. */
#pragma once

#include "sample/perf-file.h"
#include "sample/spe-decoder.h"

typedef struct {
    const FolioPerfBuffer *buffer;
    const FolioSpeRecord *records;
    gsize n;
} FolioRecordRun;

/* Takes records that follow each other in one buffer. */
typedef void (*FolioRecordFunc)(const FolioRecordRun *run, gpointer user_data);

typedef struct {
    const FolioPerfFile *file;
    /* NULL, or called whenever some MiB of the file were read and need not stay in memory. */
    void (*relief)(gpointer user_data);
    gpointer relief_data;

    guint64 bytes;   /* of the traces */
    guint64 garbage; /* bytes that belong to no record, see spe-decoder.h */
    guint64 resyncs;
    guint64 cut; /* bytes at the ends of buffers that break off within a record */

    guint64 unrelieved; /* private */
} FolioRecordWalk;

/* Every record, in the file's order. Sets bytes, garbage, resyncs and cut. */
void folio_record_walk_all(FolioRecordWalk *walk, FolioRecordFunc func, gpointer user_data);

/* Nanoseconds of perf's clock where the file tells how to get them, ticks otherwise. */
static inline guint64
folio_record_time(const FolioPerfFile *file, const FolioSpeRecord *record)
{
    return file->clock.known ? folio_perf_clock_time(&file->clock, record->timestamp)
                             : record->timestamp;
}

/* The same records across all AUX areas at once, by time. */
typedef struct _FolioTimeWalk FolioTimeWalk;

/* by_time FALSE: the records have no times; the n-th of an area's N records counts as of time
 * n * FOLIO_UNTIMED_SPAN / N. walk must outlive it. */
#define FOLIO_UNTIMED_SPAN G_GUINT64_CONSTANT(1000000)

FolioTimeWalk *folio_time_walk_new(FolioRecordWalk *walk, gboolean by_time);

void folio_time_walk_free(FolioTimeWalk *time_walk);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioTimeWalk, folio_time_walk_free)

/* The records of times before end that have not been given yet, area by area; G_MAXUINT64 gives all
 * that are left. A record that is late among those of its area comes with those it lies between,
 * and so does one without a timestamp. */
void folio_time_walk_until(FolioTimeWalk *time_walk, guint64 end, FolioRecordFunc func,
                           gpointer user_data);
