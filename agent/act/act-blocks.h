/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ranges as blocks, each by its address, and back. Pure. */
#pragma once

#include "memory/block-ranges.h"

/* Addresses (guint64) of the blocks of the FolioBlockRange in ranges, ascending, each once. INVALID
 * when a range is not of whole blocks at multiples of 2 MiB. Free with g_array_unref. */
GArray *folio_act_blocks_new(const GArray *ranges, GError **error);

/* Is it one of them? */
gboolean folio_act_blocks_have(const GArray *blocks, guint64 address);

/* Those of both, as folio_act_blocks_new returns them. */
GArray *folio_act_blocks_intersect(const GArray *blocks, const GArray *others);

/* FolioBlockRange of n ascending addresses, neighbours as one. Free with g_array_unref. */
GArray *folio_act_blocks_to_ranges(const guint64 *addresses, guint n);
