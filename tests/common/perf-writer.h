/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes perf.data files with Arm SPE in them, as perf record does, for tests and benchmarks. */
#pragma once

#include <glib.h>

#define PERF_WRITER_PMU_TYPE 9

typedef struct _PerfWriter PerfWriter;

/* Writes header, attributes and AUXTRACE_INFO. info_version 2 describes that many CPUs, version 1
 * none. */
PerfWriter *perf_writer_new(guint info_version, guint cpus);

/* Appends an event; size (of body) is a multiple of 8. */
void perf_writer_event(PerfWriter *writer, guint32 type, const void *body, gsize size);

/* Appends an AUXTRACE event and the trace behind it. cpu or tid may be -1. */
void perf_writer_auxtrace(PerfWriter *writer, gint32 cpu, gint32 tid, guint32 queue,
                          guint64 position, const void *data, gsize size);

void perf_writer_aux(PerfWriter *writer, guint64 position, guint64 size, guint64 flags);
void perf_writer_itrace_start(PerfWriter *writer, guint32 pid, guint32 tid);
void perf_writer_time_conv(PerfWriter *writer, guint64 shift, guint64 mult, guint64 zero);

/* Appends the index of AUXTRACE events, sets the sizes, frees the writer, gives the file. */
GBytes *perf_writer_close(PerfWriter *writer);
