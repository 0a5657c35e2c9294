/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Collapsing by MADV_COLLAPSE. The kernel stops at the first 2 MiB of a call that it cannot
 * collapse, so each block has a call of its own. */
#include "act/madvise-collapse.h"

#include "base/error.h"
#include "base/file-io.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* include/uapi/asm-generic/mman-common.h */
#endif

static gboolean
has_capability(guint capability)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

    return syscall(SYS_capget, &header, sets) == 0 &&
           (sets[capability / 32].effective & 1u << capability % 32) != 0;
}

/* MADV_COLLAPSE of nothing of our own: does the kernel know of it? */
static gboolean
kernel_can(char **reason)
{
    const int pidfd = (int) syscall(SYS_pidfd_open, getpid(), 0);
    int saved_errno = 0;

    if (pidfd < 0 || !folio_process_madvise(pidfd, 0, 0, MADV_COLLAPSE))
        saved_errno = errno;
    if (pidfd >= 0)
        close(pidfd);
    if (saved_errno == 0)
        return TRUE;
    if (saved_errno == EINVAL || saved_errno == ENOSYS)
        *reason = g_strdup("the kernel has no process_madvise with MADV_COLLAPSE (Linux 6.1)");
    else
        *reason =
            g_strdup_printf("process_madvise with MADV_COLLAPSE: %s", g_strerror(saved_errno));
    return FALSE;
}

static gboolean
probe(FolioWay *way, FolioActKind kind, guint order, char **reason)
{
    static const struct {
        guint number;
        const char *name;
    } needed[] = { { CAP_SYS_PTRACE, "CAP_SYS_PTRACE" }, { CAP_SYS_NICE, "CAP_SYS_NICE" } };

    if (kind == FOLIO_ACT_SPLIT || order != FOLIO_ORDER_HUGE) {
        *reason = g_strdup("it collapses to 2 MiB and does nothing else");
        return FALSE;
    }
    for (guint i = 0; i < G_N_ELEMENTS(needed); i++) {
        if (!has_capability(needed[i].number)) {
            *reason = g_strdup_printf("foliod lacks %s", needed[i].name);
            return FALSE;
        }
    }
    return kernel_can(reason);
}

/* madvise(2), on MADV_COLLAPSE: EBUSY says that the memory could not be charged to the cgroup. */
static FolioLeft
left_of_errno(int saved_errno)
{
    switch (saved_errno) {
    case EAGAIN:
        return FOLIO_LEFT_BUSY;
    case ENOMEM:
    case EBUSY:
        return FOLIO_LEFT_NO_MEMORY;
    default:
        return FOLIO_LEFT_REFUSED;
    }
}

/* FALSE when it is no use to go on. */
static gboolean
collapse_block(FolioProcess *process, guint64 address, FolioLeft *said, GError **error)
{
    if (folio_process_madvise(folio_process_get_pidfd(process), address, FOLIO_BLOCK_BYTES,
                              MADV_COLLAPSE))
        return TRUE;
    if (errno == ESRCH || errno == EPERM || errno == EACCES || errno == ENOSYS) {
        folio_set_error_errno(error, errno, "MADV_COLLAPSE in PID %d",
                              folio_process_get_pid(process));
        return FALSE;
    }
    *said = left_of_errno(errno);
    return TRUE;
}

static gboolean
apply(FolioWay *way, FolioChunk *chunk, GCancellable *cancellable, GError **error)
{
    guint n = 0; /* of the block */

    for (guint i = 0; i < chunk->n_ranges; i++) {
        const FolioBlockRange *range = &chunk->ranges[i];

        for (guint64 at = 0; at < range->bytes; at += FOLIO_BLOCK_BYTES, n++) {
            if (g_cancellable_set_error_if_cancelled(cancellable, error) ||
                !collapse_block(chunk->process, range->start + at, &chunk->said[n], error))
                return FALSE;
        }
    }
    return TRUE;
}

static void
way_free(FolioWay *way)
{
    g_free(way);
}

FolioWay *
folio_madvise_collapse_way_new(void)
{
    static const FolioWayClass class = {
        .name = "madvise-collapse", .probe = probe, .apply = apply, .free = way_free
    };
    FolioWay *way = g_new0(FolioWay, 1);

    way->klass = &class;
    return way;
}
