/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an actuator is asked for. */
#include "request.h"

FolioActRequest *
folio_request_new(FolioActing *acting, FolioGuest *guest, const FolioActWish *wish, GArray *ranges,
                  const char *by)
{
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
