/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding the QEMU process of a guest, and making sure that it is the one. */
#include "memory/process.h"

#include "base/error.h"
#include "base/file-io.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PID_FILE_MAX_BYTES 64
#define STAT_MAX_BYTES     4096
/* execve takes at most 6 MiB of arguments and environment: 3/4 of _STK_LIM, fs/exec.c. */
#define CMDLINE_MAX_BYTES (6 * 1024 * 1024)
#define DELETED           " (deleted)"
/* Field 22 of stat, counted from the state, which is field 3. */
#define STAT_START_TIME (22 - 3)

struct _FolioProcess {
    pid_t pid;
    guint64 start_time;
    char *exe;
    char *where; /* "/proc/PID/", for error messages */
    int proc_fd;
    int pidfd;
};

/* Says no: sets *reason and an error, and returns FALSE. */
static gboolean G_GNUC_PRINTF(5, 6) refuse(FolioReason *reason, FolioReason why, GError **error,
                                           FolioErrorCode code, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    *reason = why;
    g_set_error_literal(error, FOLIO_ERROR, (gint) code, text);
    return FALSE;
}

/* Says no because a file below /proc/PID could not be read. */
static gboolean
refuse_read(const FolioProcess *process, FolioReason *reason, GError **error, GError *cause)
{
    *reason = g_error_matches(cause, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND) ? FOLIO_REASON_PROCESS_GONE
                                                                         : FOLIO_REASON_NO_ACCESS;
    g_propagate_prefixed_error(error, cause, "%s", process->where);
    return FALSE;
}

/* Decimal digits and nothing else but one newline at the end; 0 when it is no PID. */
static pid_t
parse_pid(const char *text, gsize length)
{
    guint64 pid = 0;

    if (length > 0 && text[length - 1] == '\n')
        length--;
    if (length == 0 || length > 10)
        return 0;
    for (gsize i = 0; i < length; i++) {
        if (!g_ascii_isdigit(text[i]))
            return 0;
        pid = pid * 10 + (guint64) (text[i] - '0');
    }
    /* 1 is init, or the first process of our container: never a guest. */
    return pid > 1 && pid <= G_MAXINT ? (pid_t) pid : 0;
}

static FolioReason
reason_of_pid_file(const GError *error)
{
    if (g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND))
        return FOLIO_REASON_NO_PID_FILE;
    if (g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED))
        return FOLIO_REASON_NO_ACCESS;
    return FOLIO_REASON_BAD_PID_FILE;
}

/* NAME.pid as libvirt names it: it escapes NAME as if it were XML and leaves out control characters
 * (virPidFileBuildPath, virBufferEscapeString). */
static char *
dup_pid_file_name(const char *name)
{
    static const struct {
        char character;
        const char *escaped;
    } escapes[] = {
        { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&apos;" }
    };
    GString *file = g_string_new(NULL);

    for (const char *at = name; *at != '\0'; at++) {
        gsize i = 0;

        while (i < G_N_ELEMENTS(escapes) && escapes[i].character != *at)
            i++;
        if (i < G_N_ELEMENTS(escapes))
            g_string_append(file, escapes[i].escaped);
        else if ((guchar) *at >= ' ' || *at == '\n' || *at == '\t' || *at == '\r')
            g_string_append_c(file, *at);
    }
    g_string_append(file, ".pid");
    return g_string_free(file, FALSE);
}

/* libvirt lets QEMU itself hold a lock on its PID file (virExec, virPidFileAcquirePath). A file
 * that QEMU left behind is not locked, whatever process has its PID by now. Returns 0 on failure.
 */
static pid_t
read_locked_pid(int fd, const char *path, FolioReason *reason, GError **error)
{
    g_autofree char *shown = folio_escape(path);
    g_autoptr(GError) cause = NULL;
    gsize length = 0;
    g_autofree char *text = folio_file_read_fd(fd, shown, PID_FILE_MAX_BYTES, &length, &cause);
    pid_t pid;

    if (text == NULL) {
        *reason = reason_of_pid_file(cause);
        g_propagate_error(error, g_steal_pointer(&cause));
        return 0;
    }
    pid = parse_pid(text, length);
    if (pid == 0)
        refuse(reason, FOLIO_REASON_BAD_PID_FILE, error, FOLIO_ERROR_INVALID,
               "%s: holds no PID of a guest", shown);
    else if (folio_file_get_lock_owner(fd) != pid) {
        refuse(reason, FOLIO_REASON_BAD_PID_FILE, error, FOLIO_ERROR_INVALID,
               "%s: not locked by PID %d: left over from an earlier run", shown, pid);
        return 0;
    }
    return pid;
}

/* Returns 0 on failure. */
static pid_t
read_pid_file(const FolioProcessQuery *query, FolioReason *reason, GError **error)
{
    g_autofree char *file = dup_pid_file_name(query->name);
    g_autofree char *path = g_build_filename(query->run_dir, file, NULL);
    g_autoptr(GError) cause = NULL;
    pid_t pid;
    int fd;

    if (*query->name == '\0' || strchr(query->name, '/') != NULL || g_str_equal(query->name, ".") ||
        g_str_equal(query->name, "..")) {
        g_autofree char *shown = folio_escape(path);

        refuse(reason, FOLIO_REASON_BAD_PID_FILE, error, FOLIO_ERROR_INVALID,
               "%s: not looked at: the guest's name cannot be the name of a file", shown);
        return 0;
    }
    fd = folio_file_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, &cause);
    if (fd < 0) {
        *reason = reason_of_pid_file(cause);
        g_propagate_error(error, g_steal_pointer(&cause));
        return 0;
    }
    pid = read_locked_pid(fd, path, reason, error);
    close(fd);
    return pid;
}

static int
open_pidfd(pid_t pid)
{
    return (int) syscall(SYS_pidfd_open, pid, 0);
}

/* First /proc/PID, then the pidfd: a file that can be read below the former after the latter was
 * made proves that both are of one process, and from then on the PID cannot be reused unseen. */
static gboolean
hold(FolioProcess *process, const char *proc_root, FolioReason *reason, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s/%d", proc_root, process->pid);
    g_autoptr(GError) cause = NULL;

    process->where = g_strconcat(path, "/", NULL);
    process->proc_fd = folio_file_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, &cause);
    if (process->proc_fd < 0) {
        *reason = g_error_matches(cause, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND)
                      ? FOLIO_REASON_PROCESS_GONE
                      : FOLIO_REASON_NO_ACCESS;
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    process->pidfd = open_pidfd(process->pid);
    if (process->pidfd < 0) {
        *reason = errno == ESRCH ? FOLIO_REASON_PROCESS_GONE : FOLIO_REASON_NO_ACCESS;
        folio_set_error_errno(error, errno, "pidfd_open of PID %d", process->pid);
        return FALSE;
    }
    return TRUE;
}

/* "PID (comm) S ...": comm may hold anything, brackets and newlines too. */
static gboolean
parse_stat(const char *text, char *state, guint64 *start_time)
{
    const char *rest = strrchr(text, ')');
    g_auto(GStrv) fields = NULL;

    if (rest == NULL || rest[1] != ' ')
        return FALSE;
    fields = g_strsplit(rest + 2, " ", STAT_START_TIME + 2);
    if (g_strv_length(fields) != STAT_START_TIME + 2 || strlen(fields[0]) != 1)
        return FALSE;
    *state = *fields[0];
    return g_ascii_string_to_unsigned(fields[STAT_START_TIME], 10, 0, G_MAXUINT64, start_time,
                                      NULL);
}

static gboolean
has_ended(char state)
{
    return state == 'Z' || state == 'X' || state == 'x';
}

static gboolean
read_start_time(const FolioProcess *process, guint64 *start_time, FolioReason *reason,
                GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autofree char *text = folio_file_read(process->proc_fd, "stat", STAT_MAX_BYTES, NULL, &cause);
    char state = '\0';

    if (text == NULL)
        return refuse_read(process, reason, error, g_steal_pointer(&cause));
    if (!parse_stat(text, &state, start_time))
        return refuse(reason, FOLIO_REASON_NO_ACCESS, error, FOLIO_ERROR_INVALID,
                      "%sstat: not in the kernel's format", process->where);
    if (has_ended(state))
        return refuse(reason, FOLIO_REASON_PROCESS_GONE, error, FOLIO_ERROR_NOT_FOUND,
                      "%sstat: the process has ended (state %c)", process->where, state);
    return TRUE;
}

static gboolean
is_name_of_qemu(const char *exe)
{
    g_autofree char *name = g_path_get_basename(exe);

    /* After an upgrade of QEMU its guests run on with the old, deleted file. */
    if (g_str_has_suffix(name, DELETED))
        name[strlen(name) - strlen(DELETED)] = '\0';
    return g_str_has_prefix(name, "qemu-system-") || g_str_equal(name, "qemu-kvm") ||
           g_str_equal(name, "kvm");
}

static gboolean
check_exe(FolioProcess *process, FolioReason *reason, GError **error)
{
    char target[PATH_MAX];
    const ssize_t length = readlinkat(process->proc_fd, "exe", target, sizeof(target) - 1);
    g_autofree char *shown = NULL;

    if (length < 0) {
        GError *cause = NULL;

        folio_set_error_errno(&cause, errno, "exe");
        return refuse_read(process, reason, error, cause);
    }
    target[length] = '\0';
    process->exe = g_strdup(target);
    if (is_name_of_qemu(target))
        return TRUE;
    shown = folio_escape(target);
    return refuse(reason, FOLIO_REASON_NOT_QEMU, error, FOLIO_ERROR_INVALID,
                  "%sexe: %s is not QEMU", process->where, shown);
}

/* The argument behind "-uuid", which must be there once; NULL otherwise. */
static const char *
find_uuid(const char *cmdline, gsize length)
{
    const char *end = cmdline + length;
    const char *uuid = NULL;
    guint n = 0;

    for (const char *at = cmdline; at < end; at += strlen(at) + 1) {
        if (!g_str_equal(at, "-uuid"))
            continue;
        n++;
        uuid = at + strlen("-uuid") + 1;
    }
    return n == 1 && uuid < end ? uuid : NULL;
}

static gboolean
check_uuid(const FolioProcess *process, const char *wanted, FolioReason *reason, GError **error)
{
    g_autoptr(GError) cause = NULL;
    gsize length = 0;
    g_autofree char *cmdline =
        folio_file_read(process->proc_fd, "cmdline", CMDLINE_MAX_BYTES, &length, &cause);
    g_autofree char *shown = NULL;
    const char *uuid = NULL;

    if (cmdline == NULL)
        return refuse_read(process, reason, error, g_steal_pointer(&cause));
    uuid = find_uuid(cmdline, length);
    if (uuid == NULL)
        return refuse(reason, FOLIO_REASON_UUID_MISMATCH, error, FOLIO_ERROR_INVALID,
                      "%scmdline: does not have -uuid exactly once", process->where);
    if (g_ascii_strcasecmp(uuid, wanted) == 0)
        return TRUE;
    shown = folio_escape(uuid);
    return refuse(reason, FOLIO_REASON_UUID_MISMATCH, error, FOLIO_ERROR_INVALID,
                  "%scmdline: -uuid %.64s, expected %s", process->where, shown, wanted);
}

static gboolean
check_vcpus(const FolioProcess *process, guint wanted, FolioReason *reason, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(GArray) threads = NULL;
    guint n_vcpu = 0;
    guint n_all = 0;

    if (wanted == 0)
        return TRUE;
    threads = folio_process_list_threads(process, &cause);
    if (threads == NULL) {
        *reason = g_error_matches(cause, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND)
                      ? FOLIO_REASON_PROCESS_GONE
                      : FOLIO_REASON_NO_ACCESS;
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    for (guint i = 0; i < threads->len; i++) {
        const FolioThreadKind kind = g_array_index(threads, FolioThread, i).kind;

        n_vcpu += kind == FOLIO_THREAD_VCPU ? 1 : 0;
        n_all += kind == FOLIO_THREAD_VCPUS ? 1 : 0;
    }
    if (n_all == 0 ? n_vcpu == wanted : n_all == 1 && n_vcpu == 0)
        return TRUE;
    return refuse(reason, FOLIO_REASON_VCPU_MISMATCH, error, FOLIO_ERROR_INVALID,
                  "%stask: %u vCPU threads among %u threads, libvirt says %u vCPUs", process->where,
                  n_vcpu, threads->len, wanted);
}

static gboolean
check(FolioProcess *process, const FolioProcessQuery *query, FolioReason *reason, GError **error)
{
    guint64 start_time = 0;

    if (!read_start_time(process, &process->start_time, reason, error) ||
        !check_exe(process, reason, error) || !check_uuid(process, query->uuid, reason, error) ||
        !check_vcpus(process, query->n_vcpus, reason, error) ||
        !read_start_time(process, &start_time, reason, error))
        return FALSE;
    if (start_time == process->start_time)
        return TRUE;
    return refuse(reason, FOLIO_REASON_PROCESS_GONE, error, FOLIO_ERROR_NOT_FOUND,
                  "%sstat: the start time has changed: another process now", process->where);
}

static FolioProcess *
process_new(pid_t pid)
{
    FolioProcess *process = g_atomic_rc_box_new0(FolioProcess);

    process->pid = pid;
    process->proc_fd = -1;
    process->pidfd = -1;
    return process;
}

FolioProcess *
folio_process_hold(const char *proc_root, pid_t pid, guint64 start_time, GError **error)
{
    g_autoptr(FolioProcess) process = process_new(pid);
    FolioReason ignored;

    if (!hold(process, proc_root, &ignored, error) ||
        !read_start_time(process, &process->start_time, &ignored, error))
        return NULL;
    if (process->start_time == start_time)
        return g_steal_pointer(&process);
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND,
                "%sstat: started at %" G_GUINT64_FORMAT ", not at %" G_GUINT64_FORMAT
                ": another process",
                process->where, process->start_time, start_time);
    return NULL;
}

FolioProcess *
folio_process_locate(const FolioProcessQuery *query, FolioReason *reason, GError **error)
{
    g_autoptr(FolioProcess) process = NULL;
    const pid_t pid = read_pid_file(query, reason, error);

    if (pid == 0)
        return NULL;
    process = process_new(pid);
    if (!hold(process, query->proc_root, reason, error))
        return NULL;
    if (!check(process, query, reason, error)) {
        /* A process that is ending gives all kinds of odd answers on its way. */
        if (!folio_process_is_alive(process))
            *reason = FOLIO_REASON_PROCESS_GONE;
        return NULL;
    }
    return g_steal_pointer(&process);
}

static void
process_clear(gpointer data)
{
    FolioProcess *process = data;

    if (process->proc_fd >= 0)
        close(process->proc_fd);
    if (process->pidfd >= 0)
        close(process->pidfd);
    g_free(process->exe);
    g_free(process->where);
}

FolioProcess *
folio_process_ref(FolioProcess *process)
{
    return g_atomic_rc_box_acquire(process);
}

void
folio_process_unref(FolioProcess *process)
{
    g_atomic_rc_box_release_full(process, process_clear);
}

pid_t
folio_process_get_pid(const FolioProcess *process)
{
    return process->pid;
}

guint64
folio_process_get_start_time(const FolioProcess *process)
{
    return process->start_time;
}

const char *
folio_process_get_exe(const FolioProcess *process)
{
    return process->exe;
}

int
folio_process_get_proc_fd(const FolioProcess *process)
{
    return process->proc_fd;
}

int
folio_process_get_pidfd(const FolioProcess *process)
{
    return process->pidfd;
}

gboolean
folio_process_is_alive(const FolioProcess *process)
{
    struct pollfd pidfd = { .fd = process->pidfd, .events = POLLIN };
    int ready;

    do {
        ready = poll(&pidfd, 1, 0);
    } while (ready < 0 && errno == EINTR);
    return ready == 0;
}

gboolean
folio_process_is_running(const char *proc_root, pid_t pid, guint64 start_time)
{
    g_autofree char *path = g_strdup_printf("%s/%d/stat", proc_root, pid);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = folio_file_read(AT_FDCWD, path, STAT_MAX_BYTES, NULL, &error);
    guint64 found;
    char state;

    if (text == NULL)
        return !g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND);
    return !parse_stat(text, &state, &found) || (found == start_time && !has_ended(state));
}
