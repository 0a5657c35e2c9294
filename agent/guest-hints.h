/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is said of one guest, by each who has a say, and what comes of it. Hints are kept until they
 * change for the better: what is refused leaves in force what was before. */
#pragma once

#include "guest-settings.h"
#include "policy/guest-policy.h"
#include "virt/connection.h"

typedef struct _FolioGuestHints FolioGuestHints;

/* Of the domain's metadata, as far as they are good, and the settings. */
FolioGuestHints *folio_guest_hints_new(const FolioDomain *domain,
                                       const FolioGuestSettings *settings);

void folio_guest_hints_free(FolioGuestHints *hints);

/* Another run of the domain has begun: what its metadata said before does not hold any more. */
void folio_guest_hints_forget(FolioGuestHints *hints);

/* Each of these tells of another policy, and of a refusal, in the journal. Taking returns FALSE
 * when neither is another than before. */
gboolean folio_guest_hints_take(FolioGuestHints *hints, const FolioDomainHints *read);
void folio_guest_hints_configure(FolioGuestHints *hints, const FolioGuestSettings *settings);

/* An administrator's mode; NULL: there is none. */
void folio_guest_hints_set_admin_mode(FolioGuestHints *hints, const FolioMode *mode);

/* Valid until one of the above is called. */
const FolioGuestPolicy *folio_guest_hints_get_policy(const FolioGuestHints *hints);

/* What was refused last of the metadata that are there now, "" for nothing: "metadata: WHY". */
const char *folio_guest_hints_get_error(const FolioGuestHints *hints);
