/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options of methods, hostile ones above all: each is refused, and named. */
#include "bus/options.h"

#include "base/error.h"
#include "cmocka-all.h"

typedef struct {
    guint64 block;
    guint32 granule;
    gboolean history;
    GVariant *more;
} Given;

static gboolean
read_variant(GVariant *options, Given *given, GError **error)
{
    const FolioBusOption table[] = {
        { "block", "t", &given->block },
        { "granule", "u", &given->granule },
        { "history", "b", &given->history },
        { "more", "a(tt)", &given->more },
    };

    *given = (Given){ .granule = 7 };
    return folio_bus_options_read(options, table, G_N_ELEMENTS(table), error);
}

static gboolean
read_options(const char *text, Given *given, GError **error)
{
    g_autoptr(GVariant) options = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);

    assert_non_null(options);
    return read_variant(options, given, error);
}

static void
assert_refused(GError *error, const char *named)
{
    assert_folio_error(error, FOLIO_ERROR_INVALID);
    if (!g_str_has_prefix(error->message, "options: ") || strstr(error->message, named) == NULL)
        fail_msg("options and %s are not named: %s", named, error->message);
    assert_true(strlen(error->message) < 300);
    assert_null(strchr(error->message, '\n'));
}

static void
test_options(void **state)
{
    Given given;
    g_autoptr(GError) error = NULL;

    assert_true(read_options("{}", &given, NULL));
    assert_int_equal(given.granule, 7);
    assert_true(read_options("{'history': <true>, 'block': <uint64 1099511627776>}", &given, NULL));
    assert_true(given.history);
    assert_int_equal(given.block, G_GUINT64_CONSTANT(1) << 40);
    assert_int_equal(given.granule, 7);
    assert_true(read_options("{'granule': <uint32 0>}", &given, &error));
    assert_int_equal(given.granule, 0);
    assert_no_error(error);
    assert_null(given.more);
    assert_true(read_options("{'more': <[(uint64 1, uint64 2)]>}", &given, NULL));
    assert_int_equal(g_variant_n_children(given.more), 1);
    g_variant_unref(given.more);
}

static void
test_bad_options_are_named(void **state)
{
    static const char *const bad[][2] = {
        { "{'Block': <uint64 1>}", "\"Block\"" },
        { "{'': <uint64 1>}", "\"\"" },
        { "{'block ': <uint64 1>}", "\"block \"" },
        { "{'force': <true>, 'history': <true>}", "\"force\"" },
        { "{'a\\nfoliod: b': <1>}", "\"a\\x0afoliod: b\"" },
        { "{'block': <uint32 1>}", "\"block\" is of type t, not u" },
        { "{'block': <-1>}", "\"block\" is of type t, not i" },
        { "{'granule': <'2'>}", "\"granule\" is of type u, not s" },
        { "{'more': <[(1, 2)]>}", "\"more\" is of type a(tt), not a(ii)" },
        { "{'history': <<true>>}", "\"history\" is of type b, not v" },
        { "{'history': <[<'x'>]>}", "\"history\" is of type b, not av" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        Given given;

        assert_false(read_options(bad[i][0], &given, &error));
        assert_refused(error, bad[i][1]);
    }
}

/* The text form of a dictionary cannot say a key twice; the wire can. */
static void
test_option_that_is_there_twice(void **state)
{
    g_autoptr(GVariant) options = NULL;
    g_autoptr(GError) error = NULL;
    GVariantBuilder builder;
    Given given;

    g_variant_builder_init(&builder, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&builder, "{sv}", "history", g_variant_new_boolean(FALSE));
    g_variant_builder_add(&builder, "{sv}", "history", g_variant_new_boolean(TRUE));
    options = g_variant_ref_sink(g_variant_builder_end(&builder));
    assert_false(read_variant(options, &given, &error));
    assert_refused(error, "\"history\" comes twice");
}

static void
test_long_name(void **state)
{
    g_autofree char *name = g_strnfill(3000, 'x');
    g_autofree char *text = g_strdup_printf("{'%s': <1>}", name);
    g_autoptr(GError) error = NULL;
    Given given;

    assert_false(read_options(text, &given, &error));
    assert_refused(error, "\"xxx");
}

/* A method that has none yet. */
static void
test_no_options(void **state)
{
    g_autoptr(GVariant) none = g_variant_parse(G_VARIANT_TYPE_VARDICT, "{}", NULL, NULL, NULL);
    g_autoptr(GVariant) one =
        g_variant_parse(G_VARIANT_TYPE_VARDICT, "{'block': <uint64 1>}", NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;

    assert_true(folio_bus_options_read(none, NULL, 0, NULL));
    assert_false(folio_bus_options_read(one, NULL, 0, &error));
    assert_refused(error, "\"block\"");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_bad_options_are_named),
        cmocka_unit_test(test_option_that_is_there_twice),
        cmocka_unit_test(test_long_name),
        cmocka_unit_test(test_no_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
