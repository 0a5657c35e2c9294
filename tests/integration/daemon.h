/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A foliod under test: started with a configuration of its own, told apart from the real one by
 * nothing but its options; what it tells systemd, the bus and standard error can be read. Whatever
 * goes wrong in here fails the test. */
#pragma once

#include "unit/cmocka-all.h"

#include <gio/gio.h>
#include <sys/types.h>

#define FOLIOD_NAME    "org.foliod1"
#define FOLIOD_PATH    "/org/foliod1"
#define FOLIOD_MANAGER "org.foliod1.Manager"
#define FOLIOD_GUEST   "org.foliod1.Guest"

/* More than any step takes on a busy machine with sanitizers on. */
#define PATIENCE_SECONDS 30

typedef struct {
    GPid pid;
    int notify_fd;        /* its NOTIFY_SOCKET; -1 without one */
    GString *notified;    /* lines that arrived there and were not expected yet */
    GString *seen;        /* all that arrived there */
    char *directory;      /* of this run, below FOLIOD_SANDBOX */
    char *conf_dir;       /* its --conf-dir, where foliod.conf may be written */
    char *log_path;       /* its standard error */
    GDBusConnection *bus; /* the system bus */
} Daemon;

/* Makes the directories; nothing runs yet. */
Daemon *daemon_new(void);

/* Writes FOLIOD_CONF_DIR/foliod.conf. */
void daemon_configure(Daemon *daemon, const char *text);

/* Runs it with those more options and NAME=VALUE variables (either may be NULL), and waits until it
 * says READY=1. Its log continues after a restart. */
void daemon_start(Daemon *daemon, const char *const *options, const char *const *variables);

/* As daemon_start, without waiting for anything. */
void daemon_spawn(Daemon *daemon, const char *const *options, const char *const *variables);

/* Waits for its end, at most PATIENCE_SECONDS; the status is that of waitpid. */
int daemon_wait(Daemon *daemon);

/* SIGTERM; it must end well within PATIENCE_SECONDS, and without a sanitizer's complaint. */
void daemon_stop(Daemon *daemon);

/* Kills what still runs, and frees. */
void daemon_free(Daemon *daemon);

/* Waits until that line came from it, and drops all lines up to it. */
void daemon_expect(Daemon *daemon, const char *line);

/* All of its standard error so far. */
char *daemon_log(const Daemon *daemon);

/* Waits until its standard error holds that text. */
void daemon_expect_log(const Daemon *daemon, const char *text);

/* Calls a method; NULL and the error, stripped to the remote one, when it fails. */
GVariant *daemon_call(const Daemon *daemon, const char *path, const char *interface,
                      const char *method, GVariant *arguments, GError **error);

/* A property; its absence fails the test. */
GVariant *daemon_get(const Daemon *daemon, const char *path, const char *interface,
                     const char *property);

/* Properties of a guest. */
guint64 daemon_guest_bytes(const Daemon *daemon, const char *path, const char *property);
char *daemon_guest_text(const Daemon *daemon, const char *path, const char *property);

/* The object of a guest; NULL while foliod does not know it. */
char *daemon_find_guest(const Daemon *daemon, const char *name);

/* The names of its guests, sorted, each on a line. */
char *daemon_list_guests(const Daemon *daemon);

/* Waits until foliod knows the guest and says that it is in that state, and returns its object. */
char *daemon_wait_state(const Daemon *daemon, const char *name, const char *state);

/* As daemon_wait_state, for the reason. */
char *daemon_wait_reason(const Daemon *daemon, const char *name, const char *reason);

/* Waits until foliod does not know a guest of that name. */
void daemon_wait_gone(const Daemon *daemon, const char *name);

/* Waits until its property Connected has that value. */
void daemon_wait_connected(const Daemon *daemon, gboolean expected);

/* The names (char *), sorted in place, each on a line. */
char *join_sorted(GPtrArray *names);

/* A deadline, for loops that wait: TRUE, after a short sleep, as long as it has not passed. */
gint64 deadline_after(guint seconds);
gboolean before_deadline(gint64 deadline);

/* The descriptors that it has open. */
guint daemon_count_fds(const Daemon *daemon);
