/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an actuator is asked for, with all that it takes to act on a guest. */
#pragma once

#include "acting.h"

/* What is wanted of a guest. */
typedef struct {
    FolioActKind kind;
    guint order;
    gboolean force; /* split even if khugepaged would undo that */
} FolioActWish;

/* Of a guest whose RAM and process are known. by: who wants it. Free with folio_act_request_free.
 */
FolioActRequest *folio_request_new(FolioActing *acting, FolioGuest *guest, const FolioActWish *wish,
                                   GArray *ranges, const char *by);
