/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What was decided, in words. Pure. */
#pragma once

#include "policy/plan.h"

/* Why: "sparse for 3 windows; 4 sub-pages seen in the last one, about 6 in use, 9 in reach;
 * confidence 0.97". */
char *folio_decision_print_why(const FolioPlanStep *step);

/* Blocks that the last window has something to say of: "12 to be split (guest-rate); 30 whose
 * verdict has not stood for long enough; 4 rest after an action". "" for none. waits_for says what
 * the first ones wait for, "" for nothing. */
char *folio_decision_print_counts(const FolioPlanCounts *counts, const char *waits_for);
