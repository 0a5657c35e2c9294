/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Taking the metadata out of a domain's XML: a walk from tag to tag, however deep they are. */
#include "virt/xml-cut.h"

#include <string.h>

#define ELEMENT "metadata"

/* Behind the end of what begins at p with so many bytes; NULL: it does not end. */
static const char *
skip_to(const char *p, gsize begin, const char *end)
{
    const char *found = strstr(p + begin, end);

    return found != NULL ? found + strlen(end) : NULL;
}

/* Behind a tag; a > in quotes is none of its own. */
static const char *
skip_tag(const char *p)
{
    char quote = '\0';

    for (; *p != '\0'; p++) {
        if (quote != '\0')
            quote = *p == quote ? '\0' : quote;
        else if (*p == '"' || *p == '\'')
            quote = *p;
        else if (*p == '>')
            return p + 1;
    }
    return NULL;
}

static gboolean
begins_metadata(const char *tag)
{
    return g_str_has_prefix(tag, "<" ELEMENT) &&
           strchr(" \t\r\n/>", tag[strlen("<" ELEMENT)]) != NULL;
}

/* Behind the markup at p; *step is how much deeper it leads. */
static const char *
skip_markup(const char *p, int *step)
{
    const char *end;

    *step = 0;
    if (g_str_has_prefix(p, "<!--"))
        return skip_to(p, 4, "-->");
    if (g_str_has_prefix(p, "<![CDATA["))
        return skip_to(p, 9, "]]>");
    if (g_str_has_prefix(p, "<?"))
        return skip_to(p, 2, "?>");
    if (g_str_has_prefix(p, "<!"))
        return NULL; /* a DTD: libvirt writes none */
    end = skip_tag(p);
    if (end != NULL && p[1] == '/')
        *step = -1;
    else if (end != NULL && end[-2] != '/')
        *step = 1;
    return end;
}

/* As if the element had never been there: the line break before it goes as well. */
static char *
without(const char *text, const char *start, const char *end)
{
    while (start > text && g_ascii_isspace(start[-1]))
        start--;
    return g_strdup_printf("%.*s%s", (int) (start - text), text, end);
}

char *
folio_xml_cut_metadata(const char *text)
{
    const char *start = NULL;
    const char *p = strchr(text, '<');
    int depth = 0;

    while (p != NULL) {
        int step;
        const char *end = skip_markup(p, &step);

        if (end == NULL)
            break;
        if (depth == 1 && start == NULL && begins_metadata(p))
            start = p;
        depth += step;
        if (start != NULL && depth == 1)
            return without(text, start, end);
        p = strchr(end, '<');
    }
    return g_strdup(text);
}
