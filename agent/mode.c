/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of the modes. */
#include "mode.h"

#include "base/error.h"
#include "base/log.h"

/* An excerpt of a value that is no mode, in bytes: the longest name and then some. */
#define EXCERPT_BYTES 24

static const char *const names[] = {
    [FOLIO_MODE_OFF] = "off",           [FOLIO_MODE_OBSERVE] = "observe",
    [FOLIO_MODE_SPLIT] = "split",       [FOLIO_MODE_COLLAPSE] = "collapse",
    [FOLIO_MODE_ADAPTIVE] = "adaptive", NULL,
};

const char *
folio_mode_to_string(FolioMode mode)
{
    return names[mode];
}

gboolean
folio_mode_parse(const char *text, FolioMode *mode, GError **error)
{
    g_autofree char *list = NULL;
    g_autofree char *start = NULL;
    g_autofree char *excerpt = NULL;

    for (gsize i = 0; names[i] != NULL; i++) {
        if (g_str_equal(names[i], text)) {
            *mode = (FolioMode) i;
            return TRUE;
        }
    }
    list = g_strjoinv(", ", (char **) names);
    start = g_strndup(text, EXCERPT_BYTES);
    excerpt = folio_escape(start);
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "\"%s\" is no mode; modes are %s", excerpt,
                list);
    return FALSE;
}
