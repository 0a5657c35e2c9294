/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file of perf in memory. */
#include "ctl/analyze.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was mapped and is no longer in the file. */
static void G_GNUC_NORETURN
file_was_shortened(int signal_number)
{
    static const char text[] = "folioctl: the file was shortened while it was read\n";
    ssize_t written G_GNUC_UNUSED = write(STDERR_FILENO, text, sizeof(text) - 1);

    _exit(FOLIO_EXIT_FAILED);
}

/* Pages that were read come back from the page cache where they are needed again. */
static void
drop_pages(gpointer user_data)
{
    const FolioCapture *capture = user_data;

    madvise(g_mapped_file_get_contents(capture->mapped), g_mapped_file_get_length(capture->mapped),
            MADV_DONTNEED);
}

/* Opens a regular file; a FIFO or a device would keep us waiting, or never end. */
static int
open_regular(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat status;

    if (fd < 0) {
        folio_set_error_errno(error, errno, "%s", path);
        return -1;
    }
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fd;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: is no regular file", path);
    close(fd);
    return -1;
}

FolioCapture *
folio_capture_open(const char *path, GError **error)
{
    g_autoptr(FolioCapture) capture = g_new0(FolioCapture, 1);
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GError) cause = NULL;
    int fd = open_regular(path, error);

    if (fd < 0)
        return NULL;
    capture->mapped = g_mapped_file_new_from_fd(fd, FALSE, &cause);
    close(fd);
    if (capture->mapped == NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s: %s", path, cause->message);
        return NULL;
    }
    signal(SIGBUS, file_was_shortened);
    bytes = g_mapped_file_get_bytes(capture->mapped);
    /* A look at an event's header may map all of a large folio of the page cache (Linux 6.18),
     * which adds up to the whole file; not so without huge pages. */
    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
    capture->perf = folio_perf_file_parse(bytes, path, error);
    prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
    if (capture->perf == NULL)
        return NULL;
    capture->walk.file = capture->perf;
    if (g_mapped_file_get_length(capture->mapped) > 0) {
        capture->walk.relief = drop_pages;
        capture->walk.relief_data = capture;
        drop_pages(capture);
    }
    return g_steal_pointer(&capture);
}

void
folio_capture_free(FolioCapture *capture)
{
    if (capture == NULL)
        return;
    folio_perf_file_free(capture->perf);
    g_clear_pointer(&capture->mapped, g_mapped_file_unref);
    g_free(capture);
}
