/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading libvirt's XML with libxml2. */
#include "virt/xml-node.h"

#include "base/error.h"

#include <libxml/parser.h>
#include <string.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlParserCtxt, xmlFreeParserCtxt)

/* A DTD is where entities come from, and libvirt writes none: stop before it is read. That alone
 * does not always make the document a bad one, hence the mark. */
static void
refuse_dtd(void *context, const xmlChar *name, const xmlChar *external_id, const xmlChar *system_id)
{
    xmlParserCtxt *parser = context;

    parser->_private = parser;
    xmlStopParser(parser);
}

static gboolean
check_text(const char *text, gsize length, gsize max, GError **error)
{
    if (length > max) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                    "XML has %" G_GSIZE_FORMAT " bytes, more than %" G_GSIZE_FORMAT, length, max);
        return FALSE;
    }
    /* With a length this refuses NUL as well. */
    if (!g_utf8_validate(text, (gssize) length, NULL)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "XML is not UTF-8 text");
        return FALSE;
    }
    return TRUE;
}

xmlDoc *
folio_xml_read(const char *text, gsize length, gsize max, GError **error)
{
    g_autoptr(xmlParserCtxt) parser = NULL;
    g_autofree char *message = NULL;
    const xmlError *failure;
    g_autoptr(xmlDoc) doc = NULL;

    if (!check_text(text, length, max, error))
        return NULL;
    parser = xmlNewParserCtxt();
    if (parser == NULL || parser->sax == NULL)
        g_error("libxml2 is out of memory");
    parser->sax->internalSubset = refuse_dtd;
    doc = xmlCtxtReadMemory(parser, text, (int) length, NULL, "UTF-8",
                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                XML_PARSE_NOCDATA);
    if (parser->_private != NULL) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "XML has a DTD");
        return NULL;
    }
    if (doc != NULL)
        return g_steal_pointer(&doc);
    failure = xmlCtxtGetLastError(parser);
    message = g_strdup(failure != NULL && failure->message != NULL ? failure->message : "no XML");
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "XML, line %d: %s",
                failure != NULL ? failure->line : 1, g_strstrip(message));
    return NULL;
}

xmlNode *
folio_xml_next(xmlNode *node, const char *name)
{
    for (; node != NULL; node = node->next) {
        if (node->type == XML_ELEMENT_NODE && node->ns == NULL &&
            xmlStrEqual(node->name, (const xmlChar *) name))
            return node;
    }
    return NULL;
}

xmlNode *
folio_xml_child(const xmlNode *parent, const char *name)
{
    return parent != NULL ? folio_xml_next(parent->children, name) : NULL;
}

gboolean
folio_xml_only_child(const xmlNode *parent, const char *name, xmlNode **child, GError **error)
{
    *child = folio_xml_child(parent, name);
    if (*child == NULL || folio_xml_next((*child)->next, name) == NULL)
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "<%s> has more than one <%s>",
                (const char *) parent->name, name);
    return FALSE;
}

char *
folio_xml_attribute(const xmlNode *node, const char *name)
{
    xmlChar *value = node != NULL ? xmlGetNoNsProp(node, (const xmlChar *) name) : NULL;
    char *copy = g_strdup((const char *) value);

    xmlFree(value);
    return copy;
}

gboolean
folio_xml_attribute_is(const xmlNode *node, const char *name, const char *value)
{
    g_autofree char *found = folio_xml_attribute(node, name);

    return g_strcmp0(found, value) == 0;
}

char *
folio_xml_raw_text(const xmlNode *node)
{
    xmlChar *value = node != NULL ? xmlNodeGetContent(node) : NULL;
    char *copy = g_strdup(value != NULL ? (const char *) value : "");

    xmlFree(value);
    return copy;
}

char *
folio_xml_text(const xmlNode *node)
{
    return g_strstrip(folio_xml_raw_text(node));
}

/* As virScaleInteger of libvirt reads a unit. */
static gboolean
unit_factor(const char *unit, guint64 *factor)
{
    static const char prefixes[] = "kmgtpe";
    const char *prefix;
    guint64 base;

    *factor = 1;
    if (g_ascii_strcasecmp(unit, "b") == 0 || g_ascii_strcasecmp(unit, "byte") == 0 ||
        g_ascii_strcasecmp(unit, "bytes") == 0)
        return TRUE;
    if (*unit == '\0')
        return FALSE;
    if (unit[1] == '\0' || g_ascii_strcasecmp(unit + 1, "iB") == 0)
        base = 1024;
    else if (g_ascii_strcasecmp(unit + 1, "B") == 0)
        base = 1000;
    else
        return FALSE;
    prefix = strchr(prefixes, g_ascii_tolower(*unit));
    if (prefix == NULL)
        return FALSE;
    for (const char *p = prefixes; p <= prefix; p++)
        *factor *= base;
    return TRUE;
}

gboolean
folio_xml_parse_bytes(const char *number, const char *unit, const char *what, guint64 *bytes,
                      GError **error)
{
    guint64 value, factor;

    if (!g_ascii_string_to_unsigned(number, 10, 0, G_MAXUINT64, &value, NULL)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: \"%.64s\" is no size", what,
                    number);
        return FALSE;
    }
    if (!unit_factor(unit != NULL ? unit : "KiB", &factor)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: \"%.64s\" is no unit", what,
                    unit);
        return FALSE;
    }
    if (!g_uint64_checked_mul(bytes, value, factor)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: %" G_GUINT64_FORMAT " %s %s",
                    what, value, unit != NULL ? unit : "KiB", "is too much");
        return FALSE;
    }
    return TRUE;
}
