/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virt/connection survives libvirtd: killed and restarted, hanging, never answering. */
#include "guests.h"
#include "libvirtd.h"
#include "watcher.h"

#include <gio/gio.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <signal.h>

#define QEMU_URI "qemu:///system"

#define N_RESTARTS 50
#define MAX_GUESTS 3

/* Guests that the test has started, by number; a number that runs is in the set. */
typedef struct {
    guint first, next; /* those in [first, next) run */
} Herd;

static char *
herd_name(guint number)
{
    return g_strdup_printf("guest%u", number);
}

static void
herd_start(Herd *herd, virConnectPtr connect)
{
    g_autofree char *name = herd_name(herd->next++);

    virDomainFree(folio_test_guest_start(connect, &(FolioTestGuest){ .name = name }));
}

/* Suspended first, because that waits until a libvirtd that has just started has found its guest
 * again: to destroy it before that makes libvirt 9.0 wait 10 s for the dead QEMU's monitor. */
static void
herd_destroy(Herd *herd, virConnectPtr connect)
{
    g_autofree char *name = herd_name(herd->first++);
    virDomainPtr domain = virDomainLookupByName(connect, name);

    assert_non_null(domain);
    assert_int_equal(virDomainSuspend(domain), 0);
    folio_test_guest_destroy(domain);
}

static void
herd_kill(Herd *herd)
{
    g_autofree char *name = herd_name(herd->first++);

    folio_test_kill(folio_test_guest_pid(name));
}

static guint
herd_size(const Herd *herd)
{
    return herd->next - herd->first;
}

/* A connection of the test's own, once libvirtd listens. */
static virConnectPtr
connect_when_up(void)
{
    virConnectPtr connect = NULL;

    folio_test_wait_until((connect = virConnectOpen(QEMU_URI)) != NULL);
    return connect;
}

/* One restart, with a guest that comes or goes before it, within it, or after it. */
static void
restart(guint round, Herd *herd, FolioTestWatcher *watcher)
{
    guint n_synced = watcher->n_synced, n_gone = watcher->n_gone;
    virConnectPtr connect;

    folio_test_libvirtd_kill();
    if (round % 3 == 1 && herd_size(herd) > 1)
        herd_kill(herd);
    folio_test_wait_until(!folio_connection_is_connected(watcher->connection));
    assert_true(*folio_connection_get_error(watcher->connection) != '\0');
    assert_int_equal(watcher->n_gone, n_gone);
    folio_test_libvirtd_start();
    connect = connect_when_up();
    if (round % 2 == 0 && herd_size(herd) < MAX_GUESTS)
        herd_start(herd, connect);
    else if (round % 4 == 3 && herd_size(herd) > 0)
        herd_destroy(herd, connect);
    folio_test_wait_until(watcher->n_synced > n_synced);
    folio_test_wait_until(folio_test_watcher_agrees(watcher, connect));
    assert_int_equal(g_hash_table_size(watcher->domains), herd_size(herd));
    /* And at once something happens before the next blow, so that libvirtd dies in the midst. */
    if (round % 5 == 0 && herd_size(herd) > 0)
        herd_destroy(herd, connect);
    virConnectClose(connect);
}

static void
test_restarts(void **state)
{
    g_autoptr(FolioTestWatcher) watcher = folio_test_watcher_new(QEMU_URI);
    virConnectPtr connect;
    Herd herd = { 0 };
    guint fds;

    folio_test_wait_until(watcher->n_synced == 1);
    fds = folio_test_count_fds();
    for (guint round = 0; round < N_RESTARTS; round++)
        restart(round, &herd, watcher);
    assert_true(watcher->n_gone >= 10);
    assert_true(herd.next >= 10);
    assert_int_equal(folio_connection_get_generation(watcher->connection), N_RESTARTS + 1);
    folio_test_wait_until(folio_test_count_fds() == fds);

    connect = connect_when_up();
    while (herd_size(&herd) > 0)
        herd_destroy(&herd, connect);
    folio_test_wait_until(g_hash_table_size(watcher->domains) == 0);
    assert_int_equal(watcher->n_gone, herd.next);
    virConnectClose(connect);
}

/* Listens on a socket as libvirtd would; what it does with callers is the test's affair. */
static GSocket *
listen_at(const char *path)
{
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GError) error = NULL;
    GSocket *socket = g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, 0, &error);

    assert_no_error(error);
    assert_true(g_socket_bind(socket, address, FALSE, &error));
    assert_true(g_socket_listen(socket, &error));
    g_socket_set_blocking(socket, FALSE);
    return socket;
}

static char *
uri_of(const char *path)
{
    return g_strdup_printf(QEMU_URI "?socket=%s", path);
}

/* Turned away each time, the connection tries again after 0.2, 0.4, 0.8, 1.6 s, a quarter more or
 * less: 4 or 5 attempts within 3.5 s. */
static void
test_backoff(void **state)
{
    g_autofree char *path = g_build_filename(g_getenv("FOLIOD_SANDBOX"), "deaf", NULL);
    g_autofree char *uri = uri_of(path);
    g_autoptr(GSocket) listener = listen_at(path);
    g_autoptr(FolioTestWatcher) watcher = folio_test_watcher_new(uri);
    gint64 end = g_get_monotonic_time() + 7 * G_USEC_PER_SEC / 2;
    guint n = 0;

    while (g_get_monotonic_time() < end) {
        g_autoptr(GSocket) caller = g_socket_accept(listener, NULL, NULL);

        n += caller != NULL;
        folio_test_iterate();
    }
    print_message("%u attempts to connect\n", n);
    assert_in_range(n, 4, 5);
    assert_int_equal(watcher->n_synced, 0);
    assert_non_null(strstr(folio_connection_get_error(watcher->connection), uri));
}

static void
test_no_libvirt(void **state)
{
    g_autoptr(FolioTestWatcher) watcher =
        folio_test_watcher_new(QEMU_URI "?socket=/nonexistent/sock");

    folio_test_wait_until(watcher->n_state == 1);
    assert_false(folio_connection_is_connected(watcher->connection));
    assert_non_null(strstr(folio_connection_get_error(watcher->connection), "/nonexistent/sock"));
}

/* The longest time between two ticks of the main loop. */
typedef struct {
    gint64 last, longest;
} Ticks;

static gboolean
on_tick(gpointer data)
{
    Ticks *ticks = data;
    gint64 now = g_get_monotonic_time();

    ticks->longest = MAX(ticks->longest, now - ticks->last);
    ticks->last = now;
    return G_SOURCE_CONTINUE;
}

/* libvirtd stops, with a connection to it open and one under way: the first is given up within 20
 * s, a silent peer is named after 10 s, the main loop never waits, and all goes on when it goes on.
 */
static void
test_hang(void **state)
{
    g_autofree char *path = g_build_filename(g_getenv("FOLIOD_SANDBOX"), "silent", NULL);
    g_autofree char *uri = uri_of(path);
    g_autoptr(GSocket) listener = listen_at(path);
    g_autoptr(FolioTestWatcher) watcher = folio_test_watcher_new(QEMU_URI);
    g_autoptr(FolioTestWatcher) silent = folio_test_watcher_new(uri);
    Ticks ticks = { .last = g_get_monotonic_time() };
    guint source = g_timeout_add(10, on_tick, &ticks);
    gint64 start;

    folio_test_wait_until(watcher->n_synced == 1);
    start = g_get_monotonic_time();
    assert_int_equal(kill(folio_test_libvirtd_pid(), SIGSTOP), 0);
    folio_test_wait_until(silent->n_state == 1);
    assert_non_null(strstr(folio_connection_get_error(silent->connection), "not answered"));
    folio_test_wait_until(!folio_connection_is_connected(watcher->connection));
    print_message("given up after %.1f s: %s; longest wait of the main loop %d ms\n",
                  (double) (g_get_monotonic_time() - start) / 1e6,
                  folio_connection_get_error(watcher->connection), (int) (ticks.longest / 1000));
    assert_in_range(g_get_monotonic_time() - start, 0, 25 * G_USEC_PER_SEC);
    /* Long enough for an attempt to connect anew to be stuck as well. */
    folio_test_wait_msec(1000);
    assert_int_equal(watcher->n_synced, 1);
    assert_int_equal(kill(folio_test_libvirtd_pid(), SIGCONT), 0);
    folio_test_wait_until(watcher->n_synced == 2);
    assert_in_range(ticks.longest, 0, G_USEC_PER_SEC / 2);
    g_source_remove(source);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_libvirt),
        cmocka_unit_test(test_backoff),
        cmocka_unit_test(test_hang),
        cmocka_unit_test(test_restarts),
    };

    folio_connection_init_libvirt();
    return cmocka_run_group_tests_name("reconnect", tests, NULL, NULL);
}
