/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl's verbs that change something, and monitor, against a real foliod with a real guest. */
#include "guests.h"
#include "integration/ctl-run.h"
#include "integration/daemon.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>

#define NAME "served"
#define UUID "5e12ed00-0000-4000-8000-000000000001"
/* Named as the other's UUID. */
#define TWIN_UUID "5e12ed00-0000-4000-8000-000000000002"

typedef struct {
    virConnectPtr connect;
    Daemon *daemon;
    virDomainPtr served;
    char *path;
} Fixture;

static void
expect_text(const Fixture *fixture, const char *property, const char *expected)
{
    g_autofree char *text = daemon_guest_text(fixture->daemon, fixture->path, property);

    assert_string_equal(text, expected);
}

static void
test_set_mode(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *text = ctl_print(WORDS("set-mode", NAME, "split"));
    g_autofree char *bad = NULL;
    g_autofree char *reset = NULL;
    g_autoptr(JsonParser) json = NULL;

    assert_holds(text, "The mode is split: it is measured only");
    expect_text(fixture, "Mode", "split");
    expect_text(fixture, "Reason", "no-actuator");
    bad = ctl_complain(WORDS("set-mode", NAME, "sideways"), 1);
    assert_holds(bad, "mode: \"sideways\" is no mode; modes are off, observe, split");
    expect_text(fixture, "Mode", "split");
    json = ctl_json(WORDS("--json", "set-mode", UUID, "off"));
    assert_string_equal(json_object_get_string_member(ctl_root(json), "mode"), "off");
    assert_string_equal(json_object_get_string_member(ctl_root(json), "guest"), UUID);
    expect_text(fixture, "State", "discovered");
    expect_text(fixture, "Reason", "mode-off");

    reset = ctl_print(WORDS("set-mode", NAME, "default"));
    assert_holds(reset, "The mode is observe");
    g_free(daemon_wait_state(fixture->daemon, NAME, "located"));
}

/* What was set outlives foliod, until it is taken back. */
static void
test_mode_and_pause_outlive_foliod(void **state)
{
    Fixture *fixture = *state;

    g_free(ctl_print(WORDS("set-mode", NAME, "adaptive")));
    g_free(ctl_print(WORDS("pause")));
    daemon_stop(fixture->daemon);
    daemon_start(fixture->daemon, NULL, NULL);
    g_free(daemon_wait_state(fixture->daemon, NAME, "paused"));
    expect_text(fixture, "Mode", "adaptive");
    g_free(ctl_print(WORDS("resume")));
    g_free(ctl_print(WORDS("set-mode", NAME, "")));
    daemon_stop(fixture->daemon);
    daemon_start(fixture->daemon, NULL, NULL);
    g_free(daemon_wait_state(fixture->daemon, NAME, "located"));
    expect_text(fixture, "Mode", "observe");
}

static void
test_pause(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *paused = ctl_print(WORDS("pause"));
    g_autofree char *status = ctl_print(WORDS("status"));
    g_autofree char *split = NULL;
    g_autofree char *resumed = NULL;
    g_autoptr(JsonParser) json = NULL;
    g_autoptr(JsonParser) json_status = NULL;

    assert_string_equal(paused, "foliod is paused.\n");
    assert_holds(status, ", paused: nothing is sampled or changed until folioctl resume");
    expect_text(fixture, "State", "paused");
    expect_text(fixture, "Reason", "paused");
    split = ctl_complain(WORDS("split", NAME, "0", "1"), 1);
    assert_holds(split, "foliod is paused");
    json = ctl_json(WORDS("pause", "--restore", "--json"));
    assert_true(json_object_get_boolean_member(ctl_root(json), "paused"));
    json_status = ctl_json(WORDS("status", "--json"));
    assert_true(json_object_get_boolean_member(ctl_root(json_status), "paused"));
    resumed = ctl_print(WORDS("resume"));
    assert_string_equal(resumed, "foliod goes on.\n");
    expect_text(fixture, "State", "located");
}

/* The guest has 64 MiB: 32 blocks. What it is configured to act with only collapses, which comes
 * last. */
static void
test_acts_are_refused(void **state)
{
    static const struct {
        const char *words[7];
        const char *complaint;
    } cases[] = {
        { { "split", NAME, "0", "32" }, "split to order 0: madvise-collapse: " },
        { { "split", NAME, "31", "1", "--order=4" }, "split to order 4: " },
        { { "split", NAME, "--all" }, "split to order 0: madvise-collapse: " },
        { { "split", NAME, "0+1", "8", "2", "--force" }, "split to order 0: " },
        { { "split", NAME, "0+1", "31+2" }, "range 1: blocks: 2 is not from 1 to 1" },
        { { "split", NAME, "0", "1", "2" }, "COUNT: a number of blocks is missing" },
        { { "split", NAME, "--sparse" }, "nothing is known of its heat" },
        { { "split", NAME, "0", "33" }, "blocks: 33 is not from 1 to 32" },
        { { "split", NAME, "32", "1" }, "first_block: 32 is beyond the guest, which has 32" },
        { { "split", NAME, "0", "0" }, "blocks: 0 " },
        { { "split", NAME, "0", "1", "--order=9" }, "order: 9 is none" },
        { { "split", NAME, "-1", "1" }, "Unknown option" },
        { { "split", NAME, "x", "1" }, "FIRST: \"x\" is no number" },
        { { "split", NAME, "0", "18446744073709551616" }, "COUNT: " },
        { { "split", NAME, "0x1000-0x2000" }, "is no range such as" },
        { { "split", NAME, "0x200000-0x400000" }, "is not within one RAM block" },
        { { "split", "nobody", "0", "1" }, "nobody: no such guest" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const gboolean usage = g_str_has_prefix(cases[i].complaint, "Unknown");
        g_autofree char *text = ctl_complain(cases[i].words, usage ? 2 : 1);

        assert_holds(text, cases[i].complaint);
    }
}

/* For true: all of it is huge pages already, and the kernel is asked and the page flags are read
 * all the same. */
static void
test_collapse_and_restore(void **state)
{
    g_autofree char *text = ctl_print(WORDS("collapse", NAME, "0", "8", "24+8"));
    g_autofree char *restored = ctl_print(WORDS("restore", NAME));
    g_autoptr(JsonParser) json = ctl_json(WORDS("collapse", NAME, "--all", "--json"));
    g_autoptr(JsonParser) show = ctl_json(WORDS("show", NAME, "--json"));
    JsonObject *job = ctl_root(json);
    JsonObject *blocks = json_object_get_object_member(job, "blocks");
    JsonObject *guest = json_object_get_object_member(ctl_root(show), "guest");

    assert_holds(text, ": done, 16 of 16 blocks, by madvise-collapse\n"
                       "collapsed no block; 16 were so before\n");
    assert_holds(restored, ": done, ");
    assert_string_equal(json_object_get_string_member(job, "way"), "madvise-collapse");
    assert_string_equal(json_object_get_string_member(job, "guest"), UUID);
    assert_string_equal(json_object_get_string_member(job, "by"), "uid 0");
    assert_int_equal(json_object_get_int_member(job, "total"), 32);
    assert_int_equal(json_object_get_int_member(blocks, "already"), 32);
    assert_int_equal(json_object_get_int_member(blocks, "left"), 0);
    assert_int_equal(json_object_get_int_member(guest, "split_now_blocks"), 0);
}

/* What foliod remembers of the guest's blocks while it does not run. */
static char *
stop_and_read_plan(const Fixture *fixture)
{
    g_autofree char *path =
        g_build_filename(fixture->daemon->directory, "run", "plans", UUID, NULL);
    g_autoptr(GError) error = NULL;
    char *text = NULL;

    daemon_stop(fixture->daemon);
    g_file_get_contents(path, &text, NULL, &error);
    assert_no_error(error);
    return text;
}

static void
start_again(const Fixture *fixture)
{
    daemon_start(fixture->daemon, NULL, NULL);
    g_free(daemon_wait_state(fixture->daemon, NAME, "located"));
}

/* So that automation lets these blocks rest. */
static void
test_by_hand_is_remembered(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path =
        g_build_filename(fixture->daemon->directory, "run", "plans", UUID, NULL);
    g_autofree char *before = stop_and_read_plan(fixture);
    g_autofree char *first = NULL, *second = NULL;

    assert_holds(before, "\nacted collapse 0 ");
    assert_true(g_file_set_contents(path, "foliod-plan 1 guest " UUID "\n", -1, NULL));
    start_again(fixture);
    g_free(ctl_print(WORDS("collapse", NAME, "0", "8")));
    first = stop_and_read_plan(fixture);
    daemon_expect_log(fixture->daemon, "plans/" UUID " is damaged and counts for nothing");
    assert_holds(first, "\nacted collapse 0 0 0+8\nsha256 ");
    start_again(fixture);
    g_free(ctl_print(WORDS("collapse", NAME, "16+4", "3+1")));
    second = stop_and_read_plan(fixture);
    assert_holds(second, "\nacted collapse 0 0 0+3 4+4 16+4\nacted collapse 0 1 3\nsha256 ");
    start_again(fixture);
}

/* As folioctl analyze --pid prints them. */
static void
test_addresses(void **state)
{
    g_autoptr(JsonParser) show = ctl_json(WORDS("show", "--json", NAME));
    JsonArray *ram = json_object_get_array_member(ctl_root(show), "ram");
    JsonObject *block = json_array_get_object_element(ram, 0);
    const guint64 hva = (guint64) json_object_get_int_member(block, "hva");
    const guint64 end = hva + (guint64) json_object_get_int_member(block, "bytes");
    g_autofree char *all =
        g_strdup_printf("0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER "x", hva, end);
    g_autofree char *beyond = g_strdup_printf("0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER "x",
                                              hva, end + 2 * 1024 * 1024);
    g_autofree char *taken = ctl_print(WORDS("collapse", NAME, all));
    g_autofree char *refused = ctl_complain(WORDS("collapse", NAME, beyond), 1);

    assert_holds(taken, "collapsed no block; 32 were so before");
    assert_holds(refused, "is not within one RAM block");
}

static void
test_wrong_usage(void **state)
{
    const char *const *const calls[] = {
        WORDS("set-mode", NAME),
        WORDS("set-mode"),
        WORDS("split", NAME),
        WORDS("split", NAME, "0", "1", "--all"),
        WORDS("split", NAME, "0", "1", "--sparse"),
        WORDS("split", NAME, "--sparse", "--all"),
        WORDS("collapse", NAME),
        WORDS("collapse", NAME, "--sparse"),
        WORDS("collapse", NAME, "--all", "--force"),
        WORDS("restore", NAME, "--all"),
        WORDS("collapse", NAME, "0", "1", "--order=4"),
        WORDS("restore"),
        WORDS("pause", NAME),
        WORDS("resume", "--restore"),
        WORDS("monitor", NAME),
        WORDS("split", NAME, "0", "1", "--order=x"),
        WORDS("split", NAME, "0", "1", "--order=-1"),
        WORDS("split", NAME, "0", "1", "--order=4294967296"),
    };

    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++)
        g_free(ctl_complain(calls[i], 2));
}

/* Never all of a guest by accident. */
static void
test_blocks_have_to_be_named(void **state)
{
    g_autofree char *split = ctl_complain(WORDS("split", NAME), 2);
    g_autofree char *both = ctl_complain(WORDS("split", NAME, "0+1", "--all"), 2);

    assert_holds(split, "split: which blocks? Name a RANGE, or --all for all of the guest");
    assert_holds(both, "split: ranges, --sparse or --all: only one of them");
}

/* An option of another verb is named. */
static void
test_stray_options(void **state)
{
    static const struct {
        const char *words[7];
        const char *option;
    } calls[] = {
        { { "collapse", NAME, "0", "1", "--order=4" },
          "folioctl: collapse: takes no option --order\n" },
        { { "resume", "--restore" }, "folioctl: resume: takes no option --restore\n" },
        { { "split", NAME, "0", "1", "--top=3" }, "folioctl: split: takes no option --top\n" },
        { { "set-mode", NAME, "off", "--force" }, "folioctl: set-mode: takes no option --force\n" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autofree char *text = ctl_complain(calls[i].words, 2);

        assert_holds(text, calls[i].option);
    }
}

static void
test_ordinary_user(void **state)
{
    const char *const *const calls[] = {
        WORDS("set-mode", NAME, "off"),
        WORDS("split", NAME, "0", "1"),
        WORDS("collapse", NAME, "0", "1"),
        WORDS("restore", NAME),
        WORDS("pause"),
        WORDS("resume"),
    };
    Fixture *fixture = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autoptr(CtlRun) run = ctl_run_as_nobody(calls[i]);

        assert_int_equal(run->status, 4);
        assert_string_equal(run->output, "");
        assert_holds(run->complaint, "org.foliod1.");
    }
    expect_text(fixture, "State", "located");
    expect_text(fixture, "Mode", "observe");
}

/* Who asks on a terminal is asked for a password there; this one has none to give. */
static void
test_terminal_asks_for_a_password(void **state)
{
    g_autofree char *program = ctl_program();
    g_autofree char *copy = g_build_filename(g_getenv("FOLIOD_SANDBOX"), "folioctl", NULL);
    g_autofree char *line = g_strdup_printf(
        "timeout --foreground 5 setpriv --reuid=2 --regid=2 --clear-groups %s set-mode " NAME
        " off",
        copy);
    const char *const command[] = { "script", "-qec", line, "/dev/null", NULL };
    g_autoptr(CtlRun) list = ctl_run_as_nobody(WORDS("list")); /* makes the copy in reach */
    g_autoptr(GError) error = NULL;
    g_autofree char *output = NULL;

    g_spawn_sync(NULL, (char **) command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL,
                 NULL, &error);
    assert_no_error(error);
    assert_holds(output, "AUTHENTICATING FOR org.foliod1.set-mode");
    assert_holds(output, "what foliod may do with the guest " NAME);
}

/* The UUID of one is the name of another: which is meant nobody can tell. */
static void
test_ambiguous_guest(void **state)
{
    static const FolioTestGuest twin = { .name = UUID, .uuid = TWIN_UUID };
    Fixture *fixture = *state;
    virDomainPtr domain = folio_test_guest_start(fixture->connect, &twin);
    g_autofree char *text = NULL;
    g_autofree char *other = NULL;

    g_free(daemon_wait_state(fixture->daemon, UUID, "ineligible"));
    text = ctl_complain(WORDS("set-mode", UUID, "off"), 1);
    assert_holds(text, "is the UUID of one guest and the name of another");
    expect_text(fixture, "Mode", "observe");
    other = ctl_print(WORDS("set-mode", TWIN_UUID, "observe"));
    assert_holds(other, "The mode is observe");
    g_free(ctl_print(WORDS("set-mode", TWIN_UUID, "default")));
    folio_test_guest_destroy(domain);
    daemon_wait_gone(fixture->daemon, UUID);
}

/* An ssh of the test's own writes down what it was given, a word a line. */
static void
test_other_host(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *dir = g_build_filename(fixture->daemon->directory, "bin", NULL);
    g_autofree char *ssh = g_build_filename(dir, "ssh", NULL);
    g_autofree char *variable = g_strdup_printf("PATH=%s:%s", dir, g_getenv("PATH"));
    g_autoptr(CtlRun) run = NULL;
    g_autoptr(CtlRun) without = NULL;

    assert_return_code(g_mkdir(dir, 0755), errno);
    assert_true(g_file_set_contents_full(ssh, "#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 42\n", -1,
                                         G_FILE_SET_CONTENTS_NONE, 0755, NULL));
    run = ctl_run_with(WORDS("-H", "-oProxyCommand=x", "--json", "show", "a b"), variable);
    assert_string_equal(run->output, "--\n-oProxyCommand=x\nfolioctl '--json' 'show' 'a b'\n");
    assert_int_equal(run->status, 42);
    without = ctl_run_with(WORDS("-H", "host", "list"), "PATH=/nonexistent");
    assert_int_equal(without->status, 255);
    assert_holds(without->complaint, "ssh cannot be run");
}

typedef struct {
    GSubprocess *process;
    GDataInputStream *lines;
} Monitor;

static void
monitor_start(Monitor *monitor, const char *option)
{
    g_autofree char *program = ctl_program();
    g_autoptr(GError) error = NULL;

    monitor->process =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, program, "monitor", option, NULL);
    assert_no_error(error);
    monitor->lines = g_data_input_stream_new(g_subprocess_get_stdout_pipe(monitor->process));
}

/* The next line that holds all of the parts; fails the test when it ends before. */
static char *
monitor_wait(Monitor *monitor, const char *const *parts)
{
    for (;;) {
        g_autofree char *line = g_data_input_stream_read_line(monitor->lines, NULL, NULL, NULL);
        gboolean found = TRUE;

        if (line == NULL)
            fail_msg("monitor ended before it said \"%s\"", parts[0]);
        for (gsize i = 0; parts[i] != NULL; i++)
            found = found && strstr(line, parts[i]) != NULL;
        if (found)
            return g_steal_pointer(&line);
    }
}

static void
monitor_stop(Monitor *monitor)
{
    g_autoptr(GError) error = NULL;

    g_subprocess_send_signal(monitor->process, SIGINT);
    assert_true(g_subprocess_wait(monitor->process, NULL, &error));
    assert_int_equal(g_subprocess_get_exit_status(monitor->process), 0);
    g_object_unref(monitor->lines);
    g_object_unref(monitor->process);
}

static void
test_monitor(void **state)
{
    Fixture *fixture = *state;
    Monitor monitor;

    monitor_start(&monitor, NULL);
    g_free(monitor_wait(&monitor, WORDS("  foliod: at work; qemu:///system connected")));
    g_free(monitor_wait(&monitor, WORDS("  " NAME ": located, mode observe: it is measured")));
    g_free(ctl_print(WORDS("set-mode", NAME, "collapse")));
    g_free(monitor_wait(&monitor, WORDS("  " NAME ": located, mode collapse: ")));
    g_free(ctl_print(WORDS("pause")));
    g_free(monitor_wait(&monitor, WORDS("  foliod: paused")));
    g_free(ctl_print(WORDS("resume")));
    daemon_stop(fixture->daemon);
    g_free(monitor_wait(&monitor, WORDS("  foliod has ended")));
    daemon_start(fixture->daemon, NULL, NULL);
    g_free(monitor_wait(&monitor, WORDS("  " NAME ": located, mode collapse: ")));
    g_free(ctl_print(WORDS("set-mode", NAME, "default")));
    g_free(monitor_wait(&monitor, WORDS("  " NAME ": located, mode observe: ")));
    monitor_stop(&monitor);
}

static void
test_monitor_json(void **state)
{
    static const FolioTestGuest guest = { .name = "passing",
                                          .uuid = "5e12ed00-0000-4000-8000-000000000003" };
    Fixture *fixture = *state;
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autofree char *line = NULL;
    virDomainPtr domain;
    JsonObject *changed;
    Monitor monitor;

    monitor_start(&monitor, "--json");
    g_free(monitor_wait(&monitor, WORDS("\"event\":\"guest\"", UUID)));
    domain = folio_test_guest_start(fixture->connect, &guest);
    g_free(monitor_wait(&monitor, WORDS("\"event\":\"guest\"", "\"name\":\"passing\"")));
    folio_test_guest_destroy(domain);
    g_free(monitor_wait(&monitor, WORDS("\"event\":\"gone\"", "\"name\":\"passing\"")));
    g_free(ctl_print(WORDS("set-mode", NAME, "off")));
    line = monitor_wait(&monitor, WORDS("\"event\":\"guest\"", "\"mode\":\"off\""));
    g_free(ctl_print(WORDS("set-mode", NAME, "default")));
    monitor_stop(&monitor);

    assert_true(json_parser_load_from_data(parser, line, -1, NULL));
    changed = json_object_get_object_member(ctl_root(parser), "changed");
    assert_string_equal(json_object_get_string_member(changed, "reason"), "mode-off");
    assert_false(json_object_has_member(changed, "name")); /* it has not changed */
    g_free(daemon_wait_state(fixture->daemon, NAME, "located"));
}

static void
test_without_daemon(void **state)
{
    const char *const *const calls[] = {
        WORDS("set-mode", NAME, "off"),
        WORDS("split", NAME, "0", "1"),
        WORDS("pause"),
        WORDS("resume"),
        WORDS("monitor"),
    };
    Fixture *fixture = *state;

    daemon_stop(fixture->daemon);
    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autofree char *text = ctl_complain(calls[i], 3);

        assert_string_equal(text, "folioctl: foliod is not running\n");
    }
    daemon_start(fixture->daemon, NULL, NULL);
}

static int
set_up(void **state)
{
    g_autofree char *launcher =
        g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "launch", "qemu-system-x86_64", NULL);
    const FolioTestGuest served = {
        .name = NAME, .uuid = UUID, .emulator = launcher, .backing = FOLIO_TEST_ON_TMPFS, .mib = 64
    };
    Fixture *fixture = g_new0(Fixture, 1);

    *state = fixture;
    fixture->connect = folio_test_connect(g_getenv("LIBVIRT_DEFAULT_URI"));
    fixture->served = folio_test_guest_start(fixture->connect, &served);
    fixture->daemon = daemon_new();
    /* Not DAMON, nor debugfs, which this host may have for itself. */
    daemon_configure(fixture->daemon, "[Acting]\nActuators=madvise-collapse\n");
    daemon_start(fixture->daemon, NULL, NULL);
    fixture->path = daemon_wait_state(fixture->daemon, NAME, "located");
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    folio_test_guest_destroy(fixture->served);
    if (fixture->daemon->pid != 0)
        daemon_stop(fixture->daemon);
    daemon_free(fixture->daemon);
    virConnectClose(fixture->connect);
    g_free(fixture->path);
    g_free(fixture);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_mode),
        cmocka_unit_test(test_mode_and_pause_outlive_foliod),
        cmocka_unit_test(test_pause),
        cmocka_unit_test(test_acts_are_refused),
        cmocka_unit_test(test_collapse_and_restore),
        cmocka_unit_test(test_by_hand_is_remembered),
        cmocka_unit_test(test_blocks_have_to_be_named),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_stray_options),
        cmocka_unit_test(test_ordinary_user),
        cmocka_unit_test(test_terminal_asks_for_a_password),
        cmocka_unit_test(test_ambiguous_guest),
        cmocka_unit_test(test_other_host),
        cmocka_unit_test(test_monitor),
        cmocka_unit_test(test_monitor_json),
        cmocka_unit_test(test_without_daemon),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
