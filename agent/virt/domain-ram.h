/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The RAM blocks of a domain in its live XML, and what backs each. Part of domain-xml. */
#pragma once

#include "base/ram-spec.h"

#include <libxml/tree.h>

/* Appends to ram (FolioRamSpec) the cells of <domain>'s <numa>, or the main block where there are
 * none, then its <memory> devices. memory is <memory> in bytes. FOLIO_ERROR_INVALID, naming the
 * element. */
gboolean folio_domain_ram_parse(const xmlNode *domain, guint64 memory, GPtrArray *ram,
                                GError **error);

void folio_ram_spec_free(FolioRamSpec *spec);
