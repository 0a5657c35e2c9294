/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The status of a guest as it stands in its metadata. */
#pragma once

#include "act/actuator.h"
#include "guest.h"

typedef struct {
    FolioMode mode;     /* what is wanted */
    FolioMode in_force; /* what of it can be done */
    const char *from;   /* who wants it, a token of folio_policy_from_token */
    const char *state;  /* tokens */
    const char *reason;
    guint64 ram, huge, sparse, dense; /* bytes */
    const char *heat;                 /* a summary of it; NULL: none is to be told */
} FolioGuestStatus;

/* What of the guest's mode these actuators can do on this host. */
FolioMode folio_guest_mode_in_force(FolioGuest *guest, const FolioActuators *actuators);

/* As of now, without heat. */
void folio_guest_status_take(FolioGuestStatus *status, FolioGuest *guest,
                             const FolioActuators *actuators);

/* <status mode="observe" wanted="split" source="metadata" state="deciding" reason="no-actuator"
 *         ram-mib="1024" huge-mib="960" sparse-mib="64" dense-mib="512"/>
 *
 * and heat="..." behind it (heat/heat-summary.h), if there is. Pure. Sizes are rounded to
 * sixteenths of the RAM, so that the text changes seldom; unlike the others, RAM is exact. Without
 * a namespace: libvirt puts it on. */
char *folio_guest_status_print(const FolioGuestStatus *status);
