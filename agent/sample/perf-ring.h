/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One perf event of one thread or one CPU, its ring and its AUX area. libperf opens the event, maps
 * its ring and switches it on and off; the AUX area, which libperf does not know, is mapped here.
 *
 * That takes the event's descriptor, for which libperf has no public accessor. It is recognised by
 * the number that the kernel gave the event: perf_evsel__read with PERF_FORMAT_ID tells it by
 * libperf's public interface, PERF_EVENT_IOC_ID tells it of a descriptor. libperf's own reader of
 * the ring is not used: it works only on rings of an evlist, which give no access to the control
 * page that an AUX area needs, and it allocates. */
#pragma once

#include "sample/ring.h"

typedef struct {
    struct perf_event_attr attr; /* opened disabled, with PERF_FORMAT_ID and
                                  * _TOTAL_TIME_ENABLED, whatever it says there */
    const char *what;            /* for messages, such as "Arm SPE (arm_spe_0)" */
    guint data_pages;            /* of the ring of records, a power of two */
    gsize aux_bytes;             /* 0: no AUX area; a power of two of at least 2 pages */
} FolioPerfEvent;

typedef struct _FolioPerfRing FolioPerfRing;

/* Opens the event for a thread (cpu -1: wherever it runs) or for a CPU (tid -1: whatever runs
 * there). The thread may have ended: NOT_FOUND. Other errors say what was tried and what the
 * likely remedy is: BUSY another user of the unit, NOT_PERMITTED, UNSUPPORTED (also when foliod was
 * built without libperf), FAILED (too many open files, locked memory). Not to be called from two
 * threads at a time. */
FolioPerfRing *folio_perf_ring_open(const FolioPerfEvent *event, int tid, int cpu, GError **error);

void folio_perf_ring_close(FolioPerfRing *ring);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioPerfRing, folio_perf_ring_close)

FolioRing *folio_perf_ring_records(FolioPerfRing *ring);

/* NULL without an AUX area. */
FolioRing *folio_perf_ring_aux(FolioPerfRing *ring);

/* Close-on-exec; polls readable at the watermark, hangs up (POLLHUP) when its thread has ended. */
int folio_perf_ring_fd(const FolioPerfRing *ring);

/* Enabling what is enabled does nothing. An event that the kernel had stopped may count as enabled.
 */
gboolean folio_perf_ring_enable(FolioPerfRing *ring, gboolean enabled);

/* How long the event has been enabled. It stands still for an event of a CPU that went offline: the
 * kernel takes the event away for good, even if the CPU comes back. */
guint64 folio_perf_ring_get_enabled_nsec(const FolioPerfRing *ring);

gboolean folio_perf_ring_set_period(FolioPerfRing *ring, guint64 period);
