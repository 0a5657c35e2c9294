/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A run from its first block to its last, in the thread of its task. */
#pragma once

#include "act/act-run.h"

typedef struct {
    FolioWay *way;
    const char *cannot; /* why the way cannot do it here; NULL: it can */
    const FolioActContext *context;
    const FolioActRequest *request;
    GCancellable *cancellable;
    /* Called in the thread: so many of so many blocks have been dealt with. */
    void (*progress)(guint64 done, guint64 total, gpointer user_data);
    /* Likewise: these have been, and became what the results say. NULL: nobody wants to know. */
    void (*settled)(const FolioBlockResult *results, guint n, gpointer user_data);
    gpointer user_data;
    FolioActReport report; /* out, however it ends */
} FolioActWork;

/* Blocking. FALSE with an error, CANCELLED of G_IO_ERROR when cancelled; UNSUPPORTED when the way
 * cannot do it or khugepaged would undo it; NOT_FOUND when the process has ended. */
gboolean folio_act_work_do(FolioActWork *work, GError **error);
