/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What plans remember, on file in foliod's run directory beside the ledger, so that a restart
 * shortens no dwell: DIRECTORY/plans/UUID, see plan-file.h. A file is of one run of a guest, that
 * is of one process, of this boot; one that is damaged is set aside as NAME.damaged, with a message
 * in the log. What is not sound counts for nothing: the plan then begins anew, as that of a guest
 * that foliod has not seen before. Threads may share a store; all that blocks says so. */
#pragma once

#include "plan-file.h"

#include <gio/gio.h>

typedef struct _FolioPlanStore FolioPlanStore;

/* Touches nothing yet but the boot's id. */
FolioPlanStore *folio_plan_store_new(const char *directory, const char *proc_root);
FolioPlanStore *folio_plan_store_ref(FolioPlanStore *store);
void folio_plan_store_unref(FolioPlanStore *store);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioPlanStore, folio_plan_store_unref)

/* Has a new plan remember what is there of that guest and that RAM; FALSE: there is nothing, and
 * the plan is as it was. Blocking. */
gboolean folio_plan_store_recall(FolioPlanStore *store, const char *uuid,
                                 const FolioProcess *process, const FolioGuestRam *ram,
                                 FolioPlan *plan);

/* Writes what the plan remembers, or, when that is nothing or the process has ended, removes what
 * is there of it. A plan of another number of blocks is none of that RAM, and is not written.
 * FALSE: it could not be written; what was there before stays. BUSY: it is too much for a file.
 * Blocking. */
gboolean folio_plan_store_keep(FolioPlanStore *store, const char *uuid, const FolioProcess *process,
                               const FolioGuestRam *ram, const FolioPlan *plan, GError **error);

/* What somebody has made of a block, for folio_plan_note(). */
typedef struct {
    guint block;
    FolioPlanAction action;
} FolioPlanNote;

/* folio_plan_store_keep in a task. Takes the plan. With notes (FolioPlanNote), it is what is there
 * that is kept, if anything is, with these noted. */
void folio_plan_store_keep_async(FolioPlanStore *store, const char *uuid, FolioProcess *process,
                                 const FolioGuestRam *ram, FolioPlan *plan, GArray *notes,
                                 GAsyncReadyCallback callback, gpointer user_data);
gboolean folio_plan_store_keep_finish(GAsyncResult *result, GError **error);

/* Removes what is of an earlier boot or of a process that has ended. Blocking. */
void folio_plan_store_forget_gone(FolioPlanStore *store);
