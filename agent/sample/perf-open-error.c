/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a perf event could not be opened. */
#include "sample/perf-open-error.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define MAX_HOLDERS 3
#define MAX_LINKS   50000

/* A unit such as Arm SPE is exclusive: as long as one event of it is by CPU none can be by thread,
 * on whatever CPU, and the other way round; besides, no thread and no CPU can have two
 * (exclusive_event_init and exclusive_event_installable in kernel/events/core.c). */
static const char *
busy_advice(gboolean by_cpu)
{
    return by_cpu
               ? "; somebody samples with it by thread (another agent, perf record of a "
                 "process), or this CPU (perf record -a, a sampler in the kernel such as "
                 "openEuler's mem_sampling)"
               : "; somebody samples with it by CPU (perf record -a, another agent, a sampler in "
                 "the kernel such as openEuler's mem_sampling), or this thread";
}

/* Words of the manual perf_event_open(2). */
static const char *
advice(int saved_errno, gboolean by_cpu)
{
    switch (saved_errno) {
    case EBUSY:
        return busy_advice(by_cpu);
    case EACCES:
    case EPERM:
        return "; it takes CAP_PERFMON (or a lower kernel.perf_event_paranoid) and a kernel that "
               "is not locked down for confidentiality";
    case EMFILE:
    case ENFILE:
        return "; each thread takes one descriptor: raise LimitNOFILE= of the service, or set "
               "SampleBy=host";
    default:
        return "";
    }
}

static FolioErrorCode
code_of(int saved_errno)
{
    /* Of perf_event_open these mean that there is no such unit, or not on that CPU; ESRCH alone
     * means that the thread is gone. */
    if (saved_errno == ENOENT || saved_errno == ENODEV || saved_errno == ENXIO)
        return FOLIO_ERROR_UNSUPPORTED;
    return folio_error_code_from_errno(saved_errno);
}

void
folio_perf_open_error(GError **error, const char *what, int tid, int cpu, int saved_errno)
{
    g_autofree char *whom =
        tid >= 0 ? g_strdup_printf("thread %d", tid) : g_strdup_printf("CPU %d", cpu);

    g_set_error(error, FOLIO_ERROR, (gint) code_of(saved_errno), "%s for %s: %s%s", what, whom,
                g_strerror(saved_errno), advice(saved_errno, tid < 0));
}

void
folio_perf_blame_holders(GError *error, const char *holders)
{
    char *message;

    if (!g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_BUSY) || *holders == '\0')
        return;
    message = g_strdup_printf("%s; perf events are open in %s", error->message, holders);
    g_free(error->message);
    error->message = message;
}

/* Has the process a perf event among its descriptors? What cannot be read has none. */
static gboolean
holds_event(const char *proc_root, const char *pid, guint *n_links)
{
    g_autofree char *path = g_build_filename(proc_root, pid, "fd", NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name = NULL;

    while (dir != NULL && *n_links < MAX_LINKS && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *link = g_build_filename(path, name, NULL);
        char target[32];
        const ssize_t length = readlink(link, target, sizeof target - 1);

        (*n_links)++;
        target[MAX(length, 0)] = '\0';
        if (g_str_equal(target, "anon_inode:[perf_event]"))
            return TRUE;
    }
    return FALSE;
}

static void
add_holder(GString *holders, const char *proc_root, const char *pid)
{
    g_autofree char *path = g_build_filename(proc_root, pid, "comm", NULL);
    g_autofree char *comm = NULL;
    g_autofree char *shown = NULL;

    if (!g_file_get_contents(path, &comm, NULL, NULL))
        return;
    shown = folio_escape(g_strchomp(comm));
    g_string_append_printf(holders, "%s%s (%s)", holders->len > 0 ? ", " : "", shown, pid);
}

char *
folio_perf_find_holders(const char *proc_root)
{
    g_autoptr(GDir) dir = g_dir_open(proc_root, 0, NULL);
    g_autofree char *own = g_strdup_printf("%d", getpid());
    GString *holders = g_string_new(NULL);
    const char *pid = NULL;
    guint n = 0, n_links = 0;

    while (dir != NULL && n < MAX_HOLDERS && (pid = g_dir_read_name(dir)) != NULL) {
        if (pid[strspn(pid, "0123456789")] != '\0' || g_str_equal(pid, own) ||
            !holds_event(proc_root, pid, &n_links))
            continue;
        add_holder(holders, proc_root, pid);
        n++;
    }
    return g_string_free(holders, FALSE);
}
