/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The RAM blocks of a domain in its live XML. What backs a block follows the way in which libvirt
 * builds QEMU's command line (qemuBuildMemoryBackendProps), as tried with domxml-to-native. */
#include "virt/domain-ram.h"

#include "base/error.h"
#include "virt/xml-node.h"

/* No QEMU has more (MAX_NODES in its include/sysemu/numa.h), and libvirt refuses a nodeset with a
 * node that the guest does not have. */
#define MAX_NODES 128

#define NO_NODE G_MAXUINT

/* The base page: <page size='4' unit='KiB'/> asks for no huge pages at all. On hosts with another
 * one no guest is served. */
#define BASE_PAGE_BYTES 4096

enum { PAGES_UNSET, PAGES_BASE, PAGES_HUGE };

/* What a domain says of all its RAM. */
typedef struct {
    gboolean file, memfd; /* <source type=> */
    gboolean access;      /* <access mode=>: makes RAM a file even when its source says otherwise */
    guint8 all_pages;     /* <page> without nodeset, or <hugepages/> */
    guint8 node_pages[MAX_NODES];    /* <page nodeset=> */
    gboolean node_access[MAX_NODES]; /* <cell memAccess=> */
} Backing;

static gboolean
parse_node(const char *text, const char *what, guint *node, GError **error)
{
    guint64 value;

    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT, &value, NULL)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: \"%.64s\" is no node", what,
                    text);
        return FALSE;
    }
    *node = (guint) value;
    return TRUE;
}

/* One of the parts of a nodeset that commas separate: "3", "0-3" or "^2". */
static gboolean
parse_node_range(char *part, guint8 in_set[MAX_NODES], GError **error)
{
    gboolean exclude = *part == '^';
    char *dash = exclude ? NULL : strchr(part, '-');
    guint first, last;

    if (dash != NULL)
        *dash = '\0';
    if (!parse_node(part + exclude, "<page nodeset>", &first, error))
        return FALSE;
    last = first;
    if (dash != NULL && !parse_node(dash + 1, "<page nodeset>", &last, error))
        return FALSE;
    if (last < first || last >= MAX_NODES) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "<page nodeset>: %u-%u is no range",
                    first, last);
        return FALSE;
    }
    memset(in_set + first, !exclude, last - first + 1);
    return TRUE;
}

/* The first <page> that names a node is the one that counts for it. */
static gboolean
parse_nodeset(const char *nodeset, guint8 pages, Backing *backing, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(nodeset, ",", -1);
    guint8 in_set[MAX_NODES] = { 0 };

    for (char **part = parts; *part != NULL; part++) {
        if (!parse_node_range(g_strstrip(*part), in_set, error))
            return FALSE;
    }
    for (guint node = 0; node < MAX_NODES; node++) {
        if (in_set[node] && backing->node_pages[node] == PAGES_UNSET)
            backing->node_pages[node] = pages;
    }
    return TRUE;
}

static gboolean
parse_page(const xmlNode *page, Backing *backing, GError **error)
{
    g_autofree char *size = folio_xml_attribute(page, "size");
    g_autofree char *unit = folio_xml_attribute(page, "unit");
    g_autofree char *nodeset = folio_xml_attribute(page, "nodeset");
    guint64 bytes;
    guint8 pages;

    if (!folio_xml_parse_bytes(size != NULL ? size : "", unit, "<page>", &bytes, error))
        return FALSE;
    pages = bytes == BASE_PAGE_BYTES ? PAGES_BASE : PAGES_HUGE;
    if (nodeset != NULL)
        return parse_nodeset(nodeset, pages, backing, error);
    backing->all_pages = pages;
    return TRUE;
}

static gboolean
parse_memory_backing(const xmlNode *domain, Backing *backing, GError **error)
{
    xmlNode *root, *source, *hugepages, *page;

    if (!folio_xml_only_child(domain, "memoryBacking", &root, error) ||
        !folio_xml_only_child(root, "source", &source, error) ||
        !folio_xml_only_child(root, "hugepages", &hugepages, error))
        return FALSE;
    backing->file = folio_xml_attribute_is(source, "type", "file");
    backing->memfd = folio_xml_attribute_is(source, "type", "memfd");
    backing->access = folio_xml_child(root, "access") != NULL;
    page = folio_xml_child(hugepages, "page");
    if (hugepages != NULL && page == NULL)
        backing->all_pages = PAGES_HUGE;
    for (; page != NULL; page = folio_xml_next(page->next, "page")) {
        if (!parse_page(page, backing, error))
            return FALSE;
    }
    return TRUE;
}

/* own_pages and own_access are the block's own, node is where its RAM goes. */
static FolioBacking
backing_of(const Backing *backing, guint node, guint8 own_pages, gboolean own_access)
{
    guint8 pages = own_pages;
    gboolean access = own_access || backing->access;

    if (node < MAX_NODES) {
        access = access || backing->node_access[node];
        if (pages == PAGES_UNSET)
            pages = backing->node_pages[node];
    }
    if (pages == PAGES_UNSET)
        pages = backing->all_pages;
    if (pages == PAGES_HUGE)
        return FOLIO_BACKING_HUGETLB;
    if (backing->memfd)
        return FOLIO_BACKING_MEMFD;
    return backing->file || access ? FOLIO_BACKING_FILE : FOLIO_BACKING_ANONYMOUS;
}

static FolioRamSpec *
add_spec(GPtrArray *ram, FolioRamKind kind, guint index, guint64 bytes)
{
    FolioRamSpec *spec = g_new0(FolioRamSpec, 1);

    spec->kind = kind;
    spec->index = index;
    spec->bytes = bytes;
    g_ptr_array_add(ram, spec);
    return spec;
}

void
folio_ram_spec_free(FolioRamSpec *spec)
{
    g_free(spec->alias);
    g_free(spec);
}

/* libvirt writes cells by ascending id, without gaps. A cell without memory has no RAM block. */
static gboolean
parse_cell(const xmlNode *cell, guint index, Backing *backing, GPtrArray *ram, GError **error)
{
    g_autofree char *what = g_strdup_printf("<cell id='%u'>", index);
    g_autofree char *id = folio_xml_attribute(cell, "id");
    g_autofree char *memory = folio_xml_attribute(cell, "memory");
    g_autofree char *unit = folio_xml_attribute(cell, "unit");
    g_autofree char *access = folio_xml_attribute(cell, "memAccess");
    guint number = index;
    guint64 bytes;

    if (id != NULL && !parse_node(id, what, &number, error))
        return FALSE;
    if (number != index || index >= MAX_NODES) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: its id is %u", what, number);
        return FALSE;
    }
    if (!folio_xml_parse_bytes(memory != NULL ? memory : "", unit, what, &bytes, error))
        return FALSE;
    backing->node_access[index] = access != NULL;
    if (bytes > 0)
        add_spec(ram, FOLIO_RAM_CELL, index, bytes)->backing =
            backing_of(backing, index, PAGES_UNSET, FALSE);
    return TRUE;
}

static gboolean
parse_cells(const xmlNode *domain, Backing *backing, GPtrArray *ram, guint *n_cells, GError **error)
{
    xmlNode *cpu, *numa, *cell;

    if (!folio_xml_only_child(domain, "cpu", &cpu, error) ||
        !folio_xml_only_child(cpu, "numa", &numa, error))
        return FALSE;
    *n_cells = 0;
    for (cell = folio_xml_child(numa, "cell"); cell != NULL;
         cell = folio_xml_next(cell->next, "cell")) {
        if (!parse_cell(cell, (*n_cells)++, backing, ram, error))
            return FALSE;
    }
    return TRUE;
}

/* <size> or <pagesize> below a device's <target> or <source>. */
static gboolean
parse_size(const xmlNode *size, const char *what, guint64 *bytes, GError **error)
{
    g_autofree char *number = folio_xml_text(size);
    g_autofree char *unit = folio_xml_attribute(size, "unit");

    if (!folio_xml_parse_bytes(number, unit, what, bytes, error))
        return FALSE;
    if (*bytes > 0)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: a size of 0", what);
    return FALSE;
}

static FolioRamKind
kind_of(const xmlNode *device)
{
    if (folio_xml_attribute_is(device, "model", "dimm"))
        return FOLIO_RAM_DIMM;
    if (folio_xml_attribute_is(device, "model", "virtio-mem"))
        return FOLIO_RAM_VIRTIO_MEM;
    return FOLIO_RAM_OTHER;
}

/* access and pages are the device's own; nvdimm and virtio-pmem live in the file of their <path>.
 */
static gboolean
parse_device_backing(const xmlNode *device, const Backing *backing, FolioRamSpec *spec,
                     GError **error)
{
    g_autofree char *access = folio_xml_attribute(device, "access");
    xmlNode *source = folio_xml_child(device, "source");
    xmlNode *pagesize = folio_xml_child(source, "pagesize");
    xmlNode *node = folio_xml_child(folio_xml_child(device, "target"), "node");
    g_autofree char *node_text = folio_xml_text(node);
    guint8 pages = PAGES_UNSET;
    guint number = NO_NODE;
    guint64 page_bytes;

    if (node != NULL && !parse_node(node_text, "<memory><target><node>", &number, error))
        return FALSE;
    if (pagesize != NULL) {
        if (!parse_size(pagesize, "<memory><source><pagesize>", &page_bytes, error))
            return FALSE;
        pages = page_bytes == BASE_PAGE_BYTES ? PAGES_BASE : PAGES_HUGE;
    }
    spec->backing = backing_of(backing, number, pages,
                               access != NULL || folio_xml_child(source, "path") != NULL);
    return TRUE;
}

static gboolean
parse_device(const xmlNode *device, const Backing *backing, guint n_of_kind[], GPtrArray *ram,
             GError **error)
{
    FolioRamKind kind = kind_of(device);
    xmlNode *size = folio_xml_child(folio_xml_child(device, "target"), "size");
    xmlNode *alias;
    FolioRamSpec *spec;
    guint64 bytes;

    if (!folio_xml_only_child(device, "alias", &alias, error) ||
        !parse_size(size, "<memory><target><size>", &bytes, error))
        return FALSE;
    spec = add_spec(ram, kind, n_of_kind[kind]++, bytes);
    spec->alias = folio_xml_attribute(alias, "name");
    if (spec->alias == NULL || *spec->alias == '\0') {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "<memory> device without an alias: not the XML of a running guest");
        return FALSE;
    }
    return parse_device_backing(device, backing, spec, error);
}

static gboolean
parse_devices(const xmlNode *domain, const Backing *backing, GPtrArray *ram, GError **error)
{
    guint n_of_kind[FOLIO_RAM_OTHER + 1] = { 0 };
    xmlNode *devices, *device;

    if (!folio_xml_only_child(domain, "devices", &devices, error))
        return FALSE;
    for (device = folio_xml_child(devices, "memory"); device != NULL;
         device = folio_xml_next(device->next, "memory")) {
        if (!parse_device(device, backing, n_of_kind, ram, error))
            return FALSE;
    }
    return TRUE;
}

/* <memory> is the sum of main block or cells and of the devices, virtio-mem at its largest: all
 * models count (virDomainDefPostParseMemory). */
static gboolean
add_main(GPtrArray *ram, guint64 memory, const Backing *backing, GError **error)
{
    guint64 rest = memory;
    FolioRamSpec *spec;

    for (guint i = 0; i < ram->len; i++) {
        const FolioRamSpec *device = ram->pdata[i];

        if (device->bytes >= rest) {
            g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                        "<memory>: its devices are as large as all of it");
            return FALSE;
        }
        rest -= device->bytes;
    }
    spec = g_new0(FolioRamSpec, 1);
    spec->kind = FOLIO_RAM_MAIN;
    spec->bytes = rest;
    spec->backing = backing_of(backing, NO_NODE, PAGES_UNSET, FALSE);
    g_ptr_array_insert(ram, 0, spec);
    return TRUE;
}

gboolean
folio_domain_ram_parse(const xmlNode *domain, guint64 memory, GPtrArray *ram, GError **error)
{
    g_autofree Backing *backing = g_new0(Backing, 1);
    guint n_cells;

    if (!parse_memory_backing(domain, backing, error) ||
        !parse_cells(domain, backing, ram, &n_cells, error) ||
        !parse_devices(domain, backing, ram, error))
        return FALSE;
    return n_cells > 0 || add_main(ram, memory, backing, error);
}
