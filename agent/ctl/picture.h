/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures into files that only their owner may read, since access patterns tell what a guest does.
 */
#pragma once

#include "ctl/cmd.h"
#include "report/scene-paint.h"

/* Puts bytes into the file of that name, of mode 0600, all of them or none. A file, or a link, that
 * is there already is left alone, unless force is set: then the new file takes its place, and what
 * a link points to stays as it is. */
gboolean folio_picture_write(const char *path, GBytes *bytes, gboolean force, GError **error);

/* Writes the scene to each file that the options name. */
gboolean folio_picture_save(const FolioScene *scene, const FolioPictureOptions *options,
                            GError **error);
