/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The live path from a source to verdicts: a real foliod samples the minor faults of real guests,
 * which reading their RAM through libvirt brings about where they had not touched it. */
#include "build-config.h"
#include "sampled-daemon.h"

#include <json-glib/json-glib.h>

#define NOTHING "[Sampling]\nSource=none\n"
#define SPE     "[Sampling]\nSource=spe\n"

static int
set_up(void **state)
{
    Fixture *fixture = fixture_new(FAULTS);

    daemon_expect_log(fixture->daemon, "source of samples: perf");
    *state = fixture;
    return 0;
}

static guint64
sum_of_verdicts(const Fixture *fixture, const char *path)
{
    return sampled_number(fixture, path, "SparseBytes") +
           sampled_number(fixture, path, "DenseBytes") +
           sampled_number(fixture, path, "IdleBytes") +
           sampled_number(fixture, path, "UndecidedBytes");
}

/* Each block that comes is one fault and one sample, which finds its block although the frame was
 * not known when it came; a window later the block is not idle any more. */
static void
test_samples_become_verdicts(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain = sampled_start_guest(fixture, "sampled");
    g_autofree char *path = daemon_wait_state(fixture->daemon, "sampled", "sampling");
    SampledFigures before;

    sampled_assert_text(fixture, path, "Reason", "evidence-short");
    sampled_assert_text(fixture, path, "Source", "perf");
    before = sampled_settle(fixture, path);

    sampled_read_ram(domain, 1, SAMPLED_GUEST_MIB);
    sampled_wait_fresh(fixture, path, &before, 20 * BLOCK, 0);
    assert_int_equal(sum_of_verdicts(fixture, path), sampled_number(fixture, path, "RamBytes"));
    assert_int_equal(sampled_number(fixture, path, "LostSamples"), 0);
    assert_int_equal(sampled_number(fixture, path, "WindowSeconds"), 1);
    /* Under TCG all accesses are QEMU's own. */
    sampled_assert_text(fixture, path, "Coverage", "host-only");
    folio_test_guest_destroy(domain);
    daemon_wait_gone(fixture->daemon, "sampled");
}

typedef struct {
    GDBusConnection *bus;
    gint stop;
    guint answers;
} Flood;

static gpointer
flood(gpointer data)
{
    Flood *flood = data;

    while (!g_atomic_int_get(&flood->stop)) {
        g_autoptr(GVariant) reply =
            g_dbus_connection_call_sync(flood->bus, FOLIOD_NAME, FOLIOD_PATH, FOLIOD_MANAGER,
                                        "ListGuests", NULL, NULL, 0, -1, NULL, NULL);

        flood->answers += reply != NULL;
    }
    return NULL;
}

/* Somebody who asks as fast as he can takes nothing from sampling. */
static void
test_flood(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain = sampled_start_guest(fixture, "flooded");
    g_autofree char *path = daemon_wait_state(fixture->daemon, "flooded", "sampling");
    const SampledFigures before = sampled_settle(fixture, path);
    Flood asker = { .bus = fixture->daemon->bus };
    GThread *thread = g_thread_new("flood", flood, &asker);

    sampled_read_ram(domain, 1, SAMPLED_GUEST_MIB);
    sampled_wait_fresh(fixture, path, &before, 20 * BLOCK, 0);
    g_atomic_int_set(&asker.stop, TRUE);
    g_thread_join(thread);
    print_message("%u answers meanwhile\n", asker.answers);
    assert_true(asker.answers > 100);
    assert_int_equal(sampled_number(fixture, path, "LostSamples"), 0);
    folio_test_guest_destroy(domain);
    daemon_wait_gone(fixture->daemon, "flooded");
}

/* A block of which one page was seen, and nothing more for many windows, is sparse: for want of
 * dense blocks, not before the 24th window in which the guest was seen to do something. */
static void
test_deciding(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain = sampled_start_guest(fixture, "decided");
    g_autofree char *path = daemon_wait_state(fixture->daemon, "decided", "sampling");

    for (guint64 at = 2; at < SAMPLED_GUEST_MIB; at += 2) {
        sampled_read_ram(domain, at, at + 2);
        sampled_wait_windows(fixture, path, 1);
    }
    g_free(daemon_wait_state(fixture->daemon, "decided", "deciding"));
    assert_true(sampled_number(fixture, path, "Windows") >= 24);
    sampled_assert_text(fixture, path, "Reason", "mode-observe");
    assert_true(sampled_number(fixture, path, "SparseBytes") > 0);
    folio_test_guest_destroy(domain);
    daemon_wait_gone(fixture->daemon, "decided");
}

/* No time passes for a guest that stands still. */
static void
test_suspend(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain = sampled_start_guest(fixture, "still");
    g_autofree char *path = daemon_wait_state(fixture->daemon, "still", "sampling");
    guint64 windows;

    sampled_wait_windows(fixture, path, 1);
    assert_int_equal(virDomainSuspend(domain), 0);
    g_free(daemon_wait_reason(fixture->daemon, "still", "suspended"));
    g_usleep(G_USEC_PER_SEC);
    windows = sampled_number(fixture, path, "Windows");
    g_usleep(3 * G_USEC_PER_SEC);
    assert_int_equal(sampled_number(fixture, path, "Windows"), windows);
    assert_int_equal(virDomainResume(domain), 0);
    sampled_wait_at_least(fixture, path, "Windows", windows + 1);
    folio_test_guest_destroy(domain);
    daemon_wait_gone(fixture->daemon, "still");
}

static void
wait_fds(const Fixture *fixture, guint expected)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    do {
        if (daemon_count_fds(fixture->daemon) == expected)
            return;
    } while (before_deadline(deadline));
    fail_msg("foliod has %u descriptors, expected %u", daemon_count_fds(fixture->daemon), expected);
}

/* QEMU is killed while it is sampled; nothing of it stays. */
static void
test_killed(void **state)
{
    Fixture *fixture = *state;
    guint fds = daemon_count_fds(fixture->daemon);

    for (guint i = 0; i < 3; i++) {
        virDomainPtr domain = sampled_start_guest(fixture, "killed");
        g_autofree char *path = daemon_wait_state(fixture->daemon, "killed", "sampling");

        sampled_wait_windows(fixture, path, 1);
        assert_true(daemon_count_fds(fixture->daemon) > fds);
        folio_test_kill(folio_test_guest_pid("killed"));
        daemon_wait_gone(fixture->daemon, "killed");
        virDomainFree(domain);
        wait_fds(fixture, fds);
    }
}

/* The source follows the configuration, with guests that run; what cannot be had is said. */
static void
test_reload(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain = sampled_start_guest(fixture, "reload");
    g_autofree char *path = daemon_wait_state(fixture->daemon, "reload", "sampling");
    g_autofree char *remedy = NULL;
    guint fds, windows;

    sampled_wait_windows(fixture, path, 1);
    fds = daemon_count_fds(fixture->daemon);
    sampled_reload(fixture, NOTHING);
    g_free(daemon_wait_reason(fixture->daemon, "reload", "mode-observe"));
    g_free(daemon_wait_state(fixture->daemon, "reload", "located"));
    sampled_assert_text(fixture, path, "Source", "none");
    assert_true(daemon_count_fds(fixture->daemon) < fds);
    g_usleep(G_USEC_PER_SEC + G_USEC_PER_SEC / 5);
    sampled_wait_at_least(fixture, path, "NominatedBytes", BLOCK);

    if (!g_file_test("/sys/bus/event_source/devices/arm_spe_0", G_FILE_TEST_EXISTS)) {
        sampled_reload(fixture, SPE);
        g_free(daemon_wait_reason(fixture->daemon, "reload", "no-sampler"));
        remedy = daemon_guest_text(fixture->daemon, path, "Remedy");
        assert_non_null(strstr(remedy, "Source="));
    }

    windows = (guint) sampled_number(fixture, path, "Windows");
    sampled_reload(fixture, FAULTS);
    sampled_wait_at_least(fixture, path, "Windows", windows + 1);
    sampled_assert_text(fixture, path, "Source", "perf");
    sampled_assert_text(fixture, path, "SampledBy", "process");
    assert_int_equal(sampled_number(fixture, path, "NominatedBytes"), 0);
    folio_test_guest_destroy(domain);
    daemon_wait_gone(fixture->daemon, "reload");
}

/* As without the group [Sampling] on a host that has no SPE. */
static void
test_by_itself(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain;
    g_autofree char *path = NULL;

    if (g_file_test("/sys/bus/event_source/devices/arm_spe_0", G_FILE_TEST_EXISTS)) {
        print_message("this host has SPE\n");
        skip();
    }
    sampled_reload(fixture, "");
    daemon_expect_log(fixture->daemon, "source of samples: none");
    domain = sampled_start_guest(fixture, "plain");
    path = daemon_wait_state(fixture->daemon, "plain", "located");
    sampled_assert_text(fixture, path, "Reason", "mode-observe");
    sampled_assert_text(fixture, path, "Source", "none");
    sampled_assert_text(fixture, path, "Coverage", "none");
    sampled_assert_text(fixture, path, "SampledBy", "none");
    /* What huge pages map is nominated, and that is all. */
    sampled_read_ram(domain, 1, SAMPLED_GUEST_MIB);
    g_usleep(G_USEC_PER_SEC + G_USEC_PER_SEC / 5);
    assert_true(sampled_number(fixture, path, "HugeBytes") > 0);
    assert_int_equal(sampled_number(fixture, path, "NominatedBytes"),
                     sampled_number(fixture, path, "HugeBytes"));
    assert_int_equal(sampled_number(fixture, path, "Windows"), 0);
    assert_int_equal(sum_of_verdicts(fixture, path), 0);
    folio_test_guest_destroy(domain);
    daemon_wait_gone(fixture->daemon, "plain");
    sampled_reload(fixture, FAULTS);
}

static char *
folioctl(const char *verb, const char *guest)
{
    g_autofree char *program =
        g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "ctl", "folioctl", NULL);
    const char *const command[] = { program, "--json", verb, guest, NULL };
    g_autoptr(GError) error = NULL;
    char *output = NULL;
    int status;

    g_spawn_sync(NULL, (char **) command, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL, &status,
                 &error);
    assert_no_error(error);
    assert_int_equal(status, 0);
    return output;
}

static void
test_folioctl(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr domain = sampled_start_guest(fixture, "printed");
    g_autofree char *path = daemon_wait_state(fixture->daemon, "printed", "sampling");
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autofree char *text = NULL;
    JsonObject *guest;

    sampled_wait_windows(fixture, path, 1);
    text = folioctl("show", "printed");
    assert_true(json_parser_load_from_data(parser, text, -1, NULL));
    guest =
        json_object_get_object_member(json_node_get_object(json_parser_get_root(parser)), "guest");
    assert_string_equal(json_object_get_string_member(guest, "source"), "perf");
    assert_int_equal(json_object_get_int_member(guest, "sparse_bytes") +
                         json_object_get_int_member(guest, "dense_bytes") +
                         json_object_get_int_member(guest, "undecided_bytes") +
                         json_object_get_int_member(guest, "idle_bytes"),
                     SAMPLED_GUEST_MIB * MIB);
    assert_true(json_object_get_int_member(guest, "windows") >= 1);
    folio_test_guest_destroy(domain);
    daemon_wait_gone(fixture->daemon, "printed");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_samples_become_verdicts, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_flood, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_deciding, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_suspend, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_killed, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_reload, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_by_itself, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_folioctl, fixture_destroy_guests),
    };

    return cmocka_run_group_tests_name("sampling", tests, set_up, fixture_tear_down);
}
