/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reader of the rings of a perf event. */
#include "sample/ring.h"

#include <string.h>

void
folio_ring_init(FolioRing *ring, const guint64 *head, guint64 *tail, const void *data, guint64 size)
{
    g_return_if_fail(size > 0 && (size & (size - 1)) == 0);
    *ring = (FolioRing){ .head = head, .tail = tail, .data = data, .size = size };
    ring->at = ring->end = *tail;
}

void
folio_ring_init_records(FolioRing *ring, struct perf_event_mmap_page *control)
{
    folio_ring_init(ring, (const guint64 *) &control->data_head, (guint64 *) &control->data_tail,
                    (const guint8 *) control + control->data_offset, control->data_size);
}

void
folio_ring_init_aux(FolioRing *ring, struct perf_event_mmap_page *control, const void *aux)
{
    folio_ring_init(ring, (const guint64 *) &control->aux_head, (guint64 *) &control->aux_tail, aux,
                    control->aux_size);
}

guint64
folio_ring_begin(FolioRing *ring)
{
    /* Pairs with the barrier before the kernel's store: what is written before head moves is seen
     * by whoever sees head (perf_output_put_handle in kernel/events/ring_buffer.c). */
    ring->end = __atomic_load_n(ring->head, __ATOMIC_ACQUIRE);
    if (ring->end - ring->at > ring->size)
        ring->at = ring->end;
    return ring->end - ring->at;
}

guint64
folio_ring_count(const FolioRing *ring)
{
    return __atomic_load_n(ring->head, __ATOMIC_RELAXED) - ring->at;
}

static const guint8 *
ring_byte(const FolioRing *ring, guint64 at)
{
    return ring->data + (at & (ring->size - 1));
}

const struct perf_event_header *
folio_ring_next_record(FolioRing *ring, void *scratch)
{
    const guint64 left = ring->end - ring->at;
    const guint64 to_edge = ring->size - (ring->at & (ring->size - 1));
    struct perf_event_header header;
    const guint8 *record = ring_byte(ring, ring->at);

    if (left < sizeof(header))
        return NULL;
    /* Records are multiples of 8 bytes, so that a header never lies across the end. */
    memcpy(&header, record, sizeof(header));
    if (header.size < sizeof(header) || header.size % 8 != 0 || header.size > left) {
        ring->at = ring->end;
        return NULL;
    }
    ring->at += header.size;
    if (header.size <= to_edge)
        return (const void *) record;
    memcpy(scratch, record, to_edge);
    memcpy((guint8 *) scratch + to_edge, ring->data, header.size - to_edge);
    return scratch;
}

gsize
folio_ring_next_piece(FolioRing *ring, const guint8 **piece, guint64 *position)
{
    const guint64 to_edge = ring->size - (ring->at & (ring->size - 1));
    const guint64 length = MIN(ring->end - ring->at, to_edge);

    *piece = ring_byte(ring, ring->at);
    *position = ring->at;
    ring->at += length;
    return length;
}

void
folio_ring_end(FolioRing *ring)
{
    ring->at = ring->end;
    /* Release: all reading is done before the kernel may write over it. */
    __atomic_store_n(ring->tail, ring->end, __ATOMIC_RELEASE);
}
