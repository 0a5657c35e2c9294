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
    GPtrArray *runs;       /* FakeRun that have not ended */
    FolioActReport report; /* of each run that ends */
    guint n_started, n_cancelled;
    gboolean freed;
} FakeActuator;

struct _FakeRun {
    FolioActRun run;
    FolioActRequest *request;
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
    run->request = folio_act_request_copy(request);
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

    run->events.ended(outcome, &fake->report, error, run->user_data);
    folio_act_request_free(run->request);
    g_free(run);
}
