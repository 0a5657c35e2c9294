/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which block of a process' address space holds which physical memory. */
#include "ctl/places.h"

#include "base/error.h"
#include "base/file-io.h"
#include "memory/frames.h"
#include "memory/guest-ram.h"
#include "memory/read-maps.h"
#include "virt/domain-xml.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES      4096u
#define PAGES_A_BLOCK   512u
#define STATE_MAX_BYTES (2 * FOLIO_DOMAIN_XML_MAX)

typedef struct {
    FolioPlaces *places;
    int pagemap_fd;
    GHashTable *ambiguous; /* of frames that are at several addresses */
    guint64 frames[PAGES_A_BLOCK];
} Reading;

void
folio_places_free(FolioPlaces *places)
{
    if (places == NULL)
        return;
    folio_frame_map_free(places->map);
    g_array_unref(places->addresses);
    g_free(places);
}

static FolioPlaces *
places_new(pid_t pid)
{
    FolioPlaces *places = g_new0(FolioPlaces, 1);

    places->map = folio_frame_map_new();
    places->addresses = g_array_new(FALSE, FALSE, sizeof(guint64));
    places->pid = pid;
    return places;
}

/* ---- Frames into the map */

static gboolean
is_whole(const guint64 *frames)
{
    if (frames[0] == FOLIO_NO_FRAME || frames[0] % PAGES_A_BLOCK != 0)
        return FALSE;
    for (guint i = 1; i < PAGES_A_BLOCK; i++) {
        if (frames[i] != frames[0] + i)
            return FALSE;
    }
    return TRUE;
}

/* The zero page, and pages that fork or KSM left shared, say nothing about an address. */
static gboolean
add_page(Reading *reading, FolioPlace place, guint64 frame)
{
    FolioFrameMap *map = reading->places->map;
    FolioPlace other;

    if (g_hash_table_contains(reading->ambiguous, &frame))
        return TRUE;
    other = folio_frame_map_find(map, frame);
    if (other == FOLIO_NO_PLACE)
        return folio_frame_map_set_page(map, place, frame);
    folio_frame_map_drop_page(map, other);
    g_hash_table_add(reading->ambiguous, g_memdup2(&frame, sizeof(frame)));
    return TRUE;
}

static gboolean
add_pages(Reading *reading, guint block)
{
    guint64 first = reading->frames[0];

    if (is_whole(reading->frames) &&
        folio_frame_map_find(reading->places->map, first) == FOLIO_NO_PLACE &&
        folio_frame_map_find(reading->places->map, first + PAGES_A_BLOCK - 1) == FOLIO_NO_PLACE)
        return folio_frame_map_set_block(reading->places->map, block, first);
    for (guint i = 0; i < PAGES_A_BLOCK; i++) {
        if (reading->frames[i] != FOLIO_NO_FRAME &&
            !add_page(reading, block * PAGES_A_BLOCK + i, reading->frames[i]))
            return FALSE;
    }
    return TRUE;
}

/* Adds the pages of [start, end) that lie in the block at address. */
static gboolean
add_block(Reading *reading, guint64 address, guint64 start, guint64 end, GError **error)
{
    GArray *addresses = reading->places->addresses;
    guint64 from = MAX(start, address), to = MIN(end, address + FOLIO_BLOCK_BYTES);
    guint n = 0, block;

    memset(reading->frames, 0, sizeof(reading->frames));
    if (!folio_frames_read(reading->pagemap_fd, from,
                           reading->frames + (from - address) / PAGE_BYTES,
                           (guint) ((to - from) / PAGE_BYTES), error))
        return FALSE;
    for (guint i = 0; i < PAGES_A_BLOCK; i++)
        n += reading->frames[i] != FOLIO_NO_FRAME;
    if (n == 0)
        return TRUE;
    /* Two mappings may share a block. */
    if (addresses->len == 0 || g_array_index(addresses, guint64, addresses->len - 1) != address)
        g_array_append_val(addresses, address);
    block = addresses->len - 1;
    if (block < FOLIO_MAX_BLOCKS && add_pages(reading, block))
        return TRUE;
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED,
                "process %d: more memory than can be kept track of", reading->places->pid);
    return FALSE;
}

static gboolean
add_range(Reading *reading, guint64 start, guint64 end, GError **error)
{
    for (guint64 address = start / FOLIO_BLOCK_BYTES * FOLIO_BLOCK_BYTES; address < end;
         address += FOLIO_BLOCK_BYTES) {
        if (!add_block(reading, address, start, end, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean
open_pagemap(Reading *reading, int proc_fd, GError **error)
{
    if (sysconf(_SC_PAGESIZE) != PAGE_BYTES) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "base pages of this host are not 4 KiB");
        return FALSE;
    }
    reading->pagemap_fd = folio_file_open(proc_fd, "pagemap", O_RDONLY, error);
    return reading->pagemap_fd >= 0;
}

static void
reading_clear(Reading *reading)
{
    g_clear_pointer(&reading->ambiguous, g_hash_table_unref);
    if (reading->pagemap_fd >= 0)
        close(reading->pagemap_fd);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Reading, reading_clear)

/* ---- Of a process */

static gboolean
is_memory(const FolioVma *vma)
{
    return (vma->flags & FOLIO_VMA_READ) && (vma->flags & FOLIO_VMA_WRITE) &&
           vma->end - vma->start >= FOLIO_BLOCK_BYTES;
}

static gboolean
read_process(Reading *reading, int proc_fd, GError **error)
{
    g_autoptr(FolioMaps) maps = folio_read_maps_at(proc_fd, FALSE, error);

    if (maps == NULL)
        return FALSE;
    for (guint i = 0; i < maps->vmas->len; i++) {
        const FolioVma *vma = &g_array_index(maps->vmas, FolioVma, i);

        if (is_memory(vma) && !add_range(reading, vma->start, vma->end, error))
            return FALSE;
    }
    return TRUE;
}

FolioPlaces *
folio_places_of_process(pid_t pid, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/%d", pid);
    g_autoptr(FolioPlaces) places = places_new(pid);
    g_auto(Reading) reading = { .places = places, .pagemap_fd = -1 };
    gboolean done;
    int proc_fd = folio_file_open(AT_FDCWD, path, O_PATH | O_DIRECTORY, error);

    if (proc_fd < 0)
        return NULL;
    reading.ambiguous = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    done = open_pagemap(&reading, proc_fd, error) && read_process(&reading, proc_fd, error);
    close(proc_fd);
    if (!done) {
        g_prefix_error(error, "process %d: ", pid);
        return NULL;
    }
    return g_steal_pointer(&places);
}

/* ---- Of a guest */

/* The domain element of libvirt's state file, <domstatus ...>...<domain ...>...</domain>. */
static FolioDomainXml *
read_domain(const char *name, const char *run_dir, GError **error)
{
    g_autofree char *file = g_strconcat(name, ".xml", NULL);
    g_autofree char *path = g_build_filename(run_dir, file, NULL);
    g_autofree char *text = NULL;
    const char *start, *end;
    FolioDomainXml *xml;

    if (*name == '\0' || strchr(name, '/') != NULL || *name == '.') {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: is no name of a guest", name);
        return NULL;
    }
    text = folio_file_read(AT_FDCWD, path, STATE_MAX_BYTES, NULL, error);
    if (text == NULL)
        return NULL;
    start = strstr(text, "<domain ");
    end = g_strrstr(text, "</domain>");
    if (start == NULL || end == NULL || end < start) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID, "%s: describes no domain", path);
        return NULL;
    }
    xml = folio_domain_xml_parse(start, (gsize) (end - start) + strlen("</domain>"), error);
    if (xml == NULL)
        g_prefix_error(error, "%s: ", path);
    return xml;
}

static FolioGuestRam *
locate_ram(const FolioProcess *process, const FolioDomainXml *xml, GError **error)
{
    g_autofree FolioRamSpec *specs = g_new(FolioRamSpec, xml->ram->len);
    FolioReason reason;

    for (guint i = 0; i < xml->ram->len; i++)
        specs[i] = *(const FolioRamSpec *) g_ptr_array_index(xml->ram, i);
    return folio_guest_ram_locate(process, specs, xml->ram->len, "/sys", &reason, error);
}

FolioPlaces *
folio_places_of_guest(const char *name, const char *run_dir, GError **error)
{
    g_autoptr(FolioDomainXml) xml = read_domain(name, run_dir, error);
    g_autoptr(FolioProcess) process = NULL;
    g_autoptr(FolioGuestRam) ram = NULL;
    g_autoptr(FolioPlaces) places = NULL;
    g_auto(Reading) reading = { .pagemap_fd = -1 };
    FolioProcessQuery query = { .proc_root = "/proc", .run_dir = run_dir, .name = name };
    FolioReason reason;

    if (xml == NULL)
        return NULL;
    query.uuid = xml->uuid;
    process = folio_process_locate(&query, &reason, error);
    if (process == NULL)
        return NULL;
    ram = locate_ram(process, xml, error);
    if (ram == NULL)
        return NULL;
    places = places_new(folio_process_get_pid(process));
    reading.places = places;
    reading.ambiguous = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    if (!open_pagemap(&reading, folio_process_get_proc_fd(process), error))
        return NULL;
    for (guint i = 0; i < ram->blocks->len; i++) {
        const FolioRamBlock *block = ram->blocks->pdata[i];

        if (!add_range(&reading, block->hva, block->hva + block->bytes, error))
            return NULL;
    }
    return g_steal_pointer(&places);
}
