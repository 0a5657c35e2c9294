/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A real foliod that samples the minor faults of real guests. */
#include "sampled-daemon.h"

#include <libvirt/virterror.h>
#include <signal.h>

#define ON_TMPFS "<source type='file'/><access mode='shared'/>"

virDomainPtr
sampled_start_guest(const Fixture *fixture, const char *name)
{
    const FolioTestGuest guest = {
        .name = name, .emulator = fixture->launcher, .backing = ON_TMPFS, .mib = SAMPLED_GUEST_MIB
    };

    return folio_test_guest_start(fixture->connect, &guest);
}

guint64
sampled_number(const Fixture *fixture, const char *path, const char *property)
{
    return daemon_guest_bytes(fixture->daemon, path, property);
}

void
sampled_assert_text(const Fixture *fixture, const char *path, const char *property,
                    const char *expected)
{
    g_autofree char *text = daemon_guest_text(fixture->daemon, path, property);

    assert_string_equal(text, expected);
}

void
sampled_wait_at_least(const Fixture *fixture, const char *path, const char *property, guint64 least)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    do {
        if (sampled_number(fixture, path, property) >= least)
            return;
    } while (before_deadline(deadline));
    fail_msg("%s: %s does not become %" G_GUINT64_FORMAT, path, property, least);
}

void
sampled_wait_windows(const Fixture *fixture, const char *path, guint64 n)
{
    sampled_wait_at_least(fixture, path, "Windows", sampled_number(fixture, path, "Windows") + n);
}

void
sampled_read_ram(virDomainPtr domain, guint64 first, guint64 end)
{
    g_autofree char *buffer = g_malloc(MIB / 2);

    for (guint64 at = first * MIB; at < end * MIB; at += MIB / 2) {
        if (virDomainMemoryPeek(domain, at, MIB / 2, buffer, VIR_MEMORY_PHYSICAL) != 0)
            fail_msg("reading guest RAM: %s", virGetLastErrorMessage());
    }
}

static guint64
wait_quiet(const Fixture *fixture, const char *path)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    guint64 present = 0, before;

    do {
        before = present;
        g_usleep(G_USEC_PER_SEC + G_USEC_PER_SEC / 5); /* figures may be a second old */
        present = sampled_number(fixture, path, "PresentBytes");
    } while (present != before && before_deadline(deadline));
    assert_int_equal(present, before);
    return present;
}

SampledFigures
sampled_settle(const Fixture *fixture, const char *path)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    guint64 present = wait_quiet(fixture, path), before;
    SampledFigures figures;

    do {
        before = present;
        sampled_wait_windows(fixture, path, 2);
        figures.samples = sampled_number(fixture, path, "Samples");
        figures.used =
            sampled_number(fixture, path, "RamBytes") - sampled_number(fixture, path, "IdleBytes");
        present = wait_quiet(fixture, path);
    } while (present != before && before_deadline(deadline));
    assert_int_equal(present, before);
    figures.present = present;
    return figures;
}

void
sampled_wait_fresh(const Fixture *fixture, const char *path, const SampledFigures *since,
                   guint64 least, guint64 strangers)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    SampledFigures now;
    guint64 fresh, samples;

    do {
        now = sampled_settle(fixture, path);
        fresh = now.present - since->present;
        samples = now.samples - since->samples;
        if (fresh >= least && samples >= fresh / BLOCK && samples <= fresh / BLOCK + strangers &&
            now.used == since->used + fresh)
            return;
    } while (before_deadline(deadline));
    assert_true(fresh >= least);
    assert_in_range(samples, fresh / BLOCK, fresh / BLOCK + strangers);
    assert_int_equal(now.used, since->used + fresh);
}

void
sampled_reload(const Fixture *fixture, const char *configuration)
{
    daemon_configure(fixture->daemon, configuration);
    assert_int_equal(kill(fixture->daemon->pid, SIGHUP), 0);
}
