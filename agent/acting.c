/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod does to guests. */
#include "acting.h"

struct _FolioActing {
    FolioActuators *actuators;
};

FolioActing *
folio_acting_new(const FolioActingOptions *options, void (*changed)(gpointer user_data),
                 gpointer user_data)
{
    FolioActing *acting = g_new0(FolioActing, 1);

    acting->actuators = folio_actuators_new();
    return acting;
}

void
folio_acting_free(FolioActing *acting)
{
    folio_actuators_free(acting->actuators);
    g_free(acting);
}

FolioActuators *
folio_acting_get_actuators(FolioActing *acting)
{
    return acting->actuators;
}

void
folio_acting_probe(FolioActing *acting)
{
}

gboolean
folio_acting_may_inject(FolioActing *acting, FolioGuest *guest)
{
    return folio_guest_get_mode(guest) > FOLIO_MODE_OBSERVE;
}

void
folio_acting_count(FolioActing *acting, FolioGuest *guest, FolioLedgerCounters *counters)
{
    *counters = (FolioLedgerCounters){ 0 };
}

FolioKeeper
folio_acting_get_keeper(FolioActing *acting, FolioGuest *guest)
{
    return FOLIO_KEEPER_FREE;
}

void
folio_acting_look(FolioActing *acting, FolioGuest *guest)
{
}

void
folio_acting_forget(FolioActing *acting, FolioGuest *guest)
{
}
