/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads and parses /proc/PID/maps or smaps of a process that is held. */
#include "memory/read-maps.h"

#include "base/error.h"
#include "base/file-io.h"

#define MAPS_MAX_BYTES (64 * 1024 * 1024)

/* Held while a text of smaps is in memory. */
static GMutex smaps_turn;

/* While a process maps and unmaps as fast as it can, one text in 2,000 was torn (Linux 6.18). */
#define TRIES 8

/* Sets *torn when there was a text that could not be parsed. */
static FolioMaps *
read_once(int proc_fd, const char *name, gboolean *torn, GError **error)
{
    g_autoptr(FolioMaps) maps = NULL;
    gsize length = 0;
    g_autofree char *text = folio_file_read(proc_fd, name, MAPS_MAX_BYTES, &length, error);

    *torn = FALSE;
    if (text == NULL)
        return NULL;
    maps = folio_maps_parse(text, length, error);
    if (maps == NULL) {
        *torn = TRUE;
        g_prefix_error(error, "%s: ", name);
        return NULL;
    }
    if (maps->vmas->len == 0) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND, "%s: empty: the process has ended",
                    name);
        return NULL;
    }
    return g_steal_pointer(&maps);
}

FolioMaps *
folio_read_maps_at(int proc_fd, gboolean smaps, GError **error)
{
    g_autoptr(GMutexLocker) turn = smaps ? g_mutex_locker_new(&smaps_turn) : NULL;
    g_autoptr(GError) why = NULL;
    FolioMaps *maps = NULL;
    gboolean torn = TRUE;

    for (guint i = 0; i < TRIES && torn; i++) {
        g_clear_error(&why);
        maps = read_once(proc_fd, smaps ? "smaps" : "maps", &torn, &why);
    }
    if (maps == NULL)
        g_propagate_error(error, g_steal_pointer(&why));
    return maps;
}

FolioMaps *
folio_read_maps(const FolioProcess *process, gboolean smaps, GError **error)
{
    return folio_read_maps_at(folio_process_get_proc_fd(process), smaps, error);
}
