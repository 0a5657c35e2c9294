/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A foliod, and users with more or less rights. */
#include "integration/bus-fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>

static const uid_t uids[N_USERS] = {
    [USER_ROOT] = 0,      [USER_ALLOWED] = 1, [USER_PLAIN] = 2,
    [USER_BLINKERED] = 3, [USER_BARRED] = 4,  [USER_BLIND] = 5,
};

static const char rules[] =
    "polkit.addRule(function(action, subject) {\n"
    "    if (action.id.indexOf('org.foliod1.') != 0)\n"
    "        return undefined;\n"
    "    var view = action.id == 'org.foliod1.view';\n"
    "    if (subject.user == 'daemon')\n"
    "        return polkit.Result.YES;\n"
    "    if (subject.user == 'sys' && view && action.lookup('guest') == '" SECRET_NAME "')\n"
    "        return polkit.Result.NO;\n"
    "    if (subject.user == 'sync' && view && action.lookup('uuid') == '" SECRET_UUID "')\n"
    "        return polkit.Result.NO;\n"
    "    if (subject.user == 'games' && view)\n"
    "        return polkit.Result.NO;\n"
    "    return undefined;\n"
    "});\n";

void
write_rule(const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(g_getenv("FOLIOD_RULES_DIR"), name, NULL);
    g_autoptr(GError) error = NULL;

    if (text == NULL) {
        assert_return_code(g_unlink(path), errno);
        return;
    }
    g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644, &error);
    assert_no_error(error);
}

static void
add_domain(GString *xml, const char *name, const char *uuid)
{
    g_string_append_printf(xml,
                           "<domain type='test'><name>%s</name><uuid>%s</uuid>"
                           "<memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os>"
                           "</domain>\n",
                           name, uuid);
}

/* What libvirt's test driver runs: a file that describes a whole host. Returns its URI. */
static char *
write_host(const Daemon *daemon, guint n_more_guests)
{
    g_autoptr(GString) xml = g_string_new("<node>\n");
    g_autofree char *path = g_build_filename(daemon->directory, "host.xml", NULL);
    g_autoptr(GError) error = NULL;

    add_domain(xml, ALPHA_NAME, ALPHA_UUID);
    add_domain(xml, SECRET_NAME, SECRET_UUID);
    for (guint i = 0; i < n_more_guests; i++) {
        g_autofree char *name = g_strdup_printf("web-%03u", i);
        g_autofree char *uuid = g_strdup_printf("00000000-0000-4000-8000-%012x", i);

        add_domain(xml, name, uuid);
    }
    g_string_append(xml, "</node>\n");
    g_file_set_contents(path, xml->str, -1, &error);
    assert_no_error(error);
    return g_strconcat("test://", path, NULL);
}

static GDBusNodeInfo *
load_interfaces(void)
{
    g_autofree char *path =
        g_build_filename(g_getenv("FOLIOD_SOURCE"), "data", "org.foliod1.xml", NULL);
    g_autofree char *xml = NULL;
    g_autoptr(GError) error = NULL;
    GDBusNodeInfo *node = NULL;

    if (g_file_get_contents(path, &xml, NULL, &error))
        node = g_dbus_node_info_new_for_xml(xml, &error);
    assert_no_error(error);
    return node;
}

/* polkitd reads new rules when the kernel tells it of them. */
static void
wait_for_rules(BusFixture *fixture)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    g_autoptr(Answer) answer = NULL;

    do {
        g_clear_pointer(&answer, answer_free);
        answer = caller_get(fixture->users[USER_BLIND], FOLIOD_PATH, FOLIOD_MANAGER, "Version");
        if (answer->kind == ANSWER_NOT_PERMITTED)
            return;
    } while (before_deadline(deadline));
    fail_msg("polkitd does not follow the rules: %s", answer->text);
}

static BusFixture *
start(Daemon *daemon, const char *uri)
{
    BusFixture *fixture = g_new0(BusFixture, 1);
    g_autofree char *connect = g_strdup_printf("--connect=%s", uri);

    fixture->daemon = daemon;
    fixture->interfaces = load_interfaces();
    fixture->polkitd = find_owner(daemon->bus, "org.freedesktop.PolicyKit1");
    assert_true(fixture->polkitd > 0);
    write_rule("10-foliod-test.rules", rules);
    daemon_start(daemon, (const char *const[]){ connect, NULL }, NULL);
    for (User user = 0; user < N_USERS; user++)
        fixture->users[user] = caller_connect(uids[user]);
    wait_for_rules(fixture);
    return fixture;
}

BusFixture *
bus_fixture_new(const char *uri)
{
    return start(daemon_new(), uri);
}

BusFixture *
bus_fixture_new_test_driver(guint n_more_guests)
{
    Daemon *daemon = daemon_new();
    g_autofree char *uri = write_host(daemon, n_more_guests);

    return start(daemon, uri);
}

void
bus_fixture_free(BusFixture *fixture)
{
    for (User user = 0; user < N_USERS; user++)
        g_object_unref(fixture->users[user]);
    if (fixture->daemon->pid != 0)
        daemon_stop(fixture->daemon);
    daemon_free(fixture->daemon);
    g_dbus_node_info_unref(fixture->interfaces);
    g_free(fixture);
}

int
bus_fixture_set_up(void **state)
{
    *state = bus_fixture_new_test_driver(0);
    return 0;
}

int
bus_fixture_tear_down(void **state)
{
    if (*state != NULL)
        bus_fixture_free(*state);
    return 0;
}

int
bus_fixture_go_on(void **state)
{
    BusFixture *fixture = *state;

    kill(fixture->polkitd, SIGCONT);
    return 0;
}

char *
get_mode(BusFixture *fixture)
{
    g_autofree char *path = guest_path(ALPHA_UUID);

    return daemon_guest_text(fixture->daemon, path, "Mode");
}

void
freeze(pid_t pid)
{
    assert_return_code(kill(pid, SIGSTOP), errno);
}

void
thaw(pid_t pid)
{
    assert_return_code(kill(pid, SIGCONT), errno);
}

pid_t
find_owner(GDBusConnection *bus, const char *name)
{
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
        bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
        "GetConnectionUnixProcessID", g_variant_new("(s)", name), G_VARIANT_TYPE("(u)"),
        G_DBUS_CALL_FLAGS_NONE, -1, NULL, NULL);
    guint32 pid = 0;

    if (reply != NULL)
        g_variant_get(reply, "(u)", &pid);
    return (pid_t) pid;
}

void
run_until(const guint *n, guint wanted)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    while (*n != wanted) {
        if (!before_deadline(deadline))
            fail_msg("%u of %u answers came", *n, wanted);
        while (g_main_context_iteration(NULL, FALSE))
            ;
    }
}

char *
guest_path(const char *uuid)
{
    g_autofree char *node = g_strdelimit(g_strdup(uuid), "-", '_');

    return g_strconcat(FOLIOD_PATH "/guest/", node, NULL);
}

void
append_answer(GString *all, GDBusConnection *user, const char *path, const char *interface,
              const char *method, const char *arguments)
{
    g_autoptr(Answer) answer = caller_ask(user, path, interface, method, arguments);

    g_string_append_printf(all, "%s %s\n%s\n", method, interface, answer->text);
}

static void
append_object(GString *all, BusFixture *fixture, GDBusConnection *user, const char *path)
{
    GDBusInterfaceInfo *info = g_dbus_node_info_lookup_interface(fixture->interfaces, FOLIOD_GUEST);

    append_answer(all, user, path, "org.freedesktop.DBus.Introspectable", "Introspect", NULL);
    append_answer(all, user, path, "org.freedesktop.DBus.Peer", "Ping", NULL);
    append_answer(all, user, path, PROPERTIES_INTERFACE, "GetAll", "('" FOLIOD_GUEST "',)");
    append_answer(all, user, path, PROPERTIES_INTERFACE, "GetAll", "('org.foliod1.Other',)");
    append_answer(all, user, path, FOLIOD_GUEST, "ListRam", NULL);
    append_answer(all, user, path, FOLIOD_GUEST, "ListRam", "('x',)");
    append_answer(all, user, path, FOLIOD_GUEST, "SetMode", "('sideways',)");
    append_answer(all, user, path, FOLIOD_GUEST, "Split",
                  "(uint64 0, uint64 0, uint32 0, @a{sv} {})");
    append_answer(all, user, path, FOLIOD_GUEST, "Collapse",
                  "(uint64 0, uint64 1, uint32 1, @a{sv} {})");
    append_answer(all, user, path, FOLIOD_GUEST, "Restore", "({'x': <1>},)");
    append_answer(all, user, path, FOLIOD_GUEST, "Heat", "(@a{sv} {},)");
    append_answer(all, user, path, FOLIOD_GUEST, "Heat", "({'x': <1>},)");
    append_answer(all, user, path, FOLIOD_GUEST, "Explain", "(@a{sv} {},)");
    append_answer(all, user, path, FOLIOD_GUEST, "Other", NULL);
    append_answer(all, user, path, FOLIOD_MANAGER, "ListGuests", NULL);
    for (GDBusPropertyInfo **property = info->properties; *property != NULL; property++) {
        g_autofree char *get = g_strdup_printf("('" FOLIOD_GUEST "', '%s')", (*property)->name);

        append_answer(all, user, path, PROPERTIES_INTERFACE, "Get", get);
    }
}

char *
ask_everything(BusFixture *fixture, User who, const char *name, const char *uuid)
{
    GDBusConnection *user = fixture->users[who];
    g_autofree char *path = guest_path(uuid);
    g_autofree char *by_name = g_strdup_printf("('%s',)", name);
    g_autofree char *by_uuid = g_strdup_printf("('%s',)", uuid);
    GString *all = g_string_new(NULL);

    append_answer(all, user, FOLIOD_PATH, FOLIOD_MANAGER, "GetGuestByName", by_name);
    append_answer(all, user, FOLIOD_PATH, FOLIOD_MANAGER, "GetGuestByUuid", by_uuid);
    append_answer(all, user, FOLIOD_PATH, FOLIOD_MANAGER, "Doctor", by_uuid);
    append_object(all, fixture, user, path);
    return g_string_free(all, FALSE);
}
