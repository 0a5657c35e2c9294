/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs: actions on guests that somebody asked for. A guest has one at a time; a job goes on when
 * whoever asked for it has left the bus. What foliod does to the guest of its own accord ends for
 * it first, at its next chunk; the job is RUNNING meanwhile, and has done nothing. */
#pragma once

#include "act/actuator.h"
#include "turns.h"

typedef enum {
    FOLIO_JOB_RUNNING,
    FOLIO_JOB_DONE,
    FOLIO_JOB_CANCELLED, /* what was done until then stays done */
    FOLIO_JOB_FAILED,    /* likewise; see the error */
} FolioJobState;

/* "running", "done", "cancelled", "failed". */
const char *folio_job_state_token(FolioJobState state);

/* A job as it is told of; all borrowed. */
typedef struct {
    guint id;                /* from 1 */
    const char *uuid, *name; /* of the guest */
    const char *by;          /* who wants it, as of FolioActRequest */
    FolioActKind kind;
    guint order;
    FolioJobState state;
    guint64 done, total;   /* blocks of 2 MiB */
    const char *error;     /* "" unless FAILED */
    FolioActReport report; /* what became of the blocks; all 0 while RUNNING */
} FolioJob;

/* So many jobs that have ended are remembered. */
#define FOLIO_JOBS_REMEMBERED 64

/* Jobs since the start. */
typedef struct {
    guint64 started, done, cancelled, failed;
} FolioJobCounters;

/* A job began, has come further, or has ended; the last time, its state is not RUNNING. Progress is
 * told ten times a second at most. */
typedef void (*FolioJobChanged)(const FolioJob *job, gpointer user_data);

typedef struct _FolioJobs FolioJobs;

FolioJobs *folio_jobs_new(FolioTurns *turns, FolioJobChanged changed, gpointer user_data);

/* What became of blocks of a running job is told to settled as well, with the same user_data. */
typedef void (*FolioJobSettled)(const FolioJob *job, const FolioBlockResult *results, guint n,
                                gpointer user_data);
void folio_jobs_set_settled(FolioJobs *jobs, FolioJobSettled settled);

FolioJobs *folio_jobs_ref(FolioJobs *jobs);
void folio_jobs_unref(FolioJobs *jobs);

/* Cancels all; nothing is told any more. Jobs that take long to end keep a reference meanwhile. */
void folio_jobs_stop(FolioJobs *jobs);

/* Begins a job with the guest of the request and returns its number; 0 with an error: BUSY when the
 * guest has one already, else that of the actuator. The job's first change is told before this
 * returns. */
guint folio_jobs_start(FolioJobs *jobs, FolioActuator *actuator, const FolioActRequest *request,
                       GError **error);

/* As folio_jobs_start, but a job that the guest has is cancelled, and the new one begins when that
 * has ended. When it cannot begin, that is logged. */
void folio_jobs_replace(FolioJobs *jobs, FolioActuator *actuator, const FolioActRequest *request);

/* How many are running. */
guint folio_jobs_count(const FolioJobs *jobs);

/* A job that is running, NULL when there is none of that number. */
const FolioJob *folio_jobs_find(FolioJobs *jobs, guint id);

/* That, or one of the last FOLIO_JOBS_REMEMBERED that have ended; valid until the main loop runs
 * again. */
const FolioJob *folio_jobs_recall(FolioJobs *jobs, guint id);

/* Asks a job that is running to end. It ends some time later, CANCELLED or as it would have; at
 * once when it has not begun. */
void folio_jobs_cancel(FolioJobs *jobs, guint id);

void folio_jobs_cancel_all(FolioJobs *jobs);

/* The guest does not run any more: its job is cancelled, and told of as FAILED at once. */
void folio_jobs_drop_guest(FolioJobs *jobs, const char *uuid);

FolioJobCounters folio_jobs_get_counters(const FolioJobs *jobs);
