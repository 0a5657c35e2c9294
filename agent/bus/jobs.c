/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs: actions on guests that somebody asked for. */
#include "bus/jobs.h"

#include "base/error.h"
#include "base/log.h"

#define PROGRESS_USEC (G_USEC_PER_SEC / 10)

struct _FolioJobs {
    FolioTurns *turns;
    FolioJobChanged changed;
    FolioJobSettled settled; /* NULL: nobody wants to know */
    gpointer user_data;
    GHashTable *running; /* uuid -> Job */
    GQueue ended;        /* FolioJob with strings of their own, the last one first */
    guint last_id;
    FolioJobCounters counters;
};

/* What is to be done, once it can be. */
typedef struct {
    FolioActuator *actuator;
    FolioActRequest *request;
} Order;

typedef struct {
    FolioJob job;     /* with strings of its own, but for the error */
    FolioJobs *jobs;  /* a reference */
    FolioActRun *run; /* NULL: it waits for its turn */
    Order *waiting;   /* what it waits to do; NULL: it does not wait */
    gint64 told_usec;
    gboolean cancelled;
    Order *next; /* what is to be done once it has ended; NULL: nothing */
} Job;

const char *
folio_job_state_token(FolioJobState state)
{
    static const char *const tokens[] = { "running", "done", "cancelled", "failed" };

    return tokens[state];
}

FolioJobs *
folio_jobs_new(FolioTurns *turns, FolioJobChanged changed, gpointer user_data)
{
    FolioJobs *jobs = g_rc_box_new0(FolioJobs);

    jobs->turns = folio_turns_ref(turns);
    jobs->changed = changed;
    jobs->user_data = user_data;
    jobs->running = g_hash_table_new(g_str_hash, g_str_equal);
    g_queue_init(&jobs->ended);
    return jobs;
}

void
folio_jobs_set_settled(FolioJobs *jobs, FolioJobSettled settled)
{
    jobs->settled = settled;
}

FolioJobs *
folio_jobs_ref(FolioJobs *jobs)
{
    return g_rc_box_acquire(jobs);
}

static void
clear_strings(FolioJob *job)
{
    g_free((char *) job->uuid);
    g_free((char *) job->name);
    g_free((char *) job->by);
}

static void
free_ended(gpointer data)
{
    FolioJob *job = data;

    clear_strings(job);
    g_free((char *) job->error);
    g_free(job);
}

static void
jobs_clear(gpointer data)
{
    FolioJobs *jobs = data;

    folio_turns_unref(jobs->turns);
    g_hash_table_unref(jobs->running);
    g_queue_clear_full(&jobs->ended, free_ended);
}

void
folio_jobs_unref(FolioJobs *jobs)
{
    g_rc_box_release_full(jobs, jobs_clear);
}

static Order *
order_new(FolioActuator *actuator, const FolioActRequest *request)
{
    Order *order = g_new0(Order, 1);

    order->actuator = actuator;
    order->request = folio_act_request_copy(request);
    return order;
}

static void
order_free(Order *order)
{
    folio_act_request_free(order->request);
    g_free(order);
}

static void
job_free(Job *job)
{
    g_clear_pointer(&job->next, order_free);
    g_clear_pointer(&job->waiting, order_free);
    clear_strings(&job->job);
    folio_jobs_unref(job->jobs);
    g_free(job);
}

static void
tell(Job *job)
{
    job->told_usec = g_get_monotonic_time();
    if (job->jobs->changed != NULL)
        job->jobs->changed(&job->job, job->jobs->user_data);
}

static void
count(FolioJobs *jobs, FolioJobState state)
{
    jobs->counters.started += state == FOLIO_JOB_RUNNING;
    jobs->counters.done += state == FOLIO_JOB_DONE;
    jobs->counters.cancelled += state == FOLIO_JOB_CANCELLED;
    jobs->counters.failed += state == FOLIO_JOB_FAILED;
}

static void
log_job(const FolioJob *job)
{
    const gboolean failed = job->state == FOLIO_JOB_FAILED;
    const char *kind = folio_act_kind_token(job->kind);
    g_autofree char *report = folio_act_report_print(&job->report, kind);

    folio_log(failed ? G_LOG_LEVEL_WARNING : G_LOG_LEVEL_MESSAGE, FOLIO_MESSAGE_JOB, job->name,
              job->uuid, "%s: job %u, %s to order %u for %s: %s%s%s%s%s", job->name, job->id, kind,
              job->order, job->by, folio_job_state_token(job->state), failed ? ": " : "",
              job->error, job->state == FOLIO_JOB_RUNNING ? "" : "; blocks: ",
              job->state == FOLIO_JOB_RUNNING ? "" : report);
}

static void
remember(FolioJobs *jobs, const FolioJob *job)
{
    FolioJob *ended = g_memdup2(job, sizeof *job);

    ended->uuid = g_strdup(job->uuid);
    ended->name = g_strdup(job->name);
    ended->by = g_strdup(job->by);
    ended->error = g_strdup(job->error);
    g_queue_push_head(&jobs->ended, ended);
    if (jobs->ended.length > FOLIO_JOBS_REMEMBERED)
        free_ended(g_queue_pop_tail(&jobs->ended));
}

static void
move_to(Job *job, FolioJobState state, const char *error)
{
    job->job.state = state;
    job->job.error = error;
    count(job->jobs, state);
    log_job(&job->job);
    if (state != FOLIO_JOB_RUNNING)
        remember(job->jobs, &job->job);
    tell(job);
    job->job.error = ""; /* the text is the caller's */
}

static void
on_progress(guint64 done, guint64 total, gpointer user_data)
{
    Job *job = user_data;

    job->job.done = done;
    job->job.total = total;
    if (job->job.state == FOLIO_JOB_RUNNING &&
        g_get_monotonic_time() - job->told_usec >= PROGRESS_USEC)
        tell(job);
}

/* Of a guest that does not run any more nothing is told. */
static void
on_settled(const FolioBlockResult *results, guint n, gpointer user_data)
{
    const Job *job = user_data;
    const FolioJobs *jobs = job->jobs;

    if (jobs->settled != NULL && g_hash_table_lookup(jobs->running, job->job.uuid) == job)
        jobs->settled(&job->job, results, n, jobs->user_data);
}

/* Takes the job out of the table, if it is there still. */
static gboolean
leave(Job *job)
{
    if (g_hash_table_lookup(job->jobs->running, job->job.uuid) != job)
        return FALSE;
    g_hash_table_remove(job->jobs->running, job->job.uuid);
    return TRUE;
}

static guint begin(FolioJobs *jobs, FolioActuator *actuator, const FolioActRequest *request,
                   GError **error);

/* Nobody waits for an answer: what goes wrong is logged. */
static void
carry_out(FolioJobs *jobs, FolioActuator *actuator, const FolioActRequest *request)
{
    g_autoptr(GError) error = NULL;

    if (begin(jobs, actuator, request, &error) == 0)
        folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_JOB, request->name, request->uuid,
                  "%s: %s: %s", request->name, folio_act_kind_token(request->kind), error->message);
}

/* The job is over, and with it its turn. */
static void
finish(Job *job, FolioJobState state, const char *error)
{
    const gboolean told = leave(job);

    job->run = NULL;
    folio_turns_leave(job->jobs->turns, job->job.uuid, job);
    if (told) {
        move_to(job, state, error);
        if (job->next != NULL)
            carry_out(job->jobs, job->next->actuator, job->next->request);
    }
    job_free(job);
}

static void
on_ended(FolioActOutcome outcome, const FolioActReport *report, const char *error,
         gpointer user_data)
{
    static const FolioJobState states[] = {
        [FOLIO_ACT_DONE] = FOLIO_JOB_DONE,
        [FOLIO_ACT_CANCELLED] = FOLIO_JOB_CANCELLED,
        [FOLIO_ACT_FAILED] = FOLIO_JOB_FAILED,
    };
    Job *job = user_data;

    job->job.report = *report;
    finish(job, states[outcome], outcome == FOLIO_ACT_FAILED ? error : "");
}

static gboolean
start_run(Job *job, FolioActuator *actuator, const FolioActRequest *request, GError **error)
{
    static const FolioActEvents events = { .progress = on_progress,
                                           .settled = on_settled,
                                           .ended = on_ended };

    job->run = actuator->klass->start(actuator, request, &events, job, error);
    return job->run != NULL;
}

/* It is the job's turn, which it waited for. */
static void
on_turn(gpointer user_data)
{
    Job *job = user_data;
    Order *order = job->waiting;
    g_autoptr(GError) error = NULL;

    if (!start_run(job, order->actuator, order->request, &error))
        finish(job, FOLIO_JOB_FAILED, error->message);
    else
        g_clear_pointer(&job->waiting, order_free);
}

static guint
next_id(FolioJobs *jobs)
{
    do {
        jobs->last_id++;
    } while (jobs->last_id == 0 || folio_jobs_recall(jobs, jobs->last_id) != NULL);
    return jobs->last_id;
}

static guint64
count_blocks(const FolioActRequest *request)
{
    guint64 bytes = 0;

    for (guint i = 0; i < request->ranges->len; i++)
        bytes += g_array_index(request->ranges, FolioBlockRange, i).bytes;
    return bytes / FOLIO_BLOCK_BYTES;
}

/* The guest has no job. */
static guint
begin(FolioJobs *jobs, FolioActuator *actuator, const FolioActRequest *request, GError **error)
{
    Job *job = g_new0(Job, 1);

    job->jobs = folio_jobs_ref(jobs);
    job->job.uuid = g_strdup(request->uuid);
    job->job.name = g_strdup(request->name);
    job->job.by = g_strdup(request->by);
    job->job.kind = request->kind;
    job->job.order = request->order;
    job->job.total = count_blocks(request);
    if (!folio_turns_claim(jobs->turns, request->uuid, on_turn, job)) {
        job->waiting = order_new(actuator, request);
    } else if (!start_run(job, actuator, request, error)) {
        folio_turns_leave(jobs->turns, request->uuid, job);
        job_free(job);
        return 0;
    }
    job->job.id = next_id(jobs);
    g_hash_table_insert(jobs->running, (gpointer) job->job.uuid, job);
    move_to(job, FOLIO_JOB_RUNNING, "");
    return job->job.id;
}

guint
folio_jobs_start(FolioJobs *jobs, FolioActuator *actuator, const FolioActRequest *request,
                 GError **error)
{
    const Job *present = g_hash_table_lookup(jobs->running, request->uuid);

    if (present == NULL)
        return begin(jobs, actuator, request, error);
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_BUSY, "job %u (%s) is under way with this guest",
                present->job.id, folio_act_kind_token(present->job.kind));
    return 0;
}

static void
cancel(Job *job)
{
    if (job->cancelled)
        return;
    job->cancelled = TRUE;
    if (job->waiting != NULL)
        finish(job, FOLIO_JOB_CANCELLED, "");
    else
        job->run->actuator->klass->cancel(job->run);
}

void
folio_jobs_replace(FolioJobs *jobs, FolioActuator *actuator, const FolioActRequest *request)
{
    Job *present = g_hash_table_lookup(jobs->running, request->uuid);

    if (present == NULL) {
        carry_out(jobs, actuator, request);
        return;
    }
    g_clear_pointer(&present->next, order_free);
    present->next = order_new(actuator, request);
    cancel(present);
}

static Job *
find(FolioJobs *jobs, guint id)
{
    GHashTableIter iter;
    gpointer job;

    g_hash_table_iter_init(&iter, jobs->running);
    while (g_hash_table_iter_next(&iter, NULL, &job)) {
        if (((Job *) job)->job.id == id)
            return job;
    }
    return NULL;
}

const FolioJob *
folio_jobs_find(FolioJobs *jobs, guint id)
{
    const Job *job = find(jobs, id);

    return job != NULL ? &job->job : NULL;
}

const FolioJob *
folio_jobs_recall(FolioJobs *jobs, guint id)
{
    for (const GList *link = jobs->ended.head; link != NULL; link = link->next) {
        if (((const FolioJob *) link->data)->id == id)
            return link->data;
    }
    return folio_jobs_find(jobs, id);
}

guint
folio_jobs_count(const FolioJobs *jobs)
{
    return g_hash_table_size(jobs->running);
}

void
folio_jobs_cancel(FolioJobs *jobs, guint id)
{
    Job *job = find(jobs, id);

    if (job != NULL)
        cancel(job);
}

void
folio_jobs_cancel_all(FolioJobs *jobs)
{
    g_autoptr(GList) running = g_hash_table_get_values(jobs->running);

    for (GList *l = running; l != NULL; l = l->next)
        cancel(l->data);
}

void
folio_jobs_drop_guest(FolioJobs *jobs, const char *uuid)
{
    Job *job = g_hash_table_lookup(jobs->running, uuid);

    if (job == NULL)
        return;
    leave(job);
    move_to(job, FOLIO_JOB_FAILED, "the guest does not run any more");
    cancel(job);
}

void
folio_jobs_stop(FolioJobs *jobs)
{
    GHashTableIter iter;
    gpointer job;

    jobs->changed = NULL;
    jobs->settled = NULL;
    g_hash_table_iter_init(&iter, jobs->running);
    while (g_hash_table_iter_next(&iter, NULL, &job))
        g_clear_pointer(&((Job *) job)->next, order_free);
    folio_jobs_cancel_all(jobs);
}

FolioJobCounters
folio_jobs_get_counters(const FolioJobs *jobs)
{
    return jobs->counters;
}
