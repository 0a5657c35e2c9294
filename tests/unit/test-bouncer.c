/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pure parts of the bus: the table of access against the interface, turns and limits of
 * callers, object paths. */
#include "cmocka-all.h"

#include "base/error.h"
#include "bus/access.h"
#include "bus/callers.h"
#include "bus/introspection.h"
#include "bus/path.h"

#define UUID "0f5e3a1c-7b2d-4c6e-9a8f-00112233aabb"

/* Table */

static void
expect_row(const char *interface, const char *member)
{
    if (folio_access_find(interface, member) == NULL)
        fail_msg("%s.%s has no row in the table of access", interface, member);
}

static void
test_every_member_has_a_row(void **state)
{
    GDBusInterfaceInfo **interfaces = folio_introspection_get()->interfaces;
    guint n_members = 0;

    for (gsize i = 0; interfaces[i] != NULL; i++) {
        const GDBusInterfaceInfo *info = interfaces[i];

        for (gsize j = 0; info->methods != NULL && info->methods[j] != NULL; j++, n_members++)
            expect_row(info->name, info->methods[j]->name);
        for (gsize j = 0; info->properties != NULL && info->properties[j] != NULL; j++, n_members++)
            expect_row(info->name, info->properties[j]->name);
        if (info->properties != NULL)
            expect_row(info->name, FOLIO_ALL_PROPERTIES);
    }
    assert_true(n_members >= 20);
}

static gboolean
names_a_member(const FolioAccess *row)
{
    GDBusInterfaceInfo *info =
        g_dbus_node_info_lookup_interface(folio_introspection_get(), row->interface);

    if (info == NULL)
        return FALSE;
    if (g_str_equal(row->member, FOLIO_ALL_PROPERTIES))
        return info->properties != NULL;
    return g_dbus_interface_info_lookup_method(info, row->member) != NULL ||
           g_dbus_interface_info_lookup_property(info, row->member) != NULL;
}

static void
test_every_row_names_a_member(void **state)
{
    gsize n_rows = 0;
    const FolioAccess *rows = folio_access_list(&n_rows);

    for (gsize i = 0; i < n_rows; i++) {
        if (!names_a_member(&rows[i]))
            fail_msg("row %s.%s names no member", rows[i].interface, rows[i].member);
        if (folio_access_find(rows[i].interface, rows[i].member) != &rows[i])
            fail_msg("a second row for %s.%s", rows[i].interface, rows[i].member);
    }
}

/* Its first argument is of that type. */
static gboolean
takes(const FolioAccess *row, const char *signature)
{
    GDBusInterfaceInfo *info =
        g_dbus_node_info_lookup_interface(folio_introspection_get(), row->interface);
    GDBusMethodInfo *method = g_dbus_interface_info_lookup_method(info, row->member);

    return method != NULL && method->in_args != NULL && method->in_args[0] != NULL &&
           g_str_equal(method->in_args[0]->signature, signature);
}

/* A guest's members are about that guest; the manager's are when they are told which. */
static void
test_scopes_fit(void **state)
{
    gsize n_rows = 0;
    const FolioAccess *rows = folio_access_list(&n_rows);

    for (gsize i = 0; i < n_rows; i++) {
        gboolean of_guest = g_str_equal(rows[i].interface, FOLIO_GUEST_INTERFACE);
        gboolean by_argument =
            rows[i].scope != FOLIO_SCOPE_HOST && rows[i].scope != FOLIO_SCOPE_GUEST;
        gboolean by_job = rows[i].scope == FOLIO_SCOPE_JOB_ARGUMENT;

        if (of_guest != (rows[i].scope == FOLIO_SCOPE_GUEST))
            fail_msg("%s.%s: wrong scope", rows[i].interface, rows[i].member);
        if (!of_guest && by_argument != takes(&rows[i], by_job ? "u" : "s"))
            fail_msg("%s.%s: scope and arguments differ", rows[i].interface, rows[i].member);
    }
}

/* What tells addresses is not for everybody; what changes anything is for administrators. */
static void
test_grave_members_need_more_than_view(void **state)
{
    static const struct {
        const char *interface, *member, *action;
    } grave[] = {
        { FOLIO_GUEST_INTERFACE, "ListRam", FOLIO_ACTION_HEAT },
        { FOLIO_GUEST_INTERFACE, "Heat", FOLIO_ACTION_HEAT },
        { FOLIO_GUEST_INTERFACE, "Explain", FOLIO_ACTION_HEAT },
        { FOLIO_GUEST_INTERFACE, "Decisions", FOLIO_ACTION_HEAT },
        { FOLIO_GUEST_INTERFACE, "SetMode", FOLIO_ACTION_SET_MODE },
        { FOLIO_GUEST_INTERFACE, "Split", FOLIO_ACTION_ACT },
        { FOLIO_GUEST_INTERFACE, "Collapse", FOLIO_ACTION_ACT },
        { FOLIO_GUEST_INTERFACE, "Restore", FOLIO_ACTION_ACT },
        { FOLIO_MANAGER_INTERFACE, "CancelJob", FOLIO_ACTION_ACT },
        { FOLIO_MANAGER_INTERFACE, "Pause", FOLIO_ACTION_MANAGE },
        { FOLIO_MANAGER_INTERFACE, "Resume", FOLIO_ACTION_MANAGE },
        { FOLIO_MANAGER_INTERFACE, "Reload", FOLIO_ACTION_MANAGE },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(grave); i++)
        assert_string_equal(folio_access_find(grave[i].interface, grave[i].member)->action,
                            grave[i].action);
}

static void
test_unknown_member_is_denied(void **state)
{
    assert_null(folio_access_find(FOLIO_MANAGER_INTERFACE, "Launch"));
    assert_null(folio_access_find(FOLIO_MANAGER_INTERFACE, ""));
    assert_null(folio_access_find(FOLIO_GUEST_INTERFACE, "Reload"));
    assert_null(folio_access_find("org.foliod1.Other", "Version"));
    assert_null(folio_access_find("", FOLIO_ALL_PROPERTIES));
}

/* GDBus answers Set without asking: nothing may be writable. Signals go by subscribers.c, which
 * knows of these. */
static void
test_nothing_is_writable_and_signals_are_known(void **state)
{
    GDBusInterfaceInfo **interfaces = folio_introspection_get()->interfaces;

    for (gsize i = 0; interfaces[i] != NULL; i++) {
        GDBusPropertyInfo **properties = interfaces[i]->properties;

        for (gsize j = 0; interfaces[i]->signals != NULL && interfaces[i]->signals[j] != NULL; j++)
            assert_string_equal(interfaces[i]->signals[j]->name, "JobChanged");
        for (gsize j = 0; properties != NULL && properties[j] != NULL; j++)
            assert_int_equal(properties[j]->flags, G_DBUS_PROPERTY_INFO_FLAGS_READABLE);
    }
}

/* A change that is told costs every subscriber a message: figures that never stand still are left
 * out, but for those that move with a window. */
static void
test_what_tells_of_its_changes(void **state)
{
    assert_true(folio_introspection_emits(FOLIO_MANAGER_INTERFACE, "Paused"));
    assert_true(folio_introspection_emits(FOLIO_GUEST_INTERFACE, "State"));
    assert_true(folio_introspection_emits(FOLIO_GUEST_INTERFACE, "Uuid"));
    assert_true(folio_introspection_emits(FOLIO_GUEST_INTERFACE, "SparseBytes"));
    assert_false(folio_introspection_emits(FOLIO_GUEST_INTERFACE, "Samples"));
    assert_false(folio_introspection_emits(FOLIO_GUEST_INTERFACE, "PresentBytes"));
    assert_false(folio_introspection_emits(FOLIO_MANAGER_INTERFACE, "HostSamples"));
    assert_false(folio_introspection_emits(FOLIO_MANAGER_INTERFACE, "Nonsense"));
}

/* Callers */

static void
test_calls_of_a_sender_are_bounded(void **state)
{
    g_autoptr(FolioCallers) callers = folio_callers_new();
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < FOLIO_CALLS_PER_SENDER; i++)
        assert_true(folio_callers_enter(callers, ":1.1", NULL));
    assert_false(folio_callers_enter(callers, ":1.1", &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    assert_true(folio_callers_enter(callers, ":1.2", NULL));

    folio_callers_leave(callers, ":1.1");
    assert_true(folio_callers_enter(callers, ":1.1", NULL));
    for (guint i = 0; i < FOLIO_CALLS_PER_SENDER; i++)
        folio_callers_leave(callers, ":1.1");
    assert_int_equal(folio_callers_count(callers), 1);
    folio_callers_leave(callers, ":1.2");
    assert_int_equal(folio_callers_count(callers), 0);
}

static void
test_senders_are_bounded(void **state)
{
    g_autoptr(FolioCallers) callers = folio_callers_new();
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < FOLIO_SENDERS_MAX; i++) {
        g_autofree char *name = g_strdup_printf(":1.%u", i);

        assert_true(folio_callers_enter(callers, name, NULL));
    }
    assert_false(folio_callers_enter(callers, ":2.0", &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    assert_int_equal(folio_callers_count(callers), FOLIO_SENDERS_MAX);
    assert_true(folio_callers_enter(callers, ":1.7", NULL));

    folio_callers_leave(callers, ":1.8");
    assert_true(folio_callers_enter(callers, ":2.0", NULL));
}

static void
test_dialogs_are_bounded(void **state)
{
    g_autoptr(FolioCallers) callers = folio_callers_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) other = NULL;

    for (guint i = 0; i <= FOLIO_DIALOGS_MAX; i++) {
        g_autofree char *name = g_strdup_printf(":1.%u", i);

        assert_true(folio_callers_enter(callers, name, NULL));
        if (i < FOLIO_DIALOGS_MAX)
            assert_true(folio_callers_enter_dialog(callers, name, NULL));
        else
            assert_false(folio_callers_enter_dialog(callers, name, &error));
    }
    assert_folio_error(error, FOLIO_ERROR_BUSY);

    folio_callers_leave_dialog(callers, ":1.0");
    assert_false(folio_callers_enter_dialog(callers, ":1.1", &other));
    assert_folio_error(other, FOLIO_ERROR_BUSY);
    assert_true(folio_callers_enter_dialog(callers, ":1.0", NULL));
}

/* Two questions of a newcomer wait behind one of the flood's each, not behind all of them. */
static void
test_senders_take_turns(void **state)
{
    g_autoptr(FolioCallers) callers = folio_callers_new();
    static const char flood[] = "abcd";
    static const char other[] = "xy";
    const char *expected[] = { flood, other, flood + 1, other + 1, flood + 2, flood + 3 };

    assert_true(folio_callers_enter(callers, ":1.1", NULL));
    assert_true(folio_callers_enter(callers, ":1.2", NULL));
    assert_false(folio_callers_has_waiting(callers));
    for (gsize i = 0; flood[i] != '\0'; i++)
        folio_callers_push(callers, ":1.1", (gpointer) &flood[i]);
    for (gsize i = 0; other[i] != '\0'; i++)
        folio_callers_push(callers, ":1.2", (gpointer) &other[i]);

    assert_true(folio_callers_has_waiting(callers));
    for (gsize i = 0; i < G_N_ELEMENTS(expected); i++)
        assert_ptr_equal(folio_callers_pop(callers), expected[i]);
    assert_null(folio_callers_pop(callers));
    assert_false(folio_callers_has_waiting(callers));
}

/* Paths */

static void
test_path_and_uuid(void **state)
{
    g_autofree char *path = folio_path_from_uuid(UUID);
    g_autofree char *uuid = folio_path_to_uuid(path);

    assert_string_equal(path, FOLIO_GUEST_ROOT "/0f5e3a1c_7b2d_4c6e_9a8f_00112233aabb");
    assert_true(g_variant_is_object_path(path));
    assert_string_equal(uuid, UUID);
}

static void
test_path_of_no_guest(void **state)
{
    static const char *const paths[] = {
        "/",
        FOLIO_MANAGER_PATH,
        FOLIO_GUEST_ROOT,
        FOLIO_GUEST_ROOT "/",
        FOLIO_GUEST_ROOT "/x",
        FOLIO_GUEST_ROOT "/0F5E3A1C_7B2D_4C6E_9A8F_00112233AABB",
        FOLIO_GUEST_ROOT "/0f5e3a1c_7b2d_4c6e_9a8f_00112233aab",
        FOLIO_GUEST_ROOT "/0f5e3a1c_7b2d_4c6e_9a8f_00112233aabb0",
        FOLIO_GUEST_ROOT "/0f5e3a1c_7b2d_4c6e_9a8f_00112233aabg",
        FOLIO_GUEST_ROOT "/0f5e3a1c7b2d4c6e9a8f00112233aabb",
        FOLIO_GUEST_ROOT "/0f5e3a1c_7b2d_4c6e_9a8f_00112233aabb/x",
        "/org/foliod1/other/0f5e3a1c_7b2d_4c6e_9a8f_00112233aabb",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autofree char *uuid = folio_path_to_uuid(paths[i]);

        if (uuid != NULL)
            fail_msg("%s was taken for the path of guest %s", paths[i], uuid);
    }
}

static void
test_uuid_as_somebody_wrote_it(void **state)
{
    static const char *const bad[] = { "",
                                       "x",
                                       UUID " ",
                                       UUID "\n",
                                       "{" UUID "}",
                                       "0f5e3a1c7b2d4c6e9a8f00112233aabb",
                                       "../../etc/passwd" };
    g_autofree char *lower = folio_uuid_normalize("0F5E3A1C-7b2d-4C6E-9A8F-00112233AABB");

    assert_string_equal(lower, UUID);
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
        assert_null(folio_uuid_normalize(bad[i]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_member_has_a_row),
        cmocka_unit_test(test_every_row_names_a_member),
        cmocka_unit_test(test_scopes_fit),
        cmocka_unit_test(test_grave_members_need_more_than_view),
        cmocka_unit_test(test_unknown_member_is_denied),
        cmocka_unit_test(test_nothing_is_writable_and_signals_are_known),
        cmocka_unit_test(test_what_tells_of_its_changes),
        cmocka_unit_test(test_calls_of_a_sender_are_bounded),
        cmocka_unit_test(test_senders_are_bounded),
        cmocka_unit_test(test_dialogs_are_bounded),
        cmocka_unit_test(test_senders_take_turns),
        cmocka_unit_test(test_path_and_uuid),
        cmocka_unit_test(test_path_of_no_guest),
        cmocka_unit_test(test_uuid_as_somebody_wrote_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
