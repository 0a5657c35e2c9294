/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why blocks have their verdicts, in words and figures. Pure. */
#pragma once

#include "heat/heat-snapshot.h"

/* Blocks of each verdict that can be asked for at once. */
#define FOLIO_EXPLAIN_TOP_MAX 64

/* Numbers of blocks (guint): the top sparse ones, those of the least reach first; then the top
 * dense ones, those most in use first; then the top undecided ones, those of the least reach. */
GArray *folio_explain_pick(const FolioHeatSnapshot *snapshot, guint top);

/* One sentence on a block. */
char *folio_explain_block(const FolioHeatSnapshot *snapshot, guint block);

/* "12 of 24 quiet windows, 3 of 100 dense blocks": what an account has of what it must have, one or
 * the other, before anything is called sparse. */
char *folio_explain_account(guint shown, guint quiet);

/* "idle", "dense", "sparse", "filled", "young", "busy", "unproven", "wide", "account", "ration". */
const char *folio_cause_token(FolioCause cause);
