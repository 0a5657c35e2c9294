/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* act/khugepaged: what is done to a guest's process and to the knob of the hold, in what order, and
 * what is left of it when a step fails. */
#include "keeper-stage.h"

/* By the host's settings it does nothing, so nothing is done about it. */
static void
test_idle(void **state)
{
    Stage *stage = *state;

    put(stage, THP "enabled", "always madvise [never]\n");
    put(stage, THP "shmem_enabled", "always within_size advise [never] deny force\n");
    assert_int_equal(folio_khugepaged_look(stage->control, stage->process), FOLIO_KEEPER_IDLE);
    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_IDLE, NULL);
    assert_steps("");
    assert_knob(stage, "0");
    put(stage, THP "hugepages-2048kB/shmem_enabled", "[always] never\n");
    assert_int_equal(folio_khugepaged_look(stage->control, stage->process), FOLIO_KEEPER_FREE);
}

static void
test_look(void **state)
{
    Stage *stage = *state;
    static const FolioKeeper expected[] = { FOLIO_KEEPER_FREE, FOLIO_KEEPER_FLAG,
                                            FOLIO_KEEPER_STRICT };

    for (guint thp = USUAL; thp <= NO_HUGE; thp++) {
        qemu.thp = (FolioThp) thp;
        assert_int_equal(folio_khugepaged_look(stage->control, stage->process), expected[thp]);
    }
    qemu.gone = TRUE;
    assert_int_equal(folio_khugepaged_look(stage->control, stage->process), FOLIO_KEEPER_FREE);
    assert_steps("");
    assert_string_equal(folio_keeper_token(FOLIO_KEEPER_FREE), "free");
    assert_string_equal(folio_keeper_token(FOLIO_KEEPER_IDLE), "idle");
    assert_string_equal(folio_keeper_token(FOLIO_KEEPER_FLAG), "flag");
    assert_string_equal(folio_keeper_token(FOLIO_KEEPER_STRICT), "strict");
}

/* Each step is written down before; a second time nothing is left to do; and all of it goes back,
 * the knob only when nothing is split. */
static void
test_auto(void **state)
{
    Stage *stage = *state;

    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("note-thp no-khugepaged note-knob ");
    assert_knob(stage, HOUR);
    assert_int_equal(folio_khugepaged_hold_msec(stage->control), 3600000);
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("");

    ledger.split = TRUE;
    assert_true(give_back(stage, NULL));
    assert_steps("usual drop-thp ");
    assert_int_equal(qemu.thp, USUAL);
    assert_knob(stage, HOUR);
    ledger.split = FALSE;
    assert_true(folio_khugepaged_release_hold(stage->control, NULL));
    assert_steps("drop-knob ");
    assert_knob(stage, "0");
    assert_true(give_back(stage, NULL));
    assert_steps("");
}

/* It was started with the flag, or without huge pages: that stays, whatever is done. */
static void
test_set_at_launch(void **state)
{
    Stage *stage = *state;

    qemu.thp = NO_KHUGE;
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("note-knob ");
    assert_true(give_back(stage, NULL));
    assert_steps("drop-knob ");
    assert_int_equal(qemu.thp, NO_KHUGE);

    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    assert_true(give_back(stage, NULL));
    assert_steps("note-thp no-huge-pages note-knob no-khugepaged drop-thp drop-knob ");

    qemu.thp = NO_HUGE;
    stage->request.khugepaged = AUTO;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    ledger.thp = (FolioLedgerThp){ .changed = TRUE }; /* by a foliod that died in a collapse */
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    assert_true(give_back(stage, NULL));
    assert_int_equal(qemu.thp, NO_HUGE);
    assert_steps("note-knob drop-thp drop-knob ");
}

static void
test_keep(void **state)
{
    Stage *stage = *state;

    stage->request.khugepaged = KEEP;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "Khugepaged=auto");
    qemu.thp = NO_KHUGE;
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("");
    assert_knob(stage, "0");
}

static void
test_may_not_inject(void **state)
{
    Stage *stage = *state;

    stage->request.may_inject = FALSE;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "thp=khugepaged-off");
    folio_khugepaged_free(stage->control);
    stage->control = folio_khugepaged_new(stage->sys_root, NULL, NULL);
    stage->request.may_inject = TRUE;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "thp=khugepaged-off");
    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "thp=khugepaged-off");
    assert_steps("");
    assert_knob(stage, "0");
}

static void
test_kernel_without_flag(void **state)
{
    Stage *stage = *state;
    g_autofree char *knob = g_build_filename(stage->sys_root, KNOB, NULL);

    assert_int_equal(g_remove(knob), 0);
    qemu.knows = FALSE;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "patches");
    assert_steps("");
    assert_int_equal(folio_khugepaged_hold_msec(stage->control), 0);
    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    assert_steps("note-thp no-huge-pages ");
    assert_true(give_back(stage, NULL));
    assert_steps("usual drop-thp ");
}

/* Not before the RAM is there: what comes later would be small for good. */
static void
test_strict_waits(void **state)
{
    Stage *stage = *state;

    stage->request.khugepaged = STRICT;
    stage->ram.now.present = RAM / 10 * 8;
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("note-thp no-khugepaged note-knob ");
    stage->ram.now.swapped = RAM / 10;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    assert_steps("no-huge-pages ");
    stage->ram.now.present = 0;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    assert_steps("");
    stage->request.khugepaged = AUTO;
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("no-khugepaged ");

    qemu.knows = FALSE;
    qemu.thp = USUAL;
    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "waits until 90 %");
    stage->ram.now.present = RAM;
    stage->ram.measured_usec = 0;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "waits until 90 %");
    assert_steps("");
}

static void
assert_nothing_left(Stage *stage)
{
    assert_false(ledger.thp.changed);
    assert_null(ledger.original);
    assert_int_equal(qemu.thp, USUAL);
    assert_knob(stage, "0");
    g_string_truncate(steps, 0);
}

static void
test_failures(void **state)
{
    Stage *stage = *state;

    ledger.full = TRUE;
    assert_keeps(stage, FOLIO_KEEPER_FREE, UNMADE);
    assert_nothing_left(stage);
    ledger.full = FALSE;

    helper.fails_at = 0;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "no thread of it would");
    assert_nothing_left(stage);

    /* The knob comes last: the process is as before again. */
    use_write(failing_write);
    assert_keeps(stage, FOLIO_KEEPER_FREE, "split_backoff_millisecs");
    assert_nothing_left(stage);
    use_write(sysfs_write);
    put(stage, KNOB, "soon\n");
    assert_keeps(stage, FOLIO_KEEPER_FREE, "number of milliseconds");
    put(stage, KNOB, "0\n");
    assert_nothing_left(stage);

    qemu.gone = TRUE;
    assert_keeps(stage, FOLIO_KEEPER_FREE, "No such process");
    qemu.gone = FALSE;
    assert_nothing_left(stage);
}

/* A helper that had to be killed may have done it, or may yet. */
static void
test_helper_killed(void **state)
{
    Stage *stage = *state;

    helper.fails_at = 0;
    helper.code = FOLIO_ERROR_FAILED;
    helper.done_as_well = TRUE;
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("note-thp failed note-knob ");
    assert_true(give_back(stage, NULL));
    assert_nothing_left(stage);

    helper.fails_at = helper.calls;
    helper.done_as_well = FALSE;
    assert_keeps(stage, FOLIO_KEEPER_FREE, UNMADE);
    assert_steps("note-thp failed ");
    assert_true(ledger.thp.changed);
    qemu.thp = NO_KHUGE;
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_true(give_back(stage, NULL));
    assert_nothing_left(stage);
}

/* foliod ended between two steps: what is found decides. */
static void
test_crashes(void **state)
{
    Stage *stage = *state;

    ledger.thp = (FolioLedgerThp){ TRUE, TRUE, TRUE };
    ledger.original = g_strdup("0");
    ledger.ours = g_strdup(HOUR);
    assert_true(give_back(stage, NULL));
    assert_steps("drop-thp drop-knob ");

    ledger.thp = (FolioLedgerThp){ TRUE, TRUE, TRUE };
    ledger.original = g_strdup("0");
    ledger.ours = g_strdup(HOUR);
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_steps("no-khugepaged note-knob ");
    assert_knob(stage, HOUR);
    assert_string_equal(ledger.original, "0");
}

static void
test_give_back_fails(void **state)
{
    Stage *stage = *state;
    g_autoptr(GError) error = NULL;

    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    stage->request.may_inject = FALSE;
    assert_false(give_back(stage, &error));
    assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED));
    assert_true(ledger.thp.changed);
    /* The knob does not wait for the process. */
    assert_knob(stage, "0");
    g_clear_error(&error);

    stage->request.may_inject = TRUE;
    helper.fails_at = helper.calls;
    assert_false(give_back(stage, &error));
    assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_BUSY));
    assert_true(ledger.thp.changed);
    g_clear_error(&error);

    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    use_write(failing_write);
    assert_false(give_back(stage, &error));
    assert_non_null(strstr(error->message, "split_backoff_millisecs"));
    assert_string_equal(ledger.original, "0");
    use_write(sysfs_write);
    assert_true(give_back(stage, NULL));
    assert_nothing_left(stage);
}

/* It is an administrator's too. */
static void
test_knob_of_others(void **state)
{
    Stage *stage = *state;

    qemu.thp = NO_KHUGE;
    put(stage, KNOB, "7200000\n");
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_knob(stage, "7200000");
    assert_steps("");

    put(stage, KNOB, "1000\n");
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_knob(stage, HOUR);
    put(stage, KNOB, "5000\n");
    assert_keeps(stage, FOLIO_KEEPER_FLAG, NULL);
    assert_knob(stage, HOUR);
    assert_string_equal(ledger.original, "5000");
    put(stage, KNOB, "7000\n");
    assert_true(give_back(stage, NULL));
    assert_knob(stage, "7000");
    assert_null(ledger.original);
}

static void
test_could_keep_away(void **state)
{
    Stage *stage = *state;
    static const struct {
        FolioThp thp;
        FolioKhugepaged khugepaged;
        gboolean knows, may_inject, expected;
    } cases[] = {
        { USUAL, AUTO, TRUE, TRUE, TRUE },     { USUAL, AUTO, TRUE, FALSE, FALSE },
        { USUAL, AUTO, FALSE, TRUE, FALSE },   { USUAL, KEEP, TRUE, TRUE, FALSE },
        { USUAL, STRICT, FALSE, TRUE, TRUE },  { USUAL, STRICT, FALSE, FALSE, FALSE },
        { NO_KHUGE, KEEP, TRUE, FALSE, TRUE }, { NO_HUGE, AUTO, FALSE, FALSE, TRUE },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        qemu.thp = cases[i].thp;
        qemu.knows = cases[i].knows;
        assert_int_equal(folio_khugepaged_could_keep_away(stage->control, stage->process,
                                                          cases[i].khugepaged, cases[i].may_inject),
                         cases[i].expected);
    }
    qemu.gone = TRUE;
    assert_false(folio_khugepaged_could_keep_away(stage->control, stage->process, AUTO, TRUE));
    put(stage, THP "enabled", "always madvise [never]\n");
    assert_true(folio_khugepaged_could_keep_away(stage->control, stage->process, KEEP, FALSE));
    assert_steps("");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(test_idle),
        stage_test(test_look),
        stage_test(test_auto),
        stage_test(test_set_at_launch),
        stage_test(test_keep),
        stage_test(test_may_not_inject),
        stage_test(test_kernel_without_flag),
        stage_test(test_strict_waits),
        stage_test(test_failures),
        stage_test(test_helper_killed),
        stage_test(test_crashes),
        stage_test(test_give_back_fails),
        stage_test(test_knob_of_others),
        stage_test(test_could_keep_away),
    };

    return cmocka_run_group_tests_name("khugepaged", tests, NULL, NULL);
}
