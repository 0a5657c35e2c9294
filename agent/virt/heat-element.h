/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat summary that stands in the status of a domain's metadata (agent/guest-status.h), where
 * another host's foliod may have left it: whoever may write them may have, too. Pure. */
#pragma once

#include <glib.h>

/* Longer elements are refused unparsed. The longest that foliod writes has 17 KiB. */
#define FOLIO_STATUS_MAX (32 * 1024)

/* Both NULL: there is none. */
typedef struct {
    char *text;  /* as it stands there: heat/heat-summary.h reads it */
    char *error; /* why it cannot be had */
} FolioHeatElement;

/* From the text of the element, as virDomainGetMetadata returns it; NULL: there is none. */
void folio_heat_element_read(FolioHeatElement *element, const char *status);

void folio_heat_element_copy(FolioHeatElement *copy, const FolioHeatElement *element);
void folio_heat_element_clear(FolioHeatElement *element);
