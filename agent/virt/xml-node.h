/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading libvirt's XML with libxml2: documents, elements and sizes. Elements in a namespace are
 * other people's (qemu:commandline, metadata) and are never found. */
#pragma once

#include <glib.h>
#include <libxml/tree.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

/* Parses text without network, entities or libxml2's XML_PARSE_HUGE (so at most 256 levels deep).
 * FOLIO_ERROR_INVALID for text that is over max bytes, not UTF-8, not XML, or has a DTD. */
xmlDoc *folio_xml_read(const char *text, gsize length, gsize max, GError **error);

/* The first element of that name among node and the siblings behind it; NULL when there is none. */
xmlNode *folio_xml_next(xmlNode *node, const char *name);

/* The first child element of that name; NULL when there is none or parent is NULL. */
xmlNode *folio_xml_child(const xmlNode *parent, const char *name);

/* As folio_xml_child, into *child; FALSE and FOLIO_ERROR_INVALID when there are two. */
gboolean folio_xml_only_child(const xmlNode *parent, const char *name, xmlNode **child,
                              GError **error);

/* An attribute's value, NULL when there is none or node is NULL; and whether it is that value. */
char *folio_xml_attribute(const xmlNode *node, const char *name);
gboolean folio_xml_attribute_is(const xmlNode *node, const char *name, const char *value);

/* The text of an element, "" when node is NULL; and the same without white space around it. */
char *folio_xml_raw_text(const xmlNode *node);
char *folio_xml_text(const xmlNode *node);

/* "128", "MiB" -> bytes. Units are libvirt's, case ignored: b, byte, bytes; K, KiB, M, MiB, ... E,
 * EiB; KB, MB, ... EB are powers of 1000; NULL is KiB. FOLIO_ERROR_INVALID, beginning with what,
 * for anything else and for an overflow. */
gboolean folio_xml_parse_bytes(const char *number, const char *unit, const char *what,
                               guint64 *bytes, GError **error);
