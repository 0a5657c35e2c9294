/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod on the bus as people find it: with busctl, gdbus, pkaction and pkcheck, and with the rules
 * that are shipped as an example. */
#include "integration/bus-fixture.h"
#include "integration/ctl-run.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define WEB_NAME "web-000"
#define WEB_UUID "00000000-0000-4000-8000-000000000000"
#define WEB_PATH "/org/foliod1/guest/00000000_0000_4000_8000_000000000000"

#define RULES "60-foliod-operators.rules"

/* Standard output and error of a command, run as that user, which must end with the status. */
static char *
run_as(uid_t uid, int expected, const char *const *words)
{
    g_autofree char *user = g_strdup_printf("--reuid=%u", uid);
    g_autoptr(GPtrArray) command = g_ptr_array_new();
    g_autoptr(GError) error = NULL;
    g_autofree char *output = NULL;
    g_autofree char *complaint = NULL;
    int status = 0;

    g_ptr_array_add(command, (gpointer) "setpriv");
    g_ptr_array_add(command, user);
    g_ptr_array_add(command, (gpointer) "--regid=65534");
    g_ptr_array_add(command, (gpointer) "--clear-groups");
    for (gsize i = 0; words[i] != NULL; i++)
        g_ptr_array_add(command, (gpointer) words[i]);
    g_ptr_array_add(command, NULL);
    g_spawn_sync("/", (char **) command->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output,
                 &complaint, &status, &error);
    assert_no_error(error);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != expected)
        fail_msg("%s %s ended with %#x: %s%s", words[0], words[1], (guint) status, output,
                 complaint);
    return g_strconcat(output, complaint, NULL);
}

#define RUN(uid, status, ...) run_as((uid), (status), (const char *const[]){ __VA_ARGS__, NULL })

static void
test_busctl(void **state)
{
    g_autofree char *tree = RUN(2, 0, "busctl", "--system", "introspect", FOLIOD_NAME, FOLIOD_PATH);
    g_autofree char *list = RUN(2, 0, "busctl", "--system", "call", FOLIOD_NAME, FOLIOD_PATH,
                                FOLIOD_MANAGER, "ListGuests");
    g_autofree char *version = RUN(2, 0, "busctl", "--system", "get-property", FOLIOD_NAME,
                                   FOLIOD_PATH, FOLIOD_MANAGER, "Paused");
    g_autofree char *denied = RUN(2, 1, "busctl", "--system", "call", FOLIOD_NAME, FOLIOD_PATH,
                                  FOLIOD_MANAGER, "Pause", "a{sv}", "0");
    g_autofree char *split = RUN(0, 1, "busctl", "--system", "call", FOLIOD_NAME, WEB_PATH,
                                 FOLIOD_GUEST, "Split", "ttua{sv}", "0", "1", "9", "0");

    assert_holds(tree, "JobChanged");
    assert_holds(tree, "ustts");
    assert_holds(tree, ".CancelJob");
    assert_holds(list, WEB_NAME);
    assert_string_equal(version, "b false\n");
    assert_holds(denied, "org.foliod1.manage");
    assert_holds(split, "order: 9 ");
}

static void
test_gdbus(void **state)
{
    g_autofree char *tree = RUN(2, 0, "gdbus", "introspect", "--system", "--dest", FOLIOD_NAME,
                                "--object-path", WEB_PATH);
    g_autofree char *all =
        RUN(2, 0, "gdbus", "call", "--system", "--dest", FOLIOD_NAME, "--object-path", WEB_PATH,
            "--method", "org.freedesktop.DBus.Properties.GetAll", FOLIOD_GUEST);
    g_autofree char *denied =
        RUN(2, 1, "gdbus", "call", "--system", "--dest", FOLIOD_NAME, "--object-path", WEB_PATH,
            "--method", FOLIOD_GUEST ".SetMode", "off");
    g_autofree char *children = RUN(3, 0, "gdbus", "introspect", "--system", "--dest", FOLIOD_NAME,
                                    "--object-path", FOLIOD_PATH "/guest", "--recurse");

    assert_holds(tree, "SetMode(in  s mode)");
    assert_holds(all, "'SplitBlocks': <uint64 0>");
    assert_holds(all, "'Translation': <@a{sv} {}>");
    assert_holds(denied, "org.foliod1.Error.NotPermitted");
    assert_null(strstr(children, "5ec2e700"));
}

/* Every action is known to polkit, with the defaults that are promised. */
static void
test_pkaction(void **state)
{
    static const char *const actions[][3] = {
        { "org.foliod1.view", "implicit any:      yes", "implicit active:   yes" },
        { "org.foliod1.heat", "implicit any:      no", "implicit active:   auth_admin_keep" },
        { "org.foliod1.set-mode", "implicit any:      auth_admin",
          "implicit active:   auth_admin_keep" },
        { "org.foliod1.act", "implicit any:      auth_admin",
          "implicit active:   auth_admin_keep" },
        { "org.foliod1.manage", "implicit any:      auth_admin",
          "implicit active:   auth_admin_keep" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(actions); i++) {
        g_autofree char *text = RUN(2, 0, "pkaction", "--verbose", "--action-id", actions[i][0]);

        assert_holds(text, actions[i][1]);
        assert_holds(text, actions[i][2]);
        assert_holds(text, "Authentication is required to ");
    }
}

/* A process of that user, for pkcheck to ask about. */
static pid_t
start_subject(uid_t uid)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        if (setresuid(uid, uid, uid) == 0)
            pause();
        _exit(1);
    }
    return pid;
}

/* pkcheck asks as foliod does: with the guest as a detail. 0 yes, 1 no, 2 after a password. */
static void
expect_authorization(pid_t subject, const char *action, const char *guest, int expected)
{
    g_autofree char *pid = g_strdup_printf("%d", subject);
    g_autofree char *output = NULL;

    output = RUN(0, expected, "pkcheck", "--process", pid, "--action-id", action, "--detail",
                 "guest", guest);
}

static void
test_pkcheck(void **state)
{
    pid_t subject = start_subject(2);

    /* It may not have become the user yet; root would be let in. */
    g_usleep(G_USEC_PER_SEC / 5);
    expect_authorization(subject, "org.foliod1.view", WEB_NAME, 0);
    expect_authorization(subject, "org.foliod1.heat", WEB_NAME, 1);
    expect_authorization(subject, "org.foliod1.act", WEB_NAME, 2);
    kill(subject, SIGKILL);
    waitpid(subject, NULL, 0);
}

/* bin becomes one of the group that the example speaks of. Only this sandbox sees it. */
static void
add_group(const Daemon *daemon)
{
    g_autofree char *path = g_build_filename(daemon->directory, "group", NULL);
    g_autofree char *old = NULL;
    g_autofree char *text = NULL;

    assert_true(g_file_get_contents("/etc/group", &old, NULL, NULL));
    text = g_strconcat(old, "foliod-operators:x:4242:bin\n", NULL);
    assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
    assert_return_code(mount(path, "/etc/group", NULL, MS_BIND, NULL), errno);
}

static AnswerKind
ask(BusFixture *fixture, User user, const char *path, const char *method, const char *arguments)
{
    g_autoptr(Answer) answer =
        caller_ask(fixture->users[user], path, FOLIOD_GUEST, method, arguments);

    return answer->kind;
}

static void
test_example_rules(void **state)
{
    static const char split[] = "(uint64 0, uint64 1, uint32 0, @a{sv} {})";
    BusFixture *fixture = *state;
    g_autofree char *alpha = guest_path(ALPHA_UUID);
    g_autofree char *file = g_build_filename(g_getenv("FOLIOD_SOURCE"), "polkit", RULES, NULL);
    g_autofree char *text = NULL;
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    assert_int_equal(ask(fixture, USER_PLAIN, WEB_PATH, "SetMode", "('off',)"),
                     ANSWER_NOT_PERMITTED);
    add_group(fixture->daemon);
    assert_true(g_file_get_contents(file, &text, NULL, NULL));
    write_rule(RULES, text);
    while (ask(fixture, USER_PLAIN, WEB_PATH, "SetMode", "('off',)") != ANSWER_OK)
        assert_true(before_deadline(deadline));

    assert_int_equal(ask(fixture, USER_PLAIN, WEB_PATH, "SetMode", "('default',)"), ANSWER_OK);
    assert_int_equal(ask(fixture, USER_PLAIN, WEB_PATH, "ListRam", NULL), ANSWER_OK);
    /* Let in, and told why it cannot be. */
    assert_int_equal(ask(fixture, USER_PLAIN, WEB_PATH, "Split", split), ANSWER_UNSUPPORTED);
    assert_int_equal(ask(fixture, USER_PLAIN, alpha, "SetMode", "('off',)"), ANSWER_NOT_PERMITTED);
    assert_int_equal(ask(fixture, USER_PLAIN, alpha, "ListRam", NULL), ANSWER_NOT_PERMITTED);
    assert_int_equal(ask(fixture, USER_BLINKERED, WEB_PATH, "SetMode", "('off',)"),
                     ANSWER_NOT_PERMITTED);
    assert_return_code(umount("/etc/group"), errno);
    write_rule(RULES, NULL);
}

static int
set_up(void **state)
{
    *state = bus_fixture_new_test_driver(1);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_busctl),        cmocka_unit_test(test_gdbus),
        cmocka_unit_test(test_pkaction),      cmocka_unit_test(test_pkcheck),
        cmocka_unit_test(test_example_rules),
    };

    return cmocka_run_group_tests(tests, set_up, bus_fixture_tear_down);
}
