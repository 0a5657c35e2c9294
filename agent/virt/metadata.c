/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading a running domain's metadata through libvirt. */
#include "virt/metadata.h"

#include "virt/status-writer.h"

#include <stdlib.h>
#include <string.h>

FolioMetadataMay
folio_metadata_in_xml(const char *xml)
{
    return (FolioMetadataMay){ .policy = strstr(xml, FOLIO_POLICY_NAMESPACE) != NULL,
                               .nova = strstr(xml, FOLIO_NOVA_NAMESPACE) != NULL,
                               .heat = strstr(xml, FOLIO_STATUS_NAMESPACE) != NULL &&
                                       strstr(xml, "heat=") != NULL };
}

/* A driver that knows no metadata has none. */
static gboolean
is_absence(int code)
{
    return code == VIR_ERR_NO_DOMAIN_METADATA || code == VIR_ERR_NO_SUPPORT;
}

/* *text NULL: there is none, or nobody need ask. */
static gboolean
read_element(virDomainPtr domain, gboolean may, const char *namespace, char **text)
{
    *text = NULL;
    if (!may)
        return TRUE;
    *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, namespace,
                                 VIR_DOMAIN_AFFECT_LIVE);
    return *text != NULL || is_absence(virGetLastErrorCode());
}

FolioDomainHints *
folio_metadata_read(virDomainPtr domain, FolioMetadataMay may)
{
    FolioDomainHints *hints = NULL;
    char *policy = NULL;
    char *nova = NULL;

    if (read_element(domain, may.policy, FOLIO_POLICY_NAMESPACE, &policy) &&
        read_element(domain, may.nova, FOLIO_NOVA_NAMESPACE, &nova))
        hints = folio_domain_hints_new(policy, nova);
    free(policy);
    free(nova);
    return hints;
}

gboolean
folio_metadata_read_heat(virDomainPtr domain, FolioMetadataMay may, FolioHeatElement *heat)
{
    char *status = NULL;

    if (!read_element(domain, may.heat, FOLIO_STATUS_NAMESPACE, &status))
        return FALSE;
    folio_heat_element_read(heat, status);
    free(status);
    return TRUE;
}
