/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hints in a domain's metadata. */
#include "virt/hints.h"

#include "base/error.h"
#include "base/log.h"
#include "virt/xml-node.h"

/* Of a value that is refused, in characters: longer than any that is allowed. */
#define EXCERPT_CHARACTERS 40

#define NOVA_PREFIX "foliod:"

G_GNUC_PRINTF(2, 3)
static gboolean
refuse(GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error != NULL)
        *error = g_error_new_valist(FOLIO_ERROR, FOLIO_ERROR_INVALID, format, args);
    va_end(args);
    return FALSE;
}

/* Foreign text, fit for a message. */
static char *
excerpt(const char *text)
{
    g_autofree char *start = NULL;

    if (g_utf8_strlen(text, -1) <= EXCERPT_CHARACTERS)
        return folio_escape(text);
    start = g_utf8_substring(text, 0, EXCERPT_CHARACTERS);
    return folio_escape(start);
}

static gboolean
check_length(const char *element, gsize length, gsize max, GError **error)
{
    return length <= max || refuse(error,
                                   "<%s> has %" G_GSIZE_FORMAT " bytes; more than %" G_GSIZE_FORMAT
                                   " are not looked at",
                                   element, length, max);
}

/* name is what the source calls the hint. */
static gboolean
read_hint(FolioHints *hints, FolioHint hint, const char *name, const char *value, GError **error)
{
    g_autofree char *shown = NULL;

    if (folio_hints_read_of_guest(hints, hint, value))
        return TRUE;
    shown = excerpt(value);
    return refuse(error, "%s=\"%s\" is not allowed; allowed are %s", name, shown,
                  folio_hint_allowed_to_guests(hint));
}

/* <policy> */

static gboolean
is_in_namespace(const xmlNode *node, const char *namespace)
{
    return node->ns == NULL || xmlStrEqual(node->ns->href, (const xmlChar *) namespace);
}

/* name is what the source calls it. */
static gboolean
refuse_unknown(const char *name, const char *value, GError **error)
{
    g_autofree char *name_shown = excerpt(name);
    g_autofree char *value_shown = excerpt(value);
    g_autofree char *list = folio_hint_list(folio_hint_name);

    return refuse(error, "%s=\"%s\" means nothing; known are %s", name_shown, value_shown, list);
}

static gboolean
read_attribute(const xmlNode *policy, const xmlAttr *attribute, FolioHints *hints, GError **error)
{
    const char *name = (const char *) attribute->name;
    g_autofree char *value = folio_xml_attribute(policy, name);
    FolioHint hint;

    if (attribute->ns != NULL) {
        g_autofree char *shown = excerpt(name);

        return refuse(error, "<policy> has an attribute of another namespace, %s", shown);
    }
    if (!folio_hint_from_name(name, &hint))
        return refuse_unknown(name, value, error);
    return read_hint(hints, hint, name, value, error);
}

static gboolean
check_content(const xmlNode *policy, GError **error)
{
    for (const xmlNode *node = policy->children; node != NULL; node = node->next) {
        g_autofree char *shown = NULL;

        if (node->type == XML_COMMENT_NODE || node->type == XML_PI_NODE || xmlIsBlankNode(node))
            continue;
        if (node->type != XML_ELEMENT_NODE)
            return refuse(error, "<policy> has text in it");
        shown = excerpt((const char *) node->name);
        return refuse(error, "<policy> has an element <%s>, where none may be", shown);
    }
    return TRUE;
}

gboolean
folio_hints_parse_policy(const char *text, gsize length, FolioHints *hints, GError **error)
{
    g_autoptr(xmlDoc) doc = NULL;
    FolioHints read = { 0 };
    const xmlNode *policy;

    if (!check_length("policy", length, FOLIO_POLICY_MAX, error))
        return FALSE;
    doc = folio_xml_read(text, length, FOLIO_POLICY_MAX, error);
    if (doc == NULL)
        return FALSE;
    policy = xmlDocGetRootElement(doc);
    if (!xmlStrEqual(policy->name, (const xmlChar *) "policy") ||
        !is_in_namespace(policy, FOLIO_POLICY_NAMESPACE))
        return refuse(error, "the element is no <policy> of " FOLIO_POLICY_NAMESPACE);
    for (const xmlAttr *attribute = policy->properties; attribute != NULL;
         attribute = attribute->next) {
        if (!read_attribute(policy, attribute, &read, error))
            return FALSE;
    }
    if (!check_content(policy, error))
        return FALSE;
    *hints = read;
    return TRUE;
}

/* Nova */

static gboolean
read_extra_spec(const xmlNode *spec, FolioHints *hints, GError **error)
{
    g_autofree char *name = folio_xml_attribute(spec, "name");
    g_autofree char *value = folio_xml_text(spec);
    FolioHint hint;

    if (name == NULL || !g_str_has_prefix(name, NOVA_PREFIX))
        return TRUE;
    if (!folio_hint_from_name(name + strlen(NOVA_PREFIX), &hint))
        return refuse_unknown(name, value, error);
    if (folio_hints_has(hints, hint))
        return refuse(error, "the extra spec %s comes twice", name);
    return read_hint(hints, hint, name, value, error);
}

gboolean
folio_hints_parse_nova(const char *text, gsize length, FolioHints *hints, GError **error)
{
    g_autoptr(xmlDoc) doc = NULL;
    FolioHints read = { 0 };
    const xmlNode *specs;

    if (!check_length("nova:instance", length, FOLIO_NOVA_MAX, error))
        return FALSE;
    doc = folio_xml_read(text, length, FOLIO_NOVA_MAX, error);
    if (doc == NULL)
        return FALSE;
    specs = folio_xml_child(folio_xml_child(xmlDocGetRootElement(doc), "flavor"), "extraSpecs");
    for (xmlNode *spec = folio_xml_child(specs, "extraSpec"); spec != NULL;
         spec = folio_xml_next(spec->next, "extraSpec")) {
        if (!read_extra_spec(spec, &read, error))
            return FALSE;
    }
    *hints = read;
    return TRUE;
}

/* Both */

static void
parse_element(FolioHintElement *element, const char *text,
              gboolean (*parse)(const char *, gsize, FolioHints *, GError **))
{
    g_autoptr(GError) error = NULL;

    if (text != NULL && !parse(text, strlen(text), &element->hints, &error))
        element->error = g_strdup(error->message);
}

FolioDomainHints *
folio_domain_hints_new(const char *policy, const char *nova)
{
    FolioDomainHints *hints = g_new0(FolioDomainHints, 1);

    parse_element(&hints->policy, policy, folio_hints_parse_policy);
    parse_element(&hints->nova, nova, folio_hints_parse_nova);
    return hints;
}

FolioDomainHints *
folio_domain_hints_copy(const FolioDomainHints *hints)
{
    FolioDomainHints *copy = g_memdup2(hints, sizeof *hints);

    copy->policy.error = g_strdup(hints->policy.error);
    copy->nova.error = g_strdup(hints->nova.error);
    return copy;
}

void
folio_domain_hints_free(FolioDomainHints *hints)
{
    g_free(hints->policy.error);
    g_free(hints->nova.error);
    g_free(hints);
}
