/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The members that change something, and what there is to say of jobs: each checks its arguments
 * first, and either does all of what it was asked for or changes nothing. All are FolioCallRun. */
#pragma once

#include "bus/call.h"

/* Of a guest. */
void folio_action_set_mode(FolioCall *call);
void folio_action_act(FolioCall *call); /* Split, Collapse, Restore */

/* Of the manager. */
void folio_action_pause(FolioCall *call);
void folio_action_resume(FolioCall *call);
void folio_action_cancel_job(FolioCall *call);
void folio_action_get_job(FolioCall *call);
