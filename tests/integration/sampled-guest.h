/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A real guest to be sampled: its process, its RAM, the frames of it, and a way to have QEMU fault
 * in what it has not touched. Whatever fails here fails the test. */
#pragma once

#include "guests.h"
#include "memory/guest-ram.h"
#include "sample/source.h"

#define SAMPLED_MIB        64
#define SAMPLED_PAGE_BYTES 4096ULL
#define SAMPLED_PAGES      (SAMPLED_MIB * 1024 * 1024 / SAMPLED_PAGE_BYTES)

typedef struct {
    virDomainPtr domain; /* NULL: ended */
    FolioProcess *process;
    FolioGuestRam *ram;
    const FolioRamBlock *block; /* its only one */
} SampledGuest;

/* What a sink collects. */
typedef struct {
    GHashTable *frames; /* set of guint64, physical address / 4096 */
    guint64 n;          /* samples */
} SampledHeap;

/* 64 MiB of shared RAM on the tmpfs, nothing of it touched yet but by firmware. Aligned: started by
 * foliod-qemu, so that PMDs map it; otherwise single pages do. */
SampledGuest *sampled_guest_start(virConnectPtr connect, const char *name, gboolean aligned);

/* Destroys the domain too, unless it is NULL. */
void sampled_guest_free(SampledGuest *guest);

/* The frame of each page of its RAM, 0 where none is mapped, by /proc/PID/pagemap; to be freed. */
guint64 *sampled_guest_frames(const SampledGuest *guest);

/* Has QEMU's main thread read all RAM behind the first MiB (below it lies firmware). After each bit
 * of it the session, if not NULL, is drained into heap: single pages would overflow the ring. */
void sampled_guest_read(const SampledGuest *guest, FolioSourceSession *session, SampledHeap *heap);

SampledHeap *sampled_heap_new(void);
void sampled_heap_free(SampledHeap *heap);

/* FolioSampleSink of a SampledHeap. As a test's sink it may allocate. */
void sampled_heap_take(const FolioSample *samples, gsize n, gpointer heap);

gboolean sampled_heap_has(const SampledHeap *heap, guint64 frame);

void sampled_drain(FolioSourceSession *session, SampledHeap *heap);
