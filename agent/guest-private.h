/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What makes up a guest: for guest.c, which changes it, and guest-known.c, which tells of it. */
#pragma once

#include "guest-hints.h"
#include "guest-sampling.h"
#include "guest.h"

struct _FolioGuest {
    GObject parent;

    FolioDomain *domain;
    FolioGuestSettings *settings;
    FolioGuestHints *hints;
    FolioGuestSampling *sampling;
    FolioHeatElement brought; /* its heat, as this run was first seen, until its RAM is known */
    FolioProspect prospect;
    gboolean acting;
    FolioLook *look; /* what is known; NULL before the first look and after the process ended */
    FolioGuestState state;
    FolioReason reason;
    char *reason_text;

    gboolean stopped;
    gboolean ended;      /* the process of this run was seen to end */
    gboolean looking;    /* a look is under way */
    gboolean look_again; /* what it looks at has changed meanwhile */
    guint retry_msec;
    guint retry_source;
    guint exit_source; /* the pidfd's */

    GQueue waiters; /* GTask: refresh calls that wait for the measurement or look under way */
    guint patience_source;
    gboolean measuring;
    gint64 measure_cost_usec;
};

/* Nobody samples its accesses: then it is at least said what huge pages map. */
gboolean folio_guest_lacks_evidence(FolioGuest *guest);
