/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl's text: columns, wrapping, figures, colour; and foreign strings in them. */
#include "base/format.h"
#include "ctl/table.h"

#include "cmocka-all.h"

static const FolioColumn two_columns[] = { { "NAME", FALSE }, { "SIZE", TRUE } };

static void
assert_text(char *text, const char *expected)
{
    assert_string_equal(text, expected);
    g_free(text);
}

static void
test_alignment(void **state)
{
    static const FolioColumn columns[] = { { "NAME", FALSE }, { "RAM", TRUE }, { "WHY", FALSE } };
    g_autoptr(FolioTable) table = folio_table_new(columns, G_N_ELEMENTS(columns));
    const char *const cells[] = { "web", "1.5 GiB", "none", "longest", "4 KiB", "", "a", "", "x" };

    for (gsize i = 0; i < G_N_ELEMENTS(cells); i++)
        folio_table_add(table, FOLIO_COLOUR_NONE, cells[i]);
    assert_text(folio_table_render(table, 0, FALSE), "NAME         RAM  WHY\n"
                                                     "web      1.5 GiB  none\n"
                                                     "longest    4 KiB\n"
                                                     "a                 x\n");
}

static void
test_empty_and_short(void **state)
{
    static const FolioColumn bare[] = { { NULL, FALSE }, { NULL, TRUE } };
    g_autoptr(FolioTable) titles = folio_table_new(two_columns, 2);
    g_autoptr(FolioTable) nothing = folio_table_new(bare, 2);
    g_autoptr(FolioTable) partial = folio_table_new(bare, 2);

    folio_table_add(partial, FOLIO_COLOUR_NONE, "a");
    folio_table_add(partial, FOLIO_COLOUR_NONE, "10");
    folio_table_add(partial, FOLIO_COLOUR_NONE, "b");
    assert_text(folio_table_render(titles, 0, FALSE), "NAME  SIZE\n");
    assert_text(folio_table_render(nothing, 0, FALSE), "");
    assert_text(folio_table_render(partial, 0, FALSE), "a  10\nb\n");
}

/* A name can hold anything: it stays in its cell and sends nothing to the terminal. */
static void
test_foreign_cells(void **state)
{
    g_autoptr(FolioTable) table = folio_table_new(two_columns, 2);

    folio_table_add(table, FOLIO_COLOUR_NONE, "a\n\033[2Jb\xff");
    folio_table_add(table, FOLIO_COLOUR_NONE, "1");
    folio_table_add(table, FOLIO_COLOUR_NONE,
                    "\xe2\x80\xae"
                    "c"); /* right-to-left override */
    folio_table_add(table, FOLIO_COLOUR_NONE, "2");
    assert_text(folio_table_render(table, 0, TRUE),
                "\033[1mNAME\033[0m               \033[1mSIZE\033[0m\n"
                "a\\x0a\\x1b[2Jb\\xff     1\n"
                "\\xe2\\x80\\xaec         2\n");
}

static void
test_wide_and_combining(void **state)
{
    g_autoptr(FolioTable) table = folio_table_new(two_columns, 2);

    assert_int_equal(folio_display_width("abc"), 3);
    assert_int_equal(folio_display_width("数据库"), 6);
    assert_int_equal(folio_display_width("e\xcc\x81"), 1);
    assert_int_equal(folio_display_width("é"), 1);
    assert_int_equal(folio_display_width("ｗ"), 2);
    assert_int_equal(folio_display_width(""), 0);

    folio_table_add(table, FOLIO_COLOUR_NONE, "数据");
    folio_table_add(table, FOLIO_COLOUR_NONE, "1");
    folio_table_add(table, FOLIO_COLOUR_NONE, "e\xcc\x81");
    folio_table_add(table, FOLIO_COLOUR_NONE, "2");
    assert_text(folio_table_render(table, 0, FALSE), "NAME  SIZE\n"
                                                     "数据     1\n"
                                                     "e\xcc\x81        2\n");
}

/* Control sequences take no column: coloured or not, the letters stand in the same place. */
static void
test_colour(void **state)
{
    g_autoptr(FolioTable) table = folio_table_new(two_columns, 2);

    folio_table_add(table, FOLIO_COLOUR_GREEN, "ok");
    folio_table_add(table, FOLIO_COLOUR_RED, "3");
    assert_text(folio_table_render(table, 0, TRUE), "\033[1mNAME\033[0m  \033[1mSIZE\033[0m\n"
                                                    "\033[32mok\033[0m       \033[31m3\033[0m\n");
    assert_text(folio_paint(FOLIO_COLOUR_RED, "x", FALSE), "x");
    assert_text(folio_paint(FOLIO_COLOUR_NONE, "x", TRUE), "x");
    assert_text(folio_paint(FOLIO_COLOUR_RED, "", TRUE), "");
}

static void
test_wrap(void **state)
{
    g_autofree char *huge = g_strnfill(100000, 'x');
    g_autofree char *wrapped = folio_wrap(huge, 2, 80);

    assert_text(folio_wrap("one two three", 0, 0), "one two three\n");
    assert_text(folio_wrap("one two three", 2, 9), "  one two\n  three\n");
    assert_text(folio_wrap("one two three", 2, 10), "  one two\n  three\n");
    assert_text(folio_wrap("one two three", 0, 1), "one\ntwo\nthree\n");
    assert_text(folio_wrap("数据 数据", 0, 8), "数据\n数据\n");
    assert_text(folio_wrap("数据 数据", 0, 9), "数据 数据\n");
    assert_text(folio_wrap("a\nb \033c", 0, 4), "a\\x0ab\n\\x1bc\n");
    assert_text(folio_wrap("", 3, 80), "   \n");
    assert_int_equal(strlen(wrapped), 100003);
}

static void
test_last_column_wraps(void **state)
{
    static const FolioColumn columns[] = { { "NAME", FALSE }, { "REASON", FALSE } };
    g_autoptr(FolioTable) table = folio_table_new(columns, G_N_ELEMENTS(columns));

    folio_table_add(table, FOLIO_COLOUR_NONE, "web");
    folio_table_add(table, FOLIO_COLOUR_NONE, "twenty-six columns in lines");
    assert_text(folio_table_render(table, 26, FALSE), "NAME  REASON\n"
                                                      "web   twenty-six columns\n"
                                                      "      in lines\n");
    /* Too narrow to be of use. */
    assert_text(folio_table_render(table, 25, FALSE), "NAME  REASON\n"
                                                      "web   twenty-six columns in lines\n");
}

static void
test_bytes(void **state)
{
    const guint64 k = 1024;

    assert_text(folio_format_bytes(0), "0 B");
    assert_text(folio_format_bytes(1023), "1023 B");
    assert_text(folio_format_bytes(1024), "1 KiB");
    assert_text(folio_format_bytes(4096), "4 KiB");
    assert_text(folio_format_bytes(2 * k * k), "2 MiB");
    assert_text(folio_format_bytes(k * k - 1), "1023 KiB");
    assert_text(folio_format_bytes(k * k * k * 3 / 2), "1.5 GiB");
    /* Never more than is there. */
    assert_text(folio_format_bytes(2 * k * k * k - 1), "1.9 GiB");
    assert_text(folio_format_bytes(k * k + 1), "1 MiB");
    assert_text(folio_format_bytes(99 * k + 1023), "99.9 KiB");
    assert_text(folio_format_bytes(100 * k + 1023), "100 KiB");
    assert_text(folio_format_bytes(16 * k * k * k * k), "16 TiB");
    assert_text(folio_format_bytes(G_MAXUINT64), "15.9 EiB");
}

static void
test_percent(void **state)
{
    assert_text(folio_format_percent(0, 0), "-");
    assert_text(folio_format_percent(1, 0), "-");
    assert_text(folio_format_percent(0, 5), "0%");
    assert_text(folio_format_percent(1, 1000), "<1%");
    assert_text(folio_format_percent(999, 1000), "99%");
    assert_text(folio_format_percent(1000, 1000), "100%");
    assert_text(folio_format_percent(3, 2), "150%");
    assert_text(folio_format_percent(G_MAXUINT64, G_MAXUINT64), "100%");
    assert_text(folio_format_percent(G_MAXUINT64 / 2, G_MAXUINT64), "49%");
    assert_text(folio_format_percent(1, G_MAXUINT64), "<1%");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_empty_and_short),
        cmocka_unit_test(test_foreign_cells),
        cmocka_unit_test(test_wide_and_combining),
        cmocka_unit_test(test_colour),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_last_column_wraps),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_percent),
    };

    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
