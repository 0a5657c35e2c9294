/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of foliod on a host whose administrator wants nothing to stay behind (RestoreOnStop=). */
#pragma once

#include "bus/service.h"

/* Gives back all that was done to guests, as far as that takes a minute, and runs the main loop
 * meanwhile. Does nothing when the host is shutting down: its guests end too, and would only be
 * held up. */
void folio_stop_restore(FolioService *service);
