/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers for the blocks of all guests. */
#include "sample/block-space.h"

FolioBlockSpace *
folio_block_space_new(void)
{
    FolioBlockSpace *space = g_new0(FolioBlockSpace, 1);

    space->owners = g_ptr_array_new();
    return space;
}

void
folio_block_space_free(FolioBlockSpace *space)
{
    g_ptr_array_unref(space->owners);
    g_free(space);
}

/* The first of n free groups in a row; what is behind the last group is free. */
static guint
find_room(const FolioBlockSpace *space, guint n)
{
    guint start = 0;

    for (guint i = 0; i < space->owners->len && i - start < n; i++) {
        if (space->owners->pdata[i] != NULL)
            start = i + 1;
    }
    return start;
}

gboolean
folio_block_space_take(FolioBlockSpace *space, gpointer owner, guint n_blocks, guint *first)
{
    const guint n = n_blocks / FOLIO_BLOCKS_A_GROUP + (n_blocks % FOLIO_BLOCKS_A_GROUP != 0);
    const guint start = find_room(space, n);

    if ((guint64) start * FOLIO_BLOCKS_A_GROUP + n_blocks > FOLIO_MAX_BLOCKS)
        return FALSE;
    if (start + n > space->owners->len)
        g_ptr_array_set_size(space->owners, (gint) (start + n));
    for (guint i = start; i < start + n; i++)
        space->owners->pdata[i] = owner;
    *first = start * FOLIO_BLOCKS_A_GROUP;
    return TRUE;
}

void
folio_block_space_give_back(FolioBlockSpace *space, gconstpointer owner)
{
    for (guint i = 0; i < space->owners->len; i++) {
        if (space->owners->pdata[i] == owner)
            space->owners->pdata[i] = NULL;
    }
}
