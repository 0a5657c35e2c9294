/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One session of the whole host that feeds several guests, from the kernel's events by CPU to the
 * figures of each guest: a real foliod, real guests, minor faults. Everything else on this machine
 * is sampled with them. */
#include "integration/ctl-run.h"
#include "sampled-daemon.h"

#include <libvirt/virterror.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANAGER_PATH      "/org/foliod1"
#define MANAGER_INTERFACE "org.foliod1.Manager"

/* The period stays at 1, so that each fault is a sample, as long as none is lost. */
#define BY_HOST    FAULTS "CpuShare=100%\nSampleBy=host\n"
#define BY_ITSELF  FAULTS "CpuShare=100%\nSampleBy=auto\n"
#define BY_PROCESS FAULTS "CpuShare=100%\nSampleBy=process\n"

typedef struct {
    virDomainPtr domain;
    char *path;
    guint64 samples, windows;
} Guest;

static int
set_up(void **state)
{
    Fixture *fixture = fixture_new(BY_HOST);

    daemon_expect_log(fixture->daemon, "source of samples: perf, by host");
    *state = fixture;
    return 0;
}

static GVariant *
manager_property(const Fixture *fixture, const char *property)
{
    return daemon_get(fixture->daemon, MANAGER_PATH, MANAGER_INTERFACE, property);
}

static guint64
host_number(const Fixture *fixture, const char *property)
{
    g_autoptr(GVariant) value = manager_property(fixture, property);

    return g_variant_is_of_type(value, G_VARIANT_TYPE_UINT32) ? g_variant_get_uint32(value)
                                                              : g_variant_get_uint64(value);
}

static gboolean
host_text_is(const Fixture *fixture, const char *property, const char *expected)
{
    g_autoptr(GVariant) value = manager_property(fixture, property);

    return g_str_equal(g_variant_get_string(value, NULL), expected);
}

static void
wait_sampled_by(const Fixture *fixture, const char *expected)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    do {
        if (host_text_is(fixture, "SampledBy", expected))
            return;
    } while (before_deadline(deadline));
    fail_msg("it does not become sampled by %s", expected);
}

static void
guest_start(const Fixture *fixture, Guest *guest, const char *name)
{
    guest->domain = sampled_start_guest(fixture, name);
    guest->path = daemon_wait_state(fixture->daemon, name, "sampling");
}

static void
guest_end(const Fixture *fixture, Guest *guest, const char *name)
{
    if (guest->domain != NULL)
        folio_test_guest_destroy(guest->domain);
    daemon_wait_gone(fixture->daemon, name);
    g_free(guest->path);
}

/* All processes are sampled: a frame that one of them touched and gave back a moment ago may be in
 * the block that comes next, and its sample is then the guest's. */
#define STRANGERS 3

/* The RAM of one is read: each fresh block is a sample of that guest, and of no other. Where the
 * machine was so busy that the kernel had no room for some, the others are all there is. */
static void
read_one(const Fixture *fixture, const Guest *reader, const Guest *other)
{
    const SampledFigures before = sampled_settle(fixture, reader->path);
    const SampledFigures other_before = sampled_settle(fixture, other->path);
    SampledFigures now, other_now;

    sampled_read_ram(reader->domain, 1, SAMPLED_GUEST_MIB);
    now = sampled_settle(fixture, reader->path);
    other_now = sampled_settle(fixture, other->path);
    if (host_number(fixture, "HostLostSamples") == 0) {
        sampled_wait_fresh(fixture, reader->path, &before, 20 * BLOCK, STRANGERS);
        sampled_wait_fresh(fixture, other->path, &other_before, 0, STRANGERS);
    } else {
        assert_in_range(now.samples, before.samples + 1,
                        before.samples + (now.present - before.present) / BLOCK + STRANGERS);
        assert_in_range(other_now.samples, other_before.samples,
                        other_before.samples + (other_now.present - other_before.present) / BLOCK +
                            STRANGERS);
    }
}

static void
test_each_gets_its_own(void **state)
{
    Fixture *fixture = *state;
    Guest one = { 0 }, two = { 0 };

    guest_start(fixture, &one, "one");
    guest_start(fixture, &two, "two");
    sampled_assert_text(fixture, one.path, "SampledBy", "host");
    sampled_assert_text(fixture, two.path, "Source", "perf");
    read_one(fixture, &one, &two);
    read_one(fixture, &two, &one);

    assert_true(host_text_is(fixture, "SampledBy", "host"));
    assert_true(host_text_is(fixture, "Source", "perf"));
    assert_true(host_text_is(fixture, "SamplingError", ""));
    assert_int_equal(host_number(fixture, "SampledCpus"), sysconf(_SC_NPROCESSORS_ONLN));
    assert_true(host_number(fixture, "HostSamples") >=
                sampled_number(fixture, one.path, "Samples") +
                    sampled_number(fixture, two.path, "Samples") +
                    host_number(fixture, "HostUnmappedSamples"));
    /* libvirtd, the bus, this test: they fault too. */
    assert_true(host_number(fixture, "HostUnmappedSamples") > 0);
    assert_int_equal(sampled_number(fixture, one.path, "UnmappedSamples"), 0);
    guest_end(fixture, &one, "one");
    guest_end(fixture, &two, "two");
}

/* What QEMU does to the RAM of a guest that stands still is not the guest's doing. */
static void
test_suspended(void **state)
{
    Fixture *fixture = *state;
    Guest one = { 0 }, still = { 0 };

    guest_start(fixture, &one, "one");
    guest_start(fixture, &still, "still");
    sampled_settle(fixture, still.path);
    assert_int_equal(virDomainSuspend(still.domain), 0);
    g_free(daemon_wait_reason(fixture->daemon, "still", "suspended"));
    g_usleep(2 * G_USEC_PER_SEC);
    still.samples = sampled_number(fixture, still.path, "Samples");
    still.windows = sampled_number(fixture, still.path, "Windows");
    sampled_read_ram(still.domain, 1, SAMPLED_GUEST_MIB);
    sampled_wait_windows(fixture, one.path, 3);
    assert_int_equal(sampled_number(fixture, still.path, "Samples"), still.samples);
    assert_int_equal(sampled_number(fixture, still.path, "Windows"), still.windows);

    assert_int_equal(virDomainResume(still.domain), 0);
    sampled_wait_at_least(fixture, still.path, "Windows", still.windows + 1);
    guest_end(fixture, &one, "one");
    guest_end(fixture, &still, "still");
}

/* QEMU is killed; the session and the other guest go on, and nothing of it stays. */
static void
test_killed(void **state)
{
    Fixture *fixture = *state;
    Guest one = { 0 };
    guint fds;

    guest_start(fixture, &one, "one");
    sampled_wait_windows(fixture, one.path, 1);
    fds = daemon_count_fds(fixture->daemon);
    for (guint i = 0; i < 3; i++) {
        Guest killed = { 0 };
        gint64 deadline = deadline_after(PATIENCE_SECONDS);

        guest_start(fixture, &killed, "killed");
        sampled_wait_windows(fixture, killed.path, 1);
        /* A process more: its pidfd, its /proc, its pagemap; no event for any of its threads. */
        assert_in_range(daemon_count_fds(fixture->daemon), fds + 1, fds + 4);
        folio_test_kill(folio_test_guest_pid("killed"));
        virDomainFree(g_steal_pointer(&killed.domain));
        guest_end(fixture, &killed, "killed");
        while (daemon_count_fds(fixture->daemon) != fds)
            assert_true(before_deadline(deadline));
        sampled_wait_windows(fixture, one.path, 1);
    }
    guest_end(fixture, &one, "one");
}

/* From by host to by process and back, with a guest that runs; what folioctl says of it. */
static void
test_reload(void **state)
{
    Fixture *fixture = *state;
    Guest one = { 0 };

    guest_start(fixture, &one, "one");
    sampled_reload(fixture, BY_PROCESS);
    wait_sampled_by(fixture, "process");
    sampled_wait_windows(fixture, one.path, 2);
    sampled_read_ram(one.domain, 1, SAMPLED_GUEST_MIB);
    sampled_wait_windows(fixture, one.path, 1);
    sampled_assert_text(fixture, one.path, "SampledBy", "process");
    assert_int_equal(host_number(fixture, "SampledCpus"), 0);
    {
        g_autoptr(CtlRun) run = ctl_run((const char *[]){ "status", NULL });

        assert_non_null(strstr(run->output, "samples        perf by process\n"));
    }
    sampled_reload(fixture, BY_HOST);
    wait_sampled_by(fixture, "host");
    sampled_wait_windows(fixture, one.path, 2);
    sampled_assert_text(fixture, one.path, "SampledBy", "host");
    {
        g_autoptr(CtlRun) status = ctl_run((const char *[]){ "status", NULL });
        g_autoptr(CtlRun) show = ctl_run((const char *[]){ "show", "one", NULL });
        g_autoptr(JsonParser) parser = ctl_json((const char *[]){ "--json", "status", NULL });
        JsonObject *root = ctl_root(parser);

        assert_non_null(strstr(status->output, "samples        perf by host, "));
        assert_non_null(strstr(show->output, "perf by host, host-only; "));
        assert_non_null(strstr(show->output, " lost of all guests; "));
        assert_string_equal(json_object_get_string_member(root, "sampled_by"), "host");
        assert_int_equal(json_object_get_int_member(root, "sampled_cpus"),
                         sysconf(_SC_NPROCESSORS_ONLN));
    }
    guest_end(fixture, &one, "one");
}

static guint
count_threads(const char *name)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task", folio_test_guest_pid(name));
    struct stat info;

    assert_int_equal(stat(path, &info), 0);
    return (guint) info.st_nlink - 2;
}

/* From so many threads on that the buffers of each would take too much. */
static void
test_auto(void **state)
{
    Fixture *fixture = *state;
    Guest many = { 0 };
    guint iothread = 1;
    guint fds;

    sampled_reload(fixture, BY_ITSELF);
    guest_start(fixture, &many, "many");
    wait_sampled_by(fixture, "process");
    sampled_wait_windows(fixture, many.path, 1);
    for (; count_threads("many") < 520; iothread++)
        assert_int_equal(virDomainAddIOThread(many.domain, iothread, VIR_DOMAIN_AFFECT_LIVE), 0);
    wait_sampled_by(fixture, "host");
    sampled_wait_windows(fixture, many.path, 2);
    fds = daemon_count_fds(fixture->daemon);
    assert_true(fds < 100);
    /* Fewer than it took, more than half: it stays. */
    for (; count_threads("many") > 400; iothread--)
        assert_int_equal(virDomainDelIOThread(many.domain, iothread - 1, VIR_DOMAIN_AFFECT_LIVE),
                         0);
    g_usleep(20 * G_USEC_PER_SEC);
    assert_true(host_text_is(fixture, "SampledBy", "host"));
    guest_end(fixture, &many, "many");
    wait_sampled_by(fixture, "process");
    sampled_reload(fixture, BY_HOST);
    wait_sampled_by(fixture, "host");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each_gets_its_own, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_suspended, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_killed, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_reload, fixture_destroy_guests),
        cmocka_unit_test_teardown(test_auto, fixture_destroy_guests),
    };

    return cmocka_run_group_tests_name("host-sampling", tests, set_up, fixture_tear_down);
}
