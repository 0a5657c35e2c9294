/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /org/foliod1/guest/UUID: the interface org.foliod1.Guest. Holds no state. */
#pragma once

#include "bus/call.h"

/* A FolioCallRun for every member of the interface. */
void folio_guest_object_run(FolioCall *call);

/* Its properties whose changes subscribers are told of, a{sv}, floating. */
GVariant *folio_guest_object_describe(FolioManager *manager, FolioJobs *jobs, FolioGuest *guest);
