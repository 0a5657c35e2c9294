/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reader of perf.data files with Arm SPE in them: the header, the sections, the walk along the
 * events. What the events say is in perf-event.c. */
#include "sample/perf-event.h"

#include "base/error.h"

#include <linux/perf_event.h>

/* struct perf_file_header without the feature bits, which older files lack and nothing here needs;
 * struct perf_pipe_file_header is its first two members. */
#define HEADER_SIZE      72
#define PIPE_HEADER_SIZE 16
/* struct perf_event_header */
#define EVENT_HEADER_SIZE 8
/* struct perf_file_section, which follows each attribute and names its ids */
#define SECTION_SIZE 16

typedef struct {
    guint64 offset, size;
} Section;

static void
get_section(Section *section, const guint8 *data)
{
    section->offset = folio_perf_get64(data);
    section->size = folio_perf_get64(data + 8);
}

static gboolean
refuse(const char *name, FolioErrorCode code, GError **error, const char *why)
{
    g_set_error(error, FOLIO_ERROR, code, "%s: %s", name, why);
    return FALSE;
}

static gboolean
check_header(const guint8 *data, gsize size, const char *name, GError **error)
{
    if (size < 8)
        return refuse(name, FOLIO_ERROR_INVALID, error, "is no perf.data file, it is too short");
    if (memcmp(data, "2ELIFREP", 8) == 0)
        return refuse(name, FOLIO_ERROR_UNSUPPORTED, error,
                      "was written by a big-endian machine, which is not supported");
    if (memcmp(data, "PERFFILE", 8) == 0)
        return refuse(name, FOLIO_ERROR_UNSUPPORTED, error,
                      "is in version 1 of perf's format, which has no AUX traces");
    if (memcmp(data, "PERFILE2", 8) != 0)
        return refuse(name, FOLIO_ERROR_INVALID, error, "is no perf.data file");
    if (size >= PIPE_HEADER_SIZE && folio_perf_get64(data + 8) == PIPE_HEADER_SIZE)
        return refuse(name, FOLIO_ERROR_UNSUPPORTED, error,
                      "is the stream that perf writes to a pipe; use perf record -o FILE");
    if (size < HEADER_SIZE)
        return refuse(name, FOLIO_ERROR_INVALID, error, "breaks off within its header");
    if (folio_perf_get64(data + 8) < HEADER_SIZE)
        return refuse(name, FOLIO_ERROR_INVALID, error, "has a header of an impossible size");
    return TRUE;
}

/* Period and guests from the attributes of the SPE event, which may lie behind the events. */
static void
read_attributes(FolioPerfFile *file, const guint8 *data, gsize size, GError **error)
{
    guint64 entry_size = folio_perf_get64(data + 16);
    Section section;

    get_section(&section, data + 24);
    if (section.offset > size || section.size > size - section.offset) {
        refuse(file->name, FOLIO_ERROR_INVALID, error, "breaks off within its attributes");
        return;
    }
    if (entry_size < PERF_ATTR_SIZE_VER0 + SECTION_SIZE) {
        refuse(file->name, FOLIO_ERROR_INVALID, error, "has attributes of an impossible size");
        return;
    }
    for (guint64 at = 0; section.size - at >= entry_size; at += entry_size) {
        struct perf_event_attr attr = { 0 };

        memcpy(&attr, data + section.offset + at, MIN(entry_size - SECTION_SIZE, sizeof(attr)));
        if (attr.type != file->pmu_type)
            continue;
        file->period = attr.freq ? 0 : attr.sample_period;
        file->excludes_guests = attr.exclude_guest;
    }
}

static gboolean
refuse_event(const FolioPerfFile *file, guint64 at, GError **error, const char *why)
{
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                "%s: %s the event at byte %" G_GUINT64_FORMAT, file->name, why, at);
    return FALSE;
}

/* Reads the event at *at and moves behind it and its trace. */
static gboolean
read_event(FolioPerfFile *file, const guint8 *data, guint64 end, guint64 *at, GError **error)
{
    guint64 left = end - *at;
    FolioPerfEvent event = { .at = *at };
    guint64 size, taken;

    if (left < EVENT_HEADER_SIZE)
        return refuse_event(file, *at, error, "breaks off within");
    event.type = folio_perf_get32(data + *at);
    size = folio_perf_get32(data + *at + 4) >> 16;
    if (size < EVENT_HEADER_SIZE)
        return refuse_event(file, *at, error, "gives an impossible size for");
    if (size > left)
        return refuse_event(file, *at, error, "breaks off within");
    event.body = data + *at + EVENT_HEADER_SIZE;
    event.size = size - EVENT_HEADER_SIZE;
    if (!folio_perf_event_read(file, &event, data + *at + size, left - size, &taken, error))
        return FALSE;
    if (taken > left - size)
        return refuse_event(file, *at, error, "breaks off within the trace of");
    *at += size + taken;
    return TRUE;
}

static gboolean
read_events(FolioPerfFile *file, const guint8 *data, gsize size, GError **error)
{
    Section section;
    guint64 at, present;

    get_section(&section, data + 40);
    at = section.offset;
    if (section.offset > size)
        return refuse(file->name, FOLIO_ERROR_INVALID, error, "breaks off before its events");
    present = MIN(section.size, size - section.offset);
    /* The size is filled in when perf ends. */
    if (section.size == 0)
        present = size - section.offset;
    while (at < section.offset + present)
        if (!read_event(file, data, section.offset + present, &at, error))
            return FALSE;
    if (section.size == 0)
        return refuse(file->name, FOLIO_ERROR_INVALID, error,
                      "was not closed: perf was killed, and what it had not written is lost");
    if (section.size > present)
        return refuse(file->name, FOLIO_ERROR_INVALID, error, "breaks off between two events");
    return TRUE;
}

/* FALSE when nothing of the file is of use. */
static gboolean
read_file(FolioPerfFile *file, GError **error)
{
    gsize size;
    const guint8 *data = g_bytes_get_data(file->bytes, &size);

    if (!check_header(data, size, file->name, error))
        return FALSE;
    if (!read_events(file, data, size, &file->damage) &&
        (file->info_version == 0 ||
         g_error_matches(file->damage, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED))) {
        g_propagate_error(error, g_steal_pointer(&file->damage));
        return FALSE;
    }
    if (file->info_version == 0)
        return refuse(file->name, FOLIO_ERROR_NOT_FOUND, error,
                      "has no AUX trace; was it recorded with perf record -e arm_spe//?");
    read_attributes(file, data, size, file->damage == NULL ? &file->damage : NULL);
    return TRUE;
}

FolioPerfFile *
folio_perf_file_parse(GBytes *bytes, const char *name, GError **error)
{
    g_autoptr(FolioPerfFile) file = g_new0(FolioPerfFile, 1);

    file->bytes = g_bytes_ref(bytes);
    file->name = g_strdup(name);
    file->buffers = g_array_new(FALSE, FALSE, sizeof(FolioPerfBuffer));
    file->pids = g_hash_table_new(NULL, NULL);
    return read_file(file, error) ? g_steal_pointer(&file) : NULL;
}

void
folio_perf_file_free(FolioPerfFile *file)
{
    if (file == NULL)
        return;
    g_bytes_unref(file->bytes);
    g_free(file->name);
    g_array_unref(file->buffers);
    g_hash_table_unref(file->pids);
    g_clear_error(&file->damage);
    g_free(file);
}

gint32
folio_perf_file_pid(const FolioPerfFile *file, gint32 tid)
{
    gpointer pid;

    if (!g_hash_table_lookup_extended(file->pids, GUINT_TO_POINTER((guint) tid), NULL, &pid))
        return -1;
    return (gint32) GPOINTER_TO_UINT(pid);
}

/* As perf's tsc_to_perf_time(). */
guint64
folio_perf_clock_time(const FolioPerfClock *clock, guint64 ticks)
{
    guint64 rest;

    if (clock->is_short)
        ticks = clock->cycles + ((ticks - clock->cycles) & clock->mask);
    rest = ticks & ((G_GUINT64_CONSTANT(1) << clock->shift) - 1);
    return clock->zero + (ticks >> clock->shift) * clock->mult +
           (rest * clock->mult >> clock->shift);
}
