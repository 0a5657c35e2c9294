/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Trouble on the bus: floods, callers that vanish, dialogs that nobody answers, polkit or the bus
 * gone, the name taken. */
#include "integration/bus-fixture.h"
#include "integration/dialog-user.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

/* FOLIO_CALLS_PER_SENDER, as the interface promises it. */
#define CALLS_PER_SENDER 16

/* More than a system bus lets one connection have unanswered (128), foliod's to polkit included. */
#define MANY_GUESTS 200

#define FLOOD 100

typedef struct {
    guint n;
    guint by_kind[ANSWER_OTHER + 1];
} Tally;

static void
on_answer(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(Answer) answer = caller_send_finish(source, result);
    Tally *tally = user_data;

    tally->n++;
    tally->by_kind[answer->kind]++;
    if (answer->kind == ANSWER_OTHER)
        print_message("%s\n", answer->text);
}

static void
flood(GDBusConnection *user, Tally *tally)
{
    for (guint i = 0; i < FLOOD; i++)
        caller_send(user, FOLIOD_PATH, FOLIOD_MANAGER, "ListGuests", NULL, G_DBUS_CALL_FLAGS_NONE,
                    on_answer, tally);
}

static void
test_flood_gets_busy(void **state)
{
    BusFixture *fixture = *state;
    Tally flooded = { 0 };
    Tally other = { 0 };

    freeze(fixture->polkitd);
    flood(fixture->users[USER_PLAIN], &flooded);
    run_until(&flooded.n, FLOOD - CALLS_PER_SENDER);
    assert_int_equal(flooded.by_kind[ANSWER_BUSY], FLOOD - CALLS_PER_SENDER);
    caller_send(fixture->users[USER_ALLOWED], FOLIOD_PATH, FOLIOD_MANAGER, "ListGuests", NULL,
                G_DBUS_CALL_FLAGS_NONE, on_answer, &other);

    thaw(fixture->polkitd);
    run_until(&other.n, 1);
    run_until(&flooded.n, FLOOD);
    assert_int_equal(other.by_kind[ANSWER_OK], 1);
    assert_int_equal(flooded.by_kind[ANSWER_OK], CALLS_PER_SENDER);
    assert_int_equal(flooded.by_kind[ANSWER_BUSY], FLOOD - CALLS_PER_SENDER);
}

/* What one sender asks of polkit, and 16 lists of 200 guests are a lot, the others do not wait for.
 */
static void
test_flood_does_not_keep_others_waiting(void **state)
{
    BusFixture *fixture = *state;
    Tally flooded = { 0 };
    gint64 start = g_get_monotonic_time();

    flood(fixture->users[USER_PLAIN], &flooded);
    for (guint i = 0; i < 5; i++) {
        g_autoptr(Answer) answer =
            caller_get(fixture->users[USER_ALLOWED], FOLIOD_PATH, FOLIOD_MANAGER, "Version");

        assert_int_equal(answer->kind, ANSWER_OK);
    }
    print_message("5 calls during a flood: %.0f ms\n",
                  (double) (g_get_monotonic_time() - start) / 1000);
    /* Answers to the flood are counted by the main loop, which has not run. */
    while (g_main_context_iteration(NULL, FALSE))
        ;
    assert_true(flooded.by_kind[ANSWER_OK] < CALLS_PER_SENDER);
    run_until(&flooded.n, FLOOD);
    assert_int_equal(flooded.by_kind[ANSWER_OK] + flooded.by_kind[ANSWER_BUSY], FLOOD);
}

static void
test_many_guests_are_listed(void **state)
{
    static const User users[] = { USER_ROOT, USER_PLAIN, USER_BLINKERED };
    BusFixture *fixture = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(users); i++) {
        gint64 start = g_get_monotonic_time();
        g_autoptr(Answer) answer =
            caller_ask(fixture->users[users[i]], FOLIOD_PATH, FOLIOD_MANAGER, "ListGuests", NULL);
        g_auto(GStrv) parts = g_strsplit(answer->text, "web-", -1);

        print_message("%d guests for user %u: %.0f ms\n", MANY_GUESTS, users[i],
                      (double) (g_get_monotonic_time() - start) / 1000);
        assert_int_equal(answer->kind, ANSWER_OK);
        assert_int_equal(g_strv_length(parts) - 1, MANY_GUESTS);
    }
}

static void
expect_mode(BusFixture *fixture, const char *expected)
{
    g_autofree char *mode = get_mode(fixture);

    assert_string_equal(mode, expected);
}

static void
expect_answer(BusFixture *fixture, User user, const char *guest, AnswerKind expected)
{
    g_autofree char *path = guest != NULL ? guest_path(guest) : g_strdup(FOLIOD_PATH);
    g_autoptr(Answer) answer =
        caller_get(fixture->users[user], path, guest != NULL ? FOLIOD_GUEST : FOLIOD_MANAGER,
                   guest != NULL ? "Name" : "Version");

    if (answer->kind != expected)
        fail_msg("user %u: %s", user, answer->text);
}

static guint
count_files(const char *directory)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    guint n = 0;

    assert_non_null(dir);
    while (g_dir_read_name(dir) != NULL)
        n++;
    return n;
}

/* A caller that is gone before polkit answers is nobody, even if it was root or was allowed to. */
static void
test_vanished_caller_is_denied(void **state)
{
    static const uid_t uids[] = { 0, 1, 2 };
    BusFixture *fixture = *state;

    expect_mode(fixture, "observe");
    daemon_configure(fixture->daemon, "[Guests]\nMode=off\n");
    freeze(fixture->polkitd);
    for (gsize i = 0; i < G_N_ELEMENTS(uids); i++) {
        g_autoptr(GDBusConnection) caller = caller_connect(uids[i]);

        caller_send(caller, FOLIOD_PATH, FOLIOD_MANAGER, "Reload", NULL, G_DBUS_CALL_FLAGS_NONE,
                    NULL, NULL);
        caller_vanish(caller, fixture->daemon->bus);
    }
    thaw(fixture->polkitd);
    /* polkitd answers in order, and these calls come after those of the vanished. */
    expect_mode(fixture, "observe");
    daemon_configure(fixture->daemon, "");
}

/* Callers come, ask for anything, and go at once. */
static void
test_callers_that_vanish_leave_nothing(void **state)
{
    BusFixture *fixture = *state;
    g_autofree char *path = guest_path(SECRET_UUID);
    g_autofree char *descriptors = g_strdup_printf("/proc/%d/fd", fixture->daemon->pid);
    guint n_before = count_files(descriptors);

    for (guint i = 0; i < 50; i++) {
        g_autoptr(GDBusConnection) caller = caller_connect(i % 4);

        for (guint j = 0; j < CALLS_PER_SENDER; j++)
            caller_send(caller, FOLIOD_PATH, FOLIOD_MANAGER, "ListGuests", NULL,
                        G_DBUS_CALL_FLAGS_NONE, NULL, NULL);
        caller_send(caller, path, FOLIOD_GUEST, "ListRam", NULL, G_DBUS_CALL_FLAGS_NONE, NULL,
                    NULL);
        caller_vanish(caller, fixture->daemon->bus);
    }
    expect_mode(fixture, "observe");
    assert_int_equal(count_files(descriptors), n_before);
}

static void
expect_line(GDataInputStream *lines, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *line = g_data_input_stream_read_line(lines, NULL, NULL, &error);

    assert_no_error(error);
    if (g_strcmp0(line, expected) != 0)
        fail_msg("expected \"%s\", got \"%s\"", expected, line != NULL ? line : "");
}

/* A user with an agent of polkit lets the dialog stand open, and leaves in the end. */
static void
test_open_dialog_blocks_nobody(void **state)
{
    BusFixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) user = NULL;
    g_autoptr(GDataInputStream) lines = NULL;

    daemon_configure(fixture->daemon, "[Guests]\nMode=off\n");
    user = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, "/proc/self/exe",
                            DIALOG_USER_OPTION, NULL);
    assert_no_error(error);
    lines = g_data_input_stream_new(g_subprocess_get_stdout_pipe(user));
    expect_line(lines, "without a dialog: not permitted");
    expect_line(lines, "a dialog is open");
    expect_line(lines, "with another dialog: busy");
    expect_line(lines, "what needs none: ok");

    expect_answer(fixture, USER_PLAIN, SECRET_UUID, ANSWER_OK);
    expect_mode(fixture, "observe");
    g_subprocess_force_exit(user);
    g_subprocess_wait(user, NULL, &error);
    assert_no_error(error);
    expect_answer(fixture, USER_PLAIN, SECRET_UUID, ANSWER_OK);
    expect_mode(fixture, "observe");
    daemon_configure(fixture->daemon, "");
}

static void
test_dialog_without_agent_is_denied(void **state)
{
    BusFixture *fixture = *state;
    Tally tally = { 0 };

    caller_send(fixture->users[USER_PLAIN], FOLIOD_PATH, FOLIOD_MANAGER, "Reload", NULL,
                G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION, on_answer, &tally);
    run_until(&tally.n, 1);
    assert_int_equal(tally.by_kind[ANSWER_NOT_PERMITTED], 1);
}

static void
expect_exit(Daemon *daemon, const char *log)
{
    int status = daemon_wait(daemon);

    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    daemon_expect_log(daemon, log);
}

static void
test_second_foliod_ends(void **state)
{
    Daemon *second = daemon_new();

    daemon_spawn(second, (const char *const[]){ "--connect=test:///default", NULL }, NULL);
    expect_exit(second, "is taken");
    daemon_free(second);
}

static GPid
start_bus(const char *address)
{
    g_autofree char *config =
        g_strdup_printf("--config-file=%s/bus.conf", g_getenv("FOLIOD_SANDBOX"));
    g_autofree char *listen = g_strdup_printf("--address=%s", address);
    const char *command[] = { "dbus-daemon", config, "--nofork", "--nopidfile", listen, NULL };
    g_autoptr(GError) error = NULL;
    GPid pid = 0;

    g_spawn_async(NULL, (char **) command, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD,
                  NULL, NULL, &pid, &error);
    assert_no_error(error);
    return pid;
}

static void
test_foliod_ends_with_the_bus(void **state)
{
    Daemon *daemon = daemon_new();
    g_autofree char *socket_path = g_build_filename(daemon->directory, "bus", NULL);
    g_autofree char *address = g_strdup_printf("unix:path=%s", socket_path);
    g_autofree char *variable = g_strdup_printf("DBUS_SYSTEM_BUS_ADDRESS=%s", address);
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    GPid bus = start_bus(address);

    while (!g_file_test(socket_path, G_FILE_TEST_EXISTS))
        assert_true(before_deadline(deadline));
    daemon_start(daemon, (const char *const[]){ "--connect=test:///default", NULL },
                 (const char *const[]){ variable, NULL });
    assert_return_code(kill(bus, SIGKILL), errno);
    assert_int_equal(waitpid(bus, NULL, 0), bus);
    expect_exit(daemon, "the connection to the system bus has closed");
    daemon_free(daemon);
}

static void
test_foliod_ends_without_a_bus(void **state)
{
    Daemon *daemon = daemon_new();

    daemon_spawn(daemon, (const char *const[]){ "--connect=test:///default", NULL },
                 (const char *const[]){ "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere", NULL });
    expect_exit(daemon, "no system bus");
    daemon_free(daemon);
}

static void
start_polkitd(BusFixture *fixture)
{
    const char *command[] = { "/usr/lib/polkit-1/polkitd", "--no-debug", NULL };
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    g_autoptr(GError) error = NULL;

    g_spawn_async(NULL, (char **) command, NULL,
                  G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL,
                  &error);
    assert_no_error(error);
    fixture->polkitd = 0;
    while (fixture->polkitd == 0 && before_deadline(deadline))
        fixture->polkitd = find_owner(fixture->daemon->bus, "org.freedesktop.PolicyKit1");
    assert_true(fixture->polkitd != 0);
}

/* Without polkit only root is let in; when it is back, all is as before. */
static void
test_without_polkit(void **state)
{
    BusFixture *fixture = *state;
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    assert_return_code(kill(fixture->polkitd, SIGKILL), errno);
    while (find_owner(fixture->daemon->bus, "org.freedesktop.PolicyKit1") != 0)
        assert_true(before_deadline(deadline));

    expect_answer(fixture, USER_ROOT, NULL, ANSWER_OK);
    expect_answer(fixture, USER_ROOT, SECRET_UUID, ANSWER_OK);
    expect_answer(fixture, USER_ALLOWED, NULL, ANSWER_NOT_PERMITTED);
    expect_answer(fixture, USER_ALLOWED, SECRET_UUID, ANSWER_NOT_FOUND);
    expect_answer(fixture, USER_ALLOWED, ABSENT_UUID, ANSWER_NOT_FOUND);
    daemon_expect_log(fixture->daemon, "polkit could not be asked, only root is let in");

    start_polkitd(fixture);
    expect_answer(fixture, USER_PLAIN, NULL, ANSWER_OK);
    expect_answer(fixture, USER_BLIND, NULL, ANSWER_NOT_PERMITTED);
    expect_answer(fixture, USER_BLINKERED, SECRET_UUID, ANSWER_NOT_FOUND);
}

static int
set_up(void **state)
{
    *state = bus_fixture_new_test_driver(MANY_GUESTS);
    return 0;
}

#define trouble(test) cmocka_unit_test_teardown(test, bus_fixture_go_on)

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        trouble(test_flood_gets_busy),
        trouble(test_flood_does_not_keep_others_waiting),
        trouble(test_many_guests_are_listed),
        trouble(test_vanished_caller_is_denied),
        trouble(test_callers_that_vanish_leave_nothing),
        trouble(test_dialog_without_agent_is_denied),
        trouble(test_open_dialog_blocks_nobody),
        trouble(test_second_foliod_ends),
        trouble(test_foliod_ends_with_the_bus),
        trouble(test_foliod_ends_without_a_bus),
        trouble(test_without_polkit),
    };

    if (argc > 1 && g_str_equal(argv[1], DIALOG_USER_OPTION))
        return dialog_user_main();
    return cmocka_run_group_tests(tests, set_up, bus_fixture_tear_down);
}
