/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests that are defined, and what virsh does with their metadata. */
#include "metadata.h"

#include <libvirt/virterror.h>

#define MIB 64

char *
metadata_start(const Fixture *fixture, const char *name, const char *uuid, const char *metadata)
{
    const FolioTestGuest guest = { .name = name,
                                   .uuid = uuid,
                                   .emulator = fixture->launcher,
                                   .metadata = metadata,
                                   .backing = FOLIO_TEST_ON_TMPFS,
                                   .mib = MIB };
    g_autofree char *xml = folio_test_guest_xml(&guest);
    virDomainPtr domain = virDomainDefineXML(fixture->connect, xml);

    if (domain == NULL || virDomainCreate(domain) != 0)
        fail_msg("guest %s: %s", name, virGetLastErrorMessage());
    virDomainFree(domain);
    return daemon_wait_state(fixture->daemon, name, "located");
}

int
metadata_remove_guests(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(fixture->connect, &domains, 0);

    for (int i = 0; i < n; i++) {
        if (virDomainIsActive(domains[i]) == 1)
            virDomainDestroy(domains[i]);
        virDomainUndefine(domains[i]);
        virDomainFree(domains[i]);
    }
    free(domains);
    return n < 0 ? -1 : 0;
}

char *
metadata_virsh(const char *const *words)
{
    g_autoptr(GStrvBuilder) command = g_strv_builder_new();
    g_auto(GStrv) arguments = NULL;
    g_autofree char *complaint = NULL;
    g_autoptr(GError) error = NULL;
    char *output = NULL;
    int status;

    g_strv_builder_add(command, "virsh");
    g_strv_builder_addv(command, (const char **) words);
    arguments = g_strv_builder_end(command);
    g_spawn_sync(NULL, arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, &complaint,
                 &status, &error);
    assert_no_error(error);
    if (status != 0)
        fail_msg("virsh %s: %s", words[0], complaint);
    return output;
}

void
metadata_set(const char *guest, const char *how, const char *element)
{
    const char *const words[] = { "metadata", guest, "--uri", POLICY_URI, "--key",
                                  "foliod",   how,   "--set", element,    NULL };

    g_free(metadata_virsh(words));
}

void
metadata_restart(const Fixture *fixture, const char *name)
{
    virDomainPtr domain = virDomainLookupByName(fixture->connect, name);

    assert_non_null(domain);
    assert_int_equal(virDomainDestroy(domain), 0);
    daemon_wait_gone(fixture->daemon, name);
    assert_int_equal(virDomainCreate(domain), 0);
    virDomainFree(domain);
    g_free(daemon_wait_state(fixture->daemon, name, "located"));
}

void
metadata_wait(const Fixture *fixture, const char *path, const char *property, const char *expected)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    g_autofree char *text = NULL;

    do {
        g_free(text);
        text = daemon_guest_text(fixture->daemon, path, property);
        if (g_str_equal(text, expected))
            return;
    } while (before_deadline(deadline));
    fail_msg("%s is not \"%s\" but \"%s\"", property, expected, text);
}

void
metadata_assert(const Fixture *fixture, const char *path, const char *property,
                const char *expected)
{
    g_autofree char *text = daemon_guest_text(fixture->daemon, path, property);

    assert_string_equal(text, expected);
}
