/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether arguments of a call make sense. Every error is FOLIO_ERROR_INVALID and begins with the
 * name that data/org.foliod1.xml gives the argument. Pure. */
#pragma once

#include "act/actuator.h"

#include <gio/gio.h>

/* Orders that memory of a tmpfs can be split to (0 to 8; of anonymous memory the kernel refuses 1,
 * and guests on that are not served), or collapsed to (9). */
gboolean folio_arguments_check_order(FolioActKind kind, guint order, GError **error);

/* first_block and blocks lie within a guest of n_blocks, and blocks is not 0. */
gboolean folio_arguments_check_range(guint64 first_block, guint64 blocks, guint64 n_blocks,
                                     GError **error);

/* Ranges of one call at most, beside first_block and blocks. */
#define FOLIO_RANGES_MAX 65536

/* Blocks of a guest by number. */
typedef struct {
    guint64 first, n;
} FolioBlockSpan;

/* All ranges of a call: first_block and blocks, and what the option "more" has, a(tt), or NULL.
 * Each must lie within a guest of n_blocks; its error says which does not. FolioBlockSpan,
 * ascending, and those that overlap or adjoin as one; free with g_array_unref. */
GArray *folio_arguments_read_ranges(guint64 first_block, guint64 blocks, GVariant *more,
                                    guint64 n_blocks, GError **error);
