/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs that fail window after window. */
#include "policy/trouble.h"

#include "cmocka-all.h"

#define HOUR FOLIO_TROUBLE_SILENT_USEC

/* How many windows pass until it may be tried again. */
static guint
wait_of(FolioTrouble *trouble)
{
    guint windows = 0;

    for (; folio_trouble_waits(trouble); windows++)
        folio_trouble_pass(trouble);
    return windows;
}

static void
test_wait_doubles(void **state)
{
    static const guint waits[] = { 1, 2, 4, 8, 16, 32, 64, 64, 64 };
    FolioTrouble trouble = { 0 };
    guint unsaid;

    assert_int_equal(wait_of(&trouble), 0);
    for (guint i = 0; i < G_N_ELEMENTS(waits); i++) {
        folio_trouble_add(&trouble, "no", 0, &unsaid);
        assert_int_equal(wait_of(&trouble), waits[i]);
    }
    for (guint i = 0; i < 100; i++)
        folio_trouble_add(&trouble, "no", 0, &unsaid);
    assert_int_equal(wait_of(&trouble), FOLIO_TROUBLE_WINDOWS);
    assert_int_equal(folio_trouble_end(&trouble), 100 + G_N_ELEMENTS(waits));
    assert_int_equal(folio_trouble_end(&trouble), 0);
    folio_trouble_add(&trouble, "no", 0, &unsaid);
    assert_int_equal(wait_of(&trouble), 1);
    folio_trouble_end(&trouble);
}

static void
test_said_now_and_then(void **state)
{
    static const struct {
        const char *reason;
        gint64 usec;
        gboolean said;
        guint unsaid;
    } rows[] = {
        { "one", 5, TRUE, 0 },           { "one", 6, FALSE, 0 },
        { "one", HOUR + 4, FALSE, 0 },   { "one", HOUR + 5, TRUE, 2 },
        { "one", HOUR + 6, FALSE, 0 },   { "other", HOUR + 7, TRUE, 1 },
        { "other", HOUR + 8, FALSE, 0 }, { "one", HOUR + 9, TRUE, 1 },
    };
    FolioTrouble trouble = { 0 };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        guint unsaid = 0;

        assert_int_equal(folio_trouble_add(&trouble, rows[i].reason, rows[i].usec, &unsaid),
                         rows[i].said);
        assert_int_equal(unsaid, rows[i].unsaid);
    }
    folio_trouble_end(&trouble);
}

static void
expect_text(const FolioTrouble *trouble, const char *expected)
{
    g_autofree char *text = folio_trouble_print(trouble, "split");

    assert_string_equal(text, expected);
}

static void
test_told(void **state)
{
    FolioTrouble trouble = { 0 };
    guint unsaid;

    assert_null(folio_trouble_print(&trouble, "split"));
    folio_trouble_add(&trouble, "no luck", 0, &unsaid);
    expect_text(&trouble, "split failed 1 time, next try in 1 window: no luck");
    folio_trouble_pass(&trouble);
    expect_text(&trouble, "split failed 1 time, is tried again: no luck");
    folio_trouble_add(&trouble, "none at all", 0, &unsaid);
    expect_text(&trouble, "split failed 2 times, next try in 2 windows: none at all");
    folio_trouble_end(&trouble);
    assert_null(folio_trouble_print(&trouble, "split"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait_doubles),
        cmocka_unit_test(test_said_now_and_then),
        cmocka_unit_test(test_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
