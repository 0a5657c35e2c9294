/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the administrator says of single guests, in files by their UUIDs. */
#pragma once

#include "config.h"

/* Reads CONF_DIR/guests.d/UUID.conf of each guest, with the group [Guest] and the keys Mode=,
 * SplitOrder=, SparseBelow=, MaxRate= and Khugepaged=, into the guest_hints of a config that is
 * being loaded. A file with an error is left out whole. */
void folio_config_load_guests(FolioConfig *config, const char *conf_dir, GPtrArray *errors);
