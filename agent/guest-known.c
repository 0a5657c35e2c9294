/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of one guest. */
#include "guest-private.h"

gboolean
folio_guest_lacks_evidence(FolioGuest *guest)
{
    FolioSamplingFigures sampling;

    folio_guest_sampling_get(guest->sampling, &sampling);
    return sampling.state == FOLIO_SAMPLING_OFF || sampling.state == FOLIO_SAMPLING_FAILED;
}

const char *
folio_guest_get_uuid(FolioGuest *guest)
{
    return guest->domain->uuid;
}

const char *
folio_guest_get_name(FolioGuest *guest)
{
    return guest->domain->name;
}

FolioProcess *
folio_guest_get_process(FolioGuest *guest)
{
    return guest->look != NULL ? guest->look->process : NULL;
}

guint
folio_guest_get_pid(FolioGuest *guest)
{
    const FolioProcess *process = folio_guest_get_process(guest);

    return process != NULL ? (guint) folio_process_get_pid(process) : 0;
}

FolioGuestState
folio_guest_get_state(FolioGuest *guest)
{
    return guest->state;
}

FolioReason
folio_guest_get_reason(FolioGuest *guest)
{
    return guest->reason;
}

const char *
folio_guest_get_reason_text(FolioGuest *guest)
{
    return guest->reason_text;
}

FolioMode
folio_guest_get_mode(FolioGuest *guest)
{
    return folio_guest_get_policy(guest)->values.mode;
}

const FolioGuestPolicy *
folio_guest_get_policy(FolioGuest *guest)
{
    return folio_guest_hints_get_policy(guest->hints);
}

const char *
folio_guest_get_hint_error(FolioGuest *guest)
{
    return folio_guest_hints_get_error(guest->hints);
}

gboolean
folio_guest_get_suspended(FolioGuest *guest)
{
    return guest->domain->suspended;
}

const FolioGuestRam *
folio_guest_get_ram(FolioGuest *guest)
{
    return guest->look != NULL ? guest->look->ram : NULL;
}

void
folio_guest_get_sampling(FolioGuest *guest, FolioSamplingFigures *figures)
{
    folio_guest_sampling_get(guest->sampling, figures);
}

FolioGuestSampling *
folio_guest_peek_sampling(FolioGuest *guest)
{
    return guest->sampling;
}

FolioNomination
folio_guest_get_nomination(FolioGuest *guest)
{
    const FolioNomination none = { 0 };

    if (guest->state != FOLIO_GUEST_LOCATED || guest->look == NULL ||
        !folio_guest_lacks_evidence(guest))
        return none;
    return guest->look->nomination;
}

void
folio_guest_describe(FolioGuest *guest, FolioDoctorGuest *description)
{
    const FolioLook *look = guest->look;
    const FolioDomainXml *xml = look != NULL ? look->xml : NULL;
    const FolioProcess *process = look != NULL ? look->process : NULL;

    *description = (FolioDoctorGuest){
        .name = guest->domain->name,
        .reason = guest->reason,
        .reason_text = guest->reason_text,
        .emulator = xml != NULL ? xml->emulator : "",
        .exe = process != NULL ? folio_process_get_exe(process) : "",
        .n_vfio = xml != NULL ? xml->n_vfio : 0,
        .locked = xml != NULL && xml->locked,
        .hint_error = folio_guest_get_hint_error(guest),
        .hint_capped = folio_guest_get_policy(guest)->capped,
        .ram = folio_guest_get_ram(guest),
    };
}
