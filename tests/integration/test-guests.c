/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole of foliod with real guests: it follows what libvirt and QEMU do, and its figures are
 * the kernel's. */
#include "fixture.h"
#include "integration/figures.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <sys/utsname.h>

#define MIB (1024 * 1024ULL)

/* What is inside <memoryBacking>: only what the guest touches is there, or all of it. */
#define ON_TMPFS_LAZY    "<source type='file'/><access mode='shared'/>"
#define ON_TMPFS         ON_TMPFS_LAZY "<allocation mode='immediate'/>"
#define ON_TMPFS_PRIVATE "<source type='file'/><allocation mode='immediate'/>"
#define IN_MEMFD_LAZY    "<source type='memfd'/><access mode='shared'/>"
#define IN_MEMFD         IN_MEMFD_LAZY "<allocation mode='immediate'/>"
#define ANONYMOUS        "<allocation mode='immediate'/>"
#define TWO_CELLS \
    "<cell id='0' cpus='0' memory='24' unit='MiB'/><cell id='1' memory='40' unit='MiB'/>"

/* PAGEMAP_SCAN came with Linux 6.7. By the version, so that an agent that does not find it fails.
 */
static gboolean
kernel_can_scan(void)
{
    struct utsname kernel;
    guint major, minor;

    assert_return_code(uname(&kernel), errno);
    assert_int_equal(sscanf(kernel.release, "%u.%u", &major, &minor), 2);
    return major > 6 || (major == 6 && minor >= 7);
}

static int
set_up(void **state)
{
    Fixture *fixture = fixture_new(NULL);

    fixture->scan = kernel_can_scan() ? "pagemap-scan" : "smaps";
    *state = fixture;
    return 0;
}

/* 64 MiB through the launcher, all of it touched. */
static virDomainPtr
start_aligned(const Fixture *fixture, const char *name)
{
    const FolioTestGuest guest = {
        .name = name, .emulator = fixture->launcher, .backing = ON_TMPFS, .mib = 64
    };

    return folio_test_guest_start(fixture->connect, &guest);
}

static void
assert_text(const Fixture *fixture, const char *path, const char *property, const char *expected)
{
    g_autofree char *text = daemon_guest_text(fixture->daemon, path, property);

    assert_string_equal(text, expected);
}

static void
wait_suspended(const Fixture *fixture, const char *path, gboolean expected)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    do {
        g_autoptr(GVariant) suspended =
            daemon_get(fixture->daemon, path, FOLIOD_GUEST, "Suspended");

        if (g_variant_get_boolean(suspended) == expected)
            return;
    } while (before_deadline(deadline));
    fail_msg("%s: Suspended does not become %d", path, expected);
}

static guint
pid_of(const Fixture *fixture, const char *path)
{
    g_autoptr(GVariant) pid = daemon_get(fixture->daemon, path, FOLIOD_GUEST, "Pid");

    return g_variant_get_uint32(pid);
}

/* Waits for the state, suspends the guest, and compares all figures. */
static void
suspend_and_check(const Fixture *fixture, virDomainPtr domain, const char *state, const char *scan,
                  Figures *figures)
{
    g_autofree char *path = daemon_wait_state(fixture->daemon, virDomainGetName(domain), state);

    assert_int_equal(virDomainSuspend(domain), 0);
    wait_suspended(fixture, path, TRUE);
    figures_check(fixture->daemon, path, scan, figures);
}

static void
test_start_and_destroy(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain = start_aligned(fixture, "start");
    g_autofree char *path = daemon_wait_state(fixture->daemon, "start", "located");
    g_autofree char *listed = daemon_list_guests(fixture->daemon);
    char uuid[VIR_UUID_STRING_BUFLEN];

    assert_string_equal(listed, "start\n");
    assert_int_equal(virDomainGetUUIDString(domain, uuid), 0);
    assert_text(fixture, path, "Uuid", uuid);
    assert_text(fixture, path, "Mode", "observe");
    assert_text(fixture, path, "Reason", "mode-observe");
    assert_int_equal(pid_of(fixture, path), folio_test_guest_pid("start"));
    folio_test_guest_destroy(domain);
    daemon_wait_gone(fixture->daemon, "start");
}

static void
test_aligned_is_all_huge(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain = start_aligned(fixture, "aligned");
    Figures figures;
    Figures files;

    suspend_and_check(fixture, domain, "located", fixture->scan, &figures);
    figures_of_files((guint) folio_test_guest_pid("aligned"), g_getenv("FOLIOD_GUEST_RAM"), &files);
    assert_int_equal(figures.size, 64 * MIB);
    assert_int_equal(figures.present, 64 * MIB);
    assert_int_equal(figures.huge, 64 * MIB);
    assert_memory_equal(&files, &figures, sizeof files);
    folio_test_guest_destroy(domain);
}

static void
assert_ineligible(const Fixture *fixture, const FolioTestGuest *guest, const char *reason)
{
    virDomainPtr domain = folio_test_guest_start(fixture->connect, guest);
    Figures figures;
    g_autofree char *path = daemon_wait_state(fixture->daemon, guest->name, "ineligible");
    g_autofree char *remedy = daemon_guest_text(fixture->daemon, path, "Remedy");

    assert_text(fixture, path, "Reason", reason);
    assert_true(strlen(remedy) > 20);
    suspend_and_check(fixture, domain, "ineligible",
                      g_str_equal(guest->backing, ANONYMOUS) ? "smaps" : fixture->scan, &figures);
    assert_int_equal(figures.size, 64 * MIB);
    assert_int_equal(figures.present, 64 * MIB);
    if (!g_str_equal(guest->backing, ANONYMOUS))
        assert_int_equal(figures.huge, 0);
    folio_test_guest_destroy(domain);
}

static void
test_misaligned(void **state)
{
    assert_ineligible(*state,
                      &(const FolioTestGuest){ .name = "askew", .backing = ON_TMPFS, .mib = 64 },
                      "misaligned");
}

/* Every page that the guest writes would be an anonymous copy. */
static void
test_private(void **state)
{
    Fixture *fixture = *state;
    const FolioTestGuest guest = {
        .name = "private", .emulator = fixture->launcher, .backing = ON_TMPFS_PRIVATE, .mib = 64
    };

    assert_ineligible(fixture, &guest, "private");
}

static void
test_memfd(void **state)
{
    assert_ineligible(*state,
                      &(const FolioTestGuest){ .name = "memfd", .backing = IN_MEMFD, .mib = 64 },
                      "not-tmpfs");
}

static void
test_anonymous(void **state)
{
    assert_ineligible(
        *state, &(const FolioTestGuest){ .name = "anonymous", .backing = ANONYMOUS, .mib = 64 },
        "not-tmpfs");
}

static void
test_two_numa_cells(void **state)
{
    static const char *const expected_ids[] = { "cell0", "cell1" };
    Fixture *fixture = *state;
    const FolioTestGuest guest = { .name = "cells",
                                   .emulator = fixture->launcher,
                                   .backing = ON_TMPFS,
                                   .numa = TWO_CELLS,
                                   .mib = 64 };
    virDomainPtr domain = folio_test_guest_start(fixture->connect, &guest);
    Figures figures;
    g_autofree char *path = NULL;
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) blocks = NULL;

    suspend_and_check(fixture, domain, "located", fixture->scan, &figures);
    path = daemon_find_guest(fixture->daemon, "cells");
    reply = daemon_call(fixture->daemon, path, FOLIOD_GUEST, "ListRam", NULL, NULL);
    assert_non_null(reply);
    blocks = g_variant_get_child_value(reply, 1);
    assert_int_equal(figures.huge, 64 * MIB);
    assert_int_equal(g_variant_n_children(blocks), 2);
    for (gsize i = 0; i < 2; i++) {
        g_autoptr(GVariant) block = g_variant_get_child_value(blocks, i);
        const char *id;
        guint64 bytes;

        assert_true(g_variant_lookup(block, "id", "&s", &id));
        assert_true(g_variant_lookup(block, "bytes", "t", &bytes));
        assert_string_equal(id, expected_ids[i]);
        assert_int_equal(bytes, (i == 0 ? 24 : 40) * MIB);
    }
    folio_test_guest_destroy(domain);
}

static void
test_name_with_spaces_and_umlauts(void **state)
{
    static const char name[] = "gr\u00f6\u00dfe's  <mit> \"leer\" & \u65e5\u672c";
    Fixture *fixture = *state;
    virDomainPtr domain = start_aligned(fixture, name);
    Figures figures;

    suspend_and_check(fixture, domain, "located", fixture->scan, &figures);
    assert_int_equal(figures.huge, 64 * MIB);
    folio_test_guest_destroy(domain);
    daemon_wait_gone(fixture->daemon, name);
}

static void
test_suspend_and_resume(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain = start_aligned(fixture, "sleeper");
    g_autofree char *path = daemon_wait_state(fixture->daemon, "sleeper", "located");
    guint pid = pid_of(fixture, path);

    for (guint round = 0; round < 3; round++) {
        assert_int_equal(virDomainSuspend(domain), 0);
        wait_suspended(fixture, path, TRUE);
        assert_text(fixture, path, "Reason", "suspended");
        assert_int_equal(virDomainResume(domain), 0);
        wait_suspended(fixture, path, FALSE);
        assert_text(fixture, path, "Reason", "mode-observe");
    }
    assert_int_equal(pid_of(fixture, path), pid);
    folio_test_guest_destroy(domain);
}

static void
test_killed_qemu(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain = start_aligned(fixture, "victim");
    g_autofree char *path = daemon_wait_state(fixture->daemon, "victim", "located");

    folio_test_kill((pid_t) pid_of(fixture, path));
    daemon_wait_gone(fixture->daemon, "victim");
    virDomainFree(domain);

    /* A guest of the same name is another guest. */
    domain = start_aligned(fixture, "victim");
    g_free(path);
    path = daemon_wait_state(fixture->daemon, "victim", "located");
    assert_int_equal(pid_of(fixture, path), folio_test_guest_pid("victim"));
    folio_test_guest_destroy(domain);
    daemon_wait_gone(fixture->daemon, "victim");
}

static void
test_reboot(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain = start_aligned(fixture, "rebooter");
    g_autofree char *path = daemon_wait_state(fixture->daemon, "rebooter", "located");
    guint pid = pid_of(fixture, path);
    Figures figures;

    assert_int_equal(virDomainReset(domain, 0), 0);
    suspend_and_check(fixture, domain, "located", fixture->scan, &figures);
    assert_int_equal(pid_of(fixture, path), pid);
    assert_int_equal(figures.present, 64 * MIB);
    folio_test_guest_destroy(domain);
}

static void
test_save_and_restore(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain = start_aligned(fixture, "saved");
    g_autofree char *path = daemon_wait_state(fixture->daemon, "saved", "located");
    g_autofree char *file = g_build_filename(g_getenv("FOLIOD_SANDBOX"), "saved.image", NULL);
    guint pid = pid_of(fixture, path);
    g_autofree char *path_again = NULL;
    Figures figures;

    if (virDomainSave(domain, file) != 0)
        fail_msg("saving: %s", virGetLastErrorMessage());
    virDomainFree(domain);
    daemon_wait_gone(fixture->daemon, "saved");

    if (virDomainRestore(fixture->connect, file) != 0)
        fail_msg("restoring: %s", virGetLastErrorMessage());
    path_again = daemon_wait_state(fixture->daemon, "saved", "located");
    assert_string_equal(path_again, path);
    assert_int_not_equal(pid_of(fixture, path), pid);
    domain = virDomainLookupByName(fixture->connect, "saved");
    assert_non_null(domain);
    suspend_and_check(fixture, domain, "located", fixture->scan, &figures);
    assert_int_equal(figures.size, 64 * MIB);
    folio_test_guest_destroy(domain);
}

static void
test_two_guests_at_once(void **state)
{
    Fixture *fixture = *state;
    const FolioTestGuest small = { .name = "small", .backing = ON_TMPFS, .mib = 32 };
    virDomainPtr large_domain = start_aligned(fixture, "large");
    virDomainPtr small_domain = folio_test_guest_start(fixture->connect, &small);
    Figures large_figures;
    Figures small_figures;
    g_autofree char *both = NULL;
    g_autofree char *one = NULL;

    suspend_and_check(fixture, large_domain, "located", fixture->scan, &large_figures);
    suspend_and_check(fixture, small_domain, "ineligible", fixture->scan, &small_figures);
    both = daemon_list_guests(fixture->daemon);
    assert_string_equal(both, "large\nsmall\n");
    assert_int_equal(large_figures.huge, 64 * MIB);
    assert_int_equal(small_figures.present, 32 * MIB);
    assert_int_equal(small_figures.huge, 0);
    folio_test_guest_destroy(small_domain);
    daemon_wait_gone(fixture->daemon, "small");
    one = daemon_list_guests(fixture->daemon);
    assert_string_equal(one, "large\n");
    folio_test_guest_destroy(large_domain);
}

static void
use_scan(const Fixture *fixture, const char *scan)
{
    g_autofree char *text = g_strdup_printf("[Guests]\nScan=%s\n", scan);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = NULL;

    daemon_configure(fixture->daemon, text);
    reply = daemon_call(fixture->daemon, FOLIOD_PATH, FOLIOD_MANAGER, "Reload", NULL, &error);
    assert_no_error(error);
}

/* Guests whose RAM is only partly there, in small pages, in huge ones, and in several blocks. */
static void
check_figures_of_all_kinds(const Fixture *fixture, const char *scan)
{
    const FolioTestGuest guests[] = {
        { .name = "lazy", .emulator = fixture->launcher, .backing = ON_TMPFS_LAZY, .mib = 256 },
        { .name = "lazy-askew", .backing = ON_TMPFS_LAZY, .mib = 256 },
        { .name = "cells-askew", .backing = ON_TMPFS_LAZY, .numa = TWO_CELLS, .mib = 64 },
        { .name = "memfd", .backing = IN_MEMFD_LAZY, .mib = 256 },
    };
    virDomainPtr domains[G_N_ELEMENTS(guests)];

    use_scan(fixture, scan);
    for (gsize i = 0; i < G_N_ELEMENTS(guests); i++)
        domains[i] = folio_test_guest_start(fixture->connect, &guests[i]);
    for (gsize i = 0; i < G_N_ELEMENTS(guests); i++) {
        const char *state = guests[i].emulator != NULL ? "located" : "ineligible";
        Figures figures;

        suspend_and_check(fixture, domains[i], state, scan, &figures);
        /* SeaBIOS touches some of it, and far from all. */
        assert_in_range(figures.present, 64 * 1024, figures.size / 2);
        assert_true(guests[i].emulator != NULL ? figures.huge > 0 : figures.huge == 0);
        folio_test_guest_destroy(domains[i]);
    }
    use_scan(fixture, "auto");
}

static void
test_figures_by_pagemap_scan(void **state)
{
    Fixture *fixture = *state;

    if (!kernel_can_scan())
        skip();
    check_figures_of_all_kinds(fixture, "pagemap-scan");
}

static void
test_figures_by_smaps(void **state)
{
    check_figures_of_all_kinds(*state, "smaps");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_start_and_destroy, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_aligned_is_all_huge, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_misaligned, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_private, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_memfd, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_anonymous, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_two_numa_cells, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_name_with_spaces_and_umlauts, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_suspend_and_resume, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_killed_qemu, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_reboot, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_save_and_restore, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_two_guests_at_once, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_figures_by_pagemap_scan, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_figures_by_smaps, fixture_destroy_guests),
    };

    return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
