/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What foliod needs of a domain's XML. Pure: text in, structure out; no network, no entities. */
#pragma once

#include "base/ram-spec.h"

#include <glib.h>

typedef struct {
    char *type; /* "kvm", "qemu", ... */
    char *name;
    char *uuid;      /* lower case, with dashes */
    char *emulator;  /* "" when there is none */
    char *arch;      /* "aarch64"; "" when there is none */
    guint64 memory;  /* bytes, <memory>: all RAM, memory devices of every model included */
    gboolean locked; /* <memoryBacking><locked/> */
    guint n_vfio;    /* devices that pin the guest's RAM: VFIO's (PCI, mdev, interface, NVMe disk)
                        and vDPA's, which pin it the same way */
    GPtrArray *ram;  /* FolioRamSpec: main, or the cells that have memory; then <memory> devices */
} FolioDomainXml;

/* Longer text is refused unparsed. 4 MiB is REMOTE_STRING_MAX of libvirt's remote_protocol.x: no
 * longer string comes through a connection. */
#define FOLIO_DOMAIN_XML_MAX (4 * 1024 * 1024)

/* Parses the XML of a live domain. FOLIO_ERROR_INVALID, naming the element, for text that is not
 * XML, is over FOLIO_DOMAIN_XML_MAX, has a DTD, lacks what it needs, or holds sizes that overflow
 * or contradict each other. */
FolioDomainXml *folio_domain_xml_parse(const char *text, gsize length, GError **error);

void folio_domain_xml_free(FolioDomainXml *xml);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioDomainXml, folio_domain_xml_free)
