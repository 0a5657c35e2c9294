/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a running domain's metadata through libvirt. Blocking, for tasks. */
#pragma once

#include "virt/heat-element.h"
#include "virt/hints.h"
#include "virt/vir.h"

/* Which of the elements may be there at all: what is in none of them is not asked for. */
typedef struct {
    gboolean policy;
    gboolean nova;
    gboolean heat;
} FolioMetadataMay;

/* Those whose namespace stands in the domain's XML. */
FolioMetadataMay folio_metadata_in_xml(const char *xml);

/* Reads the live elements. NULL, with libvirt's last error, when it does not tell; an element with
 * something wrong in it is none of its errors, see FolioHintElement. */
FolioDomainHints *folio_metadata_read(virDomainPtr domain, FolioMetadataMay may);

/* The heat summary in foliod's status. FALSE as above. */
gboolean folio_metadata_read_heat(virDomainPtr domain, FolioMetadataMay may,
                                  FolioHeatElement *heat);
