/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The events of a perf.data file that matter for Arm SPE. Layouts: Linux, tools/lib/perf/include/
 * perf/event.h for what perf writes, include/uapi/linux/perf_event.h for what the kernel writes,
 * tools/perf/util/arm-spe.h for AUXTRACE_INFO. */
#include "sample/perf-event.h"

#include "base/error.h"

#include <linux/perf_event.h>
#include <stddef.h>

#define AUXTRACE_TYPE_ARM_SPE 4

/* AUXTRACE_INFO behind its type and a reserved word, in words of 8 bytes. */
#define INFO_V1_WORDS 2 /* PMU type, per-CPU maps */
#define INFO_V2_WORDS 4 /* version, words in this part, PMU type, number of CPUs */
/* Of each CPU: magic, CPU, words that follow, MIDR, PMU type, least interval, and whatever newer
 * versions of perf add. */
#define CPU_FIXED_WORDS 3
#define CPU_LEAST_WORDS 6
#define CPU_MAGIC       G_GUINT64_CONSTANT(0x1010101010101010)

/* Threads whose process is kept: as many as one Linux system can have (PID_MAX_LIMIT). */
#define MAX_THREADS (4 * 1024 * 1024)

static gboolean
invalid(const FolioPerfFile *file, const FolioPerfEvent *event, GError **error, const char *what)
{
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_INVALID,
                "%s: event of type %u at byte %" G_GUINT64_FORMAT " %s", file->name, event->type,
                event->at, what);
    return FALSE;
}

static gboolean
read_cpu_info(FolioPerfFile *file, const FolioPerfEvent *event, gsize *at, GError **error)
{
    guint64 words = (event->size - *at) / 8;
    guint64 following;

    if (words < CPU_LEAST_WORDS || folio_perf_get64(event->body + *at) != CPU_MAGIC)
        return invalid(file, event, error, "describes fewer CPUs than it says");
    following = folio_perf_get64(event->body + *at + 16);
    if (following < CPU_LEAST_WORDS - CPU_FIXED_WORDS || following > words - CPU_FIXED_WORDS)
        return invalid(file, event, error, "describes a CPU at an impossible length");
    if (file->described_cpus++ == 0)
        file->midr = folio_perf_get64(event->body + *at + 24);
    file->min_interval = MAX(file->min_interval, folio_perf_get64(event->body + *at + 40));
    *at += 8 * (CPU_FIXED_WORDS + following);
    return TRUE;
}

static gboolean
read_info_v2(FolioPerfFile *file, const FolioPerfEvent *event, GError **error)
{
    const guint8 *words = event->body + 8;
    guint64 n_words = (event->size - 8) / 8;
    guint64 header_words, cpus;
    gsize at;

    if (n_words < INFO_V2_WORDS || folio_perf_get64(words) != 2)
        return invalid(file, event, error, "(AUXTRACE_INFO) is of no known version");
    header_words = folio_perf_get64(words + 8);
    cpus = folio_perf_get64(words + 24);
    if (header_words < INFO_V2_WORDS || header_words > n_words)
        return invalid(file, event, error, "(AUXTRACE_INFO) has a header of an impossible length");
    file->info_version = 2;
    file->pmu_type = folio_perf_get64(words + 16);
    file->described_cpus = 0;
    at = 8 + 8 * header_words;
    for (guint64 i = 0; i < cpus; i++)
        if (!read_cpu_info(file, event, &at, error))
            return FALSE;
    return TRUE;
}

static gboolean
read_info(FolioPerfFile *file, const FolioPerfEvent *event, GError **error)
{
    guint32 type = folio_perf_get32(event->body);

    if (type != AUXTRACE_TYPE_ARM_SPE) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "%s: has an AUX trace of type %u, not Arm SPE (%d)", file->name, type,
                    AUXTRACE_TYPE_ARM_SPE);
        return FALSE;
    }
    if (event->size != 8 + 8 * INFO_V1_WORDS)
        return read_info_v2(file, event, error);
    file->info_version = 1;
    file->pmu_type = folio_perf_get64(event->body + 8);
    return TRUE;
}

/* The trace itself lies behind the event and is not counted in the event's size. */
static void
read_auxtrace(FolioPerfFile *file, const FolioPerfEvent *event, const guint8 *data,
              guint64 data_size, guint64 *taken)
{
    const FolioPerfBuffer buffer = {
        .cpu = (gint32) folio_perf_get32(event->body + 32),
        .tid = (gint32) folio_perf_get32(event->body + 28),
        .position = folio_perf_get64(event->body + 8),
        .data = data,
        .size = MIN(folio_perf_get64(event->body), data_size),
    };

    *taken = folio_perf_get64(event->body);
    if (buffer.size > 0)
        g_array_append_val(file->buffers, buffer);
}

static void
read_aux(FolioPerfFile *file, const FolioPerfEvent *event)
{
    guint64 flags = folio_perf_get64(event->body + 16);

    file->aux_events++;
    file->truncated += (flags & PERF_AUX_FLAG_TRUNCATED) != 0;
    file->partial += (flags & PERF_AUX_FLAG_PARTIAL) != 0;
    file->collisions += (flags & PERF_AUX_FLAG_COLLISION) != 0;
}

static void
read_itrace_start(FolioPerfFile *file, const FolioPerfEvent *event)
{
    guint pid = folio_perf_get32(event->body);
    guint tid = folio_perf_get32(event->body + 4);

    if (g_hash_table_size(file->pids) < MAX_THREADS)
        g_hash_table_insert(file->pids, GUINT_TO_POINTER(tid), GUINT_TO_POINTER(pid));
}

static gboolean
read_time_conv(FolioPerfFile *file, const FolioPerfEvent *event, GError **error)
{
    FolioPerfClock clock = {
        .known = TRUE,
        .shift = folio_perf_get64(event->body),
        .mult = folio_perf_get64(event->body + 8),
        .zero = folio_perf_get64(event->body + 16),
    };

    /* Perf before 5.8 wrote no more than that. */
    if (event->size >= 42) {
        clock.cycles = folio_perf_get64(event->body + 24);
        clock.mask = folio_perf_get64(event->body + 32);
        clock.is_short = event->body[41] != 0;
    }
    /* The kernel's are 32 bits wide, and a wider shift would lose ticks in the product. */
    if (clock.shift > 32 || clock.mult > G_MAXUINT32)
        return invalid(file, event, error, "(TIME_CONV) has an impossible shift or multiplier");
    file->clock = clock;
    return TRUE;
}

/* Bytes of an event's body that are read whatever else is in it. */
static gsize
least_size(guint32 type)
{
    switch (type) {
    case FOLIO_PERF_AUXTRACE_INFO:
        return 8 + 8 * INFO_V1_WORDS;
    case FOLIO_PERF_AUXTRACE:
        return 40;
    case FOLIO_PERF_TIME_CONV:
    case PERF_RECORD_AUX:
        return 24;
    case PERF_RECORD_LOST:
        return 16;
    case PERF_RECORD_LOST_SAMPLES:
    case PERF_RECORD_ITRACE_START:
        return 8;
    default:
        return 0;
    }
}

gboolean
folio_perf_event_read(FolioPerfFile *file, const FolioPerfEvent *event, const guint8 *data,
                      guint64 data_size, guint64 *taken, GError **error)
{
    *taken = 0;
    if (event->size < least_size(event->type))
        return invalid(file, event, error, "is too short for what it is");
    switch (event->type) {
    case FOLIO_PERF_AUXTRACE_INFO:
        return read_info(file, event, error);
    case FOLIO_PERF_AUXTRACE:
        read_auxtrace(file, event, data, data_size, taken);
        break;
    case FOLIO_PERF_TIME_CONV:
        return read_time_conv(file, event, error);
    case FOLIO_PERF_COMPRESSED:
    case FOLIO_PERF_COMPRESSED2:
        file->compressed++;
        break;
    case PERF_RECORD_AUX:
        read_aux(file, event);
        break;
    case PERF_RECORD_ITRACE_START:
        read_itrace_start(file, event);
        break;
    case PERF_RECORD_LOST:
        file->lost += folio_perf_get64(event->body + 8);
        break;
    case PERF_RECORD_LOST_SAMPLES:
        file->lost += folio_perf_get64(event->body);
        break;
    default:
        break;
    }
    return TRUE;
}
