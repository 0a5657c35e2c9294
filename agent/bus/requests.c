/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What actuators are asked for. */
#include "bus/requests.h"

#include "base/log.h"

FolioActRequest *
folio_request_new(FolioManager *manager, FolioGuest *guest, const FolioActWish *wish,
                  GArray *ranges, const char *by)
{
    FolioActing *acting = folio_manager_get_acting(manager);
    FolioActRequest *request = g_new0(FolioActRequest, 1);

    request->kind = wish->kind;
    request->order = wish->order;
    request->process = folio_process_ref(folio_guest_get_process(guest));
    request->ranges = g_array_ref(ranges);
    request->uuid = g_strdup(folio_guest_get_uuid(guest));
    request->name = g_strdup(folio_guest_get_name(guest));
    request->ram = folio_guest_ram_copy(folio_guest_get_ram(guest));
    request->by = g_strdup(by);
    request->khugepaged = folio_guest_get_policy(guest)->values.khugepaged;
    request->may_inject = request->kind == FOLIO_ACT_RESTORE
                              ? folio_acting_may_give_back(acting)
                              : folio_acting_may_inject(acting, guest);
    request->forced = wish->force;
    return request;
}

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
    request = folio_request_new(manager, guest, wish, ranges, by);
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
