/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A summary of a guest's heat that is short enough to travel with it to another host:
 *
 *   1:512:32:d2ac5,b
 *
 * are the version; the blocks of its RAM; the blocks that share an entry, a granule: 64 MiB of them
 * or that times a power of two; and for each RAM block, behind a comma from the second on, its
 * granules as runs: the level, a letter, and how many granules in a row have it when it is more
 * than one. No granule has blocks of two RAM blocks.
 *
 * Whoever may write a domain's metadata may have written a summary that arrives. It orders what is
 * looked at first and nothing more: it is no evidence, and no window is shorter for it. Pure. */
#pragma once

#include "heat/heat-snapshot.h"

#define FOLIO_SUMMARY_VERSION 1

/* Blocks of the smallest granule, 64 MiB: finer heat would be nobody's to tell, and what is looked
 * at in one step is not less (sample/frame-refresh.c). */
#define FOLIO_SUMMARY_GRANULE 32u

/* Bytes; longer ones are neither made nor read. Even of a TiB in which no granule is as the one
 * before it, granules of 128 MiB fit. */
#define FOLIO_SUMMARY_MAX (16 * 1024)

/* By sub-pages in use in the last window, the mean over a granule's blocks: none; fewer than 8;
 * fewer than 64; more. */
#define FOLIO_SUMMARY_LEVELS 4u

typedef struct {
    guint n_blocks;
    guint granule;   /* blocks */
    guint8 levels[]; /* of each block, below FOLIO_SUMMARY_LEVELS */
} FolioHeatSummary;

/* The text of a snapshot, by the smallest granules with which it is short enough; NULL: there are
 * so many RAM blocks that none is. Reads every block. */
char *folio_heat_summary_print(const FolioHeatSnapshot *snapshot);

/* Reads the summary of a guest whose RAM blocks are in ranges, of FolioHeatRange. NULL and the
 * error: UNSUPPORTED for another version, INVALID for all else that is not as above to the last
 * byte, of RAM of another size, or too long. To be freed with g_free. */
FolioHeatSummary *folio_heat_summary_parse(const char *text, const GArray *ranges, GError **error);
