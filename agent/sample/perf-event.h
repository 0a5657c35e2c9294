/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The events of a perf.data file that matter for Arm SPE. Internal to perf-file. */
#pragma once

#include "sample/perf-file.h"

#include <string.h>

/* Types that perf itself writes (tools/lib/perf/include/perf/event.h). */
enum {
    FOLIO_PERF_AUXTRACE_INFO = 70,
    FOLIO_PERF_AUXTRACE = 71,
    FOLIO_PERF_TIME_CONV = 79,
    FOLIO_PERF_COMPRESSED = 81,
    FOLIO_PERF_COMPRESSED2 = 83,
};

typedef struct {
    guint32 type;
    const guint8 *body; /* behind the event's header of 8 bytes */
    gsize size;         /* of body */
    guint64 at;         /* of the event in the file, for messages */
} FolioPerfEvent;

static inline guint64
folio_perf_get64(const guint8 *data)
{
    guint64 value;

    memcpy(&value, data, sizeof(value));
    return GUINT64_FROM_LE(value);
}

static inline guint32
folio_perf_get32(const guint8 *data)
{
    guint32 value;

    memcpy(&value, data, sizeof(value));
    return GUINT32_FROM_LE(value);
}

/* Takes what the event says into file; FOLIO_ERROR_INVALID when it contradicts itself,
 * FOLIO_ERROR_UNSUPPORTED when the file is of another kind. An AUXTRACE event adds a buffer whose
 * data are the given ones; data_size are all that the file has, and *taken those that belong to the
 * event by its own account, which may be more. */
gboolean folio_perf_event_read(FolioPerfFile *file, const FolioPerfEvent *event, const guint8 *data,
                               guint64 data_size, guint64 *taken, GError **error);
