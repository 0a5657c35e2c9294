/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is left where no access can be sampled: it nominates the ranges of guest RAM that PMDs map.
 * That is no evidence of use (a fault maps a whole block for one touched page), so its sessions
 * hand over no samples and nothing that it says ever makes a block sparse. */
#pragma once

#include "sample/source.h"

/* To be freed by its class. */
FolioSource *folio_smaps_source_new(void);
