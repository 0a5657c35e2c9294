/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing down a check: for the parts of the doctor. */
#pragma once

#include "host/doctor.h"

GPtrArray *folio_checks_new(void);

/* A check that passed, with what was seen. */
void folio_checks_pass(GPtrArray *checks, const char *check, const char *format, ...)
    G_GNUC_PRINTF(3, 4);

/* One that did not. remedy must not be empty. Both texts are made fit for one line. */
void folio_checks_object(GPtrArray *checks, FolioCheckResult result, const char *check,
                         const char *remedy, const char *format, ...) G_GNUC_PRINTF(5, 6);
