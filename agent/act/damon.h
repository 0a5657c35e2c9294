/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way "damon": kdamonds of DAMON, each with exact ranges and one scheme, for kernels whose
 * schemes have the actions split and collapse. It is unusable while anybody else uses DAMON. */
#pragma once

#include "act/ledger.h"
#include "act/way.h"

/* To be freed by its class. The ledger is borrowed, and may be NULL; with it, kdamonds that a
 * killed foliod left are found by the next one. The first probe makes kdamonds for a moment to see
 * what the kernel has, and takes them away again; apply keeps them until close. */
FolioWay *folio_damon_way_new(const char *sys_root, const char *proc_root, FolioLedger *ledger);
