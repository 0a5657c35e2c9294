/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The order in which a process made its memfds, from /proc/PID/fd. */
#include "memory/memfd-order.h"

#include "base/error.h"
#include "base/file-io.h"
#include "memory/ram-match.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMFD "/memfd:"

G_DEFINE_AUTOPTR_CLEANUP_FUNC(DIR, closedir)

static gboolean
order_matters(const GArray *runs)
{
    for (guint i = 0; i < runs->len; i++) {
        const FolioRamRun *run = &g_array_index(runs, FolioRamRun, i);

        for (guint j = 0; j < i && run->backing == FOLIO_BACKING_MEMFD; j++) {
            const FolioRamRun *other = &g_array_index(runs, FolioRamRun, j);

            if (other->backing == FOLIO_BACKING_MEMFD && other->bytes == run->bytes)
                return TRUE;
        }
    }
    return FALSE;
}

/* The name is looked at first: a descriptor may be of a file on a server that does not answer, and
 * a stat of that would hang. */
static gboolean
stat_memfd(int fd_dir, const char *name, struct statx *memfd)
{
    char target[sizeof(MEMFD)];
    const ssize_t length = readlinkat(fd_dir, name, target, sizeof(target));

    return length == (ssize_t) sizeof(target) && memcmp(target, MEMFD, strlen(MEMFD)) == 0 &&
           statx(fd_dir, name, AT_STATX_DONT_SYNC, STATX_INO | STATX_BTIME, memfd) == 0;
}

static void
note_birth(const FolioMaps *maps, GArray *runs, const struct statx *memfd, guint64 fd)
{
    const guint64 born = memfd->stx_mask & STATX_BTIME
                             ? (guint64) memfd->stx_btime.tv_sec * G_GUINT64_CONSTANT(1000000000) +
                                   memfd->stx_btime.tv_nsec
                             : 0;

    for (guint i = 0; i < runs->len; i++) {
        FolioRamRun *run = &g_array_index(runs, FolioRamRun, i);
        const FolioVma *vma = &g_array_index(maps->vmas, FolioVma, run->first);

        if (run->backing != FOLIO_BACKING_MEMFD || vma->inode != memfd->stx_ino ||
            vma->dev_major != memfd->stx_dev_major || vma->dev_minor != memfd->stx_dev_minor)
            continue;
        if (run->born == FOLIO_RUN_BORN_UNKNOWN || fd < run->tie)
            run->tie = fd;
        run->born = born;
    }
}

gboolean
folio_memfd_order(const FolioProcess *process, const FolioMaps *maps, GArray *runs, GError **error)
{
    g_autoptr(DIR) dir = NULL;
    const struct dirent *entry = NULL;
    int fd;

    if (!order_matters(runs))
        return TRUE;
    fd = folio_file_open(folio_process_get_proc_fd(process), "fd", O_RDONLY | O_DIRECTORY, error);
    if (fd < 0)
        return FALSE;
    dir = fdopendir(fd);
    if (dir == NULL) {
        folio_set_error_errno(error, errno, "fd");
        close(fd);
        return FALSE;
    }
    for (errno = 0; (entry = readdir(dir)) != NULL; errno = 0) {
        struct statx memfd;

        if (stat_memfd(dirfd(dir), entry->d_name, &memfd))
            note_birth(maps, runs, &memfd, g_ascii_strtoull(entry->d_name, NULL, 10));
    }
    if (errno != 0)
        folio_set_error_errno(error, errno, "fd");
    return errno == 0;
}
