/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeps the status in the metadata of guests, if the configuration wants it. */
#pragma once

#include "manager.h"

typedef struct _FolioStatusKeeper FolioStatusKeeper;

/* Follows the manager, which must outlive it. */
FolioStatusKeeper *folio_status_keeper_new(FolioManager *manager);

void folio_status_keeper_free(FolioStatusKeeper *keeper);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioStatusKeeper, folio_status_keeper_free)
