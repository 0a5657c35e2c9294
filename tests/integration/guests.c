/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real guests for integration tests. */
#include "guests.h"

#include <libvirt/virterror.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <unistd.h>

/* <ELEMENT>inside</ELEMENT>, or nothing. */
static char *
element(const char *name, const char *inside)
{
    return inside != NULL ? g_strdup_printf("<%s>%s</%s>", name, inside, name) : g_strdup("");
}

/* As XML: a carriage return that is not escaped would become a newline. */
static char *
escape_name(const char *name)
{
    g_autofree char *escaped = g_markup_escape_text(name, -1);
    g_auto(GStrv) lines = g_strsplit(escaped, "\r", -1);

    return g_strjoinv("&#13;", lines);
}

char *
folio_test_guest_xml(const FolioTestGuest *guest)
{
    g_autofree char *name = escape_name(guest->name);
    g_autofree char *uuid = element("uuid", guest->uuid);
    g_autofree char *metadata = element("metadata", guest->metadata);
    g_autofree char *backing = element("memoryBacking", guest->backing);
    g_autofree char *numa = element("numa", guest->numa);
    g_autofree char *max = NULL;

    if (guest->max_mib != 0)
        max = g_strdup_printf("<maxMemory slots='8' unit='MiB'>%u</maxMemory>", guest->max_mib);
    return g_strdup_printf(
        "<domain type='qemu'><name>%s</name>%s%s%s<memory unit='MiB'>%u</memory>%s"
        "<vcpu current='1'>%u</vcpu>"
        "<os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>"
        "<cpu mode='custom'><model>qemu64</model>%s</cpu>"
        "<devices><emulator>%s</emulator><controller type='usb' model='none'/>"
        "<memballoon model='none'/>%s</devices></domain>",
        name, uuid, metadata, max != NULL ? max : "", guest->mib != 0 ? guest->mib : 16, backing,
        guest->max_vcpus != 0 ? guest->max_vcpus : 1, numa,
        guest->emulator != NULL ? guest->emulator : FOLIO_TEST_QEMU,
        guest->devices != NULL ? guest->devices : "");
}

virConnectPtr
folio_test_connect(const char *uri)
{
    virConnectPtr connect = virConnectOpen(uri);

    if (connect == NULL)
        fail_msg("%s: %s", uri, virGetLastErrorMessage());
    return connect;
}

virDomainPtr
folio_test_guest_start(virConnectPtr connect, const FolioTestGuest *guest)
{
    g_autofree char *xml = folio_test_guest_xml(guest);
    virDomainPtr domain = virDomainCreateXML(connect, xml, 0);

    if (domain == NULL)
        fail_msg("guest %s: %s", guest->name, virGetLastErrorMessage());
    return domain;
}

void
folio_test_guest_destroy(virDomainPtr domain)
{
    g_autofree char *name = g_strdup(virDomainGetName(domain));

    if (virDomainDestroy(domain) != 0)
        fail_msg("guest %s: %s", name, virGetLastErrorMessage());
    virDomainFree(domain);
}

pid_t
folio_test_guest_pid(const char *name)
{
    g_autofree char *path = g_strdup_printf("/run/libvirt/qemu/%s.pid", name);
    g_autofree char *text = NULL;

    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return (pid_t) g_ascii_strtoll(text, NULL, 10);
}

void
folio_test_kill(pid_t pid)
{
    struct pollfd end = { .fd = pidfd_open(pid, 0), .events = POLLIN };

    assert_true(pid > 1);
    assert_true(end.fd >= 0);
    assert_int_equal(pidfd_send_signal(end.fd, SIGKILL, NULL, 0), 0);
    assert_int_equal(poll(&end, 1, 10000), 1);
    close(end.fd);
}

static gboolean
wake_up(gpointer data)
{
    *(gboolean *) data = TRUE;
    return G_SOURCE_REMOVE;
}

void
folio_test_iterate(void)
{
    folio_test_wait_msec(10);
}

void
folio_test_wait_msec(guint msec)
{
    gboolean over = FALSE;

    g_timeout_add(msec, wake_up, &over);
    while (!over)
        g_main_context_iteration(NULL, TRUE);
}

guint
folio_test_count_fds(void)
{
    g_autoptr(GDir) dir = g_dir_open("/proc/self/fd", 0, NULL);
    guint n = 0;

    assert_non_null(dir);
    while (g_dir_read_name(dir) != NULL)
        n++;
    return n - 1; /* the directory itself */
}
