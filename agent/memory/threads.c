/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The threads of a QEMU process and what each is for, by the names that QEMU gives them. */
#include "memory/process.h"

#include "base/error.h"
#include "base/file-io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* TASK_COMM_LEN is 16, and a newline; more is not read. */
#define COMM_MAX_BYTES 64
/* Far more than the vCPUs, iothreads and pool workers of the largest guest. */
#define MAX_THREADS 65536

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DIR, closedir)

/* Digits, then exactly the ending. */
static gboolean
parse_numbered(const char *text, const char *ending, guint *number)
{
    const gsize digits = strspn(text, "0123456789");
    g_autofree char *number_text = g_strndup(text, digits);
    guint64 value = 0;

    if (!g_str_equal(text + digits, ending) ||
        !g_ascii_string_to_unsigned(number_text, 10, 0, G_MAXUINT, &value, NULL))
        return FALSE;
    *number = (guint) value;
    return TRUE;
}

/* The names are those of accel/kvm/kvm-accel-ops.c, accel/tcg/tcg-accel-ops-mttcg.c and -rr.c,
 * iothread.c in QEMU, and of drivers/vhost/vhost.c in Linux. */
static void
classify(FolioThread *thread, const char *comm, pid_t pid)
{
    guint ignored = 0;

    if (g_str_has_prefix(comm, "CPU ") && (parse_numbered(comm + 4, "/KVM", &thread->vcpu) ||
                                           parse_numbered(comm + 4, "/TCG", &thread->vcpu)))
        thread->kind = FOLIO_THREAD_VCPU;
    else if (g_str_equal(comm, "ALL CPUs/TCG"))
        thread->kind = FOLIO_THREAD_VCPUS;
    else if (thread->tid == pid)
        thread->kind = FOLIO_THREAD_MAIN;
    else if (g_str_has_prefix(comm, "IO "))
        thread->kind = FOLIO_THREAD_IO;
    else if (g_str_has_prefix(comm, "vhost-") && parse_numbered(comm + 6, "", &ignored))
        thread->kind = FOLIO_THREAD_VHOST;
    else
        thread->kind = FOLIO_THREAD_OTHER;
}

/* FALSE with no error set when the entry is no thread, or one that has ended meanwhile. */
static gboolean
read_thread(int task_fd, const char *name, pid_t pid, FolioThread *thread, GError **error)
{
    g_autofree char *path = g_strconcat(name, "/comm", NULL);
    g_autofree char *comm = NULL;
    g_autoptr(GError) cause = NULL;
    guint tid = 0;

    if (!parse_numbered(name, "", &tid))
        return FALSE;
    comm = folio_file_read(task_fd, path, COMM_MAX_BYTES, NULL, &cause);
    if (comm == NULL) {
        if (!g_error_matches(cause, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND))
            g_propagate_prefixed_error(error, g_steal_pointer(&cause), "/proc/%d/task/", pid);
        return FALSE;
    }
    if (g_str_has_suffix(comm, "\n"))
        comm[strlen(comm) - 1] = '\0';
    thread->tid = (pid_t) tid;
    classify(thread, comm, pid);
    return TRUE;
}

static DIR *
open_task_dir(const FolioProcess *process, GError **error)
{
    const int fd =
        folio_file_open(folio_process_get_proc_fd(process), "task", O_RDONLY | O_DIRECTORY, error);
    DIR *dir = NULL;

    if (fd < 0) {
        g_prefix_error(error, "/proc/%d/", folio_process_get_pid(process));
        return NULL;
    }
    dir = fdopendir(fd);
    if (dir == NULL) {
        folio_set_error_errno(error, errno, "/proc/%d/task", folio_process_get_pid(process));
        close(fd);
    }
    return dir;
}

static gint
compare_tids(gconstpointer a, gconstpointer b)
{
    return ((const FolioThread *) a)->tid - ((const FolioThread *) b)->tid;
}

/* The directory has a link for each of them, and two of its own (proc_task_getattr in
 * fs/proc/base.c). */
guint
folio_process_count_threads(const FolioProcess *process)
{
    struct stat info;

    if (fstatat(folio_process_get_proc_fd(process), "task", &info, 0) != 0 || info.st_nlink < 2)
        return 0;
    return (guint) info.st_nlink - 2;
}

GArray *
folio_process_list_threads(const FolioProcess *process, GError **error)
{
    const pid_t pid = folio_process_get_pid(process);
    g_autoptr(GArray) threads = g_array_new(FALSE, TRUE, sizeof(FolioThread));
    g_autoptr(DIR) dir = open_task_dir(process, error);
    const struct dirent *entry = NULL;

    if (dir == NULL)
        return NULL;
    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
        g_autoptr(GError) cause = NULL;
        FolioThread thread = { 0 };

        if (read_thread(dirfd(dir), entry->d_name, pid, &thread, &cause))
            g_array_append_val(threads, thread);
        if (cause == NULL && threads->len > MAX_THREADS)
            g_set_error(&cause, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                        "/proc/%d/task: more than %d threads", pid, MAX_THREADS);
        if (cause != NULL) {
            g_propagate_error(error, g_steal_pointer(&cause));
            return NULL;
        }
    }
    if (errno != 0 || threads->len == 0) {
        folio_set_error_errno(error, errno != 0 ? errno : ESRCH, "/proc/%d/task", pid);
        return NULL;
    }
    g_array_sort(threads, compare_tids);
    return g_steal_pointer(&threads);
}
