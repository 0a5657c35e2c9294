/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is told of what: subscribers only, each of what it may see, for as long as it may. */
#include "integration/bus-fixture.h"
#include "integration/listener.h"

#define ALPHA_NODE  "aaaaaaaa_0000_4000_8000_00000000000a"
#define SECRET_NODE "5ec2e700_0000_4000_8000_00000000000b"

/* A connection of its own to a user of the fixture, so that no test finds what another one left. */
static Listener *
listen_as(uid_t uid)
{
    g_autoptr(GDBusConnection) connection = caller_connect(uid);

    return listener_new(connection);
}

#define UID_ALLOWED   1
#define UID_PLAIN     2
#define UID_BLINKERED 3

static void
set_mode(BusFixture *fixture, const char *uuid, const char *mode)
{
    g_autofree char *path = guest_path(uuid);
    g_autofree char *arguments = g_strdup_printf("('%s',)", mode);
    g_autoptr(Answer) answer =
        caller_ask(fixture->users[USER_ROOT], path, FOLIOD_GUEST, "SetMode", arguments);

    if (answer->kind != ANSWER_OK)
        fail_msg("SetMode: %s", answer->text);
}

static void
call_manager(BusFixture *fixture, const char *method, const char *arguments)
{
    g_autoptr(Answer) answer =
        caller_ask(fixture->users[USER_ROOT], FOLIOD_PATH, FOLIOD_MANAGER, method, arguments);

    if (answer->kind != ANSWER_OK)
        fail_msg("%s: %s", method, answer->text);
}

/* First comes what there is: of the host, and of each guest that may be seen. */
static void
test_first_all_there_is(void **state)
{
    g_autoptr(Listener) plain = listen_as(UID_PLAIN);
    g_autoptr(Listener) blinkered = listen_as(UID_BLINKERED);

    listener_subscribe(plain);
    listener_subscribe(blinkered);
    listener_expect(plain, FOLIOD_PATH " PropertiesChanged", "'Paused': <false>",
                    "'Connected': <true>", "'Actuators': <[('damon'");
    listener_expect(plain, ALPHA_NODE, "'Name': <'" ALPHA_NAME "'>", "'Mode': <'observe'>");
    listener_expect(plain, SECRET_NODE, "'Name': <'" SECRET_NAME "'>", "'State'");
    listener_refuse(plain, "'Samples'");
    listener_expect(blinkered, ALPHA_NODE, "'Name': <'" ALPHA_NAME "'>");
    listener_refuse(blinkered, SECRET_NODE);
}

/* A change reaches those that may see the guest; what has changed, and no more. */
static void
test_changes(void **state)
{
    BusFixture *fixture = *state;
    g_autoptr(Listener) plain = listen_as(UID_PLAIN);
    g_autoptr(Listener) blinkered = listen_as(UID_BLINKERED);
    g_autoptr(Listener) silent = listen_as(UID_ALLOWED); /* has not subscribed */

    listener_subscribe(plain);
    listener_subscribe(blinkered);
    listener_expect(plain, SECRET_NODE);
    listener_expect(plain, ALPHA_NODE);
    listener_expect(blinkered, ALPHA_NODE);
    /* Every change after the first says only what is another. */
    set_mode(fixture, SECRET_UUID, "collapse");
    listener_expect(plain, SECRET_NODE, "'Mode': <'collapse'>");
    listener_clear(plain);
    set_mode(fixture, SECRET_UUID, "off");
    set_mode(fixture, ALPHA_UUID, "off");
    listener_expect(plain, SECRET_NODE, "'Mode': <'off'>", "'Reason': <'mode-off'>");
    listener_expect(plain, ALPHA_NODE, "'Mode': <'off'>");
    listener_refuse(plain, "'Name': <'" SECRET_NAME "'>");
    listener_expect(blinkered, ALPHA_NODE, "'Mode': <'off'>");

    call_manager(fixture, "Pause", "(@a{sv} {},)");
    listener_expect(plain, FOLIOD_PATH " PropertiesChanged", "'Paused': <true>");
    listener_expect(blinkered, FOLIOD_PATH " PropertiesChanged", "'Paused': <true>");
    call_manager(fixture, "Resume", NULL);
    listener_expect(plain, "'Paused': <false>");
    set_mode(fixture, SECRET_UUID, "default");
    set_mode(fixture, ALPHA_UUID, "");
    listener_expect(plain, SECRET_NODE, "'Mode': <'observe'>");
    listener_expect(blinkered, ALPHA_NODE, "'Mode': <'observe'>");

    listener_refuse(blinkered, SECRET_NODE);
    listener_refuse(blinkered, SECRET_NAME);
    listener_refuse(silent, "org.foliod1");
    listener_refuse(silent, "PropertiesChanged");
}

static void
test_unsubscribe(void **state)
{
    BusFixture *fixture = *state;
    g_autoptr(Listener) first = listen_as(UID_PLAIN);
    g_autoptr(Listener) second = listen_as(UID_PLAIN);
    g_autoptr(Answer) answer = NULL;

    listener_subscribe(first);
    listener_subscribe(second);
    listener_subscribe(second); /* changes nothing */
    listener_expect(first, SECRET_NODE);
    listener_expect(second, SECRET_NODE);
    answer = caller_ask(second->connection, FOLIOD_PATH, FOLIOD_MANAGER, "Unsubscribe", NULL);
    assert_int_equal(answer->kind, ANSWER_OK);
    listener_clear(second);
    set_mode(fixture, SECRET_UUID, "split");
    listener_expect(first, SECRET_NODE, "'Mode': <'split'>");
    set_mode(fixture, SECRET_UUID, "");
    listener_expect(first, SECRET_NODE, "'Mode': <'observe'>");
    assert_string_equal(second->heard->str, "");
}

/* Rights that are taken and given while somebody listens. */
static void
test_rights_change(void **state)
{
    static const char rule[] =
        "polkit.addRule(function(action, subject) {\n"
        "    if (action.id == 'org.foliod1.view' && subject.user == 'bin' &&\n"
        "        action.lookup('uuid') == '" SECRET_UUID "')\n"
        "        return polkit.Result.NO;\n"
        "});\n";
    BusFixture *fixture = *state;
    g_autoptr(Listener) plain = listen_as(UID_PLAIN);
    g_autoptr(Listener) allowed = listen_as(UID_ALLOWED);

    listener_subscribe(plain);
    listener_subscribe(allowed);
    listener_expect(plain, SECRET_NODE, SECRET_NAME);
    listener_expect(allowed, SECRET_NODE, SECRET_NAME);

    write_rule("20-test.rules", rule);
    listener_expect(plain, SECRET_NODE, "{}, ['Name', 'Uuid'"); /* it is gone, for this user */
    listener_clear(plain);
    set_mode(fixture, SECRET_UUID, "split");
    listener_expect(allowed, SECRET_NODE, "'Mode': <'split'>");
    set_mode(fixture, ALPHA_UUID, "split");
    listener_expect(plain, ALPHA_NODE, "'Mode': <'split'>");
    listener_refuse(plain, SECRET_NODE);

    write_rule("20-test.rules", NULL);
    listener_expect(plain, SECRET_NODE, "'Name': <'" SECRET_NAME "'>", "'Mode': <'split'>");
    set_mode(fixture, SECRET_UUID, "");
    set_mode(fixture, ALPHA_UUID, "");
    listener_expect(plain, SECRET_NODE, "'Mode': <'observe'>");
}

static void
test_peer_that_leaves_is_dropped(void **state)
{
    BusFixture *fixture = *state;
    g_autoptr(Listener) plain = listen_as(UID_PLAIN);
    g_autofree char *expected = NULL;

    listener_subscribe(plain);
    expected = g_strdup_printf("subscriber %s has left",
                               g_dbus_connection_get_unique_name(plain->connection));
    caller_vanish(plain->connection, fixture->daemon->bus);
    daemon_expect_log(fixture->daemon, expected);
    set_mode(fixture, SECRET_UUID, "split");
    set_mode(fixture, SECRET_UUID, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_all_there_is),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_unsubscribe),
        cmocka_unit_test(test_rights_change),
        cmocka_unit_test(test_peer_that_leaves_is_dropped),
    };

    return cmocka_run_group_tests(tests, bus_fixture_set_up, bus_fixture_tear_down);
}
