/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What actuators are asked for, with all that it takes to act on a guest. */
#pragma once

#include "bus/jobs.h"
#include "manager.h"

/* What is wanted of a guest. */
typedef struct {
    FolioActKind kind;
    guint order;
    gboolean force; /* split even if khugepaged would undo that */
} FolioActWish;

/* Of a guest whose RAM and process are known. by: who wants it. Free with folio_act_request_free.
 */
FolioActRequest *folio_request_new(FolioManager *manager, FolioGuest *guest,
                                   const FolioActWish *wish, GArray *ranges, const char *by);

/* As folio_actuators_pick, of the manager's. */
FolioActuator *folio_request_pick(FolioManager *manager, const FolioActWish *wish, GError **error);

/* Begins to give back all that was done to guests, in place of jobs that they have. What cannot be
 * begun is logged. */
void folio_request_restore_all(FolioManager *manager, FolioJobs *jobs, const char *by);
