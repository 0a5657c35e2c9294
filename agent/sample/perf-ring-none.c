/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stands in for perf-ring.c in a build without libperf: no event can be opened. */
#include "base/error.h"
#include "host/perf-probe.h"
#include "sample/perf-ring.h"

FolioPerfRing *
folio_perf_ring_open(const FolioPerfEvent *event, int tid, int cpu, GError **error)
{
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED, "%s: " FOLIO_PERF_NOT_BUILT,
                event->what);
    return NULL;
}

/* There is no ring to call these with. */
void
folio_perf_ring_close(FolioPerfRing *ring)
{
}

FolioRing *
folio_perf_ring_records(FolioPerfRing *ring)
{
    return NULL;
}

FolioRing *
folio_perf_ring_aux(FolioPerfRing *ring)
{
    return NULL;
}

int
folio_perf_ring_fd(const FolioPerfRing *ring)
{
    return -1;
}

gboolean
folio_perf_ring_enable(FolioPerfRing *ring, gboolean enabled)
{
    return FALSE;
}

guint64
folio_perf_ring_get_enabled_nsec(const FolioPerfRing *ring)
{
    return 0;
}

gboolean
folio_perf_ring_set_period(FolioPerfRing *ring, guint64 period)
{
    return FALSE;
}
