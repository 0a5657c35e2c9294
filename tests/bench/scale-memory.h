/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that guests share, made to look as if each had its own: below the seam of base/file-io.h
 * the kernel is asked as ever, and only the frame numbers that it gives are moved, to others for
 * each process. So page tables are walked, and cost what they cost. */
#pragma once

#include <glib.h>

/* 2 MiB of frames for each guest; more than the file has, since small pages lie anywhere. */
#define SCALE_CHUNKS 3072u

/* Puts itself below the seam. */
void scale_memory_install(void);

/* Guests that were seen, and the chunks of frames that all of them share. */
guint scale_memory_count_guests(void);
guint scale_memory_count_chunks(void);

/* The first frame of a chunk of a guest. */
guint64 scale_memory_frame(guint guest, guint chunk);
