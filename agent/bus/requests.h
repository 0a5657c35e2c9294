/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What actuators are asked for by callers. */
#pragma once

#include "bus/jobs.h"
#include "manager.h"
#include "request.h"

/* As folio_actuators_pick, of the manager's. */
FolioActuator *folio_request_pick(FolioManager *manager, const FolioActWish *wish, GError **error);

/* Begins to give back all that was done to guests, in place of jobs that they have. What cannot be
 * begun is logged. */
void folio_request_restore_all(FolioManager *manager, FolioJobs *jobs, const char *by);
