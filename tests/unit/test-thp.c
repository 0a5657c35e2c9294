/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The THP setting of a process: names, what /proc/PID/status says, prctl's arguments. */
#include "base/error.h"
#include "cmocka-all.h"
#include "memory/thp.h"

#include <unistd.h>

static void
test_tokens(void **state)
{
    const struct {
        FolioThp thp;
        const char *token;
        unsigned long disable, flags;
    } all[] = {
        { FOLIO_THP_AS_USUAL, "usual", 0, 0 },
        { FOLIO_THP_NO_KHUGEPAGED, "no-khugepaged", 1, 65536 },
        { FOLIO_THP_NO_HUGE_PAGES, "no-huge-pages", 1, 0 },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        unsigned long disable = 2;
        unsigned long flags = 2;
        FolioThp thp = FOLIO_THP_AS_USUAL;

        assert_string_equal(folio_thp_token(all[i].thp), all[i].token);
        assert_true(folio_thp_from_token(all[i].token, &thp));
        assert_int_equal(thp, all[i].thp);
        folio_thp_get_arguments(thp, &disable, &flags);
        assert_int_equal(disable, all[i].disable);
        assert_int_equal(flags, all[i].flags);
    }
}

static void
test_other_tokens(void **state)
{
    const char *const others[] = { "", "Usual", "usual ", "no-khugepage", "off" };

    for (gsize i = 0; i < G_N_ELEMENTS(others); i++) {
        FolioThp thp = FOLIO_THP_NO_KHUGEPAGED;

        assert_false(folio_thp_from_token(others[i], &thp));
        assert_int_equal(thp, FOLIO_THP_NO_KHUGEPAGED);
    }
}

static void
test_status(void **state)
{
    const struct {
        const char *text;
        gboolean knows, khugepaged, enabled;
        int shows; /* the FolioThp; -1: none */
    } cases[] = {
        { "Name:\ta\nTHP_enabled:\t1\nTHP_khugepaged:\t1\n", TRUE, TRUE, TRUE, FOLIO_THP_AS_USUAL },
        { "Name:\ta\nTHP_enabled:\t1\nTHP_khugepaged:\t0\n", TRUE, FALSE, TRUE,
          FOLIO_THP_NO_KHUGEPAGED },
        { "Name:\ta\nTHP_enabled:\t0\nTHP_khugepaged:\t0\n", TRUE, FALSE, FALSE,
          FOLIO_THP_NO_HUGE_PAGES },
        { "Name:\ta\nTHP_enabled:\t1\n", FALSE, TRUE, TRUE, FOLIO_THP_AS_USUAL },
        { "Name:\ta\nTHP_enabled:\t0\n", FALSE, TRUE, FALSE, FOLIO_THP_NO_HUGE_PAGES },
        /* A name cannot begin a line. */
        { "Name:\tTHP_khugepaged:\t0\nTHP_enabled:\t1\n", FALSE, TRUE, TRUE, FOLIO_THP_AS_USUAL },
        { "Name:\ta\nTHP_khugepaged:", FALSE, TRUE, TRUE, FOLIO_THP_AS_USUAL },
        { "", FALSE, TRUE, TRUE, FOLIO_THP_AS_USUAL },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        FolioThpStatus status;

        folio_thp_parse_status(cases[i].text, &status);
        assert_int_equal(status.knows_khugepaged, cases[i].knows);
        assert_int_equal(status.khugepaged, cases[i].khugepaged);
        assert_int_equal(status.enabled, cases[i].enabled);
        for (int thp = FOLIO_THP_AS_USUAL; thp <= FOLIO_THP_NO_HUGE_PAGES; thp++)
            assert_int_equal(folio_thp_is(&status, (FolioThp) thp), thp == cases[i].shows);
    }
}

/* Field 22 of its stat. */
static guint64
own_start_time(void)
{
    g_autofree char *stat = NULL;
    g_auto(GStrv) fields = NULL;

    assert_true(g_file_get_contents("/proc/self/stat", &stat, NULL, NULL));
    fields = g_strsplit(strrchr(stat, ')') + 2, " ", -1);
    return g_ascii_strtoull(fields[22 - 3], NULL, 10);
}

static void
test_held_process(void **state)
{
    const guint64 start_time = own_start_time();
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioProcess) process = folio_process_hold("/proc", getpid(), start_time, &error);
    FolioThpStatus status;

    assert_no_error(error);
    assert_int_equal(folio_process_get_pid(process), getpid());
    assert_true(folio_process_get_start_time(process) == start_time);
    assert_true(folio_process_is_alive(process));
    assert_true(folio_thp_read_status(process, &status, &error));
    assert_no_error(error);

    assert_null(folio_process_hold("/proc", getpid(), start_time + 1, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_other_tokens),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_held_process),
    };

    return cmocka_run_group_tests_name("thp", tests, NULL, NULL);
}
