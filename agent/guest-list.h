/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking through guests that are kept by UUID. */
#pragma once

#include "guest.h"

/* References to all of them (uuid -> FolioGuest), by name then uuid; free with g_ptr_array_unref.
 */
GPtrArray *folio_guest_list_sorted(GHashTable *guests);

/* Borrowed; NULL when there is none. */
FolioGuest *folio_guest_list_find_name(GHashTable *guests, const char *name);
