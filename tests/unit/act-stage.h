/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A way that does what the test says, and runs of an actuator over it, watched. */
#pragma once

#include "act-child.h"
#include "fake-ledger.h"

typedef struct _FakeWay FakeWay;

struct _FakeWay {
    FolioWay way;
    ActChild *child;
    const char *cannot; /* NULL: it can */
    /* Told with the number of the chunk, from 1 on. NULL: does nothing. */
    gboolean (*act)(FakeWay *self, guint number, FolioChunk *chunk, GCancellable *cancellable,
                    GError **error);
    guint n_chunks;
    guint n_blocks; /* asked of it */
    gboolean closed;
    gint freed; /* atomic */
};

static inline gboolean
fake_way_probe(FolioWay *way, FolioActKind kind, guint order, char **reason)
{
    const FakeWay *self = (FakeWay *) way;

    assert_true((kind == FOLIO_ACT_COLLAPSE && order == 9) ||
                (kind == FOLIO_ACT_SPLIT && order < 9));
    if (self->cannot != NULL)
        *reason = g_strdup(self->cannot);
    return self->cannot == NULL;
}

static inline gboolean
fake_way_apply(FolioWay *way, FolioChunk *chunk, GCancellable *cancellable, GError **error)
{
    FakeWay *self = (FakeWay *) way;

    assert_true(chunk->n_blocks >= 1 && chunk->n_blocks <= FOLIO_CHUNK_BLOCKS);
    assert_int_equal(count_blocks(chunk->ranges, chunk->n_ranges), chunk->n_blocks);
    for (guint i = 0; i < chunk->n_blocks; i++)
        assert_int_equal(chunk->said[i], FOLIO_LEFT_UNSAID);
    g_string_append(fake_ledger.steps, "apply; ");
    g_atomic_int_inc(&self->n_chunks);
    self->n_blocks += chunk->n_blocks;
    return self->act == NULL || self->act(self, self->n_chunks, chunk, cancellable, error);
}

static inline void
fake_way_close(FolioWay *way)
{
    ((FakeWay *) way)->closed = TRUE;
}

static inline void
fake_way_free(FolioWay *way)
{
    g_atomic_int_set(&((FakeWay *) way)->freed, TRUE);
}

static const FolioWayClass fake_way_class = { .name = "fake",
                                              .probe = fake_way_probe,
                                              .apply = fake_way_apply,
                                              .close = fake_way_close,
                                              .free = fake_way_free };

/* What a run told. */
typedef struct {
    gboolean ended;
    gboolean within;     /* start or cancel is under way: nothing may be told */
    guint64 done, total; /* the last progress */
    guint64 cancel_at;   /* cancel once so many are done; 0: never */
    FolioActRun *run;    /* while it goes on */
    FolioActOutcome outcome;
    FolioActReport report;
    guint64 outcomes[FOLIO_N_OUTCOMES]; /* of the settled blocks */
    char error[256];
} Told;

static inline void
cancel_run(Told *told)
{
    told->within = TRUE;
    told->run->actuator->klass->cancel(told->run);
    told->within = FALSE;
}

static inline void
on_progress(guint64 done, guint64 total, gpointer user_data)
{
    Told *told = user_data;

    assert_false(told->within || told->ended);
    assert_true(done >= told->done && done <= total);
    assert_true(told->total == 0 || told->total == total);
    told->done = done;
    told->total = total;
    if (told->cancel_at > 0 && done >= told->cancel_at)
        cancel_run(told);
}

static inline void
on_ended(FolioActOutcome outcome, const FolioActReport *report, const char *error,
         gpointer user_data)
{
    Told *told = user_data;

    assert_false(told->within || told->ended);
    told->ended = TRUE;
    told->run = NULL;
    told->outcome = outcome;
    told->report = *report;
    g_strlcpy(told->error, error, sizeof told->error);
    assert_int_equal(outcome == FOLIO_ACT_FAILED, *error != '\0');
}

/* Each block once, and before the end. */
static inline void
on_settled(const FolioBlockResult *results, guint n, gpointer user_data)
{
    Told *told = user_data;

    assert_false(told->within || told->ended);
    assert_true(n > 0);
    for (guint i = 0; i < n; i++)
        told->outcomes[results[i].outcome]++;
}

static const FolioActEvents told_events = { on_progress, on_settled, on_ended };

static inline void
begin_run(FolioActuator *actuator, const FolioActRequest *request, Told *told)
{
    g_autoptr(GError) error = NULL;

    told->within = TRUE;
    told->run = actuator->klass->start(actuator, request, &told_events, told, &error);
    told->within = FALSE;
    assert_no_error(error);
    assert_non_null(told->run);
}

static inline guint64
sum_outcomes(const FolioActReport *report)
{
    guint64 sum = 0;

    for (guint i = 0; i < FOLIO_N_OUTCOMES; i++)
        sum += report->outcomes[i];
    return sum;
}

static inline void
finish_run(Told *told)
{
    const FolioActReport *report = &told->report;
    guint64 left = 0;

    while (!told->ended)
        g_main_context_iteration(NULL, TRUE);
    for (guint i = 0; i < FOLIO_N_LEFT; i++)
        left += report->left[i];
    assert_int_equal(left,
                     report->outcomes[FOLIO_OUTCOME_LEFT] + report->outcomes[FOLIO_OUTCOME_PARTLY]);
    assert_int_equal(sum_outcomes(report), told->done);
    assert_memory_equal(report->outcomes, told->outcomes, sizeof told->outcomes);
    assert_int_equal(fake_ledger.guest.n_references, 0);
}

/* Has it done, and takes the request. */
static inline void
run_request(FolioActuator *actuator, FolioActRequest *request, Told *told)
{
    begin_run(actuator, request, told);
    folio_act_request_free(request);
    finish_run(told);
}

/* A child, and an actuator over the fake way that knows it. */
typedef struct {
    char *dir; /* a tmpfs with its RAM */
    ActChild *child;
    FakeWay way;
    FolioActContext context;
    FolioActuator *actuator;
    Told told;
} Stage;

static inline Stage *
stage_new(const char *mount_options, guint n_blocks)
{
    Stage *stage = g_new0(Stage, 1);

    fake_ledger_reset();
    stage->dir = mount_tmpfs(mount_options);
    stage->child = act_child_new(stage->dir, n_blocks);
    stage->way = (FakeWay){ .way = { &fake_way_class }, .child = stage->child };
    stage->context = (FolioActContext){ "/proc", &fake_ledger, &fake_keeper };
    stage->actuator = folio_way_actuator_new(&stage->way.way, &stage->context);
    return stage;
}

static inline void
stage_free(Stage *stage)
{
    stage->actuator->klass->free(stage->actuator);
    /* A thread may be about to let go of its run, and with it of the way. */
    while (!g_atomic_int_get(&stage->way.freed))
        g_usleep(1000);
    act_child_free(stage->child);
    unmount_tmpfs(stage->dir);
    g_free(stage);
}
