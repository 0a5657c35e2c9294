/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat summaries of guests for their status: made in tasks, since each reads every block, and
 * no more often than a status may be written. Of the main context. */
#pragma once

#include "guest.h"

typedef struct _FolioSummaries FolioSummaries;

/* made is called when a guest has another summary, with its uuid. */
FolioSummaries *folio_summaries_new(void (*made)(const char *uuid, gpointer user_data),
                                    gpointer user_data);

/* made is called no more. */
void folio_summaries_free(FolioSummaries *summaries);

/* The last one that was made of the guest, valid until the main loop runs again; has the next one
 * made, if a window has ended since and a minute has passed. NULL: none yet, or it is not sampled.
 */
const char *folio_summaries_get(FolioSummaries *summaries, FolioGuest *guest);

/* The guest runs no more. */
void folio_summaries_forget(FolioSummaries *summaries, const char *uuid);
