/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The methods Heat, Explain and Decisions of org.foliod1.Guest. */
#pragma once

#include "bus/call.h"

/* Each ends the call. What the first two read is not copied, and turned into a reply in a task. */
void folio_guest_heat_run(FolioCall *call);
void folio_guest_explain_run(FolioCall *call);
void folio_guest_decisions_run(FolioCall *call);

/* What a task answers a call with: a tuple, floating. */
typedef GVariant *(*FolioHeatReply)(const FolioHeatSnapshot *snapshot, gpointer data);

/* Makes the reply in a task and ends the call with it. snapshot is taken; data stays the caller's
 * until free_data. */
void folio_guest_heat_answer(FolioCall *call, FolioHeatSnapshot *snapshot, FolioHeatReply reply,
                             gpointer data, GDestroyNotify free_data);
