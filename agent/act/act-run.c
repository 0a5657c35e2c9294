/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An actuator over a way: its probes, and its runs in tasks of their own. */
#include "act/act-work.h"

#include "base/error.h"

#include <time.h>

/* What the way has said it can, by the order that it makes: 0 to 8 by a split, 9 by a collapse. */
typedef struct {
    gboolean asked;
    char *cannot; /* why not; NULL: it can */
} Answer;

typedef struct {
    FolioActuator actuator; /* first */
    FolioActuatorClass klass;
    FolioWay *way;
    const FolioActContext *context;
    gint n_threads; /* of runs; atomic */
    GMutex lock;    /* of what follows */
    Answer answers[FOLIO_ORDER_HUGE + 1];
} WayActuator;

typedef struct {
    FolioActRun run; /* first */
    WayActuator *actuator;
    FolioActRequest *request;
    FolioActEvents events;
    gpointer user_data;
    GMainContext *main_context;
    GCancellable *cancellable;
    gboolean ended;
    FolioActReport report;
} WayRun;

/* NULL when the actuator is of another make. */
static WayActuator *as_way(FolioActuator *actuator);

/* Probes */

/* NULL when there is no such action. */
static Answer *
find_answer(WayActuator *self, FolioActKind kind, guint order)
{
    if (kind == FOLIO_ACT_RESTORE)
        return &self->answers[FOLIO_ORDER_HUGE];
    if (order > FOLIO_ORDER_HUGE || (kind == FOLIO_ACT_COLLAPSE) != (order == FOLIO_ORDER_HUGE))
        return NULL;
    return &self->answers[order];
}

static gboolean
probe(FolioActuator *actuator, FolioActKind kind, guint order, char **reason)
{
    WayActuator *self = (WayActuator *) actuator;
    const Answer *answer = find_answer(self, kind, order);
    g_autofree char *cannot = NULL;

    if (answer == NULL) {
        *reason = g_strdup("a split is to order 0 to 8, a collapse to order 9");
        return FALSE;
    }
    g_mutex_lock(&self->lock);
    cannot = g_strdup(answer->asked ? answer->cannot : "it is not known yet");
    g_mutex_unlock(&self->lock);
    if (cannot == NULL)
        return TRUE;
    *reason = g_steal_pointer(&cannot);
    return FALSE;
}

/* Asks the way. Returns why it cannot, to be freed; NULL when it can. */
static char *
ask(WayActuator *self, guint order)
{
    const FolioActKind kind = order == FOLIO_ORDER_HUGE ? FOLIO_ACT_COLLAPSE : FOLIO_ACT_SPLIT;
    Answer *answer = &self->answers[order];
    char *cannot = NULL;

    if (self->way->klass->probe(self->way, kind, order, &cannot))
        g_clear_pointer(&cannot, g_free);
    g_mutex_lock(&self->lock);
    g_free(answer->cannot);
    answer->cannot = g_strdup(cannot);
    answer->asked = TRUE;
    g_mutex_unlock(&self->lock);
    return cannot;
}

static void
actuator_clear(gpointer data)
{
    WayActuator *self = data;

    self->way->klass->free(self->way);
    for (guint i = 0; i < G_N_ELEMENTS(self->answers); i++)
        g_free(self->answers[i].cannot);
    g_mutex_clear(&self->lock);
}

static void
actuator_unref(gpointer data)
{
    g_atomic_rc_box_release_full(data, actuator_clear);
}

static void
probe_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    for (guint order = 0; order <= FOLIO_ORDER_HUGE; order++)
        g_free(ask(task_data, order));
    g_task_return_boolean(task, TRUE);
}

void
folio_act_probe_async(FolioActuator *actuator, GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, callback, user_data);

    g_task_set_source_tag(task, folio_act_probe_async);
    if (as_way(actuator) == NULL) {
        g_task_return_boolean(task, TRUE);
        return;
    }
    g_task_set_task_data(task, g_atomic_rc_box_acquire(actuator), actuator_unref);
    g_task_run_in_thread(task, probe_in_thread);
}

void
folio_act_probe_finish(FolioActuator *actuator, GAsyncResult *result)
{
    g_task_propagate_boolean(G_TASK(result), NULL);
}

/* Runs */

static void
run_clear(gpointer data)
{
    WayRun *run = data;

    actuator_unref(run->actuator);
    folio_act_request_free(run->request);
    g_main_context_unref(run->main_context);
    g_object_unref(run->cancellable);
}

static void
run_unref(gpointer data)
{
    g_atomic_rc_box_release_full(data, run_clear);
}

/* On its way to the main context: how far it has come, or what became of blocks. */
typedef struct {
    WayRun *run;
    guint64 done, total;
    FolioBlockResult *results; /* NULL: of none */
    guint n_results;
} News;

static gboolean
deliver_news(gpointer data)
{
    const News *news = data;
    const WayRun *run = news->run;

    if (run->ended)
        return G_SOURCE_REMOVE;
    if (news->results != NULL)
        run->events.settled(news->results, news->n_results, run->user_data);
    else
        run->events.progress(news->done, news->total, run->user_data);
    return G_SOURCE_REMOVE;
}

static void
news_free(gpointer data)
{
    News *news = data;

    run_unref(news->run);
    g_free(news->results);
    g_free(news);
}

/* In the thread; takes the news. A source of its own, since g_main_context_invoke would call from
 * here when nobody iterates the context. Sources of one priority are served in their order, and the
 * end of the run is the last of them. */
static void
send_news(WayRun *run, News *news)
{
    g_autoptr(GSource) source = g_idle_source_new();

    news->run = g_atomic_rc_box_acquire(run);
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, deliver_news, news, news_free);
    g_source_attach(source, run->main_context);
}

static void
send_progress(guint64 done, guint64 total, gpointer user_data)
{
    News *news = g_new0(News, 1);

    news->done = done;
    news->total = total;
    send_news(user_data, news);
}

static void
send_settled(const FolioBlockResult *results, guint n, gpointer user_data)
{
    News *news = g_new0(News, 1);

    news->results = g_memdup2(results, n * sizeof *results);
    news->n_results = n;
    send_news(user_data, news);
}

static gint64
thread_usec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (gint64) now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

static void
run_in_thread(GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
    WayRun *run = task_data;
    const gboolean splits = run->request->kind == FOLIO_ACT_SPLIT;
    g_autofree char *cannot = ask(run->actuator, splits ? run->request->order : FOLIO_ORDER_HUGE);
    FolioActWork work = {
        .way = run->actuator->way,
        .cannot = cannot,
        .context = run->actuator->context,
        .request = run->request,
        .cancellable = run->cancellable,
        .progress = send_progress,
        .settled = run->events.settled != NULL ? send_settled : NULL,
        .user_data = run,
    };
    const gint64 begun_usec = thread_usec();
    GError *error = NULL;
    const gboolean done = folio_act_work_do(&work, &error);

    run->report = work.report;
    run->report.cpu_usec = (guint64) (thread_usec() - begun_usec);
    g_atomic_int_dec_and_test(&run->actuator->n_threads);
    if (done)
        g_task_return_boolean(task, TRUE);
    else
        g_task_return_error(task, error);
}

/* Takes the reference of start. */
static void
on_run_ended(GObject *source, GAsyncResult *result, gpointer user_data)
{
    WayRun *run = user_data;
    g_autoptr(GError) error = NULL;
    FolioActOutcome outcome = FOLIO_ACT_DONE;

    if (!g_task_propagate_boolean(G_TASK(result), &error)) {
        outcome = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED) ? FOLIO_ACT_CANCELLED
                                                                           : FOLIO_ACT_FAILED;
    }
    run->ended = TRUE;
    run->events.ended(outcome, &run->report, outcome == FOLIO_ACT_FAILED ? error->message : "",
                      run->user_data);
    run_unref(run);
}

static FolioActRun *
start(FolioActuator *actuator, const FolioActRequest *request, const FolioActEvents *events,
      gpointer user_data, GError **error)
{
    WayActuator *self = (WayActuator *) actuator;
    g_autoptr(GTask) task = NULL;
    WayRun *run;

    if (find_answer(self, request->kind, request->order) == NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s to order %u: there is no such",
                    folio_act_kind_token(request->kind), request->order);
        return NULL;
    }
    if (request->ranges == NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: of no ranges",
                    folio_act_kind_token(request->kind));
        return NULL;
    }
    run = g_atomic_rc_box_new0(WayRun);
    run->run.actuator = actuator;
    run->actuator = g_atomic_rc_box_acquire(self);
    run->request = folio_act_request_copy(request);
    run->events = *events;
    run->user_data = user_data;
    run->main_context = g_main_context_ref_thread_default();
    run->cancellable = g_cancellable_new();
    g_atomic_int_inc(&self->n_threads);
    task = g_task_new(NULL, NULL, on_run_ended, run);
    g_task_set_source_tag(task, start);
    g_task_set_task_data(task, g_atomic_rc_box_acquire(run), run_unref);
    g_task_run_in_thread(task, run_in_thread);
    return &run->run;
}

static void
cancel(FolioActRun *run)
{
    g_cancellable_cancel(((WayRun *) run)->cancellable);
}

static void
actuator_free(FolioActuator *actuator)
{
    actuator_unref(actuator);
}

FolioActuator *
folio_way_actuator_new(FolioWay *way, const FolioActContext *context)
{
    WayActuator *self = g_atomic_rc_box_new0(WayActuator);

    self->klass = (FolioActuatorClass){ .name = way->klass->name,
                                        .probe = probe,
                                        .start = start,
                                        .cancel = cancel,
                                        .free = actuator_free };
    self->actuator.klass = &self->klass;
    self->way = way;
    self->context = context;
    g_mutex_init(&self->lock);
    return &self->actuator;
}

static WayActuator *
as_way(FolioActuator *actuator)
{
    return actuator->klass->start == start ? (WayActuator *) actuator : NULL;
}

gboolean
folio_way_actuator_is_busy(FolioActuator *actuator)
{
    WayActuator *self = as_way(actuator);

    return self != NULL && g_atomic_int_get(&self->n_threads) > 0;
}

void
folio_way_actuator_close(FolioActuator *actuator)
{
    WayActuator *self = as_way(actuator);

    if (self != NULL && self->way->klass->close != NULL)
        self->way->klass->close(self->way);
}
