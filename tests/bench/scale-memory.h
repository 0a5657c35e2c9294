/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that guests share, made to look as if each had its own: below the seam of base/file-io.h
 * the kernel is asked as ever, and only the frame numbers that it gives are moved, to others for
 * each process. So page tables are walked, and cost what they cost. Of blocks that are to count as
 * split the pages get frames in a row, as a split leaves them. */
#pragma once

/* Where each guest has its RAM. */
#define SCALE_RAM_START 0x7e0000000000ULL

#include <glib.h>

/* 2 MiB of frames for each guest; more than the file has, since small pages lie anywhere. */
#define SCALE_CHUNKS 3072u

/* Puts itself below the seam. The first n_split blocks of the guests' RAM are to count as split. */
void scale_memory_install(guint n_split);

/* Guests that were seen, and the chunks of frames that all of them share. */
guint scale_memory_count_guests(void);
guint scale_memory_count_chunks(void);

/* The first frame of a chunk of a guest. */
guint64 scale_memory_frame(guint guest, guint chunk);
