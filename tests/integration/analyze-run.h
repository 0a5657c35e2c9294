/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests of folioctl analyze: recordings of chosen accesses, the program's run, and the frames
 * that processes have. Whatever fails here fails the test. */
#pragma once

#include "cmocka-all.h"
#include "common/perf-writer.h"
#include "common/spe-encoder.h"

#include <sys/types.h>

#define FIRST_TICK 5000 /* of a recording */
#define NS_A_TICK  10

typedef struct {
    char *out, *err;
    int status; /* of exit */
} Result;

void result_clear(Result *result);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Result, result_clear)

/* Runs "folioctl analyze FILE WORDS"; it must exit by itself, whatever it says. */
void run_analyze(Result *result, const char *file, ...) G_GNUC_NULL_TERMINATED;

void assert_contains(const char *text, const char *part);

/* A file with a clock and nothing recorded yet. */
PerfWriter *recording_begin(void);

/* Loads on one CPU, 1 us from one to the next. */
typedef struct {
    GByteArray *bytes;
    GRand *random;
    guint64 tick;
} Trace;

void trace_begin(Trace *trace);

/* address is physical. */
void trace_access(Trace *trace, guint64 address);

/* Into the recording. */
void trace_end(Trace *trace, PerfWriter *writer);

/* Closes the recording and writes the file. */
void recording_save(PerfWriter *writer, const char *path);

/* The physical address of the page at an address of a process; it must be present. */
guint64 physical_address(pid_t pid, guint64 address);
