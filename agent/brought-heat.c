/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat summary that a guest's metadata hold when it is first seen. */
#include "brought-heat.h"

#include "base/log.h"
#include "sample/sampler.h"

FolioHeatSummary *
folio_brought_heat_read(const FolioDomain *domain, const FolioHeatElement *heat,
                        const FolioGuestRam *ram)
{
    g_autoptr(GArray) ranges = folio_sampler_make_ranges(ram);
    g_autoptr(GError) error = NULL;
    FolioHeatSummary *summary = NULL;

    if (heat->text == NULL && heat->error == NULL)
        return NULL;
    if (heat->text != NULL)
        summary = folio_heat_summary_parse(heat->text, ranges, &error);
    if (summary == NULL) {
        folio_log(G_LOG_LEVEL_WARNING, FOLIO_MESSAGE_HEAT, domain->name, domain->uuid,
                  "%s: the heat summary in its metadata is ignored: %s", domain->name,
                  error != NULL ? error->message : heat->error);
        return NULL;
    }
    folio_log(G_LOG_LEVEL_MESSAGE, FOLIO_MESSAGE_HEAT, domain->name, domain->uuid,
              "%s: its metadata hold a heat summary, by granules of %u MiB: it orders what is "
              "looked at first, and counts for nothing else",
              domain->name, (guint) (summary->granule * FOLIO_BLOCK_BYTES / (1024 * 1024)));
    return summary;
}
