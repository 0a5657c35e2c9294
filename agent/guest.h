/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of one guest: it is located, its RAM is found and measured; the guest owns its state. */
#pragma once

#include "config.h"
#include "guest-judge.h"
#include "guest-sampling.h"
#include "guest-settings.h"
#include "host/doctor.h"
#include "policy/guest-policy.h"
#include "virt/connection.h"

#define FOLIO_TYPE_GUEST (folio_guest_get_type())
G_DECLARE_FINAL_TYPE(FolioGuest, folio_guest, FOLIO, GUEST, GObject)

/* Signals:
 *  "outdated" ()  the process contradicts what libvirt said of the domain, which should be asked
 *                 again
 *  "changed" ()   its state, mode or heat may be another now */

/* The guest of that domain; it is looked at as soon as the main loop runs. Copies both. */
FolioGuest *folio_guest_new(const FolioDomain *domain, const FolioGuestSettings *settings);

/* libvirt looked at the domain again, or the configuration changed: the guest looks again at what
 * that may have changed, and at all when it was not located. */
void folio_guest_update(FolioGuest *guest, const FolioDomain *domain);
void folio_guest_configure(FolioGuest *guest, const FolioGuestSettings *settings);

/* What its metadata ask for may have changed. */
void folio_guest_take_hints(FolioGuest *guest, const FolioDomainHints *hints);

/* An administrator's word on the mode, which comes before all others; NULL: there is none. */
void folio_guest_set_admin_mode(FolioGuest *guest, const FolioMode *mode);

/* What acting on it would meet with; nothing, until this is called. */
void folio_guest_set_prospect(FolioGuest *guest, const FolioProspect *prospect);

/* Something is being done to it, or has ended. */
void folio_guest_set_acting(FolioGuest *guest, gboolean acting);

/* The guest does not run any more: timers stop, results of tasks under way are dropped. */
void folio_guest_stop(FolioGuest *guest);

const char *folio_guest_get_uuid(FolioGuest *guest);
const char *folio_guest_get_name(FolioGuest *guest);
/* Borrowed; NULL while it is not known. */
FolioProcess *folio_guest_get_process(FolioGuest *guest);
/* 0 while the process is not known. */
guint folio_guest_get_pid(FolioGuest *guest);
FolioGuestState folio_guest_get_state(FolioGuest *guest);
FolioReason folio_guest_get_reason(FolioGuest *guest);
/* The reason's text, with what was seen behind a colon where that says more. */
const char *folio_guest_get_reason_text(FolioGuest *guest);
/* The one in force. */
FolioMode folio_guest_get_mode(FolioGuest *guest);
/* What it comes from, and all else that was said; valid until the main loop runs again. */
const FolioGuestPolicy *folio_guest_get_policy(FolioGuest *guest);
/* What of its metadata was refused, and why; "" for nothing. */
const char *folio_guest_get_hint_error(FolioGuest *guest);
gboolean folio_guest_get_suspended(FolioGuest *guest);
/* The RAM as last measured; NULL while it is not known. Valid until the main loop runs again. */
const FolioGuestRam *folio_guest_get_ram(FolioGuest *guest);

/* What sampling says of it, as of at most a second ago. */
void folio_guest_get_sampling(FolioGuest *guest, FolioSamplingFigures *figures);

/* Its place with the sampler, for the heat of its blocks; NULL once it has stopped. */
FolioGuestSampling *folio_guest_peek_sampling(FolioGuest *guest);

/* What is nominated in place of verdicts; not known of a guest that is sampled or not served. As
 * old as its RAM's figures. */
FolioNomination folio_guest_get_nomination(FolioGuest *guest);

/* Fills what the doctor wants to know; all of it borrowed, valid until the main loop runs again. */
void folio_guest_describe(FolioGuest *guest, FolioDoctorGuest *description);

/* Measures the RAM unless the last figures are younger than a second, or than 100 times what taking
 * them took: so all callers together cost at most 1 % of a core. Calls that come meanwhile share
 * one measurement. Always succeeds: a guest that cannot be measured says so by its reason. */
void folio_guest_refresh_async(FolioGuest *guest, GAsyncReadyCallback callback, gpointer user_data);
void folio_guest_refresh_finish(FolioGuest *guest, GAsyncResult *result);
