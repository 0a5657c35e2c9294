/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at domains through libvirt: what runs now. Blocking, for tasks. */
#pragma once

#include "virt/connection.h"
#include "virt/vir.h"

typedef struct {
    char *uuid;
    FolioDomain *domain;     /* NULL: it does not run, or failure says why nobody knows */
    char *failure;           /* NULL unless libvirt refused to tell */
    gboolean hints_only;     /* a look at its metadata only: domain is NULL whatever it does */
    FolioDomainHints *hints; /* of such a look; NULL: it does not run, or failure */
} FolioDomainLook;

/* Looks at the domains of these uuids, or at all that run when uuids is NULL. Returns
 * FolioDomainLook, to be freed with g_ptr_array_unref; one domain's failure is in its look, NULL
 * and an error mean that the connection is dead or the list cannot be had. */
GPtrArray *folio_domain_look_at(virConnectPtr connect, const GPtrArray *uuids, GError **error);

/* Looks at what the metadata of these domains ask for, and at nothing else, and appends that to
 * looks. FALSE as above. */
gboolean folio_domain_look_at_hints(virConnectPtr connect, const GPtrArray *uuids, GPtrArray *looks,
                                    GError **error);
