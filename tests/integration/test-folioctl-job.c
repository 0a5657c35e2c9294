/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl and a job from its beginning to its end. foliod itself cannot act on this host, so the
 * test stands in for it on the bus, and the job does as the test says. */
#include "integration/bus-fixture.h"
#include "integration/ctl-run.h"

#include <signal.h>

#define JOB       7
#define GUEST     "alpha"
#define OTHER_JOB 6

typedef enum {
    PLOT_DONE,         /* comes further, and is done */
    PLOT_DONE_AT_ONCE, /* is done before the call has returned */
    PLOT_FAILS,        /* fails half-way */
    PLOT_ENDS_ON_CANCEL,
    PLOT_NEVER_ENDS,
    PLOT_FOLIOD_LEAVES, /* the job goes on, foliod does not */
    PLOT_FORGED,        /* somebody else says that it is done */
    PLOT_BUSY,          /* the call itself fails */
    PLOT_LEAVES_SOME,   /* is done, and some blocks are not as was wanted */
    PLOT_FORGOTTEN,     /* is done, and nobody can say with what */
} Plot;

typedef struct {
    GDBusNodeInfo *interfaces;
    GDBusConnection *bus; /* of the one who stands in */
    GDBusConnection *other;
    Plot plot;
    char *client;     /* who has called Split */
    char *asked;      /* "METHOD ARGUMENTS" */
    const char *heat; /* the reply of Heat */
    guint n_subscribed, n_cancelled;
} Stage;

static void
tell(GDBusConnection *from, const Stage *stage, guint job, const char *state, guint64 done,
     const char *error)
{
    g_dbus_connection_emit_signal(from, stage->client, FOLIOD_PATH, FOLIOD_MANAGER, "JobChanged",
                                  g_variant_new("(ustts)", job, state, done, (guint64) 8, error),
                                  NULL);
}

static gboolean
go_on(gpointer user_data)
{
    Stage *stage = user_data;

    if (stage->plot == PLOT_LEAVES_SOME || stage->plot == PLOT_FORGOTTEN) {
        tell(stage->bus, stage, JOB, "done", 8, "");
    } else if (stage->plot == PLOT_DONE) {
        tell(stage->bus, stage, JOB, "running", 5, "");
        tell(stage->bus, stage, OTHER_JOB, "failed", 1, "not this one");
        tell(stage->bus, stage, JOB, "done", 8, "");
    } else if (stage->plot == PLOT_FAILS) {
        tell(stage->bus, stage, JOB, "failed", 4, "the kernel\033[31m says no");
    } else if (stage->plot == PLOT_FOLIOD_LEAVES) {
        g_dbus_connection_close(stage->bus, NULL, NULL, NULL);
    } else if (stage->plot == PLOT_FORGED) {
        tell(stage->other, stage, JOB, "done", 8, "");
        tell(stage->bus, stage, JOB, "failed", 2, "the true end");
    }
    return G_SOURCE_REMOVE;
}

static void
start_job(Stage *stage, const char *sender, GDBusMethodInvocation *invocation)
{
    g_free(stage->client);
    stage->client = g_strdup(sender);
    if (stage->plot == PLOT_BUSY) {
        g_dbus_method_invocation_return_dbus_error(invocation, "org.foliod1.Error.Busy",
                                                   "job 3 (split) is under way with this guest");
        return;
    }
    tell(stage->bus, stage, JOB, "running", 0, "");
    if (stage->plot == PLOT_DONE_AT_ONCE)
        tell(stage->bus, stage, JOB, "done", 8, "");
    g_dbus_method_invocation_return_value(invocation, g_variant_new("(u)", JOB));
    g_timeout_add(200, go_on, stage);
}

/* What GetJob says when the job has ended as the plot has it. */
static GVariant *
report(const Stage *stage)
{
    static const char *const reports[] = {
        [PLOT_DONE] = "'done'>, 'done': <uint64 8>, 'blocks': <{'done': uint64 7, 'already': 1}>",
        [PLOT_DONE_AT_ONCE] = "'done'>, 'done': <uint64 8>, 'blocks': <{'done': uint64 8}>",
        [PLOT_FAILS] = "'failed'>, 'done': <uint64 4>, 'blocks': <{'done': uint64 3, 'gone': 1}>",
        [PLOT_ENDS_ON_CANCEL] = "'cancelled'>, 'done': <uint64 3>, 'blocks': <{'done': uint64 3}>",
        [PLOT_FORGED] = "'failed'>, 'done': <uint64 2>, 'blocks': <{'done': uint64 0}>",
        [PLOT_LEAVES_SOME] = "'done'>, 'done': <uint64 8>, 'blocks': <{'done': uint64 5, 'left': "
                             "3}>, 'left': <{'busy': uint64 3}>",
    };
    g_autofree char *text = g_strdup_printf(
        "({'kind': <'split'>, 'order': <uint32 4>, 'total': <uint64 8>, 'way': <'damon'>, "
        "'state': <%s},)",
        reports[stage->plot]);

    return g_variant_new_parsed(text);
}

static void
answer_get_job(const Stage *stage, GDBusMethodInvocation *invocation)
{
    if (stage->plot == PLOT_FORGOTTEN)
        g_dbus_method_invocation_return_dbus_error(invocation, "org.foliod1.Error.NotFound",
                                                   "no such job");
    else
        g_dbus_method_invocation_return_value(invocation, report(stage));
}

static void
on_call(GDBusConnection *bus, const char *sender, const char *path, const char *interface,
        const char *method, GVariant *arguments, GDBusMethodInvocation *invocation,
        gpointer user_data)
{
    Stage *stage = user_data;
    g_autofree char *guest = guest_path(ALPHA_UUID);
    g_autofree char *text = g_variant_print(arguments, FALSE);

    if (g_str_equal(method, "GetGuestByName")) {
        g_dbus_method_invocation_return_value(invocation, g_variant_new("(o)", guest));
        return;
    }
    if (g_str_equal(method, "GetJob")) {
        answer_get_job(stage, invocation);
        return;
    }
    if (g_str_equal(method, "Heat")) {
        g_dbus_method_invocation_return_value(invocation, g_variant_new_parsed(stage->heat));
        return;
    }
    if (g_str_equal(interface, FOLIOD_GUEST)) {
        g_free(stage->asked);
        stage->asked = g_strdup_printf("%s %s", method, text);
        start_job(stage, sender, invocation);
        return;
    }
    g_dbus_method_invocation_return_value(invocation, NULL);
    stage->n_subscribed += g_str_equal(method, "Subscribe");
    stage->n_cancelled += g_str_equal(method, "CancelJob") && g_str_equal(text, "(7,)");
    if (g_str_equal(method, "CancelJob") && stage->plot == PLOT_ENDS_ON_CANCEL)
        tell(stage->bus, stage, JOB, "cancelled", 3, "");
}

static void
enter_stage(Stage *stage, Plot plot)
{
    static const GDBusInterfaceVTable vtable = { .method_call = on_call };
    static const char *const names[] = { FOLIOD_MANAGER, FOLIOD_GUEST };
    g_autofree char *guest = guest_path(ALPHA_UUID);
    const char *const paths[] = { FOLIOD_PATH, guest };
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GError) error = NULL;

    stage->plot = plot;
    stage->n_subscribed = stage->n_cancelled = 0;
    stage->bus = caller_connect(0);
    g_dbus_connection_set_exit_on_close(stage->bus, FALSE);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        assert_true(g_dbus_connection_register_object(
                        stage->bus, paths[i],
                        g_dbus_node_info_lookup_interface(stage->interfaces, names[i]), &vtable,
                        stage, NULL, NULL) != 0);
    reply = g_dbus_connection_call_sync(stage->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus", "RequestName",
                                        g_variant_new("(su)", FOLIOD_NAME, 0), NULL,
                                        G_DBUS_CALL_FLAGS_NONE, -1, NULL, &error);
    assert_no_error(error);
}

static void
leave_stage(Stage *stage)
{
    if (!g_dbus_connection_is_closed(stage->bus))
        g_dbus_connection_close_sync(stage->bus, NULL, NULL);
    g_clear_object(&stage->bus);
}

/* A call of folioctl while the main loop runs. */
typedef struct {
    GSubprocess *process;
    char *output;
    gboolean ended;
} Run;

static void
on_run_ended(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Run *run = user_data;

    g_subprocess_communicate_utf8_finish(G_SUBPROCESS(source), result, &run->output, NULL, NULL);
    run->ended = TRUE;
}

/* Its standard output and error are one. input goes to its standard input. */
static void
run_start(Run *run, const char *const *command, const char *input)
{
    g_autoptr(GError) error = NULL;

    run->process =
        g_subprocess_newv(command,
                          G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE |
                              (input != NULL ? G_SUBPROCESS_FLAGS_STDIN_PIPE : 0),
                          &error);
    assert_no_error(error);
    g_subprocess_communicate_utf8_async(run->process, input, NULL, on_run_ended, run);
}

static void
run_wait(Run *run, int expected)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    while (!run->ended) {
        assert_true(before_deadline(deadline));
        while (g_main_context_iteration(NULL, FALSE))
            ;
    }
    assert_true(g_subprocess_get_if_exited(run->process));
    if (g_subprocess_get_exit_status(run->process) != expected)
        fail_msg("exit status %d, not %d: %s", g_subprocess_get_exit_status(run->process), expected,
                 run->output);
}

static void
run_clear(Run *run)
{
    g_object_unref(run->process);
    g_free(run->output);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

static void
start_split(Run *run, const char *option)
{
    g_autofree char *program = ctl_program();
    const char *const command[] = { program, "split", GUEST, "2", "8", option, NULL };

    run_start(run, command, NULL);
}

static void
expect_split(Stage *stage, Plot plot, int status, const char *text)
{
    g_auto(Run) run = { 0 };

    enter_stage(stage, plot);
    start_split(&run, "--order=4");
    run_wait(&run, status);
    assert_string_equal(run.output, text);
    assert_string_equal(stage->asked, "Split (2, 8, 4, {})");
    assert_int_equal(stage->n_subscribed, 1);
    assert_int_equal(stage->n_cancelled, 0);
    leave_stage(stage);
}

#define DONE "job 7: done, 8 of 8 blocks, by damon\n"

static void
test_ends(void **state)
{
    expect_split(*state, PLOT_DONE, 0,
                 DONE "split 7 blocks (14 MiB) to order 4; 1 was so before\n");
    expect_split(*state, PLOT_DONE_AT_ONCE, 0, DONE "split 8 blocks (16 MiB) to order 4\n");
    expect_split(*state, PLOT_LEAVES_SOME, 6,
                 DONE "split 5 blocks (10 MiB) to order 4; 3 left (busy)\n");
    expect_split(*state, PLOT_FORGOTTEN, 1,
                 "folioctl: job 7: done, 8 of 8 blocks; what became of them is not known: no such "
                 "job\n");
    expect_split(*state, PLOT_FAILS, 1,
                 "job 7: failed, 4 of 8 blocks, by damon\n"
                 "split 3 blocks (6 MiB) to order 4; 1 given back or moved meanwhile\n"
                 "folioctl: job 7 failed after 4 of 8 blocks: the kernel\\x1b[31m says no\n");
    expect_split(*state, PLOT_BUSY, 1, "folioctl: job 3 (split) is under way with this guest\n");
    expect_split(*state, PLOT_FOLIOD_LEAVES, 1,
                 "folioctl: job 7 is not known to have ended: foliod has\n");
}

/* Anybody may send a signal to anybody on the system bus. */
static void
test_forged_signal_is_not_believed(void **state)
{
    expect_split(*state, PLOT_FORGED, 1,
                 "folioctl: job 7 failed after 2 of 8 blocks: the true end\n");
}

static void
test_json(void **state)
{
    Stage *stage = *state;
    g_auto(Run) run = { 0 };
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonObject *blocks;

    enter_stage(stage, PLOT_DONE);
    start_split(&run, "--json");
    run_wait(&run, 0);
    assert_true(json_parser_load_from_data(parser, run.output, -1, NULL));
    assert_int_equal(json_object_get_int_member(ctl_root(parser), "job"), JOB);
    assert_string_equal(json_object_get_string_member(ctl_root(parser), "state"), "done");
    assert_int_equal(json_object_get_int_member(ctl_root(parser), "done"), 8);
    blocks = json_object_get_object_member(ctl_root(parser), "blocks");
    assert_int_equal(json_object_get_int_member(blocks, "done"), 7);
    assert_int_equal(json_object_get_int_member(blocks, "already"), 1);
    leave_stage(stage);
}

/* Which blocks it asks for, given these words. */
static void
expect_asked(Stage *stage, const char *const *words, const char *asked)
{
    g_autofree char *program = ctl_program();
    g_autoptr(GPtrArray) command = g_ptr_array_new();
    g_auto(Run) run = { 0 };

    g_ptr_array_add(command, program);
    for (gsize i = 0; words[i] != NULL; i++)
        g_ptr_array_add(command, (gpointer) words[i]);
    g_ptr_array_add(command, NULL);
    enter_stage(stage, PLOT_DONE);
    run_start(&run, (const char *const *) command->pdata, NULL);
    run_wait(&run, 0);
    assert_string_equal(stage->asked, asked);
    leave_stage(stage);
}

static void
test_what_is_asked_for(void **state)
{
    expect_asked(*state, WORDS("split", GUEST, "2+1", "9", "3", "--force"),
                 "Split (2, 1, 0, {'force': <true>, 'more': <[(uint64 9, uint64 3)]>})");
    expect_asked(*state, WORDS("split", GUEST, "--all"), "Split (0, 0, 0, {'all': <true>})");
    expect_asked(*state, WORDS("collapse", "--all", GUEST), "Collapse (0, 0, 9, {'all': <true>})");
    expect_asked(*state, WORDS("restore", GUEST), "Restore ({},)");
}

/* Heat of two RAM blocks, the verdicts of which are given: 2 is sparse. */
#define HEAT(windows, all, first, second)                                                   \
    "({'windows': <uint64 " windows ">, 'ended': <int64 1>, 'window-usec': <uint64 1>,"     \
    " 'block-bytes': <uint64 2097152>, 'blocks': <uint64 " all ">, 'granule': <uint32 1>}," \
    " [" first second "])"
#define PART(name, first, n, verdicts, zeros)                                             \
    "{'name': <'" name "'>, 'first-block': <uint64 " first ">, 'blocks': <uint64 " n ">," \
    " 'verdict': <[byte " verdicts "]>, 'in-use': <[byte " zeros "]>,"                    \
    " 'footprint': <[byte " zeros "]>, 'unseen': <[byte " zeros "]>}"

static void
test_sparse(void **state)
{
    Stage *stage = *state;

    stage->heat = HEAT("3", "7", PART("ram", "0", "4", "2, 2, 3, 2", "0, 0, 0, 0, 0, 0, 0, 0") ", ",
                       PART("dimm", "4", "3", "2, 0, 2", "0, 0, 0, 0, 0, 0"));
    expect_asked(stage, WORDS("split", GUEST, "--sparse", "--order=4"),
                 "Split (0, 2, 4, {'more': <[(uint64 3, uint64 2), (6, 1)]>})");
}

/* Nothing is begun. */
static void
expect_nothing_asked(Stage *stage, const char *option, int status, const char *text)
{
    g_autofree char *program = ctl_program();
    const char *const command[] = { program, "split", GUEST, "--sparse", option, NULL };
    g_auto(Run) run = { 0 };

    enter_stage(stage, PLOT_DONE);
    g_clear_pointer(&stage->asked, g_free);
    run_start(&run, command, NULL);
    run_wait(&run, status);
    assert_holds(run.output, text);
    assert_null(stage->asked);
    leave_stage(stage);
}

static void
test_none_is_sparse(void **state)
{
    Stage *stage = *state;

    stage->heat = HEAT("3", "2", PART("ram", "0", "2", "1, 3", "0, 0, 0, 0"), "");
    expect_nothing_asked(stage, NULL, 0, "no block has a verdict of sparse");
    expect_nothing_asked(stage, "--json", 0, "\"job\" : null");
    stage->heat = "({'windows': <uint64 0>, 'blocks': <uint64 2>, 'granule': <uint32 1>}, @aa{sv} "
                  "[])";
    expect_nothing_asked(stage, NULL, 1, "nothing is known of its heat");
}

/* Until the call has come, and folioctl waits for the job's end. */
static void
wait_for_job(Stage *stage)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    g_clear_pointer(&stage->client, g_free);
    while (stage->client == NULL) {
        assert_true(before_deadline(deadline));
        while (g_main_context_iteration(NULL, FALSE))
            ;
    }
    g_usleep(G_USEC_PER_SEC / 4); /* for the reply to be read there */
}

static void
test_interrupt_cancels(void **state)
{
    Stage *stage = *state;
    g_auto(Run) run = { 0 };

    enter_stage(stage, PLOT_ENDS_ON_CANCEL);
    start_split(&run, NULL);
    wait_for_job(stage);
    g_subprocess_send_signal(run.process, SIGINT);
    run_wait(&run, 5);
    assert_string_equal(run.output, "job 7: cancelled, 3 of 8 blocks, by damon\n"
                                    "split 3 blocks (6 MiB) to order 4\n");
    assert_int_equal(stage->n_cancelled, 1);
    leave_stage(stage);
}

static void
test_second_interrupt_leaves(void **state)
{
    Stage *stage = *state;
    g_auto(Run) run = { 0 };

    enter_stage(stage, PLOT_NEVER_ENDS);
    start_split(&run, NULL);
    wait_for_job(stage);
    g_subprocess_send_signal(run.process, SIGINT);
    run_until(&stage->n_cancelled, 1);
    assert_false(run.ended);
    g_subprocess_send_signal(run.process, SIGINT);
    run_wait(&run, 1);
    assert_string_equal(run.output, "folioctl: job 7 goes on; folioctl monitor follows it\n");
    assert_int_equal(stage->n_cancelled, 1);
    leave_stage(stage);
}

/* On a terminal progress is shown, on one line. */
static void
test_progress_on_terminal(void **state)
{
    Stage *stage = *state;
    g_autofree char *program = ctl_program();
    g_autofree char *line = g_strdup_printf("%s collapse " GUEST " 0 8", program);
    const char *const command[] = { "script", "-qec", line, "/dev/null", NULL };
    g_auto(Run) run = { 0 };

    enter_stage(stage, PLOT_DONE);
    run_start(&run, command, "");
    run_wait(&run, 0);
    assert_string_equal(stage->asked, "Collapse (0, 8, 9, {})");
    assert_holds(run.output, "\rjob 7: 0 of 8 blocks\033[K");
    assert_holds(run.output, "\rjob 7: 5 of 8 blocks\033[K\rjob 7: 8 of 8 blocks\033[K\r\n");
    assert_holds(run.output, "job 7: done, 8 of 8 blocks, by damon\r\n");
    leave_stage(stage);
}

static int
set_up(void **state)
{
    Stage *stage = g_new0(Stage, 1);
    g_autofree char *path =
        g_build_filename(g_getenv("FOLIOD_SOURCE"), "data", "org.foliod1.xml", NULL);
    g_autofree char *xml = NULL;

    *state = stage;
    assert_true(g_file_get_contents(path, &xml, NULL, NULL));
    stage->interfaces = g_dbus_node_info_new_for_xml(xml, NULL);
    stage->other = caller_connect(2);
    return stage->interfaces != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
    Stage *stage = *state;

    g_dbus_node_info_unref(stage->interfaces);
    g_object_unref(stage->other);
    g_free(stage->client);
    g_free(stage->asked);
    g_free(stage);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_forged_signal_is_not_believed),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_what_is_asked_for),
        cmocka_unit_test(test_sparse),
        cmocka_unit_test(test_none_is_sparse),
        cmocka_unit_test(test_interrupt_cancels),
        cmocka_unit_test(test_second_interrupt_leaves),
        cmocka_unit_test(test_progress_on_terminal),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
