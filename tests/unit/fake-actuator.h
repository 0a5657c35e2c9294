/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An actuator that does nothing until the test says what has become of it. */
#pragma once

#include "act/actuator.h"
#include "base/error.h"

typedef struct _FakeRun FakeRun;

typedef struct {
    FolioActuator actuator;
    const char *cannot; /* NULL: it can */
    guint order;        /* the only one it can, if so, unless any will do */
    gboolean any_order;
    GPtrArray *runs; /* FakeRun that have not ended */
    guint n_started, n_cancelled;
    gboolean freed;
} FakeActuator;

struct _FakeRun {
    FolioActRun run;
    FolioActKind kind;
    guint order;
    guint64 start, bytes; /* of its first range */
    FolioActEvents events;
    gpointer user_data;
};

static gboolean
fake_probe(FolioActuator *actuator, FolioActKind kind, guint order, char **reason)
{
    FakeActuator *fake = (FakeActuator *) actuator;

    if (fake->cannot == NULL && (fake->any_order || order == fake->order))
        return TRUE;
    *reason = g_strdup(fake->cannot != NULL ? fake->cannot : "not that order");
    return FALSE;
}

static FolioActRun *
fake_start(FolioActuator *actuator, const FolioActRequest *request, const FolioActEvents *events,
           gpointer user_data, GError **error)
{
    FakeActuator *fake = (FakeActuator *) actuator;
    FakeRun *run;

    if (fake->cannot != NULL) {
        g_set_error_literal(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, fake->cannot);
        return NULL;
    }
    run = g_new0(FakeRun, 1);
    run->run.actuator = actuator;
    run->kind = request->kind;
    run->order = request->order;
    run->start = g_array_index(request->ranges, FolioBlockRange, 0).start;
    run->bytes = g_array_index(request->ranges, FolioBlockRange, 0).bytes;
    run->events = *events;
    run->user_data = user_data;
    fake->n_started++;
    g_ptr_array_add(fake->runs, run);
    return &run->run;
}

static void
fake_cancel(FolioActRun *run)
{
    ((FakeActuator *) run->actuator)->n_cancelled++;
}

static void
fake_free(FolioActuator *actuator)
{
    ((FakeActuator *) actuator)->freed = TRUE;
}

static const FolioActuatorClass fake_class = { .name = "fake",
                                               .probe = fake_probe,
                                               .start = fake_start,
                                               .cancel = fake_cancel,
                                               .free = fake_free };

/* The oldest run comes further. */
static inline void
fake_actuator_progress(FakeActuator *fake, guint64 done, guint64 total)
{
    FakeRun *run = fake->runs->pdata[0];

    run->events.progress(done, total, run->user_data);
}

/* The oldest run ends. */
static inline void
fake_actuator_end(FakeActuator *fake, FolioActOutcome outcome, const char *error)
{
    FakeRun *run = g_ptr_array_remove_index(fake->runs, 0);
    const FolioActReport report = { 0 };

    run->events.ended(outcome, &report, error, run->user_data);
    g_free(run);
}
