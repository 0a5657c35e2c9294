/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looking at domains through libvirt: what runs now. */
#include "virt/domain-look.h"

#include "virt/metadata.h"
#include "virt/xml-cut.h"

void
folio_domain_free(FolioDomain *domain)
{
    g_free(domain->uuid);
    g_free(domain->name);
    g_free(domain->xml);
    g_clear_pointer(&domain->hints, folio_domain_hints_free);
    folio_heat_element_clear(&domain->heat);
    g_free(domain);
}

FolioDomain *
folio_domain_copy(const FolioDomain *domain)
{
    FolioDomain *copy = g_memdup2(domain, sizeof(*domain));

    copy->uuid = g_strdup(domain->uuid);
    copy->name = g_strdup(domain->name);
    copy->xml = g_strdup(domain->xml);
    copy->hints = folio_domain_hints_copy(domain->hints);
    folio_heat_element_copy(&copy->heat, &domain->heat);
    return copy;
}

static void
domain_look_free(gpointer data)
{
    FolioDomainLook *look = data;

    g_free(look->uuid);
    g_clear_pointer(&look->domain, folio_domain_free);
    g_clear_pointer(&look->hints, folio_domain_hints_free);
    g_free(look->failure);
    g_free(look);
}

/* A domain that vanished or stopped meanwhile has failed in no way: it is gone. Asking a stopped
 * one for anything live is an invalid operation. */
static void
set_failure(FolioDomainLook *look)
{
    int code = virGetLastErrorCode();

    if (code != VIR_ERR_NO_DOMAIN && code != VIR_ERR_OPERATION_INVALID)
        look->failure = g_strdup(virGetLastErrorMessage());
}

static guint
count_vcpus(virDomainPtr domain)
{
    int n = virDomainGetVcpusFlags(domain, VIR_DOMAIN_VCPU_LIVE);

    return n > 0 ? (guint) n : 0;
}

static gboolean
is_suspended(int state)
{
    return state == VIR_DOMAIN_PAUSED || state == VIR_DOMAIN_PMSUSPENDED ||
           state == VIR_DOMAIN_CRASHED;
}

/* The live XML, what the metadata in it ask for, and the heat in them. */
static gboolean
read_xml(virDomainPtr domain, FolioDomain *found)
{
    char *xml = virDomainGetXMLDesc(domain, 0);
    FolioMetadataMay may;

    if (xml == NULL)
        return FALSE;
    may = folio_metadata_in_xml(xml);
    found->hints = folio_metadata_read(domain, may);
    found->xml = folio_xml_cut_metadata(xml);
    free(xml);
    return found->hints != NULL && folio_metadata_read_heat(domain, may, &found->heat);
}

/* The state is asked for last: if the domain stopped on the way, the XML may be that of its next
 * start, and must not be shown. What changes after that is told by an event. */
static void
look_at_domain(virDomainPtr domain, FolioDomainLook *look)
{
    g_autoptr(FolioDomain) found = g_new0(FolioDomain, 1);
    unsigned int id = virDomainGetID(domain);
    int state;

    if (id == (unsigned int) -1)
        return;
    found->uuid = g_strdup(look->uuid);
    found->name = g_strdup(virDomainGetName(domain));
    found->id = (int) id;
    found->n_vcpus = count_vcpus(domain);
    if (!read_xml(domain, found) || virDomainGetState(domain, &state, NULL, 0) < 0) {
        set_failure(look);
        return;
    }
    if (state == VIR_DOMAIN_SHUTOFF)
        return;
    found->suspended = is_suspended(state);
    look->domain = g_steal_pointer(&found);
}

static FolioDomainLook *
add_look(GPtrArray *looks, const char *uuid)
{
    FolioDomainLook *look = g_new0(FolioDomainLook, 1);

    look->uuid = g_strdup(uuid);
    g_ptr_array_add(looks, look);
    return look;
}

static void
look_up(virConnectPtr connect, const char *uuid, GPtrArray *looks)
{
    FolioDomainLook *look = add_look(looks, uuid);
    g_autoptr(virDomain) domain = virDomainLookupByUUIDString(connect, uuid);

    if (domain != NULL)
        look_at_domain(domain, look);
    else
        set_failure(look);
}

/* Whether the failure of a look is that of the connection. */
static gboolean
connection_died(virConnectPtr connect, const FolioDomainLook *look, GError **error)
{
    if (look->failure == NULL || virConnectIsAlive(connect) == 1)
        return FALSE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s", look->failure);
    return TRUE;
}

static void
free_domains(virDomainPtr *domains)
{
    for (virDomainPtr *domain = domains; *domain != NULL; domain++)
        virDomainFree(*domain);
    free(domains);
}

static gboolean
look_at_all(virConnectPtr connect, GPtrArray *looks, GError **error)
{
    virDomainPtr *domains = NULL;
    gboolean alive = TRUE;

    if (virConnectListAllDomains(connect, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE) < 0) {
        folio_set_error_vir(error, "list of domains");
        return FALSE;
    }
    for (virDomainPtr *domain = domains; alive && *domain != NULL; domain++) {
        char uuid[VIR_UUID_STRING_BUFLEN];
        FolioDomainLook *look;

        if (virDomainGetUUIDString(*domain, uuid) < 0)
            continue;
        look = add_look(looks, uuid);
        look_at_domain(*domain, look);
        alive = !connection_died(connect, look, error);
    }
    free_domains(domains);
    return alive;
}

GPtrArray *
folio_domain_look_at(virConnectPtr connect, const GPtrArray *uuids, GError **error)
{
    g_autoptr(GPtrArray) looks = g_ptr_array_new_with_free_func(domain_look_free);

    if (uuids == NULL)
        return look_at_all(connect, looks, error) ? g_steal_pointer(&looks) : NULL;
    for (guint i = 0; i < uuids->len; i++) {
        look_up(connect, uuids->pdata[i], looks);
        if (connection_died(connect, looks->pdata[i], error))
            return NULL;
    }
    return g_steal_pointer(&looks);
}

gboolean
folio_domain_look_at_hints(virConnectPtr connect, const GPtrArray *uuids, GPtrArray *looks,
                           GError **error)
{
    const FolioMetadataMay all = { .policy = TRUE, .nova = TRUE };

    for (guint i = 0; i < uuids->len; i++) {
        FolioDomainLook *look = add_look(looks, uuids->pdata[i]);
        g_autoptr(virDomain) domain = virDomainLookupByUUIDString(connect, look->uuid);

        look->hints_only = TRUE;
        if (domain != NULL)
            look->hints = folio_metadata_read(domain, all);
        if (look->hints == NULL)
            set_failure(look);
        if (connection_died(connect, look, error))
            return FALSE;
    }
    return TRUE;
}
