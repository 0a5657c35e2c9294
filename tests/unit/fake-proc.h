/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host made of files: a proc root with one process in it, libvirt's run directory, and calls that
 * fail when they are told to. */
#pragma once

#include "base/file-io.h"
#include "memory/process.h"

#include "cmocka-all.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FAKE_UUID "6f1c2f5e-0d3a-4c57-9a0e-2f4a3b5c6d7e"
#define FAKE_NAME "guest"

typedef struct {
    pid_t pid;
    char *root;
    char *proc_root;
    char *run_dir;
} FakeHost;

static inline void
fake_write(const char *path, const char *text, gssize length)
{
    g_autoptr(GError) error = NULL;

    g_file_set_contents(path, text, length, &error);
    assert_no_error(error);
}

/* Makes or replaces ROOT/proc/PID/name. */
static inline void
fake_proc_write(const FakeHost *host, const char *name, const char *text, gssize length)
{
    g_autofree char *path = g_strdup_printf("%s/%d/%s", host->proc_root, host->pid, name);

    fake_write(path, text, length);
}

static inline void
fake_proc_link(const FakeHost *host, const char *name, const char *target)
{
    g_autofree char *path = g_strdup_printf("%s/%d/%s", host->proc_root, host->pid, name);

    g_unlink(path);
    assert_int_equal(symlink(target, path), 0);
}

static inline void
fake_proc_thread(const FakeHost *host, int tid, const char *comm)
{
    g_autofree char *dir = g_strdup_printf("%s/%d/task/%d", host->proc_root, host->pid, tid);
    g_autofree char *path = g_build_filename(dir, "comm", NULL);

    assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
    fake_write(path, comm, -1);
}

/* A PID file here is locked by the process whose PID it holds, as QEMU does it. Only a test of the
 * lock itself says otherwise. */
static pid_t fake_lock_owner;

static int
fake_getlk(int fd, struct flock *lock)
{
    char text[32] = "";

    if (pread(fd, text, sizeof(text) - 1, 0) < 0)
        return -1;
    lock->l_pid = fake_lock_owner != 0 ? fake_lock_owner : atoi(text);
    lock->l_type = lock->l_pid > 0 ? F_WRLCK : F_UNLCK;
    return 0;
}

static const FolioFileCalls fake_calls = { .getlk = fake_getlk };

static inline void
fake_pid_file(const FakeHost *host, const char *name, const char *text, gssize length)
{
    g_autofree char *path = g_strdup_printf("%s/%s.pid", host->run_dir, name);

    fake_write(path, text, length);
}

/* A process "QEMU" with a main thread and two vCPUs; its PID is a real one, since a pidfd is made
 * of it. */
static inline FakeHost *
fake_host_new(pid_t pid)
{
    static const char cmdline[] = "/usr/bin/qemu-system-x86_64\0-name\0guest=guest\0"
                                  "-uuid\0" FAKE_UUID "\0-m\0"
                                  "128";
    FakeHost *host = g_new0(FakeHost, 1);
    g_autofree char *proc = NULL;
    g_autofree char *pid_text = g_strdup_printf("%d", pid);
    g_autofree char *stat = g_strdup_printf(
        "%d (qemu-system-x86) S 1 %d %d 0 -1 4194624 1 0 0 0 1 2 0 0 20 0 5 0 4711 1 2 3\n", pid,
        pid, pid);

    folio_file_set_calls(&fake_calls);
    host->pid = pid;
    host->root = g_dir_make_tmp("foliod-test.XXXXXX", NULL);
    assert_non_null(host->root);
    host->proc_root = g_build_filename(host->root, "proc", NULL);
    host->run_dir = g_build_filename(host->root, "run", NULL);
    proc = g_build_filename(host->proc_root, pid_text, NULL);
    assert_int_equal(g_mkdir_with_parents(proc, 0700), 0);
    assert_int_equal(g_mkdir(host->run_dir, 0700), 0);
    fake_pid_file(host, FAKE_NAME, pid_text, -1);
    fake_proc_link(host, "exe", "/usr/bin/qemu-system-x86_64");
    fake_proc_write(host, "cmdline", cmdline, sizeof(cmdline));
    fake_proc_write(host, "stat", stat, -1);
    fake_proc_thread(host, pid, "qemu-system-x86\n");
    fake_proc_thread(host, pid + 1, "CPU 0/KVM\n");
    fake_proc_thread(host, pid + 2, "CPU 1/KVM\n");
    return host;
}

static inline void
fake_remove(const char *path)
{
    GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *name = NULL;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        fake_remove(child);
    }
    if (dir != NULL)
        g_dir_close(dir);
    assert_int_equal(g_remove(path), 0);
}

static inline void
fake_host_free(FakeHost *host)
{
    fake_remove(host->root);
    g_free(host->root);
    g_free(host->proc_root);
    g_free(host->run_dir);
    g_free(host);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FakeHost, fake_host_free)

static inline FolioProcess *
fake_locate(const FakeHost *host, guint n_vcpus, FolioReason *reason, GError **error)
{
    const FolioProcessQuery query = {
        .proc_root = host->proc_root,
        .run_dir = host->run_dir,
        .name = FAKE_NAME,
        .uuid = FAKE_UUID,
        .n_vcpus = n_vcpus,
    };

    return folio_process_locate(&query, reason, error);
}

/* The descriptors that this process has open. */
static inline guint
count_fds(void)
{
    GDir *dir = g_dir_open("/proc/self/fd", 0, NULL);
    guint n = 0;

    assert_non_null(dir);
    while (g_dir_read_name(dir) != NULL)
        n++;
    g_dir_close(dir);
    return n;
}

/* Locates and expects a refusal with that reason. */
static inline void
assert_refused(const FakeHost *host, guint n_vcpus, FolioReason expected, const char *in_message)
{
    g_autoptr(GError) error = NULL;
    FolioReason reason = FOLIO_REASON_NONE;
    const guint n_fds = count_fds();
    FolioProcess *process = fake_locate(host, n_vcpus, &reason, &error);

    assert_null(process);
    assert_non_null(error);
    if (reason != expected)
        fail_msg("reason %s (%s), expected %s", folio_reason_token(reason), error->message,
                 folio_reason_token(expected));
    if (strstr(error->message, in_message) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error->message, in_message);
    assert_int_equal(count_fds(), n_fds);
}

/* Fails call number fault_at (from 0; -1: none) through the seam with fault_errno, and counts. */
static int fault_at = -1;
static int fault_errno;
static int n_calls;

static inline gboolean
fault_is_due(void)
{
    if (n_calls++ != fault_at)
        return FALSE;
    errno = fault_errno;
    return TRUE;
}

static int
faulty_openat(int dir_fd, const char *path, int flags)
{
    return fault_is_due() ? -1 : openat(dir_fd, path, flags);
}

static ssize_t
faulty_read(int fd, void *buffer, size_t size)
{
    return fault_is_due() ? -1 : read(fd, buffer, size);
}

static int
faulty_ioctl(int fd, unsigned long request, void *argument)
{
    return fault_is_due() ? -1 : ioctl(fd, request, argument);
}

static int
faulty_getlk(int fd, struct flock *lock)
{
    return fault_is_due() ? -1 : fake_getlk(fd, lock);
}

static const FolioFileCalls faulty_calls = {
    .openat = faulty_openat,
    .read = faulty_read,
    .ioctl = faulty_ioctl,
    .getlk = faulty_getlk,
};

static inline void
arm_fault(int at, int with_errno)
{
    fault_at = at;
    fault_errno = with_errno;
    n_calls = 0;
    folio_file_set_calls(&faulty_calls);
}

/* Puts the real calls back; TRUE when the fault came. */
static inline gboolean
disarm_fault(void)
{
    folio_file_set_calls(&fake_calls);
    return n_calls > fault_at;
}
