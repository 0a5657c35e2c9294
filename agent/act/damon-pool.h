/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod's kdamonds: so many are made at once, since that makes all of the host anew, and each is
 * lent to one run at a time. The ledger has it in writing that they are foliod's. Whoever uses
 * DAMON otherwise comes first. Threads. */
#pragma once

#include "act/damon-sysfs.h"
#include "act/ledger.h"

/* As many guests can be acted on at a time. */
#define FOLIO_DAMON_POOL_SIZE 4u

typedef struct _FolioDamonPool FolioDamonPool;

/* The ledger is borrowed, and may be NULL. Touches nothing yet. */
FolioDamonPool *folio_damon_pool_new(const char *sys_root, const char *proc_root,
                                     FolioLedger *ledger);
void folio_damon_pool_free(FolioDamonPool *pool);

/* Who else uses DAMON, see damon-others.h. A pool that an earlier foliod left is taken over first.
 */
char *folio_damon_pool_find_others(FolioDamonPool *pool);

/* Lends a kdamond that is off and without any context; waits for one while all are lent. BUSY when
 * somebody else uses DAMON. */
gboolean folio_damon_pool_acquire(FolioDamonPool *pool, FolioDamonSlot *slot,
                                  GCancellable *cancellable, GError **error);
/* Takes it back: turned off, and cleared. */
void folio_damon_pool_release(FolioDamonPool *pool, const FolioDamonSlot *slot);

gboolean folio_damon_pool_is_taken(FolioDamonPool *pool);

/* Gives the kdamonds back, unless some are lent. */
void folio_damon_pool_close(FolioDamonPool *pool);
