/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The best few of many blocks, without sorting all of them. Pure. */
#pragma once

#include <glib.h>

typedef struct {
    guint max;    /* that are kept */
    GArray *keys; /* private */
} FolioBest;

FolioBest *folio_best_new(guint max);
void folio_best_free(FolioBest *best);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioBest, folio_best_free)

/* Each block once at most. */
void folio_best_offer(FolioBest *best, guint32 score, guint32 block);

/* The numbers (guint32) of the blocks of the highest scores, of equals those of the lowest numbers;
 * the best first. Free with g_array_unref. */
GArray *folio_best_list(FolioBest *best);
