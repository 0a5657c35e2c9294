/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What translation costs a guest, as org.foliod1.Guest tells of it. */
#pragma once

#include "heat/cost-table.h"

#include <gio/gio.h>

/* The property Translation, a{sv}. */
GVariant *folio_guest_cost_describe(const FolioCostTotals *costs);

/* Into an a{sv}: what is known of a block that is followed; nothing when entry is NULL. */
void folio_guest_cost_add_entry(GVariantBuilder *dict, const FolioCostEntry *entry);
