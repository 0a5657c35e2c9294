/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-hints: what stays in force when something is refused, and what ends with a run. */
#include "cmocka-all.h"
#include "guest-hints.h"

#define UUID "f5aa2dc0-da87-4632-9203-688fd4fff062"

#define NOVA(value)                                                                     \
    "<instance><flavor><extraSpecs><extraSpec name='foliod:mode'>" value "</extraSpec>" \
    "</extraSpecs></flavor></instance>"

typedef struct {
    FolioConfig *config;
    FolioGuestSettings *settings;
    FolioGuestHints *hints;
} Fixture;

static FolioGuestHints *
hints_new(const Fixture *fixture, const char *policy)
{
    g_autofree char *name = g_strdup("web");
    g_autofree char *uuid = g_strdup(UUID);
    g_autoptr(FolioDomainHints) read = folio_domain_hints_new(policy, NULL);
    const FolioDomain domain = { .name = name, .uuid = uuid, .hints = read };

    return folio_guest_hints_new(&domain, fixture->settings);
}

static int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);
    g_autoptr(GPtrArray) errors = folio_config_errors_new();

    fixture->config = folio_config_load("/nonexistent", "/nonexistent", errors);
    fixture->settings = folio_guest_settings_new(fixture->config);
    fixture->hints = hints_new(fixture, NULL);
    *state = fixture;
    return errors->len == 0 ? 0 : -1;
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    folio_guest_hints_free(fixture->hints);
    folio_guest_settings_free(fixture->settings);
    folio_config_free(fixture->config);
    g_free(fixture);
    return 0;
}

/* The second time, nothing is another than before. */
static void
take(Fixture *fixture, const char *policy, const char *nova)
{
    g_autoptr(FolioDomainHints) read = folio_domain_hints_new(policy, nova);

    assert_true(folio_guest_hints_take(fixture->hints, read));
    assert_false(folio_guest_hints_take(fixture->hints, read));
}

static void
assert_policy(const Fixture *fixture, const char *expected)
{
    g_autofree char *text =
        folio_guest_policy_describe(folio_guest_hints_get_policy(fixture->hints));

    assert_string_equal(text, expected);
}

static void
assert_error(const Fixture *fixture, const char *begin)
{
    const char *error = folio_guest_hints_get_error(fixture->hints);

    if (*begin == '\0')
        assert_string_equal(error, "");
    else if (!g_str_has_prefix(error, begin))
        fail_msg("\"%s\" does not begin with \"%s\"", error, begin);
}

static void
test_bad_change_keeps_the_last(void **state)
{
    Fixture *fixture = *state;

    take(fixture, "<policy mode='split' max-rate='64M'/>", NULL);
    assert_policy(fixture, "mode=split (metadata), max-rate=64M (metadata)");
    take(fixture, "<policy mode='fast' max-rate='1M'/>", NULL);
    assert_policy(fixture, "mode=split (metadata), max-rate=64M (metadata)");
    assert_error(fixture, "metadata: mode=\"fast\"");
    take(fixture, "<policy mode='collapse'/>", NULL);
    assert_policy(fixture, "mode=collapse (metadata)");
    assert_error(fixture, "");
    take(fixture, NULL, NULL);
    assert_policy(fixture, "mode=observe (default)");
}

/* Taking the element away takes what was kept with it. */
static void
test_bad_and_removed(void **state)
{
    Fixture *fixture = *state;

    take(fixture, "<policy mode='split'/>", NULL);
    take(fixture, "<policy mode='fast'/>", NULL);
    take(fixture, NULL, NULL);
    assert_policy(fixture, "mode=observe (default)");
    assert_error(fixture, "");
}

static void
test_bad_at_the_start(void **state)
{
    Fixture *fixture = *state;

    folio_guest_hints_free(fixture->hints);
    fixture->hints = hints_new(fixture, "<policy speed='1'/>");
    assert_policy(fixture, "mode=observe (default)");
    assert_error(fixture, "metadata: speed=\"1\"");
}

/* Each element for itself: a bad one takes nothing from the other. */
static void
test_two_elements(void **state)
{
    Fixture *fixture = *state;

    take(fixture, "<policy mode='fast'/>", NOVA("split"));
    assert_policy(fixture, "mode=split (nova)");
    assert_error(fixture, "metadata: mode=\"fast\"");
    take(fixture, "<policy mode='off'/>", NOVA("slow"));
    assert_policy(fixture, "mode=off (metadata)");
    assert_error(fixture, "nova: foliod:mode=\"slow\"");
    take(fixture, "<policy mode='fast'/>", NOVA("slow"));
    assert_policy(fixture, "mode=off (metadata)");
    assert_error(fixture, "metadata: mode=\"fast\"");
    assert_non_null(strstr(folio_guest_hints_get_error(fixture->hints), "; nova: foliod:mode"));
}

static void
test_next_run(void **state)
{
    Fixture *fixture = *state;

    take(fixture, "<policy mode='split'/>", NOVA("collapse"));
    folio_guest_hints_forget(fixture->hints);
    take(fixture, "<policy mode='fast'/>", NULL);
    assert_policy(fixture, "mode=observe (default)");
    assert_error(fixture, "metadata: mode=\"fast\"");
}

static void
test_settings_and_administrator(void **state)
{
    const FolioMode mode = FOLIO_MODE_ADAPTIVE;
    const FolioHints drop_in = { .set = 1u << FOLIO_HINT_MODE, .mode = FOLIO_MODE_OFF };
    Fixture *fixture = *state;

    take(fixture, "<policy split-order='3'/>", NULL);
    g_hash_table_insert(fixture->config->guest_hints, g_strdup(UUID),
                        g_memdup2(&drop_in, sizeof drop_in));
    folio_guest_hints_configure(fixture->hints, fixture->settings);
    assert_policy(fixture, "mode=off (drop-in), split-order=3 (metadata)");
    folio_guest_hints_set_admin_mode(fixture->hints, &mode);
    assert_policy(fixture, "mode=adaptive (administrator), split-order=3 (metadata)");
    folio_guest_hints_set_admin_mode(fixture->hints, NULL);
    g_hash_table_remove_all(fixture->config->guest_hints);
    fixture->settings->guest_defaults.mode = FOLIO_MODE_COLLAPSE;
    folio_guest_hints_configure(fixture->hints, fixture->settings);
    assert_policy(fixture, "mode=collapse (default), split-order=3 (metadata)");
}

int
main(void)
{
#define hints_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        hints_test(test_bad_change_keeps_the_last),
        hints_test(test_bad_and_removed),
        hints_test(test_bad_at_the_start),
        hints_test(test_two_elements),
        hints_test(test_next_run),
        hints_test(test_settings_and_administrator),
    };

    return cmocka_run_group_tests_name("guest-hints", tests, NULL, NULL);
}
