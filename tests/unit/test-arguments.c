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

        assert_int_equal(splits, order <= 8);
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

static GArray *
read_ranges(const char *more, GError **error)
{
    g_autoptr(GVariant) variant =
        more != NULL ? g_variant_parse(G_VARIANT_TYPE("a(tt)"), more, NULL, NULL, NULL) : NULL;

    assert_true(more == NULL || variant != NULL);
    return folio_arguments_read_ranges(8, 4, variant, 64, error);
}

static void
test_more_ranges(void **state)
{
    static const struct {
        const char *more;
        FolioBlockSpan spans[3]; /* n 0 after the last */
    } cases[] = {
        { NULL, { { 8, 4 } } },
        { "[]", { { 8, 4 } } },
        { "[(20, 1), (0, 2)]", { { 0, 2 }, { 8, 4 }, { 20, 1 } } },
        { "[(12, 1), (7, 1)]", { { 7, 6 } } },          /* they adjoin */
        { "[(10, 8), (9, 1), (8, 4)]", { { 8, 10 } } }, /* they overlap */
        { "[(0, 64), (63, 1)]", { { 0, 64 } } },        /* one has the others in it */
        { "[(30, 2), (13, 1), (30, 1)]", { { 8, 4 }, { 13, 1 }, { 30, 2 } } },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GArray) spans = read_ranges(cases[i].more, NULL);
        guint n = 0;

        assert_non_null(spans);
        for (; n < 3 && cases[i].spans[n].n > 0; n++) {
            assert_true(n < spans->len);
            assert_int_equal(g_array_index(spans, FolioBlockSpan, n).first,
                             cases[i].spans[n].first);
            assert_int_equal(g_array_index(spans, FolioBlockSpan, n).n, cases[i].spans[n].n);
        }
        assert_int_equal(spans->len, n);
    }
}

static void
test_bad_ranges_are_told_apart(void **state)
{
    static const char *const bad[][2] = {
        { "[(0, 1), (64, 1)]", "options: \"more\": range 2: first_block: 64" },
        { "[(63, 2)]", "options: \"more\": range 1: blocks: 2" },
        { "[(0, 0)]", "options: \"more\": range 1: blocks: 0" },
        { "[(1, 18446744073709551615)]", "options: \"more\": range 1: blocks: " },
    };
    g_autofree FolioBlockSpan *many = g_new0(FolioBlockSpan, FOLIO_RANGES_MAX + 1);
    g_autoptr(GVariant) variant = NULL;
    g_autoptr(GError) too_many = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        assert_null(read_ranges(bad[i][0], &error));
        assert_refused(error, "options");
        if (!g_str_has_prefix(error->message, bad[i][1]))
            fail_msg("%s", error->message);
    }
    for (guint i = 0; i <= FOLIO_RANGES_MAX; i++)
        many[i] = (FolioBlockSpan){ 0, 1 };
    variant = g_variant_ref_sink(g_variant_new_fixed_array(G_VARIANT_TYPE("(tt)"), many,
                                                           FOLIO_RANGES_MAX + 1, sizeof *many));
    assert_null(folio_arguments_read_ranges(0, 1, variant, 64, &too_many));
    assert_refused(too_many, "options");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_more_ranges),
        cmocka_unit_test(test_bad_ranges_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
