/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt with autoptr for what it hands out, and its last error as a GError. */
#pragma once

#include "base/error.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

static inline void
folio_vir_domain_free(virDomainPtr domain)
{
    virDomainFree(domain);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomain, folio_vir_domain_free)

/* FOLIO_ERROR_FAILED, "WHAT: <libvirt's last error on this thread>". */
static inline void
folio_set_error_vir(GError **error, const char *what)
{
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s: %s", what, virGetLastErrorMessage());
}
