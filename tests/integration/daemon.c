/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A foliod under test. */
#include "integration/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *
require_env(const char *name)
{
    const char *value = g_getenv(name);

    if (value == NULL)
        fail_msg("%s is not set: run this by contrib/sandbox --libvirt --polkit", name);
    return value;
}

gint64
deadline_after(guint seconds)
{
    return g_get_monotonic_time() + seconds * G_USEC_PER_SEC;
}

gboolean
before_deadline(gint64 deadline)
{
    if (g_get_monotonic_time() >= deadline)
        return FALSE;
    g_usleep(20 * 1000);
    return TRUE;
}

static int
listen_for_notifications(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_true(g_strlcpy(address.sun_path, path, sizeof address.sun_path) <
                sizeof address.sun_path);
    assert_return_code(bind(fd, (const struct sockaddr *) &address, sizeof address), errno);
    return fd;
}

Daemon *
daemon_new(void)
{
    Daemon *daemon = g_new0(Daemon, 1);
    g_autofree char *template = g_build_filename(require_env("FOLIOD_SANDBOX"), "fXXXXXX", NULL);
    g_autofree char *socket_path = NULL;
    g_autofree char *vendor_dir = NULL;
    g_autoptr(GError) error = NULL;

    assert_non_null(g_mkdtemp(template));
    daemon->directory = g_steal_pointer(&template);
    daemon->conf_dir = g_build_filename(daemon->directory, "etc", NULL);
    daemon->log_path = g_build_filename(daemon->directory, "stderr", NULL);
    vendor_dir = g_build_filename(daemon->directory, "lib", NULL);
    assert_return_code(g_mkdir(daemon->conf_dir, 0755), errno);
    assert_return_code(g_mkdir(vendor_dir, 0755), errno);

    socket_path = g_build_filename(daemon->directory, "notify", NULL);
    daemon->notify_fd = listen_for_notifications(socket_path);
    daemon->notified = g_string_new(NULL);
    daemon->seen = g_string_new(NULL);
    daemon->bus = g_bus_get_sync(G_BUS_TYPE_SYSTEM, NULL, &error);
    assert_no_error(error);
    return daemon;
}

void
daemon_configure(Daemon *daemon, const char *text)
{
    g_autofree char *path = g_build_filename(daemon->conf_dir, "foliod.conf", NULL);
    g_autoptr(GError) error = NULL;

    g_file_set_contents(path, text, -1, &error);
    assert_no_error(error);
}

static char **
make_environment(const Daemon *daemon, const char *const *variables)
{
    g_autofree char *socket_path = g_build_filename(daemon->directory, "notify", NULL);
    char **env = g_environ_setenv(g_get_environ(), "NOTIFY_SOCKET", socket_path, TRUE);

    for (gsize i = 0; variables != NULL && variables[i] != NULL; i++) {
        g_auto(GStrv) pair = g_strsplit(variables[i], "=", 2);

        env = g_environ_setenv(env, pair[0], pair[1], TRUE);
    }
    return env;
}

static GStrv
make_command(const Daemon *daemon, const char *const *options)
{
    g_autoptr(GStrvBuilder) command = g_strv_builder_new();
    g_autofree char *program =
        g_build_filename(require_env("FOLIOD_BUILD"), "agent", "foliod", NULL);
    g_autofree char *vendor = g_strdup_printf("--vendor-dir=%s/lib", daemon->directory);
    g_autofree char *conf = g_strdup_printf("--conf-dir=%s", daemon->conf_dir);
    g_autofree char *state = g_strdup_printf("--state-dir=%s/run", daemon->directory);

    g_strv_builder_add_many(command, program, vendor, conf, state, "--debug", NULL);
    for (gsize i = 0; options != NULL && options[i] != NULL; i++)
        g_strv_builder_add(command, options[i]);
    return g_strv_builder_end(command);
}

void
daemon_spawn(Daemon *daemon, const char *const *options, const char *const *variables)
{
    g_auto(GStrv) env = make_environment(daemon, variables);
    g_auto(GStrv) command = make_command(daemon, options);
    g_autoptr(GError) error = NULL;
    int log_fd = g_open(daemon->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    assert_return_code(log_fd, errno);
    assert_int_equal(daemon->pid, 0);
    g_spawn_async_with_fds(NULL, command, env, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &daemon->pid,
                           -1, log_fd, log_fd, &error);
    close(log_fd);
    assert_no_error(error);
}

void
daemon_start(Daemon *daemon, const char *const *options, const char *const *variables)
{
    g_string_truncate(daemon->notified, 0);
    daemon_spawn(daemon, options, variables);
    daemon_expect(daemon, "READY=1");
}

/* cmocka's own messages end after 1 KiB. */
static void
print_log(const Daemon *daemon)
{
    g_autofree char *log = daemon_log(daemon);

    g_printerr("foliod's log:\n%s", log);
}

int
daemon_wait(Daemon *daemon)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    int status = 0;
    pid_t ended = 0;

    while (ended == 0 && before_deadline(deadline))
        ended = waitpid(daemon->pid, &status, WNOHANG);
    if (ended != daemon->pid)
        fail_msg("foliod does not end");
    daemon->pid = 0;
    return status;
}

void
daemon_stop(Daemon *daemon)
{
    int status;

    assert_return_code(kill(daemon->pid, SIGTERM), errno);
    status = daemon_wait(daemon);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        print_log(daemon);
        fail_msg("foliod ended with wait status %#x", (guint) status);
    }
}

void
daemon_free(Daemon *daemon)
{
    if (daemon->pid != 0) {
        kill(daemon->pid, SIGKILL);
        waitpid(daemon->pid, NULL, 0);
    }
    close(daemon->notify_fd);
    g_string_free(daemon->notified, TRUE);
    g_string_free(daemon->seen, TRUE);
    g_object_unref(daemon->bus);
    g_free(daemon->directory);
    g_free(daemon->conf_dir);
    g_free(daemon->log_path);
    g_free(daemon);
}

static void
receive_notifications(Daemon *daemon)
{
    char buffer[4096];
    ssize_t n;

    while ((n = recv(daemon->notify_fd, buffer, sizeof buffer, 0)) > 0) {
        g_string_append_len(daemon->seen, buffer, n);
        g_string_append_len(daemon->notified, buffer, n);
        if (buffer[n - 1] != '\n')
            g_string_append_c(daemon->notified, '\n');
    }
}

/* Drops everything up to the line; FALSE when it is not there. */
static gboolean
take_line(GString *lines, const char *line)
{
    gsize start = 0;

    while (start < lines->len) {
        const char *end = strchr(lines->str + start, '\n');
        gsize length = (gsize) (end - (lines->str + start));
        gboolean found = length == strlen(line) && strncmp(lines->str + start, line, length) == 0;

        start += length + 1;
        if (found) {
            g_string_erase(lines, 0, (gssize) start);
            return TRUE;
        }
    }
    return FALSE;
}

void
daemon_expect(Daemon *daemon, const char *line)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    do {
        receive_notifications(daemon);
        if (take_line(daemon->notified, line))
            return;
    } while (before_deadline(deadline));
    print_log(daemon);
    fail_msg("foliod does not say %s", line);
}

char *
daemon_log(const Daemon *daemon)
{
    char *text = NULL;

    return g_file_get_contents(daemon->log_path, &text, NULL, NULL) ? text : g_strdup("");
}

void
daemon_expect_log(const Daemon *daemon, const char *text)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    g_autofree char *log = NULL;

    do {
        g_free(log);
        log = daemon_log(daemon);
        if (strstr(log, text) != NULL)
            return;
    } while (before_deadline(deadline));
    print_log(daemon);
    fail_msg("foliod does not log \"%s\"", text);
}

GVariant *
daemon_call(const Daemon *daemon, const char *path, const char *interface, const char *method,
            GVariant *arguments, GError **error)
{
    GVariant *reply =
        g_dbus_connection_call_sync(daemon->bus, FOLIOD_NAME, path, interface, method, arguments,
                                    NULL, G_DBUS_CALL_FLAGS_NO_AUTO_START, 10000, NULL, error);

    return reply;
}

GVariant *
daemon_get(const Daemon *daemon, const char *path, const char *interface, const char *property)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = daemon_call(daemon, path, "org.freedesktop.DBus.Properties", "Get",
                                            g_variant_new("(ss)", interface, property), &error);
    g_autoptr(GVariant) boxed = NULL;

    assert_no_error(error);
    boxed = g_variant_get_child_value(reply, 0);
    return g_variant_get_variant(boxed);
}

guint64
daemon_guest_bytes(const Daemon *daemon, const char *path, const char *property)
{
    g_autoptr(GVariant) value = daemon_get(daemon, path, FOLIOD_GUEST, property);

    assert_true(g_variant_is_of_type(value, G_VARIANT_TYPE_UINT64));
    return g_variant_get_uint64(value);
}

char *
daemon_guest_text(const Daemon *daemon, const char *path, const char *property)
{
    g_autoptr(GVariant) value = daemon_get(daemon, path, FOLIOD_GUEST, property);

    assert_true(g_variant_is_of_type(value, G_VARIANT_TYPE_STRING));
    return g_variant_dup_string(value, NULL);
}

char *
daemon_find_guest(const Daemon *daemon, const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = daemon_call(daemon, FOLIOD_PATH, FOLIOD_MANAGER, "GetGuestByName",
                                            g_variant_new("(s)", name), &error);
    g_autofree char *remote = NULL;
    char *path = NULL;

    if (reply == NULL) {
        remote = g_dbus_error_get_remote_error(error);
        if (g_strcmp0(remote, "org.foliod1.Error.NotFound") != 0)
            assert_no_error(error);
        return NULL;
    }
    g_variant_get(reply, "(o)", &path);
    return path;
}

static int
compare_strings(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *) a, *(const char *const *) b);
}

char *
join_sorted(GPtrArray *names)
{
    GString *text = g_string_new(NULL);

    g_ptr_array_sort(names, compare_strings);
    for (guint i = 0; i < names->len; i++)
        g_string_append_printf(text, "%s\n", (const char *) names->pdata[i]);
    return g_string_free(text, FALSE);
}

char *
daemon_list_guests(const Daemon *daemon)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        daemon_call(daemon, FOLIOD_PATH, FOLIOD_MANAGER, "ListGuests", NULL, &error);
    g_autoptr(GVariantIter) iter = NULL;
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    char *name;

    assert_no_error(error);
    g_variant_get(reply, "(a(sos))", &iter);
    while (g_variant_iter_next(iter, "(&s&os)", NULL, NULL, &name))
        g_ptr_array_add(names, name);
    return join_sorted(names);
}

static char *
wait_for_property(const Daemon *daemon, const char *name, const char *property,
                  const char *expected)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    g_autofree char *seen = g_strdup("nothing");

    do {
        g_autofree char *path = daemon_find_guest(daemon, name);

        g_free(seen);
        seen = path != NULL ? daemon_guest_text(daemon, path, property) : g_strdup("nothing");
        if (g_str_equal(seen, expected))
            return g_steal_pointer(&path);
    } while (before_deadline(deadline));
    print_log(daemon);
    fail_msg("%s of guest %s is not %s but %s", property, name, expected, seen);
    return NULL;
}

char *
daemon_wait_state(const Daemon *daemon, const char *name, const char *state)
{
    return wait_for_property(daemon, name, "State", state);
}

char *
daemon_wait_reason(const Daemon *daemon, const char *name, const char *reason)
{
    return wait_for_property(daemon, name, "Reason", reason);
}

void
daemon_wait_gone(const Daemon *daemon, const char *name)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    do {
        g_autofree char *path = daemon_find_guest(daemon, name);

        if (path == NULL)
            return;
    } while (before_deadline(deadline));
    fail_msg("guest %s does not go", name);
}

void
daemon_wait_connected(const Daemon *daemon, gboolean expected)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    do {
        g_autoptr(GVariant) connected =
            daemon_get(daemon, FOLIOD_PATH, FOLIOD_MANAGER, "Connected");

        if (g_variant_get_boolean(connected) == expected)
            return;
    } while (before_deadline(deadline));
    fail_msg("Connected does not become %d", expected);
}

guint
daemon_count_fds(const Daemon *daemon)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", daemon->pid);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    guint n = 0;

    assert_non_null(dir);
    while (g_dir_read_name(dir) != NULL)
        n++;
    return n;
}
