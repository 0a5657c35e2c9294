/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The status that foliod writes into the metadata of guests: what, when, and that nothing comes of
 * it for foliod itself. */
#include "metadata.h"
#include "virt/connection.h"

#include <glib/gstdio.h>

#define NAME "web"
#define UUID "6d3ad0d2-4f0b-4d6e-8f0b-8ad1f4f1c002"

#define WORDS(...)        \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static int
set_up(void **state)
{
    /* With something that cannot split, whatever else the host has. */
    *state = fixture_new("[Guests]\nStatusMetadata=yes\n[Acting]\nActuators=madvise-collapse\n");
    return 0;
}

/* What stands there; NULL: nothing. */
static char *
read_status(const Fixture *fixture)
{
    virDomainPtr domain = virDomainLookupByName(fixture->connect, NAME);
    char *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, STATUS_URI,
                                      VIR_DOMAIN_AFFECT_LIVE);

    virDomainFree(domain);
    return text;
}

/* Waits until that stands there. */
static char *
wait_status(const Fixture *fixture, const char *words, guint patience_seconds)
{
    gint64 deadline = deadline_after(patience_seconds);
    g_autofree char *text = NULL;

    do {
        g_free(text);
        text = read_status(fixture);
        if (text != NULL && strstr(text, words) != NULL)
            return g_steal_pointer(&text);
    } while (before_deadline(deadline));
    fail_msg("\"%s\" is not in \"%s\"", words, text != NULL ? text : "");
    return NULL;
}

static guint
count(const char *text, const char *words)
{
    g_auto(GStrv) parts = g_strsplit(text, words, -1);

    return g_strv_length(parts) - 1;
}

static void
count_change(virConnectPtr connect, virDomainPtr domain, int type, const char *uri, void *data)
{
    guint *changes = data;

    if (g_strcmp0(uri, STATUS_URI) == 0)
        ++*changes;
}

/* Written soon, as virsh shows it; the next change after a minute, and no more than the two. */
static void
test_written_seldom(void **state)
{
    Fixture *fixture = *state;
    guint changes = 0;
    int id = virConnectDomainEventRegisterAny(
        fixture->connect, NULL, VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
        VIR_DOMAIN_EVENT_CALLBACK(count_change), &changes, NULL);
    g_autofree char *path = metadata_start(fixture, NAME, UUID, NULL);
    g_autofree char *first = wait_status(fixture, "<status ", PATIENCE_SECONDS);
    gint64 written = g_get_monotonic_time();
    g_autofree char *shown = metadata_virsh(WORDS("metadata", NAME, STATUS_URI));
    g_autofree char *second = NULL;
    double minute;

    assert_true(id >= 0);
    if (strstr(shown, "<status mode=\"observe\" wanted=\"observe\" source=\"default\" "
                      "state=\"located\" reason=\"mode-observe\" ram-mib=\"64\" "
                      "huge-mib=\"64\" sparse-mib=\"0\" dense-mib=\"0\"/>") == NULL)
        fail_msg("written was %s", shown);
    metadata_set(NAME, "--live", "<policy mode='adaptive'/>");
    metadata_wait(fixture, path, "Mode", "adaptive");
    metadata_set(NAME, "--live", "<policy mode='split'/>");
    metadata_wait(fixture, path, "Mode", "split");
    second = wait_status(fixture, "wanted=\"split\"", 90);
    minute = (double) (g_get_monotonic_time() - written) / G_USEC_PER_SEC;
    print_message("written again after %.1f s\n", minute);
    assert_true(minute > 55);
    assert_non_null(strstr(second, "<status mode=\"observe\" wanted=\"split\" source=\"metadata\" "
                                   "state=\"located\" reason=\"no-actuator\""));
    folio_test_wait_msec(500);
    assert_int_equal(changes, 2);
    virConnectDomainEventDeregisterAny(fixture->connect, id);
}

/* It is in no stored definition, it is no hint, and nothing is told of it. That it leads to no look
 * at the guest is seen in test-connection. */
static void
test_no_echo(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, NULL);
    g_autofree char *status = wait_status(fixture, "<status ", PATIENCE_SECONDS);
    g_autofree char *before = NULL;
    g_autofree char *after = NULL;
    g_autofree char *stored = metadata_virsh(WORDS("dumpxml", "--inactive", NAME));

    assert_null(strstr(stored, STATUS_URI));
    before = daemon_log(fixture->daemon);
    /* A look at everything comes within 5 s of the start of a libvirt that is new to foliod. */
    folio_test_wait_msec(6000);
    after = daemon_log(fixture->daemon);
    assert_int_equal(count(after, NAME ": "), count(before, NAME ": "));
    metadata_assert(fixture, path, "HintError", "");
    metadata_assert(fixture, path, "Policy", "mode=observe (default)");
}

/* A write that cannot be done is dropped and told of once; it is not tried again by itself. */
static void
test_failing_write(void **state)
{
    static const char socket[] = "/run/libvirt/libvirt-sock";
    static const char aside[] = "/run/libvirt/libvirt-sock.aside";
    Fixture *fixture = *state;
    g_autofree char *path = NULL;
    g_autofree char *status = NULL;
    g_autofree char *log = NULL;

    /* A foliod whose second connection is still to be made. */
    daemon_stop(fixture->daemon);
    assert_int_equal(g_rename(socket, aside), 0);
    daemon_start(fixture->daemon, NULL, NULL);
    path = metadata_start(fixture, NAME, UUID, NULL);
    daemon_expect_log(fixture->daemon, "its status metadata: qemu:///system: ");
    assert_int_equal(g_rename(aside, socket), 0);
    folio_test_wait_msec(8000);
    status = read_status(fixture);
    assert_null(status);
    log = daemon_log(fixture->daemon);
    assert_int_equal(count(log, "its status metadata: "), 1);
    metadata_assert(fixture, path, "State", "located");
}

/* Not asked for, nothing is written. */
static void
test_not_wanted(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GVariant) reply = NULL;
    g_autofree char *path = NULL;
    g_autofree char *status = NULL;

    daemon_configure(fixture->daemon, "[Guests]\nStatusMetadata=no\n");
    reply = daemon_call(fixture->daemon, FOLIOD_PATH, FOLIOD_MANAGER, "Reload", NULL, NULL);
    assert_non_null(reply);
    path = metadata_start(fixture, NAME, UUID, NULL);
    folio_test_wait_msec(8000);
    status = read_status(fixture);
    assert_null(status);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_written_seldom, metadata_remove_guests),
        cmocka_unit_test_teardown(test_no_echo, metadata_remove_guests),
        cmocka_unit_test_teardown(test_failing_write, metadata_remove_guests),
        cmocka_unit_test_teardown(test_not_wanted, metadata_remove_guests),
    };

    folio_connection_init_libvirt();
    return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
