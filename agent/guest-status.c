/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The status of a guest as it stands in its metadata. */
#include "guest-status.h"

#define STEPS 16
#define MIB   (1024 * 1024)

FolioMode
folio_guest_mode_in_force(FolioGuest *guest, const FolioActuators *actuators)
{
    const FolioHints *values = &folio_guest_get_policy(guest)->values;

    return folio_mode_in_force(
        values->mode,
        folio_actuators_pick(actuators, FOLIO_ACT_SPLIT, values->split_order, NULL) != NULL,
        folio_actuators_pick(actuators, FOLIO_ACT_COLLAPSE, FOLIO_ORDER_HUGE, NULL) != NULL);
}

void
folio_guest_status_take(FolioGuestStatus *status, FolioGuest *guest,
                        const FolioActuators *actuators)
{
    const FolioGuestPolicy *policy = folio_guest_get_policy(guest);
    const FolioGuestRam *ram = folio_guest_get_ram(guest);
    FolioSamplingFigures sampling;

    folio_guest_get_sampling(guest, &sampling);
    *status = (FolioGuestStatus){
        .mode = policy->values.mode,
        .in_force = folio_guest_mode_in_force(guest, actuators),
        .from = folio_policy_from_token(policy->from[FOLIO_HINT_MODE]),
        .state = folio_guest_state_token(folio_guest_get_state(guest)),
        .reason = folio_reason_token(folio_guest_get_reason(guest)),
        .ram = ram != NULL ? ram->bytes : 0,
        .huge = ram != NULL ? ram->now.pmd_mapped : 0,
        .sparse = sampling.bytes[FOLIO_VERDICT_SPARSE],
        .dense = sampling.bytes[FOLIO_VERDICT_DENSE],
    };
}

/* In MiB, to the nearest of the steps. */
static guint64
round_to_step(guint64 bytes, guint64 ram)
{
    guint64 step = MAX(ram / STEPS, MIB);

    return (bytes + step / 2) / step * step / MIB;
}

char *
folio_guest_status_print(const FolioGuestStatus *status)
{
    const gboolean has_heat = status->heat != NULL;

    return g_strdup_printf(
        "<status mode=\"%s\" wanted=\"%s\" source=\"%s\" state=\"%s\" reason=\"%s\" "
        "ram-mib=\"%" G_GUINT64_FORMAT "\" huge-mib=\"%" G_GUINT64_FORMAT
        "\" sparse-mib=\"%" G_GUINT64_FORMAT "\" dense-mib=\"%" G_GUINT64_FORMAT "\"%s%s%s/>",
        folio_mode_to_string(status->in_force), folio_mode_to_string(status->mode), status->from,
        status->state, status->reason, status->ram / MIB, round_to_step(status->huge, status->ram),
        round_to_step(status->sparse, status->ram), round_to_step(status->dense, status->ram),
        has_heat ? " heat=\"" : "", has_heat ? status->heat : "", has_heat ? "\"" : "");
}
