/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reader of perf.data files with Arm SPE in them (perf record -e arm_spe//). Pure: bytes in, a
 * description with pointers into them out. The format: Linux, tools/perf/Documentation/
 * perf.data-file-format.txt, and tools/perf/util/arm-spe.h for AUXTRACE_INFO.
 *
 * Files are not trusted: every size is held against the bytes that are there. A file that breaks
 * off, or breaks, yields what was whole before and says so in damage. */
#pragma once

#include <glib.h>

/* A piece of one AUX area, as perf drained it. */
typedef struct {
    gint32 cpu;         /* -1: of one thread, on whichever CPU */
    gint32 tid;         /* -1: of one CPU, whichever thread */
    guint64 position;   /* of data[0] in the AUX area, for FolioSpeDecoder */
    const guint8 *data; /* of the file's bytes */
    gsize size;         /* bytes that the file has of it */
} FolioPerfBuffer;

/* From the generic timer's ticks, which SPE timestamps count, to perf's clock. */
typedef struct {
    gboolean known; /* the file has TIME_CONV */
    guint64 shift, mult, zero;
    gboolean is_short; /* the counter has fewer than 64 bits: cycles and mask hold */
    guint64 cycles, mask;
} FolioPerfClock;

typedef struct {
    GArray *buffers; /* FolioPerfBuffer, in the file's order; those of one area by position */
    GError *damage;  /* NULL when the file is whole */

    guint info_version; /* of AUXTRACE_INFO: 1, or 2 (perf 6.13 and later) */
    guint64 pmu_type;
    guint64 described_cpus; /* CPUs that AUXTRACE_INFO describes; version 1 describes none */
    guint64 midr;           /* of the first of them; 0: unknown */
    guint64 min_interval;   /* the greatest of theirs, in operations; 0: unknown */
    guint64 period;         /* of the event, in operations; 0: unknown */
    gboolean excludes_guests;
    FolioPerfClock clock;

    /* What the kernel says that it lost: AUX events, and those with each flag. */
    guint64 aux_events, truncated, partial, collisions;
    guint64 lost;       /* events that did not fit into the base ring */
    guint64 compressed; /* events that are compressed (perf record -z): not counted above */

    GBytes *bytes;
    char *name;
    GHashTable *pids; /* private */
} FolioPerfFile;

/* Takes a reference to bytes; name is for messages. Fails with FOLIO_ERROR_UNSUPPORTED for a pipe's
 * stream, big-endian and version 1 files, traces other than Arm SPE; with FOLIO_ERROR_INVALID when
 * it is no perf.data file, or breaks before anything of use; with FOLIO_ERROR_NOT_FOUND when it has
 * no AUX trace. */
FolioPerfFile *folio_perf_file_parse(GBytes *bytes, const char *name, GError **error);

void folio_perf_file_free(FolioPerfFile *file);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioPerfFile, folio_perf_file_free)

/* The process of a thread that was traced, or -1 when the file does not tell. */
gint32 folio_perf_file_pid(const FolioPerfFile *file, gint32 tid);

/* Nanoseconds of perf's clock; the clock must be known. */
guint64 folio_perf_clock_time(const FolioPerfClock *clock, guint64 ticks);
