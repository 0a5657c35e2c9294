/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is decided for a guest, and done. */
#include "deciding-stage.h"

static void
test_sparse_blocks_are_split(void **state)
{
    Fixture *fixture = *state;

    window(fixture, "sdusdddd");
    expect_run(fixture, "", "");
    assert_string_equal(fixture->followed, "c..c....");
    window(fixture, "sdusdddd");
    expect_run(fixture, "split", "0 3 ");
    assert_true(folio_turns_is_taken(fixture->turns, FAKE_UUID));
    assert_int_equal(decision(fixture, 0)->result, FOLIO_PLAN_UNTOLD);
    settle(fixture, 0, FOLIO_OUTCOME_DONE);
    settle(fixture, 3, FOLIO_OUTCOME_LEFT);
    end(fixture, FOLIO_ACT_DONE);
    expect_run(fixture, "", "");
    assert_int_equal(decision(fixture, 0)->step.block, 0);
    assert_int_equal(decision(fixture, 0)->result, FOLIO_PLAN_DONE);
    assert_int_equal(decision(fixture, 1)->result, FOLIO_PLAN_LEFT);
    assert_int_equal(fixture->acted, 1);

    /* What it has just done rests. */
    mapped[0] = 's';
    windows(fixture, "sdusdddd");
    expect_run(fixture, "", "");
    assert_int_equal(fixture->fake.n_started, 1);
}

/* Collapses first; what is not there is left alone. */
static void
test_dense_blocks_are_collapsed(void **state)
{
    Fixture *fixture = *state;

    g_strlcpy(mapped, "HsHH-sHH", sizeof mapped);
    windows(fixture, "sdddduud");
    expect_run(fixture, "collapse", "1 ");
    end(fixture, FOLIO_ACT_DONE);
    expect_run(fixture, "split", "0 ");
    end(fixture, FOLIO_ACT_DONE);
    expect_run(fixture, "", "");
}

/* khugepaged would undo it, or a wrong split could not be undone. */
static void
test_nothing_is_split_that_would_not_last(void **state)
{
    Fixture *fixture = *state;

    fixture->view.can_split = FALSE;
    mapped[1] = 's';
    windows(fixture, "sdssdddd");
    expect_run(fixture, "collapse", "1 ");
    end(fixture, FOLIO_ACT_DONE);
    expect_run(fixture, "", "");
}

static void
test_modes_that_do_nothing(void **state)
{
    Fixture *fixture = *state;

    fixture->view.mode = FOLIO_MODE_OBSERVE;
    windows(fixture, "ssssssss");
    expect_run(fixture, "", "");
    fixture->view.mode = FOLIO_MODE_SPLIT;
    windows(fixture, "suuuuuuu");
    expect_run(fixture, "split", "0 ");
    /* It is paused, suspended, or told to observe. */
    fixture->view.mode = FOLIO_MODE_OFF;
    window(fixture, "suuuuuuu");
    assert_int_equal(fixture->fake.n_cancelled, 1);
    window(fixture, "suuuuuuu");
    assert_int_equal(fixture->fake.n_cancelled, 1);
    end(fixture, FOLIO_ACT_CANCELLED);
    expect_run(fixture, "", "");
}

/* What was planned for one mode is not done in another. */
static void
test_mode_changes(void **state)
{
    Fixture *fixture = *state;

    fixture->deciding->limits.cpu_share = 0;
    windows(fixture, "ssuuuuuu");
    expect_run(fixture, "", "");
    fixture->deciding->limits.cpu_share = 1;
    fixture->view.mode = FOLIO_MODE_COLLAPSE;
    fixture->windows--; /* the same window again */
    window(fixture, "ssuuuuuu");
    expect_run(fixture, "", "");
    fixture->view.mode = FOLIO_MODE_SPLIT;
    window(fixture, "ssuuuuuu");
    expect_run(fixture, "split", "0 1 ");
    end(fixture, FOLIO_ACT_DONE);
}

/* What is planned and waits is told, and so is why nothing can be. */
static void
test_told(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *planned = NULL, *problem = NULL;

    fixture->deciding->limits.cpu_share = 0;
    windows(fixture, "ssuuuuuu");
    planned = folio_decided_guest_print_counts(fixture->decided);
    assert_string_equal(planned, "2 to be split (cpu-share)");
    folio_file_set_calls(NULL); /* the file is no pagemap */
    window(fixture, "ssuuuuuu");
    problem = folio_decided_guest_print_counts(fixture->decided);
    assert_string_equal(problem, "nothing can be planned: pagemap: this kernel does not have "
                                 "PAGEMAP_SCAN");
}

static void
on_given(gpointer user_data)
{
    ++*(guint *) user_data;
}

/* Somebody asks for a job meanwhile: it has the guest once the run has ended. */
static void
test_who_asks_goes_first(void **state)
{
    Fixture *fixture = *state;
    guint given = 0;

    windows(fixture, "suuuuuuu");
    expect_run(fixture, "split", "0 ");
    assert_false(folio_turns_claim(fixture->turns, FAKE_UUID, on_given, &given));
    assert_int_equal(fixture->fake.n_cancelled, 1);
    end(fixture, FOLIO_ACT_CANCELLED);
    assert_int_equal(given, 1);

    /* While the job goes on, nothing is begun; then what is to be done is. */
    windows(fixture, "sssuuuuu");
    expect_run(fixture, "", "");
    folio_turns_leave(fixture->turns, FAKE_UUID, &given);
    window(fixture, "sssuuuuu");
    expect_run(fixture, "split", "1 2 ");
    end(fixture, FOLIO_ACT_DONE);
}

static void
test_pressure_and_stop(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *dir = g_build_filename(fixture->host->proc_root, "pressure", NULL);
    g_autofree char *path = g_build_filename(dir, "memory", NULL);

    assert_int_equal(g_mkdir(dir, 0700), 0);
    fake_write(path, "some avg10=70.12 avg60=0.00 avg300=0.00 total=1\n", -1);
    windows(fixture, "suuuuuuu");
    expect_run(fixture, "", "");
    fake_write(path, "some avg10=0.12 avg60=0.00 avg300=0.00 total=1\n", -1);
    window(fixture, "suuuuuuu");
    expect_run(fixture, "split", "0 ");
    fixture->deciding->stopped = TRUE;
    end(fixture, FOLIO_ACT_DONE);
    windows(fixture, "ssssuuuu");
    expect_run(fixture, "", "");
}

/* The guest goes: nothing of it is used any more, whatever ends later. */
static void
test_guest_that_goes(void **state)
{
    Fixture *fixture = *state;

    windows(fixture, "suuuuuuu");
    expect_run(fixture, "split", "0 ");
    folio_decided_guest_free(g_steal_pointer(&fixture->decided));
    assert_int_equal(fixture->fake.n_cancelled, 1);
    settle(fixture, 0, FOLIO_OUTCOME_DONE);
    end(fixture, FOLIO_ACT_CANCELLED);
    assert_int_equal(fixture->acted, 0);
}

/* What waits for the budget goes with it. */
static void
test_guest_that_goes_with_a_plan(void **state)
{
    Fixture *fixture = *state;

    fixture->deciding->limits.cpu_share = 0;
    windows(fixture, "ssuuuuuu");
    expect_run(fixture, "", "");
    folio_decided_guest_free(g_steal_pointer(&fixture->decided));
    fixture->deciding->limits.cpu_share = 1;
    settle_down(fixture);
    assert_int_equal(fixture->fake.n_started, 0);
}

/* A run that fails is not followed by the next one before there is a new window. */
static void
test_failure(void **state)
{
    Fixture *fixture = *state;

    mapped[1] = 's';
    windows(fixture, "sduuuuuu");
    expect_run(fixture, "collapse", "1 ");
    end(fixture, FOLIO_ACT_FAILED);
    expect_run(fixture, "", "");
    window(fixture, "sduuuuuu");
    expect_run(fixture, "split", "0 ");
    end(fixture, FOLIO_ACT_DONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        decided_test(test_sparse_blocks_are_split),
        decided_test(test_dense_blocks_are_collapsed),
        decided_test(test_nothing_is_split_that_would_not_last),
        decided_test(test_modes_that_do_nothing),
        decided_test(test_mode_changes),
        decided_test(test_told),
        decided_test(test_who_asks_goes_first),
        decided_test(test_pressure_and_stop),
        decided_test(test_guest_that_goes),
        decided_test(test_guest_that_goes_with_a_plan),
        decided_test(test_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
