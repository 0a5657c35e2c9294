/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events with AUX areas made of memory: the functions of sample/perf-ring.h, which the linker takes
 * in place of the library's, and a driver that fills the areas as Linux's does
 * (drivers/perf/arm_spe_pmu.c, kernel/events/ring_buffer.c). */
#pragma once

#include "base/error.h"
#include "cmocka-all.h"
#include "sample/perf-ring.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FAKE_RECORD_BYTES 65536

struct _FolioPerfRing {
    FolioPerfEvent event;
    int tid, cpu, fd;
    gboolean on;   /* enabled, and not stopped by the driver since */
    gboolean held; /* stopped, and still enabled to the kernel, which then enables nothing */
    gboolean dead; /* its CPU went offline */
    guint64 enabled_nsec;
    guint64 period;
    struct perf_event_mmap_page *control; /* the ring of records lies behind it */
    guint8 *area;
    FolioRing records, aux;
};

static GPtrArray *fake_rings;       /* those that are open */
static int fake_refused_cpu;        /* somebody else holds the unit there */
static guint64 fake_refused_config; /* bits of config that the unit cannot do */

FolioPerfRing *
folio_perf_ring_open(const FolioPerfEvent *event, int tid, int cpu, GError **error)
{
    FolioPerfRing *ring = NULL;

    if (cpu == fake_refused_cpu || (event->attr.config & fake_refused_config) != 0) {
        folio_set_error_errno(error, cpu == fake_refused_cpu ? EBUSY : EOPNOTSUPP, "%s",
                              event->what);
        return NULL;
    }
    ring = g_new0(FolioPerfRing, 1);
    *ring = (FolioPerfRing){ .event = *event, .tid = tid, .cpu = cpu };
    ring->period = event->attr.sample_period;
    ring->fd = eventfd(0, EFD_CLOEXEC);
    ring->control = g_malloc0(4096 + FAKE_RECORD_BYTES);
    ring->control->data_offset = 4096;
    ring->control->data_size = FAKE_RECORD_BYTES;
    ring->control->aux_size = event->aux_bytes;
    ring->area = g_malloc0(event->aux_bytes);
    folio_ring_init_records(&ring->records, ring->control);
    folio_ring_init_aux(&ring->aux, ring->control, ring->area);
    g_ptr_array_add(fake_rings, ring);
    return ring;
}

void
folio_perf_ring_close(FolioPerfRing *ring)
{
    g_ptr_array_remove(fake_rings, ring);
    close(ring->fd);
    g_free(ring->control);
    g_free(ring->area);
    g_free(ring);
}

FolioRing *
folio_perf_ring_records(FolioPerfRing *ring)
{
    return &ring->records;
}

FolioRing *
folio_perf_ring_aux(FolioPerfRing *ring)
{
    return &ring->aux;
}

int
folio_perf_ring_fd(const FolioPerfRing *ring)
{
    return ring->fd;
}

gboolean
folio_perf_ring_enable(FolioPerfRing *ring, gboolean enabled)
{
    if (!enabled)
        ring->held = FALSE;
    ring->on = enabled && !ring->held;
    return TRUE;
}

guint64
folio_perf_ring_get_enabled_nsec(const FolioPerfRing *ring)
{
    FolioPerfRing *mine = (FolioPerfRing *) ring;

    mine->enabled_nsec += ring->dead ? 0 : 1000;
    return ring->enabled_nsec;
}

gboolean
folio_perf_ring_set_period(FolioPerfRing *ring, guint64 period)
{
    ring->period = period;
    return TRUE;
}

static inline FolioPerfRing *
fake_ring(guint i)
{
    assert_true(i < fake_rings->len);
    return g_ptr_array_index(fake_rings, i);
}

/* A record for the base ring: a header and words. */
static inline void
fake_record(FolioPerfRing *ring, guint32 type, const guint64 *words, guint n_words)
{
    const struct perf_event_header header = {
        .type = type, .size = (guint16) (sizeof(header) + n_words * sizeof(*words))
    };
    guint8 *data = (guint8 *) ring->control + ring->control->data_offset;
    guint8 bytes[256];

    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + sizeof(header), words, n_words * sizeof(*words));
    for (guint i = 0; i < header.size; i++)
        data[ring->control->data_head++ % FAKE_RECORD_BYTES] = bytes[i];
}

/* Appends what the unit wrote in one go to the AUX area, and its record. */
static inline void
fake_write(FolioPerfRing *ring, const void *bytes, gsize size, guint64 flags)
{
    const guint64 words[] = { ring->control->aux_head, size, flags };

    for (gsize i = 0; i < size; i++)
        ring->area[(ring->control->aux_head + i) % ring->event.aux_bytes] =
            ((const guint8 *) bytes)[i];
    ring->control->aux_head += size;
    if (size > 0 || flags != 0)
        fake_record(ring, PERF_RECORD_AUX, words, G_N_ELEMENTS(words));
}

/* The unit runs: writes whole records of the stream until it ends, or the area is full. Pads the
 * end of the area, which no record crosses; stops, and says TRUNCATED, when there is no room.
 * Returns how many records were written. ends: where each of the n records ends in the stream. */
static inline guint
fake_run(FolioPerfRing *ring, const guint8 *stream, const gsize *ends, guint n)
{
    static const guint8 padding[4096];
    guint i = 0;

    while (ring->on && i < n) {
        const guint8 *record = stream + (i > 0 ? ends[i - 1] : 0);
        const gsize size = ends[i] - (i > 0 ? ends[i - 1] : 0);
        const guint64 offset = ring->control->aux_head % ring->event.aux_bytes;
        const gsize to_edge = ring->event.aux_bytes - offset;
        const gsize needed = size <= to_edge ? size : to_edge + size;

        if (ring->control->aux_head - ring->control->aux_tail + needed >= ring->event.aux_bytes) {
            fake_write(ring, NULL, 0, PERF_AUX_FLAG_TRUNCATED);
            ring->on = FALSE;
            ring->held = TRUE;
            break;
        }
        if (size > to_edge)
            fake_write(ring, padding, to_edge, 0);
        fake_write(ring, record, size, 0);
        i++;
    }
    return i;
}
