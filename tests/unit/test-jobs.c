/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs, above an actuator that does as the test says: one a guest, told of from beginning to end,
 * cancelled, replaced, and ended with their guest. */
#include "bus/jobs.h"

#include "base/error.h"
#include "fake-actuator.h"
#include "fake-proc.h"

#define OTHER_UUID "00000000-0000-4000-8000-000000000001"

typedef struct {
    FakeHost *host;
    FakeActuator fake;
    FolioActRequest request;
    FolioTurns *turns;
    FolioJobs *jobs;
    GString *told; /* "ID STATE DONE/TOTAL ERROR|" for each change */
} Fixture;

static void
on_changed(const FolioJob *job, gpointer user_data)
{
    Fixture *fixture = user_data;

    g_string_append_printf(fixture->told, "%u %s %" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT " %s|",
                           job->id, folio_job_state_token(job->state), job->done, job->total,
                           job->error);
}

static int
set_up(void **state)
{
    const FolioBlockRange ranges[] = { { .start = 0x40000000, .bytes = 6 * FOLIO_BLOCK_BYTES },
                                       { .start = 0x80000000, .bytes = 4 * FOLIO_BLOCK_BYTES } };
    Fixture *fixture = g_new0(Fixture, 1);
    FolioReason reason;

    *state = fixture;
    fixture->host = fake_host_new(getpid());
    fixture->fake.actuator.klass = &fake_class;
    fixture->fake.runs = g_ptr_array_new();
    fixture->request.kind = FOLIO_ACT_SPLIT;
    fixture->request.order = 4;
    fixture->request.name = (char *) "guest";
    fixture->request.by = (char *) "uid 7";
    fixture->request.process = fake_locate(fixture->host, 0, &reason, NULL);
    fixture->request.ranges = g_array_new(FALSE, FALSE, sizeof(FolioBlockRange));
    g_array_append_vals(fixture->request.ranges, ranges, G_N_ELEMENTS(ranges));
    fixture->told = g_string_new(NULL);
    fixture->turns = folio_turns_new(NULL, NULL);
    fixture->jobs = folio_jobs_new(fixture->turns, on_changed, fixture);
    return fixture->request.process != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(fixture->fake.runs->len, 0);
    g_ptr_array_unref(fixture->fake.runs);
    assert_false(folio_turns_is_taken(fixture->turns, FAKE_UUID));
    folio_jobs_unref(fixture->jobs);
    folio_turns_unref(fixture->turns);
    folio_process_unref(fixture->request.process);
    g_array_unref(fixture->request.ranges);
    g_string_free(fixture->told, TRUE);
    fake_host_free(fixture->host);
    g_free(fixture);
    return 0;
}

static guint
start(Fixture *fixture, const char *uuid, GError **error)
{
    fixture->request.uuid = (char *) uuid;
    return folio_jobs_start(fixture->jobs, &fixture->fake.actuator, &fixture->request, error);
}

/* The oldest run comes further, or ends. */
static void
progress(Fixture *fixture, guint64 done, guint64 total)
{
    fake_actuator_progress(&fixture->fake, done, total);
}

static void
end(Fixture *fixture, FolioActOutcome outcome, const char *error)
{
    fake_actuator_end(&fixture->fake, outcome, error);
}

static void
expect_told(Fixture *fixture, const char *expected)
{
    assert_string_equal(fixture->told->str, expected);
    g_string_truncate(fixture->told, 0);
}

static void
test_from_beginning_to_end(void **state)
{
    Fixture *fixture = *state;

    assert_int_equal(start(fixture, FAKE_UUID, NULL), 1);
    expect_told(fixture, "1 running 0/10 |");
    progress(fixture, 1, 10);
    expect_told(fixture, ""); /* too soon after the last */
    g_usleep(G_USEC_PER_SEC / 8);
    progress(fixture, 7, 10);
    expect_told(fixture, "1 running 7/10 |");
    assert_int_equal(folio_jobs_find(fixture->jobs, 1)->done, 7);
    progress(fixture, 10, 10);
    end(fixture, FOLIO_ACT_DONE, "");
    expect_told(fixture, "1 done 10/10 |");
    assert_null(folio_jobs_find(fixture->jobs, 1));

    fixture->request.kind = FOLIO_ACT_COLLAPSE;
    assert_int_equal(start(fixture, FAKE_UUID, NULL), 2);
    progress(fixture, 3, 10);
    end(fixture, FOLIO_ACT_FAILED, "the kernel says no");
    expect_told(fixture, "2 running 0/10 |2 failed 3/10 the kernel says no|");
}

/* What became of it can be asked for when it has ended. */
static void
test_report_is_remembered(void **state)
{
    Fixture *fixture = *state;
    const FolioJob *job;

    assert_null(folio_jobs_recall(fixture->jobs, 1));
    start(fixture, FAKE_UUID, NULL);
    assert_ptr_equal(folio_jobs_recall(fixture->jobs, 1), folio_jobs_find(fixture->jobs, 1));
    fixture->fake.report.outcomes[FOLIO_OUTCOME_DONE] = 6;
    fixture->fake.report.outcomes[FOLIO_OUTCOME_LEFT] = 1;
    fixture->fake.report.left[FOLIO_LEFT_BUSY] = 1;
    fixture->fake.report.way = "fake";
    progress(fixture, 7, 10);
    end(fixture, FOLIO_ACT_FAILED, "the kernel says no");
    assert_null(folio_jobs_find(fixture->jobs, 1));
    job = folio_jobs_recall(fixture->jobs, 1);
    assert_non_null(job);
    assert_int_equal(job->state, FOLIO_JOB_FAILED);
    assert_string_equal(job->uuid, FAKE_UUID);
    assert_string_equal(job->name, "guest");
    assert_string_equal(job->by, "uid 7");
    assert_string_equal(job->error, "the kernel says no");
    assert_int_equal(job->order, 4);
    assert_int_equal(job->done, 7);
    assert_int_equal(job->report.outcomes[FOLIO_OUTCOME_DONE], 6);
    assert_int_equal(job->report.left[FOLIO_LEFT_BUSY], 1);
    assert_string_equal(job->report.way, "fake");
}

static void
test_so_many_are_remembered(void **state)
{
    Fixture *fixture = *state;

    for (guint i = 0; i < FOLIO_JOBS_REMEMBERED + 2; i++) {
        start(fixture, FAKE_UUID, NULL);
        end(fixture, FOLIO_ACT_DONE, "");
    }
    assert_null(folio_jobs_recall(fixture->jobs, 2));
    assert_non_null(folio_jobs_recall(fixture->jobs, 3));
    assert_non_null(folio_jobs_recall(fixture->jobs, FOLIO_JOBS_REMEMBERED + 2));
}

static void
test_one_a_guest(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    FolioJobCounters counters;

    assert_int_equal(start(fixture, FAKE_UUID, NULL), 1);
    assert_int_equal(start(fixture, FAKE_UUID, &error), 0);
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    assert_int_equal(start(fixture, OTHER_UUID, NULL), 2);
    assert_int_equal(fixture->fake.n_started, 2);
    end(fixture, FOLIO_ACT_DONE, "");
    assert_int_equal(start(fixture, FAKE_UUID, NULL), 3);
    end(fixture, FOLIO_ACT_CANCELLED, "");
    end(fixture, FOLIO_ACT_DONE, "");
    counters = folio_jobs_get_counters(fixture->jobs);
    assert_int_equal(counters.started, 3);
    assert_int_equal(counters.done, 2);
    assert_int_equal(counters.cancelled, 1);
    assert_int_equal(counters.failed, 0);
}

static void
test_what_cannot_begin(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;

    fixture->fake.cannot = "out of order";
    assert_int_equal(start(fixture, FAKE_UUID, &error), 0);
    assert_folio_error(error, FOLIO_ERROR_FAILED);
    expect_told(fixture, "");
    assert_null(folio_jobs_find(fixture->jobs, 1));
    assert_int_equal(folio_jobs_get_counters(fixture->jobs).started, 0);
}

static void
test_cancel(void **state)
{
    Fixture *fixture = *state;

    folio_jobs_cancel(fixture->jobs, 1); /* there is none */
    start(fixture, FAKE_UUID, NULL);
    folio_jobs_cancel(fixture->jobs, 1);
    folio_jobs_cancel(fixture->jobs, 1);
    assert_int_equal(fixture->fake.n_cancelled, 1);
    assert_non_null(folio_jobs_find(fixture->jobs, 1));
    end(fixture, FOLIO_ACT_CANCELLED, "");
    expect_told(fixture, "1 running 0/10 |1 cancelled 0/10 |");
}

static void
replace(Fixture *fixture, const char *uuid, FolioActKind kind)
{
    FolioActRequest request = fixture->request;

    request.kind = kind;
    request.uuid = (char *) uuid;
    folio_jobs_replace(fixture->jobs, &fixture->fake.actuator, &request);
}

/* As the kill switch does it: what runs is cancelled, and what gives back comes after it. */
static void
test_replace(void **state)
{
    Fixture *fixture = *state;

    start(fixture, FAKE_UUID, NULL);
    replace(fixture, FAKE_UUID, FOLIO_ACT_RESTORE);
    replace(fixture, OTHER_UUID, FOLIO_ACT_RESTORE);
    assert_int_equal(fixture->fake.n_cancelled, 1);
    expect_told(fixture, "1 running 0/10 |2 running 0/10 |");
    end(fixture, FOLIO_ACT_CANCELLED, "");
    expect_told(fixture, "1 cancelled 0/10 |3 running 0/10 |");
    assert_int_equal(folio_jobs_find(fixture->jobs, 3)->kind, FOLIO_ACT_RESTORE);
    end(fixture, FOLIO_ACT_DONE, "");
    end(fixture, FOLIO_ACT_DONE, "");
    assert_int_equal(fixture->fake.n_started, 3);
}

static void
test_guest_that_goes(void **state)
{
    Fixture *fixture = *state;

    start(fixture, FAKE_UUID, NULL);
    progress(fixture, 4, 10);
    folio_jobs_drop_guest(fixture->jobs, FAKE_UUID);
    expect_told(fixture, "1 running 0/10 |1 failed 4/10 the guest does not run any more|");
    assert_null(folio_jobs_find(fixture->jobs, 1));
    assert_int_equal(fixture->fake.n_cancelled, 1);
    /* It comes again before the run has ended. */
    assert_int_equal(start(fixture, FAKE_UUID, NULL), 2);
    progress(fixture, 5, 10);
    end(fixture, FOLIO_ACT_DONE, "");
    expect_told(fixture, "2 running 0/10 |");
    end(fixture, FOLIO_ACT_DONE, "");
    expect_told(fixture, "2 done 0/10 |");
    assert_int_equal(folio_jobs_get_counters(fixture->jobs).failed, 1);
}

/* foliod does something of its own accord with the guest. */
static void
on_wanted(gpointer user_data)
{
    ++*(guint *) user_data;
}

static void
test_what_foliod_does_ends_first(void **state)
{
    Fixture *fixture = *state;
    guint wanted = 0;

    assert_true(folio_turns_take(fixture->turns, FAKE_UUID, on_wanted, &wanted));
    assert_int_equal(start(fixture, FAKE_UUID, NULL), 1);
    assert_int_equal(wanted, 1);
    assert_int_equal(fixture->fake.n_started, 0);
    expect_told(fixture, "1 running 0/10 |");
    folio_turns_leave(fixture->turns, FAKE_UUID, &wanted);
    assert_int_equal(fixture->fake.n_started, 1);
    assert_false(folio_turns_take(fixture->turns, FAKE_UUID, on_wanted, &wanted));
    end(fixture, FOLIO_ACT_DONE, "");
    expect_told(fixture, "1 done 0/10 |");
    assert_true(folio_turns_take(fixture->turns, FAKE_UUID, on_wanted, &wanted));
    folio_turns_leave(fixture->turns, FAKE_UUID, &wanted);
}

/* A job that waits for its turn is cancelled, replaced, or cannot begin when it has come. */
static void
test_waiting_jobs_end(void **state)
{
    Fixture *fixture = *state;
    guint wanted = 0;

    assert_true(folio_turns_take(fixture->turns, FAKE_UUID, on_wanted, &wanted));
    start(fixture, FAKE_UUID, NULL);
    folio_jobs_cancel(fixture->jobs, 1);
    expect_told(fixture, "1 running 0/10 |1 cancelled 0/10 |");
    start(fixture, FAKE_UUID, NULL);
    replace(fixture, FAKE_UUID, FOLIO_ACT_RESTORE);
    expect_told(fixture, "2 running 0/10 |2 cancelled 0/10 |3 running 0/10 |");
    assert_int_equal(wanted, 1);
    fixture->fake.cannot = "out of order";
    folio_turns_leave(fixture->turns, FAKE_UUID, &wanted);
    expect_told(fixture, "3 failed 0/10 out of order|");
    assert_int_equal(fixture->fake.n_started, 0);
}

/* Whoever owned them has gone; the runs end in their own time. */
static void
test_stop(void **state)
{
    Fixture *fixture = *state;
    FolioJobs *jobs = folio_jobs_new(fixture->turns, on_changed, fixture);

    fixture->request.uuid = (char *) FAKE_UUID;
    folio_jobs_start(jobs, &fixture->fake.actuator, &fixture->request, NULL);
    folio_jobs_replace(jobs, &fixture->fake.actuator, &fixture->request);
    g_string_truncate(fixture->told, 0);
    folio_jobs_stop(jobs);
    folio_jobs_unref(jobs);
    assert_int_equal(fixture->fake.n_cancelled, 1);
    end(fixture, FOLIO_ACT_CANCELLED, "");
    expect_told(fixture, "");
    assert_int_equal(fixture->fake.n_started, 1);
}

/* Which actuator is taken, and why none is. */

static void
test_pick(void **state)
{
    g_autoptr(GError) none = NULL;
    g_autoptr(GError) unable = NULL;
    FolioActuators *actuators = folio_actuators_new();
    FakeActuator first = { .actuator.klass = &fake_class, .cannot = "no such file" };
    FakeActuator second = { .actuator.klass = &fake_class, .order = 4 };

    assert_null(folio_actuators_pick(actuators, FOLIO_ACT_SPLIT, 0, &none));
    assert_folio_error(none, FOLIO_ERROR_UNSUPPORTED);
    assert_non_null(strstr(none->message, "split to order 0"));

    folio_actuators_add(actuators, &first.actuator);
    folio_actuators_add(actuators, &second.actuator);
    assert_ptr_equal(folio_actuators_pick(actuators, FOLIO_ACT_SPLIT, 4, NULL), &second.actuator);
    assert_null(folio_actuators_pick(actuators, FOLIO_ACT_COLLAPSE, 9, &unable));
    assert_folio_error(unable, FOLIO_ERROR_UNSUPPORTED);
    assert_non_null(strstr(unable->message, "fake: no such file; fake: not that order"));
    folio_actuators_free(actuators);
    assert_true(first.freed && second.freed);
}

#define jobs_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        jobs_test(test_from_beginning_to_end),
        jobs_test(test_report_is_remembered),
        jobs_test(test_so_many_are_remembered),
        jobs_test(test_one_a_guest),
        jobs_test(test_what_cannot_begin),
        jobs_test(test_cancel),
        jobs_test(test_replace),
        jobs_test(test_guest_that_goes),
        jobs_test(test_what_foliod_does_ends_first),
        jobs_test(test_waiting_jobs_end),
        jobs_test(test_stop),
        cmocka_unit_test(test_pick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
