/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Splitting by debugfs. A line "PID,0xSTART,0xEND" splits what is mapped there; the kernel holds
 * the process's mmap lock meanwhile, stops where nothing is mapped, and says nothing of what it
 * left. So each block has a line of its own.
 *
 * A fourth field is the order. Up to Linux 6.14 memory of tmpfs is split to order 0 only, any other
 * is silently refused, with a warning in the log of kernels made for debugging (mm/huge_memory.c);
 * nothing tells such a kernel beforehand, so that other orders are left to other ways. */
#include "act/debugfs-split.h"

#include "base/error.h"
#include "base/file-io.h"

#include <string.h>
#include <unistd.h>

#define SPLIT_FILE    "kernel/debug/split_huge_pages"
#define LOCKDOWN_FILE "kernel/security/lockdown"

typedef struct {
    FolioWay way;
    char *sys_root;
    char *path; /* of the file */
} DebugfsSplit;

/* "none [integrity] confidentiality": both but none forbid writing to debugfs (LOCKDOWN_DEBUGFS in
 * include/linux/security.h). */
static gboolean
is_locked_down(const DebugfsSplit *split)
{
    g_autofree char *text = folio_file_read_value(split->sys_root, LOCKDOWN_FILE);

    return text != NULL && strchr(text, '[') != NULL && strstr(text, "[none]") == NULL;
}

static gboolean
can_write(const DebugfsSplit *split, char **reason)
{
    g_autoptr(GError) error = NULL;
    const int fd = folio_file_open(AT_FDCWD, split->path, O_WRONLY, &error);

    if (fd >= 0) {
        close(fd);
        return TRUE;
    }
    if (g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND))
        *reason = g_strdup_printf("%s is not there: debugfs is not mounted, or the kernel has none",
                                  split->path);
    else
        *reason = g_strdup(error->message);
    return FALSE;
}

static gboolean
probe(FolioWay *way, FolioActKind kind, guint order, char **reason)
{
    const DebugfsSplit *split = (const DebugfsSplit *) way;

    if (kind != FOLIO_ACT_SPLIT) {
        *reason = g_strdup("it splits and does nothing else");
        return FALSE;
    }
    if (order != 0) {
        *reason = g_strdup("it is used for order 0 only: many kernels refuse others silently");
        return FALSE;
    }
    if (is_locked_down(split)) {
        *reason = g_strdup("the kernel is locked down (Secure Boot), which forbids it");
        return FALSE;
    }
    return can_write(split, reason);
}

static gboolean
split_block(const DebugfsSplit *split, pid_t pid, guint64 address, GError **error)
{
    const guint64 end = address + FOLIO_BLOCK_BYTES;
    g_autofree char *line = g_strdup_printf(
        "%d,0x%" G_GINT64_MODIFIER "x,0x%" G_GINT64_MODIFIER "x", pid, address, end);

    return folio_file_write(AT_FDCWD, split->path, line, error);
}

/* The kernel takes a PID, not a pidfd: that it is still the process's is seen just before. */
static gboolean
apply(FolioWay *way, FolioChunk *chunk, GCancellable *cancellable, GError **error)
{
    const DebugfsSplit *split = (const DebugfsSplit *) way;
    const pid_t pid = folio_process_get_pid(chunk->process);

    for (guint i = 0; i < chunk->n_ranges; i++) {
        const FolioBlockRange *range = &chunk->ranges[i];

        for (guint64 at = 0; at < range->bytes; at += FOLIO_BLOCK_BYTES) {
            if (g_cancellable_set_error_if_cancelled(cancellable, error))
                return FALSE;
            if (!folio_process_is_alive(chunk->process)) {
                g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "PID %d has ended", pid);
                return FALSE;
            }
            if (!split_block(split, pid, range->start + at, error))
                return FALSE;
        }
    }
    return TRUE;
}

static void
way_free(FolioWay *way)
{
    DebugfsSplit *split = (DebugfsSplit *) way;

    g_free(split->sys_root);
    g_free(split->path);
    g_free(split);
}

FolioWay *
folio_debugfs_split_way_new(const char *sys_root)
{
    static const FolioWayClass class = {
        .name = "debugfs-split", .probe = probe, .apply = apply, .free = way_free
    };
    DebugfsSplit *split = g_new0(DebugfsSplit, 1);

    split->way.klass = &class;
    split->sys_root = g_strdup(sys_root);
    split->path = g_build_filename(sys_root, SPLIT_FILE, NULL);
    return &split->way;
}
