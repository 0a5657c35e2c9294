/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /org/foliod1: the interface org.foliod1.Manager. Holds no state. */
#pragma once

#include "bus/call.h"

/* A FolioCallRun for every member of the interface. */
void folio_manager_object_run(FolioCall *call);

/* Its properties whose changes subscribers are told of, a{sv}, floating. */
GVariant *folio_manager_object_describe(FolioManager *manager, FolioJobs *jobs);
