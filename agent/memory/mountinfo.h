/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parser of /proc/PID/mountinfo: which file system a device number is. Pure: text in, words out. */
#pragma once

#include <glib.h>

/* Finds a mount of device major:minor. Sets *fs_type ("tmpfs") and *fs_options (the options of the
 * superblock, "rw,mode=755,huge=always", unescaped), both to be freed. FALSE when there is none;
 * a line that cannot be parsed is no mount. */
gboolean folio_mountinfo_find(const char *text, gsize length, guint32 major, guint32 minor,
                              char **fs_type, char **fs_options);

/* The value of an option in a list such as above: "always" of "huge"; NULL when it is not in it. */
char *folio_mount_option(const char *fs_options, const char *name);
