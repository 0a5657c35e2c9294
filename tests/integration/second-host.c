/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A second host beside that of the test. */
#include "second-host.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <libvirt/virterror.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A process has that one child, or none yet: 0. */
static pid_t
only_child(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", pid, pid);
    g_autofree char *text = NULL;

    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return (pid_t) g_ascii_strtoll(text, NULL, 10);
}

/* Of its children, the one that runs that program; 0: none. */
static pid_t
child_that_runs(pid_t pid, const char *program)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/children", pid, pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) children = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        return 0;
    children = g_strsplit(g_strstrip(text), " ", -1);
    for (char **child = children; *child != NULL; child++) {
        g_autofree char *link = g_strdup_printf("/proc/%s/exe", *child);
        g_autofree char *target = g_file_read_link(link, NULL);
        g_autofree char *name = target != NULL ? g_path_get_basename(target) : NULL;

        if (g_strcmp0(name, program) == 0)
            return (pid_t) g_ascii_strtoll(*child, NULL, 10);
    }
    return 0;
}

/* A path of that host, as it is reached from here. */
static char *
path_there(const SecondHost *host, const char *path)
{
    return g_strdup_printf("/proc/%d/root%s", host->init, path);
}

static void
spawn_sandbox(SecondHost *host)
{
    g_autofree char *sandbox = g_build_filename(g_getenv("FOLIOD_SOURCE"), "contrib/sandbox", NULL);
    g_autofree char *program = g_build_filename(g_getenv("FOLIOD_BUILD"), "agent/foliod", NULL);
    g_autofree char *conf = g_strdup_printf("--conf-dir=%s/etc", host->directory);
    g_autofree char *vendor = g_strdup_printf("--vendor-dir=%s/lib", host->directory);
    char *command[] = { sandbox,
                        (char[]){ "--libvirt" },
                        (char[]){ "--polkit" },
                        (char[]){ "--" },
                        program,
                        conf,
                        vendor,
                        (char[]){ "--state-dir=/run/foliod" },
                        (char[]){ "--debug" },
                        NULL };
    const int log_fd =
        g_open(host->daemon->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    g_autoptr(GError) error = NULL;

    g_spawn_async_with_fds(NULL, command, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                           &host->sandbox, -1, log_fd, log_fd, &error);
    assert_no_error(error);
    close(log_fd);
}

/* The sandbox's command runs, so that all else does. */
static void
wait_for_foliod(SecondHost *host)
{
    const gint64 deadline = deadline_after(PATIENCE_SECONDS);
    pid_t unshare = 0;

    do {
        unshare = only_child(host->sandbox);
        host->init = unshare != 0 ? only_child(unshare) : 0;
    } while ((host->init == 0 || child_that_runs(host->init, "foliod") == 0) &&
             before_deadline(deadline));
    if (host->init == 0 || child_that_runs(host->init, "foliod") == 0) {
        g_autofree char *log = daemon_log(host->daemon);

        g_printerr("the second host's log:\n%s", log);
        fail_msg("the second host does not start");
    }
}

static gboolean
is_connected(const Daemon *daemon)
{
    g_autoptr(GVariant) reply =
        daemon_call(daemon, FOLIOD_PATH, "org.freedesktop.DBus.Properties", "Get",
                    g_variant_new("(ss)", FOLIOD_MANAGER, "Connected"), NULL);
    g_autoptr(GVariant) value = NULL;

    if (reply == NULL) /* it has not taken its name yet */
        return FALSE;
    g_variant_get(reply, "(v)", &value);
    return g_variant_get_boolean(value);
}

static void
connect_to_both(SecondHost *host)
{
    const gint64 deadline = deadline_after(PATIENCE_SECONDS);
    g_autofree char *bus = path_there(host, "/run/dbus/system_bus_socket");
    g_autofree char *socket = path_there(host, "/run/libvirt/libvirt-sock");
    g_autofree char *address = g_strdup_printf("unix:path=%s", bus);
    g_autofree char *uri = g_strdup_printf("qemu+unix:///system?socket=%s", socket);
    g_autoptr(GError) error = NULL;

    host->connect = folio_test_connect(uri);
    host->daemon->bus =
        g_dbus_connection_new_for_address_sync(address,
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);
    assert_no_error(error);
    while (!is_connected(host->daemon) && before_deadline(deadline))
        ;
    assert_true(is_connected(host->daemon));
}

SecondHost *
second_host_new(const char *configuration)
{
    SecondHost *host = g_new0(SecondHost, 1);
    g_autofree char *vendor = NULL;

    host->directory = g_dir_make_tmp("foliod-host.XXXXXX", NULL);
    assert_non_null(host->directory);
    host->daemon = g_new0(Daemon, 1);
    host->daemon->directory = g_strdup(host->directory);
    host->daemon->conf_dir = g_build_filename(host->directory, "etc", NULL);
    host->daemon->log_path = g_build_filename(host->directory, "stderr", NULL);
    vendor = g_build_filename(host->directory, "lib", NULL);
    assert_int_equal(g_mkdir(host->daemon->conf_dir, 0755), 0);
    assert_int_equal(g_mkdir(vendor, 0755), 0);
    daemon_configure(host->daemon, configuration);
    spawn_sandbox(host);
    wait_for_foliod(host);
    connect_to_both(host);
    return host;
}

static void
remove_directory(const char *directory)
{
    char *command[] = { (char[]){ "rm" }, (char[]){ "-rf" }, (char[]){ "--" }, (char *) directory,
                        NULL };

    assert_true(
        g_spawn_sync(NULL, command, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL, NULL, NULL));
}

void
second_host_free(SecondHost *host)
{
    Daemon *daemon = host->daemon;
    int status = 0;

    virConnectClose(host->connect);
    g_object_unref(daemon->bus);
    assert_int_equal(kill(child_that_runs(host->init, "foliod"), SIGTERM), 0);
    daemon->pid = host->sandbox;
    status = daemon_wait(daemon);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        g_autofree char *log = daemon_log(daemon);

        g_printerr("the second host's log:\n%s", log);
        fail_msg("its foliod ended with wait status %#x", (guint) status);
    }
    remove_directory(host->directory);
    g_free(daemon->directory);
    g_free(daemon->conf_dir);
    g_free(daemon->log_path);
    g_free(daemon);
    g_free(host->directory);
    g_free(host);
}

void
second_host_migrate(const SecondHost *host, virDomainPtr domain)
{
    g_autofree char *uri = g_strdup_printf("unix://%s/migration", host->directory);
    virTypedParameterPtr parameters = NULL;
    virDomainPtr there;
    int n = 0, max = 0;

    assert_int_equal(virTypedParamsAddString(&parameters, &n, &max, VIR_MIGRATE_PARAM_URI, uri), 0);
    /* Unsafe is what libvirt calls a disk on a file system of which it does not know that both
     * hosts share it. */
    there = virDomainMigrate3(domain, host->connect, parameters, (guint) n,
                              VIR_MIGRATE_LIVE | VIR_MIGRATE_UNSAFE);
    if (there == NULL)
        fail_msg("migration: %s", virGetLastErrorMessage());
    virTypedParamsFree(parameters, n);
    virDomainFree(there);
}

virDomainPtr
second_host_find(const SecondHost *host, const char *name)
{
    virDomainPtr domain = virDomainLookupByName(host->connect, name);
    int state = VIR_DOMAIN_NOSTATE;

    if (domain == NULL)
        fail_msg("guest %s: %s", name, virGetLastErrorMessage());
    assert_int_equal(virDomainGetState(domain, &state, NULL, 0), 0);
    assert_int_equal(state, VIR_DOMAIN_RUNNING);
    return domain;
}
