/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod: options, main loop, wiring, and what systemd is told. */
#include "base/log.h"
#include "build-config.h"
#include "bus/service.h"
#include "manager.h"
#include "notify.h"
#include "status-keeper.h"
#include "stop.h"
#include "virt/connection.h"

#include <glib-unix.h>
#include <locale.h>
#include <malloc.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>

typedef struct {
    GMainLoop *loop;
    FolioManager *manager;
    gboolean guests_known; /* the manager is ready */
    gboolean on_bus;       /* the name is ours */
    int exit_status;
} Daemon;

static char *opt_connect;
static char *opt_run_dir;
static char *opt_vendor_dir;
static char *opt_conf_dir;
static char *opt_state_dir;
static char *opt_proc_root;
static char *opt_sys_root;
static gboolean opt_debug;
static gboolean opt_version;

static const GOptionEntry options[] = {
    { "connect", 'c', 0, G_OPTION_ARG_STRING, &opt_connect,
      "Connect to this libvirt, whatever Connect= says", "URI" },
    { "run-dir", 0, 0, G_OPTION_ARG_FILENAME, &opt_run_dir,
      "Where libvirt keeps NAME.pid, whatever RunDirectory= says", "DIR" },
    { "vendor-dir", 0, 0, G_OPTION_ARG_FILENAME, &opt_vendor_dir,
      "The vendor's configuration [" FOLIO_VENDOR_DIR "]", "DIR" },
    { "conf-dir", 0, 0, G_OPTION_ARG_FILENAME, &opt_conf_dir,
      "The administrator's configuration [" FOLIO_CONF_DIR "]", "DIR" },
    { "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &opt_state_dir,
      "Keep what administrators set in DIR [$RUNTIME_DIRECTORY, /run/foliod]", "DIR" },
    { "proc-root", 0, 0, G_OPTION_ARG_FILENAME, &opt_proc_root, "Read DIR in place of /proc",
      "DIR" },
    { "sys-root", 0, 0, G_OPTION_ARG_FILENAME, &opt_sys_root, "Read DIR in place of /sys", "DIR" },
    { "debug", 0, 0, G_OPTION_ARG_NONE, &opt_debug, "Log debug messages too", NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &opt_version, "Print the version and exit", NULL },
    G_OPTION_ENTRY_NULL,
};

static gboolean
is_ready(const Daemon *daemon)
{
    return daemon->guests_known && daemon->on_bus;
}

static void
tell_ready_when_ready(Daemon *daemon)
{
    if (is_ready(daemon))
        folio_notify("READY=1");
}

static void
on_manager_ready(FolioManager *manager, Daemon *daemon)
{
    daemon->guests_known = TRUE;
    tell_ready_when_ready(daemon);
}

static void
on_connection(FolioManager *manager, Daemon *daemon)
{
    if (folio_manager_is_connected(manager))
        folio_notify("STATUS=Following %s", folio_manager_get_uri(manager));
    else
        folio_notify("STATUS=Waiting for %s: %s", folio_manager_get_uri(manager),
                     folio_manager_get_connection_error(manager));
}

/* A reload before the start is complete is part of the start. */
static void
on_reloading(FolioManager *manager, gboolean begins, Daemon *daemon)
{
    if (!is_ready(daemon))
        return;
    if (begins)
        folio_notify("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT, g_get_monotonic_time());
    else
        folio_notify("READY=1");
}

static void
on_bus_acquired(gpointer user_data)
{
    Daemon *daemon = user_data;

    daemon->on_bus = TRUE;
    tell_ready_when_ready(daemon);
}

static void
on_bus_lost(const char *why, gpointer user_data)
{
    Daemon *daemon = user_data;

    folio_log(G_LOG_LEVEL_CRITICAL, NULL, NULL, NULL, "%s", why);
    daemon->exit_status = 1;
    g_main_loop_quit(daemon->loop);
}

static gboolean
on_terminate(gpointer user_data)
{
    Daemon *daemon = user_data;

    g_main_loop_quit(daemon->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_hangup(gpointer user_data)
{
    Daemon *daemon = user_data;

    folio_manager_reload(daemon->manager, NULL); /* what is wrong is logged there */
    return G_SOURCE_CONTINUE;
}

/* This function runs when the main loop does; the manager speaks for the sampling thread. */
static gboolean
on_watchdog(gpointer user_data)
{
    Daemon *daemon = user_data;

    if (folio_manager_has_progressed(daemon->manager))
        folio_notify("WATCHDOG=1");
    return G_SOURCE_CONTINUE;
}

/* Three times in each period: that one is left out because the thread was busy does no harm. */
static void
start_watchdog(Daemon *daemon)
{
    uint64_t usec = 0;

    if (sd_watchdog_enabled(0, &usec) > 0)
        g_timeout_add((guint) MAX(usec / 3 / 1000, 1), on_watchdog, daemon);
}

static gboolean
parse_options(int *argc, char ***argv, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_summary(context,
                                 "Makes the memory of a host fit what its guests really touch.");
    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (*argc > 1) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED, "%s: unexpected argument",
                    (*argv)[1]);
        return FALSE;
    }
    return TRUE;
}

static const char *
or_default(const char *value, const char *fallback)
{
    return value != NULL ? value : fallback;
}

/* systemd names the directories of RuntimeDirectory=, with colons between (systemd.exec(5)); here
 * it is one. */
static const char *
own_run_directory(void)
{
    return or_default(g_getenv("RUNTIME_DIRECTORY"), "/run/foliod");
}

static FolioManager *
manager_from_options(void)
{
    const FolioManagerOptions manager_options = {
        .connect = opt_connect,
        .run_dir = opt_run_dir,
        .vendor_dir = or_default(opt_vendor_dir, FOLIO_VENDOR_DIR),
        .conf_dir = or_default(opt_conf_dir, FOLIO_CONF_DIR),
        .state_dir = or_default(opt_state_dir, own_run_directory()),
        .proc_root = or_default(opt_proc_root, "/proc"),
        .sys_root = or_default(opt_sys_root, "/sys"),
    };

    return folio_manager_new(&manager_options);
}

static int
run(void)
{
    const FolioServiceEvents events = { .acquired = on_bus_acquired, .lost = on_bus_lost };
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(FolioManager) manager = manager_from_options();
    g_autoptr(FolioService) service = folio_service_new(manager);
    g_autoptr(FolioStatusKeeper) keeper = folio_status_keeper_new(manager);
    Daemon daemon = { .loop = loop, .manager = manager };

    g_signal_connect(manager, "ready", G_CALLBACK(on_manager_ready), &daemon);
    g_signal_connect(manager, "connection", G_CALLBACK(on_connection), &daemon);
    g_signal_connect(manager, "reloading", G_CALLBACK(on_reloading), &daemon);
    g_unix_signal_add(SIGTERM, on_terminate, &daemon);
    g_unix_signal_add(SIGINT, on_terminate, &daemon);
    g_unix_signal_add(SIGHUP, on_hangup, &daemon);
    start_watchdog(&daemon);

    folio_service_start(service, &events, &daemon);
    folio_manager_start(manager);
    g_main_loop_run(loop);

    folio_notify("STOPPING=1");
    folio_deciding_stop(folio_manager_get_deciding(manager));
    if (folio_manager_get_config(manager)->acting.restore_on_stop)
        folio_stop_restore(service);
    folio_manager_stop(manager);
    folio_notify_flush();
    return daemon.exit_status;
}

/* Each sampled thread of a guest takes a descriptor. Nothing here uses select. */
static void
allow_many_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* What is freed goes back to the system, and threads of tasks, which come and go, leave nothing
 * behind: of a few hundred guests that would be tens of MiB. */
static void
keep_memory_small(void)
{
    mallopt(M_MMAP_THRESHOLD, 64 * 1024);
    mallopt(M_ARENA_MAX, 2);
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;

    keep_memory_small();
    setlocale(LC_ALL, "");
    if (!parse_options(&argc, &argv, &error)) {
        g_printerr("foliod: %s\n", error->message);
        return 2;
    }
    if (opt_version) {
        g_print("foliod %s\n", FOLIO_VERSION);
        return 0;
    }
    if (opt_debug)
        g_setenv("G_MESSAGES_DEBUG", G_LOG_DOMAIN, TRUE);
    allow_many_descriptors();
    folio_connection_init_libvirt();
    return run();
}
