/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether arguments of a call make sense. */
#include "bus/arguments.h"

#include "base/error.h"

gboolean
folio_arguments_check_order(FolioActKind kind, guint order, GError **error)
{
    if (kind == FOLIO_ACT_COLLAPSE) {
        if (order == FOLIO_ORDER_HUGE)
            return TRUE;
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "order: %u is none that memory can be collapsed to: %d is", order,
                    FOLIO_ORDER_HUGE);
        return FALSE;
    }
    if (order < FOLIO_ORDER_HUGE && order != 1)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                "order: %u is none that memory can be split to: 0 and 2 to %d are", order,
                FOLIO_ORDER_HUGE - 1);
    return FALSE;
}

gboolean
folio_arguments_check_range(guint64 first_block, guint64 blocks, guint64 n_blocks, GError **error)
{
    if (first_block >= n_blocks) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "first_block: %" G_GUINT64_FORMAT
                    " is beyond the guest, which has %" G_GUINT64_FORMAT " blocks",
                    first_block, n_blocks);
        return FALSE;
    }
    if (blocks == 0 || blocks > n_blocks - first_block) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "blocks: %" G_GUINT64_FORMAT " is not from 1 to %" G_GUINT64_FORMAT
                    ", as many as the guest has from first_block on",
                    blocks, n_blocks - first_block);
        return FALSE;
    }
    return TRUE;
}
