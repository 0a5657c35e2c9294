/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeps the frame map in step with the page tables of one guest's QEMU process. A pass over all of
 * its RAM is done in steps, so that whoever does it can drain samples in between. */
#pragma once

#include "heat/frame-map.h"
#include "memory/guest-ram.h"

typedef struct _FolioFrameRefresh FolioFrameRefresh;

/* Number of blocks of that RAM: each RAM block counts its own, the last of them may be short. */
guint folio_frame_refresh_count_blocks(const FolioGuestRam *ram);

/* Blocks are numbered from first_block on. The map is borrowed; kpageflags_fd (borrowed too) may be
 * -1: then a page that is no longer mapped is forgotten at once. Opens pagemap: NOT_PERMITTED,
 * NOT_FOUND. */
FolioFrameRefresh *folio_frame_refresh_new(FolioFrameMap *map, const FolioProcess *process,
                                           const FolioGuestRam *ram, guint first_block,
                                           int kpageflags_fd, GError **error);

/* Also forgets the frames of the guest. */
void folio_frame_refresh_free(FolioFrameRefresh *refresh);

/* Of blocks that are known to stand in one piece, and are wholly mapped, a pass reads the frames of
 * one in so many only, each time of others. Where one of them has moved and nobody saw it gone, its
 * samples are not known to be of the guest meanwhile; and if its old frames are another guest's by
 * now, which are read there at once when they are new to it, until its turn has come. */
#define FOLIO_REFRESH_TURNS 4u

/* The pass that begins now is to read the frames of all blocks. */
void folio_frame_refresh_all(FolioFrameRefresh *refresh);

/* Reads the next 64 MiB, the first when a pass has ended. *done: the pass ended with it. On
 * failure the pass begins anew. Errors as of folio_block_frames_read. */
gboolean folio_frame_refresh_step(FolioFrameRefresh *refresh, gboolean *done, GError **error);
