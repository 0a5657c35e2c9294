/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reader of the two rings that the kernel writes for a perf event: its records and its AUX area.
 * Pure memory: no system calls, no allocation. The protocol is that of struct perf_event_mmap_page
 * in include/uapi/linux/perf_event.h: head and tail only grow, the offset in the ring is their
 * value modulo its size, and what lies between tail and head is the reader's. */
#pragma once

#include <glib.h>
#include <linux/perf_event.h>

/* No record is longer: its size has 16 bits. */
#define FOLIO_RING_RECORD_MAX 65536

typedef struct {
    const guint64 *head; /* written by the kernel */
    guint64 *tail;       /* written by us */
    const guint8 *data;
    guint64 size; /* of data in bytes, a power of two */

    guint64 at;  /* private: where reading goes on */
    guint64 end; /* private: the head that folio_ring_begin saw */
} FolioRing;

/* Reading starts at the tail that is in the ring. */
void folio_ring_init(FolioRing *ring, const guint64 *head, guint64 *tail, const void *data,
                     guint64 size);

/* The ring of records, and the AUX area (mapped at aux), of an event with that control page. */
void folio_ring_init_records(FolioRing *ring, struct perf_event_mmap_page *control);
void folio_ring_init_aux(FolioRing *ring, struct perf_event_mmap_page *control, const void *aux);

/* Looks how far the kernel has come. Returns the bytes that can be read now. What comes later waits
 * for the next call, so that a fast writer cannot keep the reader in its loop. A head that is
 * further than size from the tail (no kernel does that) gives 0 and skips all of it. */
guint64 folio_ring_begin(FolioRing *ring);

/* How many bytes there are to read. */
guint64 folio_ring_count(const FolioRing *ring);

/* The next whole record, NULL behind the last one. One that lies across the end of the ring is put
 * together in scratch (FOLIO_RING_RECORD_MAX bytes, aligned to 8). Valid until folio_ring_end. A
 * record of an impossible size ends the reading; folio_ring_end passes over the rest. */
const struct perf_event_header *folio_ring_next_record(FolioRing *ring, void *scratch);

/* The next bytes up to the end of the ring or of what there is; their number, 0 behind the last.
 * *position is what the kernel counts, in bytes since the event was opened. */
gsize folio_ring_next_piece(FolioRing *ring, const guint8 **piece, guint64 *position);

/* Gives the kernel back all that folio_ring_begin saw. */
void folio_ring_end(FolioRing *ring);
