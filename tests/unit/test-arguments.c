/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arguments of calls, hostile ones above all: each is refused, and named. */
#include "bus/arguments.h"

#include "base/error.h"
#include "cmocka-all.h"

static void
assert_refused(GError *error, const char *argument)
{
    g_autofree char *start = g_strconcat(argument, ": ", NULL);

    assert_folio_error(error, FOLIO_ERROR_INVALID);
    if (!g_str_has_prefix(error->message, start))
        fail_msg("%s is not named: %s", argument, error->message);
    assert_true(strlen(error->message) < 300);
    assert_null(strchr(error->message, '\n'));
}

static void
test_orders(void **state)
{
    for (guint order = 0; order < 40; order++) {
        g_autoptr(GError) split_error = NULL;
        g_autoptr(GError) collapse_error = NULL;
        const gboolean splits = folio_arguments_check_order(FOLIO_ACT_SPLIT, order, &split_error);
        const gboolean collapses =
            folio_arguments_check_order(FOLIO_ACT_COLLAPSE, order, &collapse_error);

        assert_int_equal(splits, order == 0 || (order >= 2 && order <= 8));
        assert_int_equal(collapses, order == 9);
        if (!splits)
            assert_refused(split_error, "order");
        if (!collapses)
            assert_refused(collapse_error, "order");
    }
    assert_false(folio_arguments_check_order(FOLIO_ACT_SPLIT, G_MAXUINT, NULL));
    assert_false(folio_arguments_check_order(FOLIO_ACT_COLLAPSE, G_MAXUINT, NULL));
}

static void
test_ranges(void **state)
{
    static const guint64 good[][3] = { { 0, 1, 1 }, { 0, 512, 512 }, { 511, 1, 512 } };
    static const struct {
        guint64 first, blocks, n;
        const char *argument;
    } bad[] = {
        { 0, 0, 512, "blocks" },
        { 512, 1, 512, "first_block" },
        { G_MAXUINT64, 1, 512, "first_block" },
        { G_MAXUINT64, G_MAXUINT64, 512, "first_block" },
        { 0, 513, 512, "blocks" },
        { 511, 2, 512, "blocks" },
        { 1, G_MAXUINT64, 512, "blocks" }, /* their sum is 0 */
        { 2, G_MAXUINT64, 512, "blocks" }, /* and 1 */
        { 0, 1, 0, "first_block" },
        { 0, 0, 0, "first_block" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
        assert_true(folio_arguments_check_range(good[i][0], good[i][1], good[i][2], NULL));
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        assert_false(folio_arguments_check_range(bad[i].first, bad[i].blocks, bad[i].n, &error));
        assert_refused(error, bad[i].argument);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_ranges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
