/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a test of the whole of foliod stands on. */
#include "fixture.h"

Fixture *
fixture_new(const char *configuration)
{
    Fixture *fixture = g_new0(Fixture, 1);

    fixture->connect = folio_test_connect(g_getenv("LIBVIRT_DEFAULT_URI"));
    fixture->launcher =
        g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "launch", "qemu-system-x86_64", NULL);
    fixture->daemon = daemon_new();
    if (configuration != NULL)
        daemon_configure(fixture->daemon, configuration);
    daemon_start(fixture->daemon, NULL, NULL);
    return fixture;
}

int
fixture_tear_down(void **state)
{
    Fixture *fixture = *state;

    if (fixture == NULL) /* set_up failed */
        return -1;
    daemon_stop(fixture->daemon);
    daemon_free(fixture->daemon);
    virConnectClose(fixture->connect);
    g_free(fixture->launcher);
    g_free(fixture);
    return 0;
}

int
fixture_destroy_guests(void **state)
{
    Fixture *fixture = *state;
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(fixture->connect, &domains, 0);

    for (int i = 0; i < n; i++)
        folio_test_guest_destroy(domains[i]);
    free(domains);
    return n < 0 ? -1 : 0;
}
