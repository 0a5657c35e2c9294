/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat summary in the status of a domain's metadata. */
#include "virt/heat-element.h"

#include "virt/xml-node.h"

#include <string.h>

void
folio_heat_element_read(FolioHeatElement *element, const char *status)
{
    const gsize length = status != NULL ? strlen(status) : 0;
    g_autoptr(xmlDoc) doc = NULL;
    g_autoptr(GError) error = NULL;

    *element = (FolioHeatElement){ 0 };
    if (status == NULL)
        return;
    if (length > FOLIO_STATUS_MAX) {
        element->error = g_strdup_printf("<status> has %" G_GSIZE_FORMAT
                                         " bytes; more than %d are not looked at",
                                         length, FOLIO_STATUS_MAX);
        return;
    }
    doc = folio_xml_read(status, length, FOLIO_STATUS_MAX, &error);
    if (doc == NULL)
        element->error = g_strdup_printf("<status>: %s", error->message);
    else
        element->text = folio_xml_attribute(xmlDocGetRootElement(doc), "heat");
}

void
folio_heat_element_copy(FolioHeatElement *copy, const FolioHeatElement *element)
{
    copy->text = g_strdup(element->text);
    copy->error = g_strdup(element->error);
}

void
folio_heat_element_clear(FolioHeatElement *element)
{
    g_clear_pointer(&element->text, g_free);
    g_clear_pointer(&element->error, g_free);
}
