/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is decided for a guest after foliod has been away, after somebody has acted by hand, after
 * it was only observed, and while runs fail. */
#include "deciding-stage.h"

/* foliod begins, and has a run directory. */
static void
start(Fixture *fixture)
{
    g_clear_pointer(&fixture->decided, folio_decided_guest_free);
    fixture->deciding->calls.store =
        folio_plan_store_new(fixture->host->root, fixture->host->proc_root);
    fixture->decided =
        folio_decided_guest_new(fixture->deciding, FAKE_UUID, "guest", &calls, fixture);
}

static void
stop(Fixture *fixture)
{
    g_clear_pointer(&fixture->decided, folio_decided_guest_free);
    settle_down(fixture);
    g_clear_pointer(&fixture->deciding->calls.store, folio_plan_store_unref);
    fixture->windows = 0; /* its heat begins anew */
}

static void
restart(Fixture *fixture)
{
    stop(fixture);
    start(fixture);
}

static char *
path_of(const Fixture *fixture)
{
    return g_build_filename(fixture->host->root, "plans", FAKE_UUID, NULL);
}

/* A block is split; it is huge again at once, and waits for its dwell, over a restart. */
static void
test_restart_keeps_the_dwell(void **state)
{
    Fixture *fixture = *state;

    start(fixture);
    windows(fixture, "suuuuuuu");
    expect_run(fixture, "split", "0 ");
    settle(fixture, 0, FOLIO_OUTCOME_DONE);
    end(fixture, FOLIO_ACT_DONE);
    for (guint i = 0; i < 3; i++)
        window(fixture, "suuuuuuu");
    restart(fixture);
    for (guint i = 4; i < FOLIO_PLAN_DWELL; i++) {
        window(fixture, "suuuuuuu");
        expect_run(fixture, "", "");
        assert_int_equal(decision(fixture, 0)->step.block, 0);
        assert_int_equal(decision(fixture, 0)->result, FOLIO_PLAN_DONE);
    }
    window(fixture, "suuuuuuu");
    expect_run(fixture, "split", "0 ");
    end(fixture, FOLIO_ACT_DONE);
    /* It did not last, which is known too. */
    restart(fixture);
    for (guint i = 1; i < 2 * FOLIO_PLAN_DWELL; i++) {
        window(fixture, "suuuuuuu");
        expect_run(fixture, "", "");
    }
    window(fixture, "suuuuuuu");
    expect_run(fixture, "split", "0 ");
    end(fixture, FOLIO_ACT_DONE);
    stop(fixture);
}

/* A file that cannot be believed is that of a guest that nothing was done to. */
static void
test_restart_with_a_damaged_file(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = path_of(fixture);
    g_autofree char *aside = g_strconcat(path, ".damaged", NULL);

    start(fixture);
    windows(fixture, "suuuuuuu");
    end(fixture, FOLIO_ACT_DONE);
    stop(fixture);
    assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    fake_write(path, "foliod-plan 1 guest", -1);
    start(fixture);
    windows(fixture, "suuuuuuu");
    expect_run(fixture, "split", "0 ");
    assert_true(g_file_test(aside, G_FILE_TEST_EXISTS));
    end(fixture, FOLIO_ACT_DONE);
    stop(fixture);
}

/* Without any end of foliod it is written after a while. */
static void
test_written_soon(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = path_of(fixture);
    const gint64 latest = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;

    start(fixture);
    windows(fixture, "suuuuuuu");
    end(fixture, FOLIO_ACT_DONE);
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    while (!g_file_test(path, G_FILE_TEST_EXISTS) && g_get_monotonic_time() < latest)
        settle_down(fixture);
    assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
    stop(fixture);
}

static void
by_hand(Fixture *fixture, FolioActKind kind, guint block, FolioOutcome outcome)
{
    const FolioBlockResult result = { .address = HVA + block * BLOCK, .outcome = outcome };

    folio_decided_guest_note(fixture->decided, fixture->process, fixture->ram, kind, &result, 1);
}

/* What somebody has just done is not undone in the next window; what came to nothing leaves no
 * trace. */
static void
test_by_hand(void **state)
{
    Fixture *fixture = *state;

    window(fixture, "ssssuuuu");
    by_hand(fixture, FOLIO_ACT_COLLAPSE, 0, FOLIO_OUTCOME_DONE);
    by_hand(fixture, FOLIO_ACT_RESTORE, 1, FOLIO_OUTCOME_ALREADY);
    by_hand(fixture, FOLIO_ACT_COLLAPSE, 2, FOLIO_OUTCOME_LEFT);
    window(fixture, "ssssuuuu");
    expect_run(fixture, "split", "2 3 ");
    settle(fixture, 2, FOLIO_OUTCOME_DONE);
    settle(fixture, 3, FOLIO_OUTCOME_DONE);
    end(fixture, FOLIO_ACT_DONE);
    mapped[2] = mapped[3] = 's';
    for (guint i = 1; i < FOLIO_PLAN_DWELL - 1; i++) {
        window(fixture, "ssssuuuu");
        expect_run(fixture, "", "");
    }
    window(fixture, "ssssuuuu");
    expect_run(fixture, "split", "0 1 ");
    end(fixture, FOLIO_ACT_DONE);
}

/* Before there is any window, and foliod ends before there is one; then in the first one. */
static void
test_by_hand_before_the_first_window(void **state)
{
    Fixture *fixture = *state;

    start(fixture);
    by_hand(fixture, FOLIO_ACT_COLLAPSE, 0, FOLIO_OUTCOME_DONE);
    restart(fixture);
    by_hand(fixture, FOLIO_ACT_COLLAPSE, 1, FOLIO_OUTCOME_DONE);
    windows(fixture, "sssuuuuu");
    expect_run(fixture, "split", "2 ");
    end(fixture, FOLIO_ACT_DONE);
    stop(fixture);
}

/* Nobody looks at the memory while it is only observed. */
static int
no_scan(int fd, unsigned long request, void *argument)
{
    fail_msg("the memory of a guest that is observed is looked at");
    return -1;
}

static void
test_observed(void **state)
{
    static const FolioFileCalls blind = { .ioctl = no_scan };
    Fixture *fixture = *state;

    folio_file_set_calls(&blind);
    fixture->view.mode = FOLIO_MODE_OBSERVE;
    windows(fixture, "suuuuuuu");
    expect_run(fixture, "", "");
    folio_file_set_calls(&scanning);
    /* In the window that has ended already. */
    fixture->view.mode = FOLIO_MODE_SPLIT;
    fixture->windows--;
    window(fixture, "suuuuuuu");
    expect_run(fixture, "split", "0 ");
    end(fixture, FOLIO_ACT_DONE);
}

static void
expect_told(const Fixture *fixture, const char *expected)
{
    g_autofree char *text = folio_decided_guest_print_counts(fixture->decided);

    if (strstr(text, expected) == NULL)
        fail_msg("%s: not in: %s", expected, text);
}

static guint warnings;

static GLogWriterOutput
count_warnings(GLogLevelFlags level, const GLogField *fields, gsize n_fields, gpointer user_data)
{
    warnings += (level & G_LOG_LEVEL_WARNING) != 0;
    return G_LOG_WRITER_HANDLED;
}

/* What the host refuses is tried ever less often, said once, and told to whoever asks; the other
 * kind goes on. */
static void
test_failing_runs(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *told = NULL;
    guint tries = 0;

    warnings = 0;
    windows(fixture, "suuuuuuu");
    for (guint i = 0; i < 40; i++) {
        if (fixture->fake.runs->len > 0) {
            tries++;
            settle(fixture, 0, FOLIO_OUTCOME_GONE);
            end(fixture, FOLIO_ACT_FAILED);
        }
        fixture->windows += FOLIO_PLAN_DWELL - 1; /* it does not rest */
        windows(fixture, "suuuuuuu");
    }
    /* Of 80 windows, in the first, after 1, 2, 4, 8, 16 and 32 more. */
    assert_in_range(tries, 5, 7);
    assert_int_equal(warnings, 1);
    expect_told(fixture, "split failed ");
    expect_told(fixture, "no luck");

    mapped[1] = 's';
    windows(fixture, "sduuuuuu");
    expect_run(fixture, "collapse", "1 ");
    end(fixture, FOLIO_ACT_DONE);
    /* Somebody has the guest observed: that begins anew. */
    fixture->view.mode = FOLIO_MODE_OBSERVE;
    window(fixture, "suuuuuuu");
    told = folio_decided_guest_print_counts(fixture->decided);
    assert_string_equal(told, "");
    fixture->view.mode = FOLIO_MODE_SPLIT;
    fixture->windows += FOLIO_PLAN_DWELL << FOLIO_PLAN_DOUBLINGS;
    windows(fixture, "suuuuuuu");
    expect_run(fixture, "split", "0 ");
    end(fixture, FOLIO_ACT_DONE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        decided_test(test_restart_keeps_the_dwell),
        decided_test(test_restart_with_a_damaged_file),
        decided_test(test_written_soon),
        decided_test(test_by_hand),
        decided_test(test_by_hand_before_the_first_window),
        decided_test(test_observed),
        decided_test(test_failing_runs),
    };

    g_log_set_writer_func(count_warnings, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
