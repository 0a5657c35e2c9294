/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which physical frames the page tables of another process name, by /proc/PID/pagemap. */
#pragma once

#include <glib.h>

#define FOLIO_NO_FRAME 0 /* physical page 0 is never given to a process */

/* The frames of n_pages pages of 4 KiB from start (a multiple of that) on, into frames;
 * FOLIO_NO_FRAME for what is not present. NOT_PERMITTED when the kernel hides the frames, as it
 * does without CAP_SYS_ADMIN; NOT_FOUND when the process has ended. Blocking. */
gboolean folio_frames_read(int pagemap_fd, guint64 start, guint64 *frames, guint n_pages,
                           GError **error);
