/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeps the frame map in step with the page tables of one guest's QEMU process. A pass over all of
 * its RAM is done in steps, so that whoever does it can drain samples in between. */
#pragma once

#include "heat/frame-map.h"
#include "heat/heat-summary.h"
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
#define FOLIO_REFRESH_TURNS 8u

/* Did the map have no room, in the last pass that ended, for pages that stand apart? */
gboolean folio_frame_refresh_is_short(const FolioFrameRefresh *refresh);

/* The pass that begins now is to read the frames of all blocks. */
void folio_frame_refresh_all(FolioFrameRefresh *refresh);

/* In which order passes read: by ascending address, as long as this is not called or with NULL;
 * with the summary of a guest that has come from another host the granules first of which it says
 * that they were most in use, each level by address. Each pass reads all of it whatever the order,
 * and it is not over before. What is gained: the session of the host samples a guest that has just
 * come before the first pass over it has ended, and its samples need not wait, for which there is
 * room for so many of all guests, once their frames are known; and in a later pass, where frames
 * have moved is put right sooner where most samples come from. Nothing of the summary is kept. A
 * pass begins anew; a summary of other RAM counts for none. */
void folio_frame_refresh_order(FolioFrameRefresh *refresh, const FolioHeatSummary *summary);

/* Reads the next 64 MiB, the first when a pass has ended. *done: the pass ended with it. On
 * failure the pass begins anew. Errors as of folio_block_frames_read. */
gboolean folio_frame_refresh_step(FolioFrameRefresh *refresh, gboolean *done, GError **error);
