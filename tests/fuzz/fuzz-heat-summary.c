/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzzes the reading of heat summaries: what is accepted has a level for each block and was not too
 * long, what is refused has a reason; the same of the element in which they stand. */
#include "base/error.h"
#include "fuzz.h"
#include "heat/heat-summary.h"
#include "virt/heat-element.h"

#include <string.h>

/* 600 blocks, so that texts can be short. */
static GArray *
make_ranges(void)
{
    static const guint sizes[] = { 512, 80, 7, 1 };
    GArray *ranges = folio_heat_ranges_new();

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
        folio_heat_ranges_add(ranges, "ram", sizes[i]);
    return ranges;
}

static void
check_summary(const char *text)
{
    g_autoptr(GArray) ranges = make_ranges();
    g_autoptr(GError) error = NULL;
    g_autofree FolioHeatSummary *summary = folio_heat_summary_parse(text, ranges, &error);

    if (summary == NULL) {
        g_assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_INVALID) ||
                      g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED));
        g_assert_true(g_str_is_ascii(error->message));
        return;
    }
    g_assert_no_error(error);
    g_assert_cmpuint(strlen(text), <=, FOLIO_SUMMARY_MAX);
    g_assert_cmpuint(summary->n_blocks, ==, 600);
    g_assert_cmpuint(summary->granule, >=, FOLIO_SUMMARY_GRANULE);
    for (guint b = 0; b < summary->n_blocks; b++)
        g_assert_cmpuint(summary->levels[b], <, FOLIO_SUMMARY_LEVELS);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *) data, size);
    FolioHeatElement element;

    check_summary(text);
    folio_heat_element_read(&element, text);
    g_assert_true(element.text == NULL || element.error == NULL);
    if (element.text != NULL)
        check_summary(element.text);
    folio_heat_element_clear(&element);
    return 0;
}
