/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ranges of blocks as they are typed, and as foliod is asked for them. */
#include "ctl/blocks.h"

#include "base/error.h"
#include "cmocka-all.h"

/* Two RAM blocks: 8 blocks, and 3 of which the last is short. */
static GVariant *
ram_new(void)
{
    return g_variant_ref_sink(
        g_variant_new_parsed("('smaps', [{'hva': <uint64 0x40000000>, 'bytes': <uint64 0x1000000>},"
                             " {'hva': <uint64 0x80000000>, 'bytes': <uint64 0x500000>}])"));
}

/* "FIRST+COUNT ...", or the error. */
static char *
parse(const char *text)
{
    g_autoptr(GVariant) ram = ram_new();
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) list = folio_blocks_parse((const char *const *) words, ram, &error);
    GString *out = g_string_new(NULL);

    if (list == NULL) {
        assert_folio_error(error, FOLIO_ERROR_INVALID);
        g_string_append(out, error->message);
    }
    for (guint i = 0; list != NULL && i < list->len; i++) {
        const FolioBlocks blocks = g_array_index(list, FolioBlocks, i);

        g_string_append_printf(out, "%s%" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT, i > 0 ? " " : "",
                               blocks.first, blocks.n);
    }
    return g_string_free(out, FALSE);
}

static void
test_words(void **state)
{
    static const char *const cases[][2] = {
        { "2 8", "2+8" },
        { "2+8", "2+8" },
        { "7 1 0+2 3 4", "7+1 0+2 3+4" },
        { "0x40200000-0x40600000", "1+2" },
        { "0x80000000-0x80400000 0+1 0x40000000-0x41000000", "8+2 0+1 0+8" },
        { "2", "COUNT: a number of blocks is missing" },
        { "2+8 3", "COUNT: a number of blocks is missing" },
        { "x 1", "FIRST: \"x\" is no number of blocks" },
        { "1 x", "COUNT: \"x\" is no number of blocks" },
        { "1+", "COUNT: \"\" is no number of blocks" },
        { "+1", "FIRST: \"\" is no number of blocks" },
        { "1+-1", "COUNT: \"-1\" is no number of blocks" },
        { "1 0x40000000-0x40200000", "COUNT: \"0x40000000-0x40200000\" is no number of blocks" },
        { "0x40000000-0x40100000", "\"0x40000000-0x40100000\" is no range such as" },
        { "0x40200000-0x40000000", "\"0x40200000-0x40000000\" is no range such as" },
        { "0x40000000", "\"0x40000000\" is no range such as" },
        { "0x40e00000-0x41200000", "0x40e00000-0x41200000 is not within one RAM block" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = parse(cases[i][0]);

        if (!g_str_has_prefix(text, cases[i][1]))
            fail_msg("%s: \"%s\", not \"%s\"", cases[i][0], text, cases[i][1]);
    }
}

static void
test_has_addresses(void **state)
{
    assert_true(folio_blocks_has_addresses((const char *[]){ "1+2", "0x1-0x2", NULL }));
    assert_false(folio_blocks_has_addresses((const char *[]){ "1+2", NULL }));
}

static void
assert_arguments(GArray *blocks, gboolean force, const char *expected)
{
    g_autoptr(GVariant) arguments = g_variant_ref_sink(folio_blocks_arguments(blocks, 4, force));
    g_autofree char *text = g_variant_print(arguments, FALSE);

    assert_string_equal(text, expected);
}

static void
test_arguments(void **state)
{
    g_autoptr(GArray) blocks = g_array_new(FALSE, FALSE, sizeof(FolioBlocks));
    const FolioBlocks some[] = { { 2, 8 }, { 20, 1 }, { 0, 1 } };

    assert_arguments(NULL, FALSE, "(0, 0, 4, {'all': <true>})");
    g_array_append_vals(blocks, some, 1);
    assert_arguments(blocks, FALSE, "(2, 8, 4, {})");
    assert_arguments(blocks, TRUE, "(2, 8, 4, {'force': <true>})");
    g_array_append_vals(blocks, some + 1, 2);
    assert_arguments(blocks, FALSE, "(2, 8, 4, {'more': <[(uint64 20, uint64 1), (0, 1)]>})");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_has_addresses),
        cmocka_unit_test(test_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
