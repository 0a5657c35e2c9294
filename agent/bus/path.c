/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Object paths and UUIDs. */
#include "bus/path.h"

#include <string.h>

char *
folio_path_from_uuid(const char *uuid)
{
    char *path = g_strconcat(FOLIO_GUEST_ROOT "/", uuid, NULL);

    return g_strdelimit(path, "-", '_');
}

char *
folio_path_to_uuid(const char *path)
{
    g_autofree char *uuid = NULL;
    g_autofree char *canonical = NULL;

    if (!g_str_has_prefix(path, FOLIO_GUEST_ROOT "/"))
        return NULL;
    uuid = g_strdelimit(g_strdup(path + strlen(FOLIO_GUEST_ROOT "/")), "_", '-');
    canonical = folio_uuid_normalize(uuid);
    /* One guest has one path: upper case is another path, and nothing is there. */
    return g_strcmp0(canonical, uuid) == 0 ? g_steal_pointer(&canonical) : NULL;
}

char *
folio_uuid_normalize(const char *text)
{
    return g_uuid_string_is_valid(text) ? g_ascii_strdown(text, -1) : NULL;
}
