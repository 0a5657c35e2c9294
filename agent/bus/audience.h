/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One subscriber: what polkit has said of it about the host and each guest, and what it has been
 * told. A guest is named by its UUID, the host by "". */
#pragma once

#include "bus/bouncer.h"

/* What has to go to the subscriber; the audience decides when. */
typedef struct {
    /* All of that guest, or of the host, as it is now. */
    void (*tell_all)(const char *sender, const char *uuid, gpointer user_data);
    /* It is there no longer, as far as this subscriber is concerned. */
    void (*tell_gone)(const char *sender, const char *uuid, gpointer user_data);
    /* Arguments of JobChanged. */
    void (*tell_job)(const char *sender, GVariant *job, gpointer user_data);
    /* The guest's name, for polkit's rules; NULL when it is not there (any more). */
    const char *(*find_name)(const char *uuid, gpointer user_data);
} FolioAudienceEvents;

typedef struct _FolioAudience FolioAudience;

/* Knows of nothing yet. */
FolioAudience *folio_audience_new(const char *sender, FolioBouncer *bouncer,
                                  const FolioAudienceEvents *events, gpointer user_data);

/* Tells nothing any more. Questions under way are left to end. */
void folio_audience_leave(FolioAudience *audience);

/* Begins to ask about that guest, if that has not begun. */
void folio_audience_admit(FolioAudience *audience, const char *uuid);

/* The guest is there no longer. */
void folio_audience_drop(FolioAudience *audience, const char *uuid);

/* Nothing that polkit has said holds any more. */
void folio_audience_doubt(FolioAudience *audience);

/* May it be told of a change now? If not yet, all of it is told when it may. */
gboolean folio_audience_hears(FolioAudience *audience, const char *uuid);

/* Tells it of a job with that guest, now or when it may; of several only the last. job is sunk. */
void folio_audience_tell_job(FolioAudience *audience, const char *uuid, GVariant *job);
