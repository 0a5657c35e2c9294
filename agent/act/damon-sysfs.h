/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DAMON's files in sysfs (Documentation/admin-guide/mm/damon/usage.rst of the kernel): a pool of
 * kdamonds, and one run of one of them, which does one action to exact ranges of one process. What
 * a kernel can do is seen by its files, never by its version.
 *
 * All of it blocks. The files have one lock, and whoever finds it taken gets EBUSY: that is tried
 * again for a while, unless cancelled (CANCELLED of G_IO_ERROR). Errors name the file and the
 * value, their code is that of the errno. */
#pragma once

#include "memory/block-ranges.h"

#include <gio/gio.h>

/* How often a file is tried that is busy; FOLIO_DAMON_BUSY_USEC pass in between. A kernel may hold
 * the lock while a kdamond finishes the pass that it is in, which takes seconds at worst. */
#define FOLIO_DAMON_BUSY_TRIES 500u
#define FOLIO_DAMON_BUSY_USEC  20000u

/* One kdamond of the pool. */
typedef struct {
    const char *dir; /* SYS/kernel/mm/damon/admin/kdamonds */
    guint number;
    guint busy_tries;
} FolioDamonSlot;

typedef struct {
    gboolean fvaddr; /* the operations for ranges of a process as they are given */
    gboolean split;  /* the actions */
    gboolean collapse;
    gboolean target_order;   /* a scheme has an order of the folios that are to be */
    gboolean max_snapshots;  /* a scheme can be applied once */
    const char *filters_dir; /* which filters can let memory in ("allow"); NULL: none */
} FolioDamonFeatures;

typedef struct {
    pid_t pid;
    const char *action; /* "split", "collapse" */
    guint order;
    const FolioBlockRange *ranges; /* ascending, apart from each other */
    guint n_ranges;                /* at least 1 */
} FolioDamonRun;

typedef struct {
    guint64 nr_tried;     /* regions */
    guint64 sz_tried;     /* bytes */
    guint64 nr_snapshots; /* whole passes; 0 where the kernel does not count them */
} FolioDamonStats;

/* To be freed. */
char *folio_damon_dir(const char *sys_root);

/* nr_kdamonds. NOT_FOUND: this kernel has no DAMON, or not its sysfs files. */
gboolean folio_damon_read_pool(const char *dir, guint *n, GError **error);
/* Makes all kdamonds anew, so many; BUSY while one is on. */
gboolean folio_damon_write_pool(const char *dir, guint n, guint busy_tries,
                                GCancellable *cancellable, GError **error);

/* Is it on? */
gboolean folio_damon_read_state(const FolioDamonSlot *slot, gboolean *on, GError **error);
/* Has somebody given it a context? */
gboolean folio_damon_read_configured(const FolioDamonSlot *slot, gboolean *configured,
                                     GError **error);
/* The action of its scheme, to be freed; NULL when it has none. */
char *folio_damon_read_action(const FolioDamonSlot *slot);
/* The thread; -1 when it is off, or cannot be told. */
pid_t folio_damon_read_pid(const FolioDamonSlot *slot);

/* Tries in this slot, which is off and has to be cleared afterwards, what the kernel has. */
gboolean folio_damon_read_features(const FolioDamonSlot *slot, FolioDamonFeatures *features,
                                   GError **error);

/* Writes all that the run needs to the slot, which is off. */
gboolean folio_damon_configure(const FolioDamonSlot *slot, const FolioDamonFeatures *features,
                               const FolioDamonRun *run, GCancellable *cancellable, GError **error);
gboolean folio_damon_turn_on(const FolioDamonSlot *slot, GCancellable *cancellable, GError **error);
/* Waits until all was walked over once, max_sec at most. FAILED: the kdamond has ended, as it does
 * when its process does, or the time is over. */
gboolean folio_damon_wait(const FolioDamonSlot *slot, const FolioDamonFeatures *features,
                          guint max_sec, FolioDamonStats *stats, GCancellable *cancellable,
                          GError **error);

/* Off, if it is on, and without its context, so that nothing of the run remains. Cannot be
 * cancelled; any error is tried again a few times. */
gboolean folio_damon_clear(const FolioDamonSlot *slot, GError **error);
