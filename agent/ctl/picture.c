/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures into files that only their owner may read. */
#include "ctl/picture.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <unistd.h>

static gboolean
write_all(int fd, GBytes *bytes)
{
    gsize left;
    const guint8 *at = g_bytes_get_data(bytes, &left);

    while (left > 0) {
        ssize_t written = write(fd, at, left);

        if (written < 0 && errno != EINTR)
            return FALSE;
        at += MAX(written, 0);
        left -= (gsize) MAX(written, 0);
    }
    return fsync(fd) == 0;
}

/* Gives the file its name; 0 or an errno. Some file systems can rename without replacing, others
 * can link, and neither follows a link that has the name. */
static int
give_name(const char *temporary, const char *path, gboolean force)
{
    if (force)
        return rename(temporary, path) == 0 ? 0 : errno;
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (link(temporary, path) != 0)
        return errno;
    g_unlink(temporary);
    return 0;
}

gboolean
folio_picture_write(const char *path, GBytes *bytes, gboolean force, GError **error)
{
    g_autofree char *temporary = g_strdup_printf("%s.XXXXXX", path);
    int fd = g_mkstemp_full(temporary, O_WRONLY | O_CLOEXEC, 0600), failure;

    if (fd < 0) {
        folio_set_error_errno(error, errno, "%s", path);
        return FALSE;
    }
    failure = write_all(fd, bytes) ? 0 : errno;
    if (close(fd) != 0 && failure == 0)
        failure = errno;
    if (failure == 0)
        failure = give_name(temporary, path, force);
    if (failure == 0)
        return TRUE;
    g_unlink(temporary);
    folio_set_error_errno(error, failure, "%s%s", path,
                          failure == EEXIST ? " (--force replaces it)" : "");
    return FALSE;
}

static gboolean
save_one(const FolioScene *scene, const char *path, FolioPictureFormat format, gboolean force,
         GError **error)
{
    g_autoptr(GBytes) bytes = NULL;

    if (path == NULL)
        return TRUE;
    bytes = folio_scene_paint(scene, format, error);
    return bytes != NULL && folio_picture_write(path, bytes, force, error);
}

gboolean
folio_picture_save(const FolioScene *scene, const FolioPictureOptions *options, GError **error)
{
    return save_one(scene, options->svg, FOLIO_PICTURE_SVG, options->force, error) &&
           save_one(scene, options->png, FOLIO_PICTURE_PNG, options->force, error);
}
