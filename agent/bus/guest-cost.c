/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What translation costs a guest, as org.foliod1.Guest tells of it. */
#include "bus/guest-cost.h"

static void
add_fraction(GVariantBuilder *dict, const char *of, const char *what, double value)
{
    g_autofree char *key = g_strconcat(of, "-", what, NULL);

    g_variant_builder_add(dict, "{sv}", key, g_variant_new_double(value));
}

/* Only what some sample said something of. */
static void
add_sums(GVariantBuilder *dict, const char *of, const FolioCostSums *sums)
{
    if (sums->walks + sums->timed == 0)
        return;
    add_fraction(dict, of, "walks", folio_cost_sums_walk_share(sums));
    if (sums->timed > 0)
        add_fraction(dict, of, "cycles", folio_cost_sums_cycles(sums));
}

static void
add_blocks(GVariantBuilder *dict, const char *of, const FolioBlockCost *cost)
{
    if (cost->samples == 0)
        return;
    add_fraction(dict, of, "walks", (double) cost->walks / (double) cost->samples);
    add_fraction(dict, of, "cycles", (double) cost->cycles / (double) cost->samples);
}

GVariant *
folio_guest_cost_describe(const FolioCostTotals *costs)
{
    GVariantBuilder dict;

    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    add_sums(&dict, "split", &costs->recent[FOLIO_COST_SPLIT]);
    add_sums(&dict, "other", &costs->recent[FOLIO_COST_OTHER]);
    add_sums(&dict, "unsplit", &costs->whole);
    add_blocks(&dict, "before", &costs->before);
    add_blocks(&dict, "after", &costs->after);
    return g_variant_builder_end(&dict);
}

void
folio_guest_cost_add_entry(GVariantBuilder *dict, const FolioCostEntry *entry)
{
    if (entry == NULL)
        return;
    g_variant_builder_add(dict, "{sv}", "before-samples",
                          g_variant_new_uint32(entry->before.samples));
    add_blocks(dict, "before", &entry->before);
    if (!entry->split)
        return;
    g_variant_builder_add(dict, "{sv}", "after-samples", g_variant_new_uint32(entry->now.samples));
    add_blocks(dict, "after", &entry->now);
}
