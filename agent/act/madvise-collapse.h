/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way "madvise-collapse": process_madvise with MADV_COLLAPSE (Linux 6.1), block by block. */
#pragma once

#include "act/way.h"

FolioWay *folio_madvise_collapse_way_new(void);
