/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who may call what: the real foliod, the real polkitd, and users with more or less rights. */
#include "integration/bus-fixture.h"

/* Answers as letters, one a user in the order of the enum: y it is answered, p NotPermitted,
 * n NotFound. */
#define ANSWERS_VIEW_HOST   "yyyyyp"
#define ANSWERS_VIEW_ALPHA  "yyyyyn"
#define ANSWERS_VIEW_SECRET "yyynnn"
#define ANSWERS_HEAT_ALPHA  "yypppn"
#define ANSWERS_HEAT_SECRET "yypnnn"
#define ANSWERS_MANAGE      "yypppp"

typedef struct {
    const char *guest; /* whose object; NULL: the manager's */
    const char *method;
    const char *arguments;
    const char *answers;
} Case;

static const Case cases[] = {
    { NULL, "ListGuests", NULL, ANSWERS_VIEW_HOST },
    { NULL, "GetGuestByUuid", "('" ALPHA_UUID "',)", ANSWERS_VIEW_ALPHA },
    { NULL, "GetGuestByUuid", "('" SECRET_UUID "',)", ANSWERS_VIEW_SECRET },
    { NULL, "GetGuestByUuid", "('" ABSENT_UUID "',)", "nnnnnn" },
    { NULL, "GetGuestByName", "('" ALPHA_NAME "',)", ANSWERS_VIEW_ALPHA },
    { NULL, "GetGuestByName", "('" SECRET_NAME "',)", ANSWERS_VIEW_SECRET },
    { NULL, "GetGuestByName", "('" ABSENT_NAME "',)", "nnnnnn" },
    { NULL, "Doctor", "('',)", ANSWERS_VIEW_HOST },
    { NULL, "Doctor", "('" ALPHA_UUID "',)", ANSWERS_VIEW_ALPHA },
    { NULL, "Doctor", "('" SECRET_UUID "',)", ANSWERS_VIEW_SECRET },
    { NULL, "Reload", NULL, ANSWERS_MANAGE },
    { NULL, "CancelJob", "(uint32 1,)", "nnnnnn" },
    { ALPHA_UUID, "ListRam", NULL, ANSWERS_HEAT_ALPHA },
    { SECRET_UUID, "ListRam", NULL, ANSWERS_HEAT_SECRET },
    { ABSENT_UUID, "ListRam", NULL, "nnnnnn" },
    { ALPHA_UUID, "Heat", "(@a{sv} {},)", ANSWERS_HEAT_ALPHA },
    { SECRET_UUID, "Heat", "(@a{sv} {},)", ANSWERS_HEAT_SECRET },
    { ABSENT_UUID, "Heat", "(@a{sv} {},)", "nnnnnn" },
    { ALPHA_UUID, "Explain", "(@a{sv} {},)", ANSWERS_HEAT_ALPHA },
    { SECRET_UUID, "Explain", "(@a{sv} {},)", ANSWERS_HEAT_SECRET },
    { ABSENT_UUID, "Explain", "(@a{sv} {},)", "nnnnnn" },
    /* Of those who may, each argument is looked at, and refused. */
    { SECRET_UUID, "SetMode", "('sideways',)", "iipnnn" },
    { ABSENT_UUID, "SetMode", "('sideways',)", "nnnnnn" },
    { SECRET_UUID, "Split", "(uint64 0, uint64 1, uint32 9, @a{sv} {})", "iipnnn" },
    { SECRET_UUID, "Collapse", "(uint64 0, uint64 0, uint32 9, @a{sv} {})", "iipnnn" },
    { SECRET_UUID, "Restore", "({'x': <1>},)", "iipnnn" },
    { NULL, "Pause", "({'restore': <1>},)", "iipppp" },
};

static const char *
interface_of(const char *guest)
{
    return guest != NULL ? FOLIOD_GUEST : FOLIOD_MANAGER;
}

static char *
path_of(const char *guest)
{
    return guest != NULL ? guest_path(guest) : g_strdup(FOLIOD_PATH);
}

static char
letter(const Answer *answer)
{
    static const char letters[] = {
        [ANSWER_OK] = 'y',      [ANSWER_NOT_FOUND] = 'n', [ANSWER_NOT_PERMITTED] = 'p',
        [ANSWER_BUSY] = 'b',    [ANSWER_INVALID] = 'i',   [ANSWER_UNSUPPORTED] = 'u',
        [ANSWER_REFUSED] = 'r', [ANSWER_OTHER] = '?',
    };

    return letters[answer->kind];
}

/* Every user asks; what comes must be what is expected. */
static void
expect_answers(BusFixture *fixture, const Case *c, const char *interface)
{
    g_autofree char *path = path_of(c->guest);
    char got[N_USERS + 1] = "";

    for (User user = 0; user < N_USERS; user++) {
        g_autoptr(Answer) answer =
            caller_ask(fixture->users[user], path, interface, c->method, c->arguments);

        got[user] = letter(answer);
        if (got[user] != c->answers[user])
            print_message("user %u, %s %s: %s\n", user, c->method, c->arguments, answer->text);
    }
    if (!g_str_equal(got, c->answers))
        fail_msg("%s %s %s: expected %s, got %s", path, c->method,
                 c->arguments != NULL ? c->arguments : "", c->answers, got);
}

static void
test_methods(void **state)
{
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        expect_answers(*state, &cases[i], interface_of(cases[i].guest));
}

static void
expect_property(BusFixture *fixture, const char *guest, const char *property, const char *answers)
{
    const char *interface = interface_of(guest);
    g_autofree char *get = g_strdup_printf("('%s', '%s')", interface, property);
    g_autofree char *set = g_strdup_printf("('%s', '%s', <'x'>)", interface, property);
    const Case gets = { guest, "Get", get, answers };
    const Case sets = { guest, "Set", set, "rrrrrr" };

    expect_answers(fixture, &gets, PROPERTIES_INTERFACE);
    expect_answers(fixture, &sets, PROPERTIES_INTERFACE);
}

static void
test_properties(void **state)
{
    BusFixture *fixture = *state;

    for (GDBusInterfaceInfo **info = fixture->interfaces->interfaces; *info != NULL; info++) {
        for (GDBusPropertyInfo **property = (*info)->properties; *property != NULL; property++) {
            if (g_str_equal((*info)->name, FOLIOD_MANAGER)) {
                expect_property(fixture, NULL, (*property)->name, ANSWERS_VIEW_HOST);
                continue;
            }
            expect_property(fixture, ALPHA_UUID, (*property)->name, ANSWERS_VIEW_ALPHA);
            expect_property(fixture, SECRET_UUID, (*property)->name, ANSWERS_VIEW_SECRET);
            expect_property(fixture, ABSENT_UUID, (*property)->name, "nnnnnn");
        }
    }
}

static void
expect_all_properties(BusFixture *fixture, const char *guest, const char *answers)
{
    const char *interface = interface_of(guest);
    g_autofree char *path = path_of(guest);
    g_autofree char *arguments = g_strdup_printf("('%s',)", interface);
    const Case c = { guest, "GetAll", arguments, answers };
    GDBusInterfaceInfo *info = g_dbus_node_info_lookup_interface(fixture->interfaces, interface);
    g_autoptr(Answer) answer =
        caller_ask(fixture->users[USER_PLAIN], path, PROPERTIES_INTERFACE, "GetAll", arguments);

    expect_answers(fixture, &c, PROPERTIES_INTERFACE);
    for (GDBusPropertyInfo **property = info->properties; *property != NULL; property++) {
        g_autofree char *key = g_strdup_printf("'%s': <", (*property)->name);

        if (strstr(answer->text, key) == NULL)
            fail_msg("GetAll lacks %s: %s", (*property)->name, answer->text);
    }
}

static void
test_all_properties(void **state)
{
    expect_all_properties(*state, NULL, ANSWERS_VIEW_HOST);
    expect_all_properties(*state, ALPHA_UUID, ANSWERS_VIEW_ALPHA);
    expect_all_properties(*state, SECRET_UUID, ANSWERS_VIEW_SECRET);
}

static void
test_list_holds_who_may_be_seen(void **state)
{
    static const gboolean sees_secret[] = {
        [USER_ROOT] = TRUE,       [USER_ALLOWED] = TRUE, [USER_PLAIN] = TRUE,
        [USER_BLINKERED] = FALSE, [USER_BARRED] = FALSE,
    };
    BusFixture *fixture = *state;

    for (User user = 0; user < G_N_ELEMENTS(sees_secret); user++) {
        g_autoptr(Answer) answer =
            caller_ask(fixture->users[user], FOLIOD_PATH, FOLIOD_MANAGER, "ListGuests", NULL);

        assert_non_null(strstr(answer->text, "'" ALPHA_NAME "'"));
        assert_non_null(strstr(answer->text, ALPHA_UUID));
        assert_int_equal(strstr(answer->text, SECRET_NAME) != NULL, sees_secret[user]);
        assert_int_equal(strstr(answer->text, SECRET_UUID) != NULL, sees_secret[user]);
    }
}

/* To a user who may not see it, a guest answers in every way as one that is not there. */
static void
test_hidden_guest_is_like_none(void **state)
{
    static const User users[] = { USER_BLINKERED, USER_BARRED, USER_BLIND };
    BusFixture *fixture = *state;
    g_autofree char *visible = ask_everything(fixture, USER_PLAIN, SECRET_NAME, SECRET_UUID);

    assert_non_null(strstr(visible, SECRET_UUID));
    for (gsize i = 0; i < G_N_ELEMENTS(users); i++) {
        g_autofree char *hidden = ask_everything(fixture, users[i], SECRET_NAME, SECRET_UUID);
        g_autofree char *absent = ask_everything(fixture, users[i], ABSENT_NAME, ABSENT_UUID);

        assert_string_equal(hidden, absent);
        assert_null(strstr(hidden, SECRET_NAME));
        assert_null(strstr(hidden, SECRET_UUID));
    }
}

/* Nor does anything that is not about one guest tell of it; introspection tells nobody of any. */
static void
test_nothing_else_tells_of_a_hidden_guest(void **state)
{
    static const char *const paths[] = { FOLIOD_PATH, FOLIOD_PATH "/guest" };
    BusFixture *fixture = *state;
    GDBusConnection *user = fixture->users[USER_BLINKERED];
    g_autoptr(GString) all = g_string_new(NULL);

    append_answer(all, user, FOLIOD_PATH, FOLIOD_MANAGER, "ListGuests", NULL);
    append_answer(all, user, FOLIOD_PATH, FOLIOD_MANAGER, "Doctor", "('',)");
    append_answer(all, user, FOLIOD_PATH, PROPERTIES_INTERFACE, "GetAll",
                  "('" FOLIOD_MANAGER "',)");
    assert_null(strstr(all->str, SECRET_NAME));
    assert_null(strstr(all->str, "5ec2e700"));

    for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
        g_autoptr(Answer) root =
            caller_ask(fixture->users[USER_ROOT], paths[i], "org.freedesktop.DBus.Introspectable",
                       "Introspect", NULL);

        assert_int_equal(root->kind, ANSWER_OK);
        assert_null(strstr(root->text, "5ec2e700"));
        assert_null(strstr(root->text, "aaaaaaaa"));
    }
}

static char *
get_config_errors(BusFixture *fixture)
{
    g_autoptr(GVariant) errors =
        daemon_get(fixture->daemon, FOLIOD_PATH, FOLIOD_MANAGER, "ConfigErrors");

    return g_variant_print(errors, FALSE);
}

static void
reload_as(BusFixture *fixture, User user, AnswerKind expected)
{
    g_autoptr(Answer) answer =
        caller_ask(fixture->users[user], FOLIOD_PATH, FOLIOD_MANAGER, "Reload", NULL);

    if (answer->kind != expected)
        fail_msg("Reload by user %u: %s", user, answer->text);
}

static void
expect_config(BusFixture *fixture, const char *mode, gboolean has_errors)
{
    g_autofree char *now = get_mode(fixture);
    g_autofree char *errors = get_config_errors(fixture);

    assert_string_equal(now, mode);
    assert_int_equal(!g_str_equal(errors, "[]"), has_errors);
}

static void
test_denied_reload_changes_nothing(void **state)
{
    static const User denied[] = { USER_PLAIN, USER_BLINKERED, USER_BARRED, USER_BLIND };
    static const char *const texts[] = { "[Guests]\nMode=off\n", "[Guests]\nMode=sideways\n" };
    BusFixture *fixture = *state;

    expect_config(fixture, "observe", FALSE);
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        daemon_configure(fixture->daemon, texts[i]);
        for (gsize j = 0; j < G_N_ELEMENTS(denied); j++)
            reload_as(fixture, denied[j], ANSWER_NOT_PERMITTED);
        expect_config(fixture, "observe", FALSE);
    }
    /* The same by those who may. */
    reload_as(fixture, USER_ROOT, ANSWER_INVALID);
    expect_config(fixture, "observe", TRUE);
    daemon_configure(fixture->daemon, texts[0]);
    reload_as(fixture, USER_ALLOWED, ANSWER_OK);
    expect_config(fixture, "off", FALSE);
    daemon_configure(fixture->daemon, "");
    reload_as(fixture, USER_ROOT, ANSWER_OK);
    expect_config(fixture, "observe", FALSE);
}

static void
test_bad_arguments(void **state)
{
    static const char *const uuids[] = { "", "x", "../../etc/passwd", ALPHA_UUID " ",
                                         "aaaaaaaa000040008000000000000000a" };
    BusFixture *fixture = *state;
    GDBusConnection *root = fixture->users[USER_ROOT];
    g_autofree char *name = g_strnfill(8192, 'x');
    g_autofree char *long_name = g_strdup_printf("('%s',)", name);
    g_autoptr(Answer) too_long =
        caller_ask(root, FOLIOD_PATH, FOLIOD_MANAGER, "GetGuestByName", long_name);
    g_autoptr(Answer) too_long_uuid =
        caller_ask(root, FOLIOD_PATH, FOLIOD_MANAGER, "Doctor", long_name);

    for (gsize i = 0; i < G_N_ELEMENTS(uuids); i++) {
        g_autofree char *arguments = g_strdup_printf("('%s',)", uuids[i]);
        g_autoptr(Answer) answer =
            caller_ask(root, FOLIOD_PATH, FOLIOD_MANAGER, "GetGuestByUuid", arguments);

        assert_int_equal(answer->kind, ANSWER_INVALID);
    }
    assert_int_equal(too_long->kind, ANSWER_INVALID);
    assert_int_equal(too_long_uuid->kind, ANSWER_INVALID);
}

/* A UUID may be written in capitals; the path of a guest may not. */
static void
test_capitals(void **state)
{
    BusFixture *fixture = *state;
    GDBusConnection *user = fixture->users[USER_PLAIN];
    g_autofree char *path = guest_path("AAAAAAAA-0000-4000-8000-00000000000A");
    g_autoptr(Answer) found = caller_ask(user, FOLIOD_PATH, FOLIOD_MANAGER, "GetGuestByUuid",
                                         "('AAAAAAAA-0000-4000-8000-00000000000A',)");
    g_autoptr(Answer) other = caller_get(user, path, FOLIOD_GUEST, "Name");

    assert_int_equal(found->kind, ANSWER_OK);
    assert_int_equal(other->kind, ANSWER_NOT_FOUND);
}

static void
test_only_root_may_own_the_name(void **state)
{
    BusFixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
        fixture->users[USER_ALLOWED], "org.freedesktop.DBus", "/org/freedesktop/DBus",
        "org.freedesktop.DBus", "RequestName", g_variant_new("(su)", FOLIOD_NAME, 0), NULL,
        G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);

    assert_null(reply);
    assert_true(g_error_matches(error, G_DBUS_ERROR, G_DBUS_ERROR_ACCESS_DENIED));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods),
        cmocka_unit_test(test_properties),
        cmocka_unit_test(test_all_properties),
        cmocka_unit_test(test_list_holds_who_may_be_seen),
        cmocka_unit_test(test_hidden_guest_is_like_none),
        cmocka_unit_test(test_nothing_else_tells_of_a_hidden_guest),
        cmocka_unit_test(test_denied_reload_changes_nothing),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_capitals),
        cmocka_unit_test(test_only_root_may_own_the_name),
    };

    return cmocka_run_group_tests(tests, bus_fixture_set_up, bus_fixture_tear_down);
}
