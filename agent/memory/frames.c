/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which physical frames the page tables of another process name. The format of an entry:
 * Documentation/admin-guide/mm/pagemap.rst. */
#include "memory/frames.h"

#include "base/error.h"
#include "base/file-io.h"

#include <errno.h>

#define PAGE_BYTES    4096u
#define ENTRY_PRESENT (G_GUINT64_CONSTANT(1) << 63)
#define ENTRY_FRAME   ((G_GUINT64_CONSTANT(1) << 55) - 1)

gboolean
folio_frames_read(int pagemap_fd, guint64 start, guint64 *frames, guint n_pages, GError **error)
{
    gsize size = (gsize) n_pages * sizeof(*frames);
    gssize got = folio_file_read_at(pagemap_fd, start / PAGE_BYTES * sizeof(*frames), frames, size);

    if (got < 0) {
        folio_set_error_errno(error, errno, "pagemap");
        return FALSE;
    }
    if ((gsize) got < size) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND,
                    "pagemap: ends early: the process has ended");
        return FALSE;
    }
    for (guint i = 0; i < n_pages; i++) {
        gboolean present = (frames[i] & ENTRY_PRESENT) != 0;

        frames[i] = present ? frames[i] & ENTRY_FRAME : FOLIO_NO_FRAME;
        if (present && frames[i] == 0) {
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED,
                        "pagemap: the kernel hides physical addresses: CAP_SYS_ADMIN is needed");
            return FALSE;
        }
    }
    return TRUE;
}
