/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat summary that a guest's metadata hold when it is first seen: of the host that it comes
 * from, or of the foliod that ran here before. It is not to be trusted. */
#pragma once

#include "heat/heat-summary.h"
#include "memory/guest-ram.h"
#include "virt/connection.h"

/* Reads the one of the domain for a guest of that RAM, and says in the journal what comes of it.
 * NULL: there is none, or something is wrong with it. To be freed with g_free. */
FolioHeatSummary *folio_brought_heat_read(const FolioDomain *domain, const FolioHeatElement *heat,
                                          const FolioGuestRam *ram);
