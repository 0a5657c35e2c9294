/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The keys of the configuration: what each means, and what values it takes. Pure. */
#pragma once

#include "config-file.h"

/* Gives every key its default. */
void folio_config_set_defaults(FolioConfig *config);

/* Applies one line of a file. What is wrong with it is appended to errors; config may then be
 * anything, and is to be thrown away. */
void folio_config_apply_entry(FolioConfig *config, const char *path, const FolioConfigEntry *entry,
                              GPtrArray *errors);
