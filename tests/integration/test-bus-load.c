/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One client calls as fast as it can; another gets its answers, and how long that takes is printed.
 */
#include "integration/bus-fixture.h"

#include <stdio.h>
#include <unistd.h>

#define CALLS 200

/* Runs this program as the first client, which is a process of its own, so that only foliod, the
 * bus and polkit are shared. */
#define FLOOD_OPTION "--flood"
#define FLOOD_UID    2

/* Calls of the first client at a time: as many as it may have pending, and as many again, which are
 * answered with Busy. */
#define PENDING 32

typedef struct {
    GDBusConnection *connection;
    const char *method;
    guint64 n_answered;
} Flood;

static void send_one(Flood *flood);

static void
on_flooded(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Flood *flood = user_data;
    g_autoptr(Answer) answer = caller_send_finish(source, result);

    flood->n_answered++;
    send_one(flood);
}

static void
send_one(Flood *flood)
{
    caller_send(flood->connection, FOLIOD_PATH, FOLIOD_MANAGER, flood->method, NULL,
                G_DBUS_CALL_FLAGS_NONE, on_flooded, flood);
}

static gboolean
tell_how_many(gpointer user_data)
{
    const Flood *flood = user_data;

    printf("%" G_GUINT64_FORMAT "\n", flood->n_answered);
    fflush(stdout);
    return G_SOURCE_CONTINUE;
}

/* Goes on until it is killed; says ten times a second how many answers have come. */
static int
flood_main(const char *method)
{
    Flood flood = { .method = method };
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GError) error = NULL;

    if (setresuid(FLOOD_UID, FLOOD_UID, FLOOD_UID) != 0)
        return EXIT_FAILURE;
    flood.connection = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &error);
    if (flood.connection == NULL)
        return EXIT_FAILURE;
    for (guint i = 0; i < PENDING; i++)
        send_one(&flood);
    g_timeout_add(100, tell_how_many, &flood);
    g_main_loop_run(loop);
    return EXIT_FAILURE;
}

typedef struct {
    guint n;
    guint n_ok;
    gint64 sent;
    double msec[CALLS];
} Times;

static void
on_timed(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Times *times = user_data;
    g_autoptr(Answer) answer = caller_send_finish(source, result);

    times->n_ok += answer->kind == ANSWER_OK;
    times->msec[times->n++] = (double) (g_get_monotonic_time() - times->sent) / 1000;
}

static int
compare(gconstpointer a, gconstpointer b)
{
    const double x = *(const double *) a;
    const double y = *(const double *) b;

    return (x > y) - (x < y);
}

static void
measure(GDBusConnection *user, const char *what)
{
    g_autofree Times *times = g_new0(Times, 1);

    for (guint i = 0; i < CALLS; i++) {
        times->sent = g_get_monotonic_time();
        caller_send(user, FOLIOD_PATH, FOLIOD_MANAGER, "ListGuests", NULL, G_DBUS_CALL_FLAGS_NONE,
                    on_timed, times);
        while (times->n == i)
            g_main_context_iteration(NULL, TRUE);
    }
    qsort(times->msec, CALLS, sizeof(double), compare);
    print_message("%s: %d calls of ListGuests: median %.1f ms, p99 %.1f ms, longest %.1f ms\n",
                  what, CALLS, times->msec[CALLS / 2], times->msec[CALLS * 99 / 100],
                  times->msec[CALLS - 1]);
    assert_int_equal(times->n_ok, CALLS);
}

static guint64
read_count(GDataInputStream *lines)
{
    g_autofree char *line = g_data_input_stream_read_line(lines, NULL, NULL, NULL);

    if (line == NULL)
        fail_msg("the first client has ended");
    return g_ascii_strtoull(line, NULL, 10);
}

static void
measure_beside(BusFixture *fixture, const char *method, const char *what)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) first = g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error,
                                                    "/proc/self/exe", FLOOD_OPTION, method, NULL);
    g_autoptr(GDataInputStream) lines = NULL;

    assert_no_error(error);
    lines = g_data_input_stream_new(g_subprocess_get_stdout_pipe(first));
    while (read_count(lines) == 0)
        ;
    measure(fixture->users[USER_ALLOWED], what);
    print_message("  the first client had %" G_GUINT64_FORMAT " answers by then\n",
                  read_count(lines));
    g_subprocess_force_exit(first);
    g_subprocess_wait(first, NULL, NULL);
}

static void
test_second_client(void **state)
{
    BusFixture *fixture = *state;

    measure(fixture->users[USER_ALLOWED], "alone");
    measure_beside(fixture, "ListGuests", "beside one that lists guests as fast as it can");
    measure_beside(fixture, "Reload", "beside one that is refused as fast as it can");
    measure_beside(fixture, "Subscribe", "beside one that subscribes as fast as it can");
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_second_client) };

    if (argc > 2 && g_str_equal(argv[1], FLOOD_OPTION))
        return flood_main(argv[2]);
    return cmocka_run_group_tests(tests, bus_fixture_set_up, bus_fixture_tear_down);
}
