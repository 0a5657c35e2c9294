/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod as systemd and an administrator meet it: start, stop, signals, reload, and a libvirt that
 * is not there or does not answer. */
#include "guests.h"
#include "integration/daemon.h"
#include "libvirtd.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <libvirt/virterror.h>
#include <signal.h>
#include <sys/wait.h>

/* A name that would forge a line of a log, colour a terminal, or end a line for some readers. XML
 * allows a carriage return as a character reference only. */
#define FORGING_NAME "x\rfoliod: all is well\u2028\xc2\x85\u202ey"

static int
set_up(void **state)
{
    *state = daemon_new();
    return 0;
}

static int
tear_down(void **state)
{
    daemon_free(*state);
    return 0;
}

static virConnectPtr
connect_patiently(void)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    virConnectPtr connect;

    do
        connect = virConnectOpen(g_getenv("LIBVIRT_DEFAULT_URI"));
    while (connect == NULL && before_deadline(deadline));
    assert_non_null(connect);
    return connect;
}

static virDomainPtr
start_guest(const char *name)
{
    const FolioTestGuest guest = { .name = name, .backing = FOLIO_TEST_ON_TMPFS };
    virConnectPtr connect = connect_patiently();
    virDomainPtr domain = folio_test_guest_start(connect, &guest);

    virConnectClose(connect); /* the domain keeps it */
    return domain;
}

/* How its RAM was measured last. */
static char *
scan_of(const Daemon *daemon, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = daemon_call(daemon, path, FOLIOD_GUEST, "ListRam", NULL, &error);
    char *scan;

    assert_no_error(error);
    g_variant_get_child(reply, 0, "s", &scan);
    return scan;
}

static void
wait_for_scan(const Daemon *daemon, const char *path, const char *expected)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    do {
        g_autofree char *scan = scan_of(daemon, path);

        if (g_str_equal(scan, expected))
            return;
    } while (before_deadline(deadline));
    fail_msg("the RAM of %s is not measured by %s", path, expected);
}

static void
test_tells_systemd(void **state)
{
    static const char *const variables[] = { "WATCHDOG_USEC=200000", NULL };
    Daemon *daemon = *state;

    daemon_start(daemon, NULL, variables);
    for (guint i = 0; i < 3; i++)
        daemon_expect(daemon, "WATCHDOG=1");
    assert_return_code(kill(daemon->pid, SIGHUP), errno);
    daemon_expect(daemon, "RELOADING=1");
    daemon_expect(daemon, "READY=1");
    daemon_stop(daemon);
    daemon_expect(daemon, "STOPPING=1");
}

static void
test_no_watchdog_unless_asked(void **state)
{
    Daemon *daemon = *state;

    daemon_start(daemon, NULL, NULL);
    g_usleep(500 * 1000);
    daemon_stop(daemon);
    daemon_expect(daemon, "STOPPING=1");
    assert_null(strstr(daemon->seen->str, "WATCHDOG"));
}

static void
test_interrupt_ends_it(void **state)
{
    Daemon *daemon = *state;

    daemon_start(daemon, NULL, NULL);
    assert_return_code(kill(daemon->pid, SIGINT), errno);
    assert_int_equal(daemon_wait(daemon), 0);
}

static void
test_wrong_option(void **state)
{
    static const char *const options[] = { "--no-such-option", NULL };
    Daemon *daemon = *state;
    int status;

    daemon_spawn(daemon, options, NULL);
    status = daemon_wait(daemon);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 2);
    daemon_expect_log(daemon, "--no-such-option");
}

static void
assert_reload_refused(const Daemon *daemon, const char *where)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        daemon_call(daemon, FOLIOD_PATH, FOLIOD_MANAGER, "Reload", NULL, &error);
    g_autofree char *remote = NULL;
    g_autoptr(GVariant) errors = NULL;
    g_autofree const char **lines = NULL;

    assert_null(reply);
    remote = g_dbus_error_get_remote_error(error);
    assert_string_equal(remote, "org.foliod1.Error.Invalid");
    assert_non_null(strstr(error->message, where));
    errors = daemon_get(daemon, FOLIOD_PATH, FOLIOD_MANAGER, "ConfigErrors");
    lines = g_variant_get_strv(errors, NULL);
    assert_non_null(lines[0]);
    assert_non_null(strstr(lines[0], where));
}

/* A good key before the bad one: nothing of the file may be applied. */
static void
test_reload_is_all_or_nothing(void **state)
{
    Daemon *daemon = *state;
    virDomainPtr domain = start_guest("reload");
    g_autofree char *where = g_strdup_printf("%s/foliod.conf:3: Mode", daemon->conf_dir);
    g_autofree char *path = NULL;
    g_autofree char *scan = NULL;
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) errors = NULL;
    g_autoptr(GError) error = NULL;

    daemon_configure(daemon, "[Guests]\nScan=smaps\n");
    daemon_start(daemon, NULL, NULL);
    path = daemon_wait_state(daemon, "reload", "ineligible");
    wait_for_scan(daemon, path, "smaps");

    daemon_configure(daemon, "[Guests]\nScan=pagemap-scan\nMode=frantic\n");
    assert_reload_refused(daemon, where);
    assert_return_code(kill(daemon->pid, SIGHUP), errno);
    daemon_expect(daemon, "RELOADING=1");
    daemon_expect(daemon, "READY=1");
    daemon_expect_log(daemon, where);
    g_usleep(G_USEC_PER_SEC + G_USEC_PER_SEC / 5); /* until figures would be taken anew */
    scan = scan_of(daemon, path);
    assert_string_equal(scan, "smaps");

    daemon_configure(daemon, "[Guests]\nScan=smaps\nMode=off\n");
    reply = daemon_call(daemon, FOLIOD_PATH, FOLIOD_MANAGER, "Reload", NULL, &error);
    assert_no_error(error);
    g_free(daemon_wait_reason(daemon, "reload", "mode-off"));
    errors = daemon_get(daemon, FOLIOD_PATH, FOLIOD_MANAGER, "ConfigErrors");
    assert_int_equal(g_variant_n_children(errors), 0);

    daemon_configure(daemon, "[Guests]\nScan=smaps\nMode=observe\n");
    assert_return_code(kill(daemon->pid, SIGHUP), errno);
    g_free(daemon_wait_reason(daemon, "reload", "misaligned"));
    folio_test_guest_destroy(domain);
    daemon_stop(daemon);
}

static void
test_starts_without_a_bad_file(void **state)
{
    Daemon *daemon = *state;
    g_autofree char *where = g_strdup_printf("%s/foliod.conf:2: Connekt", daemon->conf_dir);
    g_autoptr(GVariant) errors = NULL;
    g_autofree const char **lines = NULL;

    daemon_configure(daemon, "[Libvirt]\nConnekt=qemu:///system\n");
    daemon_start(daemon, NULL, NULL);
    daemon_expect_log(daemon, where);
    errors = daemon_get(daemon, FOLIOD_PATH, FOLIOD_MANAGER, "ConfigErrors");
    lines = g_variant_get_strv(errors, NULL);
    assert_non_null(lines[0]);
    assert_non_null(strstr(lines[0], where));
    daemon_stop(daemon);
}

static void
test_starts_without_libvirtd(void **state)
{
    Daemon *daemon = *state;
    virDomainPtr domain = start_guest("orphan");
    g_autoptr(GVariant) error_text = NULL;
    g_autofree char *none = NULL;

    folio_test_libvirtd_kill();
    daemon_start(daemon, NULL, NULL);
    daemon_wait_connected(daemon, FALSE);
    error_text = daemon_get(daemon, FOLIOD_PATH, FOLIOD_MANAGER, "ConnectionError");
    assert_string_not_equal(g_variant_get_string(error_text, NULL), "");
    daemon_expect_log(daemon, g_variant_get_string(error_text, NULL));
    none = daemon_list_guests(daemon);
    assert_string_equal(none, "");

    folio_test_libvirtd_start();
    daemon_wait_connected(daemon, TRUE);
    g_free(daemon_wait_state(daemon, "orphan", "ineligible"));
    virDomainFree(domain);
    domain = NULL;
    daemon_stop(daemon);
}

/* It goes on answering, and it can be stopped. */
static void
test_libvirtd_hangs(void **state)
{
    Daemon *daemon = *state;
    pid_t libvirtd = folio_test_libvirtd_pid();
    gint64 start;

    daemon_start(daemon, NULL, NULL);
    daemon_wait_connected(daemon, TRUE);
    assert_return_code(kill(libvirtd, SIGSTOP), errno);
    for (guint i = 0; i < 20; i++) {
        g_autofree char *list = NULL;

        start = g_get_monotonic_time();
        list = daemon_list_guests(daemon);
        assert_true(g_get_monotonic_time() - start < G_USEC_PER_SEC);
        g_usleep(100 * 1000);
    }
    start = g_get_monotonic_time();
    daemon_stop(daemon);
    assert_true(g_get_monotonic_time() - start < 5 * G_USEC_PER_SEC);

    /* Nor does a start wait for it for ever. */
    daemon_start(daemon, NULL, NULL);
    daemon_stop(daemon);
    assert_return_code(kill(libvirtd, SIGCONT), errno);
}

static void
test_killed_and_started_again(void **state)
{
    Daemon *daemon = *state;
    virDomainPtr domain = start_guest("survivor");
    g_autofree char *path = NULL;
    g_autofree char *path_again = NULL;

    daemon_start(daemon, NULL, NULL);
    path = daemon_wait_state(daemon, "survivor", "ineligible");
    assert_return_code(kill(daemon->pid, SIGKILL), errno);
    daemon_wait(daemon);
    daemon_start(daemon, NULL, NULL);
    path_again = daemon_wait_state(daemon, "survivor", "ineligible");
    assert_string_equal(path, path_again);
    daemon_stop(daemon);
    folio_test_guest_destroy(domain);
}

static void
test_second_one_gives_up(void **state)
{
    Daemon *daemon = *state;
    Daemon *second = daemon_new();
    g_autofree char *list = NULL;
    int status;

    daemon_start(daemon, NULL, NULL);
    daemon_spawn(second, NULL, NULL);
    status = daemon_wait(second);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
    daemon_expect_log(second, "the name org.foliod1 is taken");
    list = daemon_list_guests(daemon); /* the first one is as well as ever */
    daemon_free(second);
    daemon_stop(daemon);
}

static void
test_name_cannot_forge_a_log_line(void **state)
{
    Daemon *daemon = *state;
    virDomainPtr domain;
    g_autofree char *log = NULL;

    daemon_start(daemon, NULL, NULL);
    domain = start_guest(FORGING_NAME);
    assert_string_equal(virDomainGetName(domain), FORGING_NAME);
    g_free(daemon_wait_state(daemon, FORGING_NAME, "ineligible"));
    folio_test_guest_destroy(domain);
    daemon_wait_gone(daemon, FORGING_NAME);
    daemon_stop(daemon);

    log = daemon_log(daemon);
    assert_non_null(
        strstr(log, "x\\x0dfoliod: all is well\\xe2\\x80\\xa8\\xc2\\x85\\xe2\\x80\\xaey"));
    assert_null(strstr(log, "\r"));
    assert_null(strstr(log, "\u2028"));
    assert_null(strstr(log, "\xc2\x85"));
    assert_null(strstr(log, "\u202e"));
}

static void
ignore_libvirt_error(void *user_data, virErrorPtr error)
{
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_tells_systemd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_watchdog_unless_asked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_interrupt_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wrong_option, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_reload_is_all_or_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_starts_without_a_bad_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_second_one_gives_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_killed_and_started_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_name_cannot_forge_a_log_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_starts_without_libvirtd, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_libvirtd_hangs, set_up, tear_down),
    };

    virSetErrorFunc(NULL, ignore_libvirt_error);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
