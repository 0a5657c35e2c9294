/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-status: what is written, and that it does not change with every page. */
#include "cmocka-all.h"
#include "guest-status.h"

#define MIB (1024 * 1024ULL)

static const FolioGuestStatus base = {
    .mode = FOLIO_MODE_SPLIT,
    .in_force = FOLIO_MODE_OBSERVE,
    .from = "metadata",
    .state = "deciding",
    .reason = "no-actuator",
    .ram = 1000 * MIB,
    .huge = 990 * MIB,
    .sparse = 100 * MIB,
};

static void
test_text(void **state)
{
    g_autofree char *text = folio_guest_status_print(&base);

    assert_string_equal(text, "<status mode=\"observe\" wanted=\"split\" source=\"metadata\" "
                              "state=\"deciding\" reason=\"no-actuator\" ram-mib=\"1000\" "
                              "huge-mib=\"1000\" sparse-mib=\"125\" dense-mib=\"0\"/>");
}

/* However the figures move, the text is one of seventeen. */
static void
test_coarse(void **state)
{
    g_autoptr(GHashTable) texts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    FolioGuestStatus status = base;

    for (status.huge = 0; status.huge <= status.ram; status.huge += 2 * MIB)
        g_hash_table_add(texts, folio_guest_status_print(&status));
    assert_int_equal(g_hash_table_size(texts), 17);
}

static void
test_small_and_unknown(void **state)
{
    FolioGuestStatus status = base;
    g_autofree char *small = NULL;
    g_autofree char *unknown = NULL;

    status.ram = status.huge = 8 * MIB;
    status.sparse = 0;
    small = folio_guest_status_print(&status);
    assert_non_null(strstr(small, "ram-mib=\"8\" huge-mib=\"8\" sparse-mib=\"0\""));
    status.ram = status.huge = 0;
    unknown = folio_guest_status_print(&status);
    assert_non_null(strstr(unknown, "ram-mib=\"0\" huge-mib=\"0\" sparse-mib=\"0\""));
}

static void
test_heat(void **state)
{
    FolioGuestStatus status = base;
    g_autofree char *text = NULL;

    status.heat = "1:512:32:a16";
    text = folio_guest_status_print(&status);
    assert_true(g_str_has_suffix(text, " dense-mib=\"0\" heat=\"1:512:32:a16\"/>"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_coarse),
        cmocka_unit_test(test_small_and_unknown),
        cmocka_unit_test(test_heat),
    };

    return cmocka_run_group_tests_name("guest-status", tests, NULL, NULL);
}
