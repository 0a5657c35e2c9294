/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirtd dies and comes back, again and again, while guests come, go and die: foliod's guest list
 * is libvirt's each time, and nothing leaks. */
#include "guests.h"
#include "integration/daemon.h"
#include "libvirtd.h"

#include <libvirt/virterror.h>

#define RESTARTS 50
/* By then caches and threads are as they stay. */
#define WARM_UP 10
/* A leak of one guest's XML in each restart would be more. */
#define MAX_GROWTH_KIB 4096

#if defined(__SANITIZE_ADDRESS__)
/* Freed memory stays in quarantine; the leak checker looks closer anyway. */
#define JUDGE_GROWTH 0
#else
#define JUDGE_GROWTH 1
#endif

static void
ignore_libvirt_error(void *user_data, virErrorPtr error)
{
}

static virConnectPtr
connect_patiently(void)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    virConnectPtr connect;

    do
        connect = virConnectOpen(g_getenv("LIBVIRT_DEFAULT_URI"));
    while (connect == NULL && before_deadline(deadline));
    if (connect == NULL)
        fail_msg("libvirtd does not come back: %s", virGetLastErrorMessage());
    return connect;
}

/* What somebody else sees: names, sorted, each on a line. */
static char *
list_by_virsh(void)
{
    static const char *const command[] = { "virsh", "-q", "-r", "list", "--name", NULL };
    g_autoptr(GError) error = NULL;
    g_autofree char *output = NULL;
    g_auto(GStrv) lines = NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    int status;

    g_spawn_sync(NULL, (char **) command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL,
                 &status, &error);
    assert_no_error(error);
    assert_int_equal(status, 0);
    lines = g_strsplit(output, "\n", -1);
    for (gsize i = 0; lines[i] != NULL; i++) {
        if (*lines[i] != '\0')
            g_ptr_array_add(names, lines[i]);
    }
    return join_sorted(names);
}

/* Both are asked again each time: libvirtd that has just started may list guests that died
 * meanwhile. */
static void
wait_until_lists_agree(const Daemon *daemon, const char *when)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    g_autofree char *ours = NULL;
    g_autofree char *theirs = NULL;
    g_autofree char *log = NULL;

    do {
        g_free(ours);
        g_free(theirs);
        theirs = list_by_virsh();
        ours = daemon_list_guests(daemon);
        if (g_str_equal(ours, theirs))
            return;
    } while (before_deadline(deadline));
    log = daemon_log(daemon);
    g_printerr("foliod's log:\n%s", log);
    fail_msg("%s: foliod lists\n%sand virsh\n%s", when, ours, theirs);
}

static guint64
rss_kib(const Daemon *daemon)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", daemon->pid);
    g_autofree char *text = NULL;
    const char *line;

    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    line = strstr(text, "\nVmRSS:");
    assert_non_null(line);
    return g_ascii_strtoull(line + strlen("\nVmRSS:"), NULL, 10);
}

/* The same guests run as when that number was taken. */
static void
wait_until_fds_are(const Daemon *daemon, guint expected)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    while (daemon_count_fds(daemon) != expected && before_deadline(deadline))
        ;
    assert_int_equal(daemon_count_fds(daemon), expected);
}

static void
start_guest(const char *name)
{
    const FolioTestGuest guest = { .name = name, .backing = FOLIO_TEST_ON_TMPFS };
    virConnectPtr connect = connect_patiently();
    virDomainPtr domain = folio_test_guest_start(connect, &guest);

    virDomainFree(domain);
    virConnectClose(connect);
}

/* libvirtd may be busy with finding out that the guest is there. */
static void
destroy_guest(const char *name)
{
    virConnectPtr connect = connect_patiently();
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    virDomainPtr domain;

    while ((domain = virDomainLookupByName(connect, name)) != NULL) {
        virDomainDestroy(domain);
        virDomainFree(domain);
        if (!before_deadline(deadline))
            fail_msg("guest %s: %s", name, virGetLastErrorMessage());
    }
    virConnectClose(connect);
}

/* One restart. In turn, a guest starts right before it, is destroyed right after it, starts right
 * after it, and dies while nobody watches. foliod is given no time in between. */
static void
restart_with_change(guint turn)
{
    if (turn == 0)
        start_guest("before");
    folio_test_libvirtd_kill();
    if (turn == 3)
        folio_test_kill(folio_test_guest_pid("after"));
    folio_test_libvirtd_start();
    if (turn == 1)
        destroy_guest("before");
    if (turn == 2)
        start_guest("after");
}

static void
wait_connected(const Daemon *daemon)
{
    virConnectClose(connect_patiently());
    daemon_wait_connected(daemon, TRUE);
}

static void
test_fifty_restarts(void **state)
{
    Daemon *daemon = daemon_new();
    guint fds = 0;
    guint64 rss = 0;

    virSetErrorFunc(NULL, ignore_libvirt_error);
    daemon_start(daemon, NULL, NULL);
    start_guest("stays");
    for (guint i = 0; i < RESTARTS; i++) {
        g_autofree char *when = g_strdup_printf("after restart %u", i + 1);

        restart_with_change(i % 4);
        wait_connected(daemon);
        wait_until_lists_agree(daemon, when);
        /* After each fourth, the one guest that stays is there, as at the start. */
        if (i % 4 == 3 && i > WARM_UP && fds == 0) {
            g_free(daemon_wait_state(daemon, "stays", "ineligible"));
            fds = daemon_count_fds(daemon);
            rss = rss_kib(daemon);
        }
    }
    wait_until_fds_are(daemon, fds);
    if (JUDGE_GROWTH)
        assert_in_range(rss_kib(daemon), 0, rss + MAX_GROWTH_KIB);
    destroy_guest("stays");
    wait_until_lists_agree(daemon, "with no guest");
    daemon_stop(daemon);
    daemon_free(daemon);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fifty_restarts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
