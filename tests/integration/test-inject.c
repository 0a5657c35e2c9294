/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod-inject on a real QEMU of libvirt's, with its sandbox, while guest and QEMU are at work:
 * nothing is seen of it in the guest nor by libvirt, and whenever it is killed QEMU goes on. */
#include "base/error.h"
#include "checker.h"
#include "guests.h"
#include "injected.h"

#include <libvirt/libvirt-qemu.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>

/* Set FOLIOD_INJECTIONS and FOLIOD_INJECT_KILLS for more. */
#define INJECTIONS 1000
#define KILLS      20 /* of each step */
#define MANY_STEPS 200
/* Of a run without detours: 19 calls of ptrace and 5 looks, two of which look like others. */
#define STEPS 40

typedef struct {
    virConnectPtr connect;
    virDomainPtr domain;
    FolioProcess *process;
    char *console;
    char *program;
    gint stop;    /* for the asking thread */
    gint answers; /* of QEMU's monitor */
    gint refusals;
} Subject;

/* Its console grows by the next ticks. */
static void
assert_guest_goes_on(const Subject *subject)
{
    const gsize before = checker_bytes(subject->console);

    folio_test_wait_until(checker_bytes(subject->console) >= before + 2);
}

static int
set_up(void **state)
{
    Subject *subject = g_new0(Subject, 1);
    g_autofree char *devices = checker_make(g_getenv("FOLIOD_SANDBOX"), &subject->console);
    FolioTestGuest guest = { .name = "injected", .backing = FOLIO_TEST_ON_TMPFS };

    subject->program = injected_program();
    guest.devices = devices;
    subject->connect = folio_test_connect("qemu:///system");
    subject->domain = folio_test_guest_start(subject->connect, &guest);
    subject->process = injected_hold(folio_test_guest_pid("injected"));
    folio_test_wait_until(checker_bytes(subject->console) > 0);
    *state = subject;
    return 0;
}

static int
tear_down(void **state)
{
    Subject *subject = *state;

    if (subject == NULL)
        return -1;
    folio_test_guest_destroy(subject->domain);
    virConnectClose(subject->connect);
    folio_process_unref(subject->process);
    g_free(subject->console);
    g_free(subject->program);
    g_free(subject);
    return 0;
}

static gboolean
ask_monitor(const Subject *subject)
{
    char *answer = NULL;
    gboolean running = FALSE;

    if (virDomainQemuMonitorCommand(subject->domain, "{\"execute\":\"query-status\"}", &answer,
                                    0) != 0)
        return FALSE;
    running = strstr(answer, "\"running\":true") != NULL;
    free(answer);
    return running;
}

static gpointer
ask_for_ever(gpointer data)
{
    Subject *subject = data;

    while (g_atomic_int_get(&subject->stop) == 0)
        g_atomic_int_inc(ask_monitor(subject) ? &subject->answers : &subject->refusals);
    return NULL;
}

static guint
number_of(const char *variable, guint normal)
{
    const char *text = g_getenv(variable);

    return text != NULL ? (guint) g_ascii_strtoull(text, NULL, 10) : normal;
}

/* No thread of QEMU is stopped or has a tracer. */
static void
assert_free(const Subject *subject)
{
    const pid_t pid = folio_process_get_pid(subject->process);
    g_autoptr(GError) error = NULL;
    g_autoptr(GArray) threads = folio_process_list_threads(subject->process, &error);

    assert_no_error(error);
    assert_true(folio_process_is_alive(subject->process));
    for (guint i = 0; i < threads->len; i++) {
        pid_t tracer = 0;
        const char found = injected_state(pid, g_array_index(threads, FolioThread, i).tid, &tracer);

        assert_int_equal(tracer, 0);
        if (strchr("tTZX", found) != NULL)
            fail_msg("state %c", found);
    }
}

/* The sandbox is what libvirt's QEMUs have, not what a test left out. */
static void
test_has_sandbox(void **state)
{
    Subject *subject = *state;
    const pid_t pid = folio_process_get_pid(subject->process);
    g_autofree char *path = g_strdup_printf("/proc/%d/status", pid);
    g_autofree char *status = NULL;

    assert_true(g_file_get_contents(path, &status, NULL, NULL));
    assert_non_null(strstr(status, "\nSeccomp:\t2\n"));
    assert_guest_goes_on(subject);
    assert_true(ask_monitor(subject));
}

static gint
compare_times(gconstpointer a, gconstpointer b)
{
    const guint first = *(const guint *) a;
    const guint second = *(const guint *) b;

    return first < second ? -1 : first > second;
}

static void
print_times(GArray *times, gint answers)
{
    g_array_sort(times, compare_times);
#define AT(part) g_array_index(times, guint, (guint) ((times->len - 1) * (guint64) (part) / 1000))
    print_message("%u injections, %d answers of the monitor meanwhile; stood still, usec: "
                  "min %u, median %u, p90 %u, p99 %u, max %u\n",
                  times->len, answers, AT(0), AT(500), AT(900), AT(990), AT(1000));
#undef AT
}

/* BUSY is an answer, when nothing gets a processor; then it is asked again. */
static guint
inject_at_last(const Subject *subject, guint *busy)
{
    FolioInjectResult result = { 0 };

    for (guint i = 0; i < 5; i++) {
        g_autoptr(GError) error = NULL;

        if (folio_inject(subject->program, subject->process, injected_other(subject->process),
                         &result, &error)) {
            assert_true(result.attempts > 0);
            return result.stop_usec;
        }
        if (!g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_BUSY) || i == 4)
            fail_msg("%s", error->message);
        (*busy)++;
    }
    return 0;
}

static void
test_under_load(void **state)
{
    Subject *subject = *state;
    const guint n = number_of("FOLIOD_INJECTIONS", INJECTIONS);
    g_autoptr(GArray) times = g_array_new(FALSE, FALSE, sizeof(guint));
    GThread *asking = g_thread_new("asking", ask_for_ever, subject);
    const gsize before = checker_bytes(subject->console);
    guint busy = 0;

    for (guint i = 0; i < n; i++) {
        const guint usec = inject_at_last(subject, &busy);

        g_array_append_val(times, usec);
    }
    g_atomic_int_set(&subject->stop, 1);
    g_thread_join(asking);
    print_times(times, subject->answers);
    print_message("busy %u times\n", busy);
    assert_true(subject->answers > 0);
    assert_int_equal(subject->refusals, 0);
    assert_free(subject);
    assert_true(checker_bytes(subject->console) > before);
    assert_guest_goes_on(subject);
}

/* Once at each step; counts up kills by the names of steps. */
static void
kill_at_each_step(const Subject *subject, GHashTable *kills)
{
    for (guint at = 1; at < MANY_STEPS; at++) {
        char *step = NULL;
        const gboolean killed =
            injected_kill_at(subject->process, injected_other(subject->process), at, &step);

        assert_free(subject);
        assert_true(ask_monitor(subject));
        if (!killed)
            return;
        g_strchomp(step);
        g_hash_table_insert(
            kills, step, GUINT_TO_POINTER(GPOINTER_TO_UINT(g_hash_table_lookup(kills, step)) + 1));
    }
    fail_msg("more than %d steps", MANY_STEPS);
}

/* How many steps have been killed at so often. */
static guint
count_steps(GHashTable *kills, guint often)
{
    GHashTableIter iter;
    gpointer n = NULL;
    guint steps = 0;

    g_hash_table_iter_init(&iter, kills);
    while (g_hash_table_iter_next(&iter, NULL, &n))
        steps += GPOINTER_TO_UINT(n) >= often ? 1 : 0;
    return steps;
}

static void
print_kills(GHashTable *kills)
{
    GHashTableIter iter;
    gpointer name = NULL;
    gpointer n = NULL;

    g_hash_table_iter_init(&iter, kills);
    while (g_hash_table_iter_next(&iter, &name, &n))
        print_message("killed %u times %s\n", GPOINTER_TO_UINT(n), (char *) name);
}

/* The thread may make another call first, and then has more steps: what was killed at by chance in
 * one round was not in another. So rounds go on until each step had its number. */
static void
test_killed_on_the_way(void **state)
{
    Subject *subject = *state;
    const guint wanted = number_of("FOLIOD_INJECT_KILLS", KILLS);
    g_autoptr(GHashTable) kills = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    guint rounds = 0;

    while (rounds < wanted || count_steps(kills, wanted) < g_hash_table_size(kills)) {
        if (rounds == 3 * wanted)
            break;
        kill_at_each_step(subject, kills);
        if (rounds++ % 5 == 0)
            assert_guest_goes_on(subject);
    }
    assert_guest_goes_on(subject);
    print_kills(kills);
    print_message("%u steps, killed at each of %u at least %u times in %u rounds\n",
                  g_hash_table_size(kills), count_steps(kills, wanted), wanted, rounds);
    assert_int_equal(count_steps(kills, wanted), g_hash_table_size(kills));
    assert_true(g_hash_table_size(kills) >= STEPS);
}

/* libvirt has lost nothing of it. */
static void
test_still_obeys(void **state)
{
    Subject *subject = *state;
    gsize stopped;

    assert_int_equal(virDomainSuspend(subject->domain), 0);
    stopped = checker_bytes(subject->console);
    folio_test_wait_msec(300);
    assert_int_equal(checker_bytes(subject->console), stopped);
    assert_int_equal(virDomainResume(subject->domain), 0);
    assert_guest_goes_on(subject);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_has_sandbox),
        cmocka_unit_test(test_under_load),
        cmocka_unit_test(test_killed_on_the_way),
        cmocka_unit_test(test_still_obeys),
    };

    return cmocka_run_group_tests_name("inject", tests, set_up, tear_down);
}
