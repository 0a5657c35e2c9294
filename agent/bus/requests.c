/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What actuators are asked for by callers. */
#include "bus/requests.h"

#include "base/log.h"

FolioActuator *
folio_request_pick(FolioManager *manager, const FolioActWish *wish, GError **error)
{
    return folio_actuators_pick(folio_acting_get_actuators(folio_manager_get_acting(manager)),
                                wish->kind, wish->order, error);
}

static void
restore_guest(FolioManager *manager, FolioJobs *jobs, FolioGuest *guest, FolioActuator *actuator,
              const FolioActWish *wish, const char *by)
{
    const FolioGuestRam *ram = folio_guest_get_ram(guest);
    g_autoptr(FolioActRequest) request = NULL;
    g_autoptr(GArray) ranges = NULL;

    if (ram == NULL || folio_guest_get_process(guest) == NULL)
        return;
    ranges = folio_block_ranges_new(ram, 0, folio_block_ranges_count(ram));
    request = folio_request_new(folio_manager_get_acting(manager), guest, wish, ranges, by);
    folio_jobs_replace(jobs, actuator, request);
}

void
folio_request_restore_all(FolioManager *manager, FolioJobs *jobs, const char *by)
{
    const FolioActWish wish = { .kind = FOLIO_ACT_RESTORE, .order = FOLIO_ORDER_HUGE };
    g_autoptr(GError) error = NULL;
    FolioActuator *actuator = folio_request_pick(manager, &wish, &error);
    g_autoptr(GPtrArray) guests = folio_manager_list_guests(manager);

    if (actuator == NULL)
        folio_warning("nothing is given back: %s", error->message);
    for (guint i = 0; actuator != NULL && i < guests->len; i++)
        restore_guest(manager, jobs, guests->pdata[i], actuator, &wish, by);
}
