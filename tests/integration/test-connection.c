/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virt/connection follows what guests do: libvirt's test driver, then real QEMUs. */
#include "guests.h"
#include "virt/domain-xml.h"
#include "watcher.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <libvirt/virterror.h>

#define TEST_URI "test:///default"
#define QEMU_URI "qemu:///system"

#define POLICY_URI "https://foliod.org/xmlns/policy/1"
#define STATUS_URI "https://foliod.org/xmlns/status/1"

#define PLAIN(guest_name) (&(FolioTestGuest){ .name = guest_name })

#define assert_vir(call)                                      \
    do {                                                      \
        if ((call) < 0)                                       \
            fail_msg(#call ": %s", virGetLastErrorMessage()); \
    } while (0)

static FolioTestWatcher *
watch(const char *uri)
{
    FolioTestWatcher *watcher = folio_test_watcher_new(uri);

    folio_test_wait_until(watcher->n_synced == 1);
    return watcher;
}

static gboolean
runs(FolioTestWatcher *watcher, const char *name, gboolean suspended)
{
    const FolioDomain *domain = folio_test_watcher_find(watcher, name);

    return domain != NULL && domain->suspended == suspended;
}

static void
test_driver_lifecycle(void **state)
{
    virConnectPtr connect = folio_test_connect(TEST_URI);
    virDomainPtr domain = virDomainLookupByName(connect, "test");
    g_autoptr(FolioTestWatcher) watcher = watch(TEST_URI);
    int id;

    assert_true(folio_test_watcher_agrees(watcher, connect));
    assert_true(runs(watcher, "test", FALSE));
    assert_int_equal(folio_test_watcher_find(watcher, "test")->n_vcpus, 2);
    assert_string_equal(folio_connection_get_uri(watcher->connection), TEST_URI);
    id = folio_test_watcher_find(watcher, "test")->id;

    assert_vir(virDomainSuspend(domain));
    folio_test_wait_until(runs(watcher, "test", TRUE));
    assert_vir(virDomainResume(domain));
    folio_test_wait_until(runs(watcher, "test", FALSE));
    assert_vir(virDomainDestroy(domain));
    folio_test_wait_until(g_hash_table_size(watcher->domains) == 0);
    assert_vir(virDomainCreate(domain));
    folio_test_wait_until(runs(watcher, "test", FALSE));
    assert_int_not_equal(folio_test_watcher_find(watcher, "test")->id, id);
    virDomainFree(domain);
    virConnectClose(connect);
}

/* Stopped and started again before anybody looked: two runs all the same. */
static void
test_driver_quick_restart(void **state)
{
    virConnectPtr connect = folio_test_connect(TEST_URI);
    virDomainPtr domain = virDomainLookupByName(connect, "test");
    g_autoptr(FolioTestWatcher) watcher = watch(TEST_URI);

    assert_vir(virDomainDestroy(domain));
    assert_vir(virDomainCreate(domain));
    folio_test_wait_until(watcher->n_gone == 1 && runs(watcher, "test", FALSE));
    assert_true(folio_test_watcher_agrees(watcher, connect));
    virDomainFree(domain);
    virConnectClose(connect);
}

static void
test_driver_snapshot_revert(void **state)
{
    virConnectPtr connect = folio_test_connect(TEST_URI);
    virDomainPtr domain = virDomainLookupByName(connect, "test");
    virDomainSnapshotPtr snapshot = NULL;
    g_autoptr(FolioTestWatcher) watcher = watch(TEST_URI);

    snapshot = virDomainSnapshotCreateXML(domain, "<domainsnapshot/>", 0);
    assert_non_null(snapshot);
    assert_vir(virDomainDestroy(domain));
    folio_test_wait_until(g_hash_table_size(watcher->domains) == 0);
    assert_vir(virDomainRevertToSnapshot(snapshot, 0));
    folio_test_wait_until(runs(watcher, "test", FALSE));
    assert_true(folio_test_watcher_agrees(watcher, connect));
    virDomainSnapshotFree(snapshot);
    virDomainFree(domain);
    virConnectClose(connect);
}

/* After stop nothing is said, whatever happens; and the connection can be started again. */
static void
test_stop_is_silent(void **state)
{
    virConnectPtr connect = folio_test_connect(TEST_URI);
    virDomainPtr domain = virDomainLookupByName(connect, "test");
    g_autoptr(FolioTestWatcher) watcher = watch(TEST_URI);
    guint n_domain = watcher->n_domain, n_state = watcher->n_state;

    assert_vir(virDomainSuspend(domain));
    folio_connection_stop(watcher->connection);
    assert_vir(virDomainResume(domain));
    folio_test_wait_msec(300);
    assert_int_equal(watcher->n_domain, n_domain);
    assert_int_equal(watcher->n_state, n_state);
    assert_int_equal(watcher->n_gone, 0);
    assert_false(folio_connection_is_connected(watcher->connection));

    g_hash_table_remove_all(watcher->domains);
    folio_connection_start(watcher->connection);
    folio_test_wait_until(watcher->n_synced == 2);
    assert_true(folio_test_watcher_agrees(watcher, connect));
    virDomainFree(domain);
    virConnectClose(connect);
}

static void
stop_it(FolioConnection *connection, const FolioDomain *domain, gpointer data)
{
    folio_connection_stop(connection);
}

/* Stopped by a receiver of the first of two reports: the second does not come, nor does "synced".
 */
static void
test_stop_within_a_signal(void **state)
{
    virConnectPtr connect = folio_test_connect(TEST_URI);
    virDomainPtr domain =
        virDomainCreateXML(connect,
                           "<domain type='test'><name>two</name><memory>8192</memory>"
                           "<os><type>hvm</type></os></domain>",
                           0);
    g_autoptr(FolioTestWatcher) watcher = folio_test_watcher_new(TEST_URI);

    assert_non_null(domain);
    g_signal_connect(watcher->connection, "domain", G_CALLBACK(stop_it), NULL);
    folio_test_wait_until(watcher->n_domain == 1);
    folio_test_wait_msec(200);
    assert_int_equal(watcher->n_domain, 1);
    assert_int_equal(watcher->n_synced, 0);
    folio_test_guest_destroy(domain);
    virConnectClose(connect);
}

/* The object may go at any moment, with a round under way or not; nothing stays open. */
static void
test_unref_at_any_time(void **state)
{
    guint fds;

    folio_test_watcher_free(watch(QEMU_URI));
    folio_test_wait_msec(300);
    fds = folio_test_count_fds();
    for (guint i = 0; i < 60; i++) {
        FolioTestWatcher *watcher = folio_test_watcher_new(i % 2 ? TEST_URI : QEMU_URI);
        FolioConnection *connection = watcher->connection;

        if (i % 10 != 0)
            folio_test_wait_msec(i % 20);
        g_object_add_weak_pointer(G_OBJECT(connection), (gpointer *) &connection);
        folio_test_watcher_free(watcher);
        assert_null(connection);
    }
    folio_test_wait_until(folio_test_count_fds() == fds);
}

static void
test_qemu_lifecycle(void **state)
{
    virConnectPtr connect = folio_test_connect(QEMU_URI);
    g_autofree char *xml = folio_test_guest_xml(PLAIN("alpha"));
    g_autofree char *saved = g_build_filename(g_getenv("FOLIOD_SANDBOX"), "alpha.save", NULL);
    g_autoptr(FolioTestWatcher) watcher = watch(QEMU_URI);
    virDomainPtr domain = virDomainDefineXML(connect, xml);
    int id;

    assert_non_null(domain);
    assert_vir(virDomainRename(domain, "beta", 0));
    folio_test_wait_msec(200);
    assert_int_equal(watcher->n_domain, 0);

    assert_vir(virDomainCreate(domain));
    folio_test_wait_until(runs(watcher, "beta", FALSE));
    assert_null(folio_test_watcher_find(watcher, "alpha"));
    assert_int_equal(folio_test_watcher_find(watcher, "beta")->n_vcpus, 1);
    id = folio_test_watcher_find(watcher, "beta")->id;

    assert_vir(virDomainSuspend(domain));
    folio_test_wait_until(runs(watcher, "beta", TRUE));
    assert_vir(virDomainResume(domain));
    folio_test_wait_until(runs(watcher, "beta", FALSE));
    assert_vir(virDomainReset(domain, 0));
    assert_vir(virDomainSave(domain, saved));
    folio_test_wait_until(g_hash_table_size(watcher->domains) == 0);
    assert_vir(virDomainRestore(connect, saved));
    folio_test_wait_until(runs(watcher, "beta", FALSE));
    assert_int_not_equal(folio_test_watcher_find(watcher, "beta")->id, id);
    assert_true(folio_test_watcher_agrees(watcher, connect));

    assert_vir(virDomainDestroy(domain));
    folio_test_wait_until(g_hash_table_size(watcher->domains) == 0);
    assert_vir(virDomainUndefine(domain));
    assert_int_equal(watcher->n_gone, 2);
    virDomainFree(domain);
    virConnectClose(connect);
}

/* A reset says Reboot and nothing else, so it must lead to a look of its own. */
static void
test_qemu_reboot(void **state)
{
    virConnectPtr connect = folio_test_connect(QEMU_URI);
    virDomainPtr domain = folio_test_guest_start(connect, PLAIN("alpha"));
    g_autoptr(FolioTestWatcher) watcher = watch(QEMU_URI);
    guint n_domain;

    folio_test_wait_msec(1000);
    n_domain = watcher->n_domain;
    assert_vir(virDomainReset(domain, 0));
    folio_test_wait_until(watcher->n_domain > n_domain);
    assert_int_equal(watcher->n_gone, 0);
    folio_test_guest_destroy(domain);
    folio_test_wait_until(watcher->n_gone == 1);
    virConnectClose(connect);
}

static void
test_qemu_killed(void **state)
{
    virConnectPtr connect = folio_test_connect(QEMU_URI);
    virDomainPtr alpha = folio_test_guest_start(connect, PLAIN("alpha"));
    virDomainPtr beta = folio_test_guest_start(connect, PLAIN("beta"));
    g_autoptr(FolioTestWatcher) watcher = watch(QEMU_URI);

    assert_true(folio_test_watcher_agrees(watcher, connect));
    assert_int_equal(g_hash_table_size(watcher->domains), 2);
    folio_test_kill(folio_test_guest_pid("alpha"));
    folio_test_wait_until(watcher->n_gone == 1);
    assert_true(folio_test_watcher_agrees(watcher, connect));
    assert_true(runs(watcher, "beta", FALSE));
    folio_test_guest_destroy(beta);
    folio_test_wait_until(watcher->n_gone == 2);
    virDomainFree(alpha);
    virConnectClose(connect);
}

/* libvirt sends no event for this. */
static void
test_qemu_vcpu_plugged(void **state)
{
    static const FolioTestGuest guest = { .name = "alpha", .max_vcpus = 2 };
    virConnectPtr connect = folio_test_connect(QEMU_URI);
    virDomainPtr domain = folio_test_guest_start(connect, &guest);
    g_autoptr(FolioTestWatcher) watcher = watch(QEMU_URI);
    const FolioDomain *found = folio_test_watcher_find(watcher, "alpha");

    assert_int_equal(found->n_vcpus, 1);
    assert_vir(virDomainSetVcpus(domain, 2));
    folio_connection_look_again(watcher->connection, found->uuid);
    folio_test_wait_until(folio_test_watcher_find(watcher, "alpha")->n_vcpus == 2);
    folio_test_guest_destroy(domain);
    folio_test_wait_until(watcher->n_gone == 1);
    virConnectClose(connect);
}

/* Is there a mapping of exactly so many bytes, of a file of that name? */
static gboolean
is_mapped(pid_t pid, const char *file, guint64 bytes)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/maps", (int) pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        char *dash = strchr(*line, '-');

        if (dash != NULL && g_str_has_suffix(*line, file) &&
            g_ascii_strtoull(dash + 1, NULL, 16) - g_ascii_strtoull(*line, NULL, 16) == bytes)
            return TRUE;
    }
    return FALSE;
}

static FolioDomainXml *
parse_reported(FolioTestWatcher *watcher, const char *name)
{
    const FolioDomain *domain = folio_test_watcher_find(watcher, name);
    g_autoptr(GError) error = NULL;
    FolioDomainXml *xml;

    assert_non_null(domain);
    xml = folio_domain_xml_parse(domain->xml, strlen(domain->xml), &error);
    assert_no_error(error);
    assert_string_equal(xml->uuid, domain->uuid);
    assert_string_equal(xml->name, domain->name);
    return xml;
}

static gboolean
has_blocks(FolioTestWatcher *watcher, const char *name, guint n)
{
    g_autoptr(FolioDomainXml) xml = parse_reported(watcher, name);

    return xml->ram->len == n;
}

/* What the parser makes of the XML is what QEMU has mapped. */
static void
assert_blocks_are_mapped(FolioTestWatcher *watcher, const char *name, const char *const *files)
{
    g_autoptr(FolioDomainXml) xml = parse_reported(watcher, name);
    guint64 sum = 0;

    for (guint i = 0; i < xml->ram->len; i++) {
        const FolioRamSpec *spec = xml->ram->pdata[i];

        assert_int_equal(spec->backing, FOLIO_BACKING_FILE);
        if (!is_mapped(folio_test_guest_pid(name), files[i], spec->bytes))
            fail_msg("%s of %" G_GUINT64_FORMAT " bytes is not mapped", files[i], spec->bytes);
        sum += spec->bytes;
    }
    assert_int_equal(xml->memory, sum);
}

static void
test_qemu_memory_plugged(void **state)
{
    static const char dimm[] = "<memory model='dimm'><target><size unit='MiB'>128</size>"
                               "<node>0</node></target></memory>";
    static const char virtio_mem[] =
        "<memory model='virtio-mem'><target><size unit='MiB'>256</size><node>1</node>"
        "<block unit='MiB'>2</block><requested unit='MiB'>0</requested></target></memory>";
    static const char *const files[] = { "/ram-node0", "/ram-node1", "/dimm0", "/virtiomem0" };
    static const FolioTestGuest guest = {
        .name = "alpha",
        .backing = "<source type='file'/>",
        .numa = "<cell id='0' cpus='0' memory='16' unit='MiB'/>"
                "<cell id='1' memory='32' unit='MiB'/>",
        .mib = 48,
        .max_mib = 1024,
    };
    virConnectPtr connect = folio_test_connect(QEMU_URI);
    g_autoptr(FolioTestWatcher) watcher = watch(QEMU_URI);
    virDomainPtr domain = folio_test_guest_start(connect, &guest);

    folio_test_wait_until(runs(watcher, "alpha", FALSE));
    assert_blocks_are_mapped(watcher, "alpha", files);
    assert_vir(virDomainAttachDevice(domain, dimm));
    folio_test_wait_until(has_blocks(watcher, "alpha", 3));
    assert_vir(virDomainAttachDevice(domain, virtio_mem));
    folio_test_wait_until(has_blocks(watcher, "alpha", 4));
    assert_blocks_are_mapped(watcher, "alpha", files);
    folio_test_guest_destroy(domain);
    folio_test_wait_until(watcher->n_gone == 1);
    virConnectClose(connect);
}

/* Each backing as the parser calls it, against what QEMU was really given for it. */
static void
test_qemu_backings(void **state)
{
    static const struct {
        const char *backing, *file;
        FolioBacking expected;
    } cases[] = {
        { FOLIO_TEST_ON_TMPFS, "/pc.ram", FOLIO_BACKING_FILE },
        { "<source type='anonymous'/><access mode='shared'/>", "/pc.ram", FOLIO_BACKING_FILE },
        { "<source type='memfd'/>", "/memfd:memory-backend-memfd (deleted)", FOLIO_BACKING_MEMFD },
        { NULL, " 0 ", FOLIO_BACKING_ANONYMOUS },
    };
    virConnectPtr connect = folio_test_connect(QEMU_URI);
    g_autoptr(FolioTestWatcher) watcher = watch(QEMU_URI);

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        FolioTestGuest guest = { .name = "alpha", .backing = cases[i].backing, .mib = 20 };
        virDomainPtr domain = folio_test_guest_start(connect, &guest);
        g_autoptr(FolioDomainXml) xml = NULL;
        const FolioRamSpec *spec;

        folio_test_wait_until(runs(watcher, "alpha", FALSE));
        xml = parse_reported(watcher, "alpha");
        spec = xml->ram->pdata[0];
        assert_int_equal(spec->kind, FOLIO_RAM_MAIN);
        assert_int_equal(spec->bytes, 20 << 20);
        assert_int_equal(spec->backing, cases[i].expected);
        assert_true(is_mapped(folio_test_guest_pid("alpha"), cases[i].file, spec->bytes));
        folio_test_guest_destroy(domain);
        folio_test_wait_until(watcher->n_gone == i + 1);
    }
    virConnectClose(connect);
}

/* Runs virDomainSetMetadata as often as it goes for a second; returns how often that was. */
static void
change_metadata(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    virConnectPtr connect = folio_test_connect(QEMU_URI);
    virDomainPtr domain = virDomainLookupByName(connect, "alpha");
    gint64 end = g_get_monotonic_time() + G_USEC_PER_SEC;
    int n = 0;

    for (; g_get_monotonic_time() < end; n++) {
        g_autofree char *xml = g_strdup_printf("<policy max-rate='%dK'/>", n + 1);

        if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, xml, "key", data,
                                 VIR_DOMAIN_AFFECT_LIVE) < 0)
            break;
    }
    virDomainFree(domain);
    virConnectClose(connect);
    g_task_return_int(task, n);
}

static gssize
storm(const char *uri)
{
    g_autoptr(GTask) task = g_task_new(NULL, NULL, NULL, NULL);
    g_autoptr(GError) error = NULL;
    gssize n;

    g_task_set_task_data(task, (gpointer) uri, NULL);
    g_task_run_in_thread(task, change_metadata);
    folio_test_wait_until(g_task_get_completed(task));
    n = g_task_propagate_int(task, &error);
    return n;
}

static guint64
rate_asked_for(FolioTestWatcher *watcher)
{
    return folio_test_watcher_find(watcher, "alpha")->hints->policy.hints.max_rate;
}

/* However often somebody writes metadata, they are read once a second, and no other look is taken;
 * and not even that for the metadata of others. The last change is seen. */
static void
test_metadata_storm(void **state)
{
    virConnectPtr connect = folio_test_connect(QEMU_URI);
    virDomainPtr domain = folio_test_guest_start(connect, PLAIN("alpha"));
    g_autoptr(FolioTestWatcher) watcher = watch(QEMU_URI);
    g_autofree char *xml = NULL;
    guint n_domain;
    gssize n;

    folio_test_wait_msec(1000);
    n_domain = watcher->n_domain;
    xml = g_strdup(folio_test_watcher_find(watcher, "alpha")->xml);
    n = storm(POLICY_URI);
    assert_true(n > 100);
    folio_test_wait_until(rate_asked_for(watcher) == (guint64) n << 10);
    print_message("%d changes of metadata led to %u readings\n", (int) n, watcher->n_hints);
    assert_in_range(watcher->n_hints, 2, 4);

    assert_true(storm("urn:of-somebody-else") > 100);
    assert_true(storm(STATUS_URI) > 100);
    folio_test_wait_msec(1500);
    assert_in_range(watcher->n_hints, 2, 4);
    /* The look at everything of the first minute may fall into this time. */
    assert_in_range(watcher->n_domain - n_domain, 0, 1);
    /* And when one is taken, all is as it was, so that nothing comes of it. */
    folio_connection_look_again(watcher->connection,
                                folio_test_watcher_find(watcher, "alpha")->uuid);
    n_domain = watcher->n_domain;
    folio_test_wait_until(watcher->n_domain > n_domain);
    assert_string_equal(folio_test_watcher_find(watcher, "alpha")->xml, xml);
    assert_null(strstr(xml, "metadata"));
    folio_test_guest_destroy(domain);
    folio_test_wait_until(watcher->n_gone == 1);
    virConnectClose(connect);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_driver_lifecycle),
        cmocka_unit_test(test_driver_quick_restart),
        cmocka_unit_test(test_driver_snapshot_revert),
        cmocka_unit_test(test_stop_is_silent),
        cmocka_unit_test(test_stop_within_a_signal),
        cmocka_unit_test(test_unref_at_any_time),
        cmocka_unit_test(test_qemu_lifecycle),
        cmocka_unit_test(test_qemu_reboot),
        cmocka_unit_test(test_qemu_killed),
        cmocka_unit_test(test_qemu_vcpu_plugged),
        cmocka_unit_test(test_qemu_memory_plugged),
        cmocka_unit_test(test_qemu_backings),
        cmocka_unit_test(test_metadata_storm),
    };

    folio_connection_init_libvirt();
    return cmocka_run_group_tests_name("connection", tests, NULL, NULL);
}
