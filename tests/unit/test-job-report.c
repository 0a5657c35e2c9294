/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What became of the blocks of a job, in words. */
#include "ctl/job-report.h"

#include "cmocka-all.h"

static GVariant *
parse(const char *text)
{
    GVariant *about = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);

    assert_non_null(about);
    return about;
}

static void
test_words(void **state)
{
    static const struct {
        const char *about, *text;
        gboolean has_left;
    } cases[] = {
        { "{'kind': <'split'>, 'order': <uint32 0>, 'blocks': <{'done': uint64 37, 'already': 2,"
          " 'left': 1}>, 'left': <{'busy': uint64 1}>}",
          "split 37 blocks (74 MiB) to order 0; 2 were so before; 1 left (busy)", TRUE },
        { "{'kind': <'split'>, 'order': <uint32 4>, 'blocks': <{'done': uint64 1, 'already': 1}>}",
          "split 1 block (2 MiB) to order 4; 1 was so before", FALSE },
        { "{'kind': <'collapse'>, 'order': <uint32 9>, 'blocks': <{'left': uint64 3, 'partly': 2}>,"
          " 'left': <{'no-memory': uint64 3, 'refused': 1, 'unsaid': 1}>}",
          "collapsed no block; 2 in part; 3 left (3 no huge page free, 1 refused, 1 the kernel does "
          "not say why)",
          TRUE },
        { "{'kind': <'restore'>, 'order': <uint32 9>, 'blocks': <{'done': uint64 512, 'absent': 4,"
          " 'gone': 1}>}",
          "collapsed 512 blocks (1 GiB); 4 not in memory; 1 given back or moved meanwhile", TRUE },
        { "{'kind': <'restore'>, 'order': <uint32 9>, 'blocks': <{'absent': uint64 4}>}",
          "collapsed no block; 4 not in memory", FALSE },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GVariant) about = parse(cases[i].about);
        g_autofree char *text = folio_job_report_text(about);

        assert_string_equal(text, cases[i].text);
        assert_int_equal(folio_job_report_has_left(about), cases[i].has_left);
        assert_true(folio_job_report_is_known(about));
    }
}

/* Before it has ended, or of a foliod that says something else. */
static void
test_nothing_known(void **state)
{
    static const char *const nothing[] = { "{}", "{'blocks': <{'done': uint64 0}>}",
                                           "{'blocks': <7>, 'left': <'x'>}" };

    for (gsize i = 0; i < G_N_ELEMENTS(nothing); i++) {
        g_autoptr(GVariant) about = parse(nothing[i]);

        assert_false(folio_job_report_is_known(about));
        assert_false(folio_job_report_has_left(about));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_nothing_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
