/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of the modes. */
#include "mode.h"

#include "base/error.h"
#include "cmocka-all.h"

static void
test_every_mode(void **state)
{
    static const char *const names[] = { "off", "observe", "split", "collapse", "adaptive" };

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        FolioMode mode = FOLIO_MODE_OFF;

        assert_true(folio_mode_parse(names[i], &mode, NULL));
        assert_int_equal(mode, i);
        assert_string_equal(folio_mode_to_string(mode), names[i]);
    }
}

static void
test_what_is_no_mode(void **state)
{
    static const char *const bad[] = {
        "", "Off", "off ", " off", "offf", "of", "default", "split,collapse", "\xff", "off\n",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        FolioMode mode = FOLIO_MODE_ADAPTIVE;
        g_autoptr(GError) error = NULL;

        assert_false(folio_mode_parse(bad[i], &mode, &error));
        assert_folio_error(error, FOLIO_ERROR_INVALID);
        assert_int_equal(mode, FOLIO_MODE_ADAPTIVE);
        assert_true(g_utf8_validate(error->message, -1, NULL));
        assert_non_null(strstr(error->message, "off, observe, split, collapse, adaptive"));
    }
}

static void
test_message_is_short_and_harmless(void **state)
{
    g_autofree char *flood = g_strnfill(100000, 'x');
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) other = NULL;
    FolioMode mode;

    assert_false(folio_mode_parse(flood, &mode, &error));
    assert_true(strlen(error->message) < 200);
    assert_false(folio_mode_parse("a\nfoliod: b\x1b[2J", &mode, &other));
    assert_null(strchr(other->message, '\n'));
    assert_null(strchr(other->message, '\x1b'));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_mode),
        cmocka_unit_test(test_what_is_no_mode),
        cmocka_unit_test(test_message_is_short_and_harmless),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
