/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod needs of a domain's XML. */
#include "virt/domain-xml.h"

#include "base/error.h"
#include "virt/domain-ram.h"
#include "virt/xml-node.h"

static gboolean
missing(const char *element, GError **error)
{
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "<domain> has no usable %s", element);
    return FALSE;
}

static gboolean
parse_identity(const xmlNode *domain, FolioDomainXml *xml, GError **error)
{
    xmlNode *name, *uuid;
    g_autofree char *uuid_text = NULL;

    if (!folio_xml_only_child(domain, "name", &name, error) ||
        !folio_xml_only_child(domain, "uuid", &uuid, error))
        return FALSE;
    xml->type = folio_xml_attribute(domain, "type");
    if (xml->type == NULL)
        return missing("type", error);
    /* libvirt keeps a name as it is, white space at its ends included. */
    xml->name = folio_xml_raw_text(name);
    if (*xml->name == '\0' || strchr(xml->name, '/') != NULL)
        return missing("<name>", error);
    uuid_text = folio_xml_text(uuid);
    if (!g_uuid_string_is_valid(uuid_text))
        return missing("<uuid>", error);
    xml->uuid = g_ascii_strdown(uuid_text, -1);
    return TRUE;
}

static gboolean
parse_memory(const xmlNode *domain, FolioDomainXml *xml, GError **error)
{
    xmlNode *memory;
    g_autofree char *number = NULL;
    g_autofree char *unit = NULL;

    if (!folio_xml_only_child(domain, "memory", &memory, error))
        return FALSE;
    number = folio_xml_text(memory);
    unit = folio_xml_attribute(memory, "unit");
    if (!folio_xml_parse_bytes(number, unit, "<memory>", &xml->memory, error))
        return FALSE;
    return xml->memory > 0 || missing("<memory>", error);
}

/* The only one of the drivers of <hostdev> and <interface> that is not VFIO's is Xen's; no name
 * means VFIO. */
static gboolean
is_vfio_driver(const xmlNode *device)
{
    return !folio_xml_attribute_is(folio_xml_child(device, "driver"), "name", "xen");
}

static gboolean
is_pinning_hostdev(const xmlNode *device)
{
    if (!folio_xml_attribute_is(device, "mode", "subsystem"))
        return FALSE;
    if (folio_xml_attribute_is(device, "type", "mdev"))
        return TRUE;
    return folio_xml_attribute_is(device, "type", "pci") && is_vfio_driver(device);
}

/* A virtual function out of a network's pool is type='hostdev' here too: the live XML that a client
 * gets names the actual type; <actual> is in libvirt's own status file only. */
static gboolean
is_pinning_interface(const xmlNode *device)
{
    if (folio_xml_attribute_is(device, "type", "vdpa"))
        return TRUE;
    return folio_xml_attribute_is(device, "type", "hostdev") && is_vfio_driver(device);
}

/* QEMU's own NVMe driver reaches the controller through VFIO; it may be below an overlay. */
static gboolean
is_pinning_disk(const xmlNode *device)
{
    for (; device != NULL; device = folio_xml_child(device, "backingStore")) {
        if (folio_xml_attribute_is(device, "type", "nvme") ||
            folio_xml_attribute_is(device, "type", "vhostvdpa"))
            return TRUE;
    }
    return FALSE;
}

static guint
count_devices(const xmlNode *devices, const char *name, gboolean (*matches)(const xmlNode *))
{
    guint n = 0;

    for (xmlNode *device = folio_xml_child(devices, name); device != NULL;
         device = folio_xml_next(device->next, name))
        n += matches(device) ? 1 : 0;
    return n;
}

static FolioDomainXml *
parse_domain(const xmlNode *domain, GError **error)
{
    g_autoptr(FolioDomainXml) xml = g_new0(FolioDomainXml, 1);
    xmlNode *devices = folio_xml_child(domain, "devices");
    xmlNode *os_type = folio_xml_child(folio_xml_child(domain, "os"), "type");

    xml->ram = g_ptr_array_new_with_free_func((GDestroyNotify) folio_ram_spec_free);
    if (!parse_identity(domain, xml, error) || !parse_memory(domain, xml, error) ||
        !folio_domain_ram_parse(domain, xml->memory, xml->ram, error))
        return NULL;
    xml->emulator = folio_xml_text(folio_xml_child(devices, "emulator"));
    xml->arch = folio_xml_attribute(os_type, "arch");
    if (xml->arch == NULL)
        xml->arch = g_strdup("");
    xml->locked = folio_xml_child(folio_xml_child(domain, "memoryBacking"), "locked") != NULL;
    xml->n_vfio = count_devices(devices, "hostdev", is_pinning_hostdev) +
                  count_devices(devices, "interface", is_pinning_interface) +
                  count_devices(devices, "disk", is_pinning_disk);
    return g_steal_pointer(&xml);
}

FolioDomainXml *
folio_domain_xml_parse(const char *text, gsize length, GError **error)
{
    g_autoptr(xmlDoc) doc = folio_xml_read(text, length, FOLIO_DOMAIN_XML_MAX, error);
    xmlNode *root;

    if (doc == NULL)
        return NULL;
    root = xmlDocGetRootElement(doc);
    if (folio_xml_next(root, "domain") != root) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "the XML is no <domain>");
        return NULL;
    }
    return parse_domain(root, error);
}

void
folio_domain_xml_free(FolioDomainXml *xml)
{
    g_free(xml->type);
    g_free(xml->name);
    g_free(xml->uuid);
    g_free(xml->emulator);
    g_free(xml->arch);
    g_clear_pointer(&xml->ram, g_ptr_array_unref);
    g_free(xml);
}
