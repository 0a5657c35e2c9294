/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* act/khugepaged: a process that may have no huge pages but while foliod collapses. */
#include "keeper-stage.h"

static gboolean
collapse(Stage *stage, GError **error)
{
    return folio_khugepaged_before_collapse(stage->control, &stage->request, NULL, error) &&
           folio_khugepaged_after_collapse(stage->control, &stage->request, NULL, error);
}

static void
test_collapse(void **state)
{
    Stage *stage = *state;

    assert_true(collapse(stage, NULL));
    assert_steps("");
    qemu.thp = NO_HUGE; /* by its starter, and not to be treated strictly */
    assert_true(collapse(stage, NULL));
    assert_steps("");

    qemu.thp = USUAL;
    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    g_string_truncate(steps, 0);
    assert_true(folio_khugepaged_before_collapse(stage->control, &stage->request, NULL, NULL));
    assert_int_equal(qemu.thp, NO_KHUGE);
    assert_true(folio_khugepaged_after_collapse(stage->control, &stage->request, NULL, NULL));
    assert_true(folio_khugepaged_after_collapse(stage->control, &stage->request, NULL, NULL));
    assert_steps("no-khugepaged no-huge-pages ");
    qemu.knows = FALSE;
    stage->request.khugepaged = AUTO; /* what foliod closed it opens, however it is treated now */
    assert_true(collapse(stage, NULL));
    assert_steps("usual no-huge-pages ");
    assert_true(give_back(stage, NULL));
    assert_int_equal(qemu.thp, USUAL);
}

/* Its starter's is put back as its starter's; also by a foliod that finds it open. */
static void
test_collapse_set_at_launch(void **state)
{
    Stage *stage = *state;

    qemu.thp = NO_HUGE;
    stage->request.khugepaged = STRICT;
    assert_true(collapse(stage, NULL));
    assert_steps("note-thp no-khugepaged no-huge-pages drop-thp ");

    assert_true(folio_khugepaged_before_collapse(stage->control, &stage->request, NULL, NULL));
    folio_khugepaged_free(stage->control);
    stage->control = folio_khugepaged_new(stage->sys_root, "/inject", NULL);
    assert_true(collapse(stage, NULL));
    assert_steps("note-thp no-khugepaged no-huge-pages drop-thp ");
    assert_int_equal(qemu.thp, NO_HUGE);
}

static void
test_collapse_fails(void **state)
{
    Stage *stage = *state;
    g_autoptr(GError) error = NULL;

    stage->request.khugepaged = STRICT;
    assert_keeps(stage, FOLIO_KEEPER_STRICT, NULL);
    stage->request.may_inject = FALSE;
    assert_false(collapse(stage, &error));
    assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED));
    g_clear_error(&error);
    stage->request.may_inject = TRUE;
    helper.fails_at = helper.calls;
    assert_false(collapse(stage, &error));
    assert_int_equal(qemu.thp, NO_HUGE);
    g_clear_error(&error);

    helper.fails_at = helper.calls + 1;
    assert_false(collapse(stage, &error));
    assert_int_equal(qemu.thp, NO_KHUGE);
    g_clear_error(&error);
    assert_true(folio_khugepaged_after_collapse(stage->control, &stage->request, NULL, &error));
    assert_int_equal(qemu.thp, NO_HUGE);

    /* Given back while it was open: it is not closed any more. */
    helper.fails_at = helper.calls + 1;
    assert_false(collapse(stage, NULL));
    assert_true(give_back(stage, NULL));
    assert_int_equal(qemu.thp, USUAL);
    stage->request.khugepaged = AUTO;
    assert_true(collapse(stage, &error));
    assert_int_equal(qemu.thp, USUAL);

    qemu.gone = TRUE;
    assert_false(collapse(stage, &error));
    assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        stage_test(test_collapse),
        stage_test(test_collapse_set_at_launch),
        stage_test(test_collapse_fails),
    };

    return cmocka_run_group_tests_name("khugepaged-collapse", tests, NULL, NULL);
}
