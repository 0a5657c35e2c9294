/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod tells its subscribers, as its client hears it. */
#pragma once

#include "ctl/client.h"

/* All optional. Nothing is called before folio_signals_new returns. */
typedef struct {
    void (*job)(guint job, const char *state, guint64 done, guint64 total, const char *error,
                gpointer user_data);
    /* Properties of a guest, or of foliod itself (path is FOLIO_CLIENT_MANAGER_PATH); changed is an
     * a{sv}. */
    void (*changed)(const char *path, GVariant *changed, gpointer user_data);
    /* The guest has ended, or may not be seen any more. */
    void (*gone)(const char *path, gpointer user_data);
    /* foliod has ended; nothing comes after that. */
    void (*ended)(gpointer user_data);
} FolioSignalEvents;

typedef struct _FolioSignals FolioSignals;

/* Subscribes. Signals are believed only of whoever owns foliod's name now. */
FolioSignals *folio_signals_new(FolioClient *client, const FolioSignalEvents *events,
                                gpointer user_data, GError **error);

void folio_signals_free(FolioSignals *signals);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioSignals, folio_signals_free)
