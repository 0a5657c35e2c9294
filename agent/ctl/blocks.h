/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which blocks of a guest a job is for. */
#pragma once

#include "ctl/cmd.h"

/* Blocks by number, as foliod counts them. */
typedef struct {
    guint64 first, n;
} FolioBlocks;

/* From words: "FIRST COUNT" (two words), "FIRST+COUNT", or "0xSTART-0xEND", addresses within one
 * RAM block, as often as there are any. ram is a reply of ListRam, needed for addresses only, and
 * may be NULL without any (folio_blocks_has_addresses). FolioBlocks in the order of the words; free
 * with g_array_unref. INVALID: what is wrong with which word. Pure. */
GArray *folio_blocks_parse(const char *const *words, GVariant *ram, GError **error);

gboolean folio_blocks_has_addresses(const char *const *words);

/* Those whose verdict is sparse now, neighbours as one; may be empty. Asks foliod; FAILED when
 * nothing is known of the guest's heat. */
GArray *folio_blocks_find_sparse(FolioClient *client, const char *path, GError **error);

/* The arguments of Split and Collapse, floating. blocks NULL: all of the guest; else not empty. */
GVariant *folio_blocks_arguments(GArray *blocks, guint order, gboolean force);
