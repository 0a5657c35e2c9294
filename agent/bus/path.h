/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Object paths and UUIDs. Pure. */
#pragma once

#include <glib.h>

#define FOLIO_MANAGER_PATH "/org/foliod1"
#define FOLIO_GUEST_ROOT   "/org/foliod1/guest"

/* The object path of a guest: its UUID with _ for each dash. */
char *folio_path_from_uuid(const char *uuid);

/* The UUID of a guest's object path, lower case with dashes; NULL when the path is not just what
 * folio_path_from_uuid makes of a UUID. */
char *folio_path_to_uuid(const char *path);

/* A UUID as somebody wrote it, in lower case; NULL when it is none. */
char *folio_uuid_normalize(const char *text);
