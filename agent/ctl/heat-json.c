/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What folioctl heat --json prints. Written entry by entry: a tree of a million of them in memory
 * would take hundreds of megabytes. */
#include "ctl/heat-view.h"
#include "ctl/json.h"

#include "ctl/client.h"

#include <stdio.h>

static void
print_string(const char *member, const char *value)
{
    g_autofree char *quoted = folio_json_quote(value);

    printf("  \"%s\" : %s,\n", member, quoted);
}

static void
print_number(const char *member, guint64 value)
{
    printf("  \"%s\" : %" G_GUINT64_FORMAT ",\n", member, value);
}

static const char *
comma(guint i)
{
    return i == 0 ? "" : ", ";
}

/* 64ths as sub-pages. */
static void
print_sub_pages(const char *member, const guint16 *values, guint n)
{
    printf(",\n      \"%s\" : [", member);
    for (guint i = 0; i < n; i++)
        printf("%s%.4g", comma(i), values[i] / 64.0);
    printf("]");
}

static void
print_verdicts(const FolioHeatViewRange *range)
{
    printf(",\n      \"verdict\" : [");
    for (guint i = 0; i < range->n; i++)
        printf("%s\"%s\"", comma(i), folio_verdict_token((FolioVerdict) range->verdict[i]));
    printf("]");
}

static void
print_unseen(const FolioHeatViewRange *range)
{
    printf(",\n      \"unseen\" : [");
    for (guint i = 0; i < range->n; i++) {
        if (range->unseen[i] == FOLIO_VIEW_NEVER)
            printf("%snull", comma(i));
        else
            printf("%s%u", comma(i), range->unseen[i]);
    }
    printf("]");
}

static void
print_counts(const FolioHeatViewRange *range)
{
    for (guint v = 0; v <= FOLIO_VERDICT_DENSE; v++) {
        printf(",\n      \"%s\" : [", folio_verdict_token((FolioVerdict) v));
        for (guint i = 0; i < range->n; i++)
            printf("%s%u", comma(i), range->counts[v][i]);
        printf("]");
    }
}

static void
print_history(const FolioHeatView *view, const FolioHeatViewRange *range)
{
    printf(",\n      \"history\" : [");
    for (guint w = 0; w < view->n_windows; w++) {
        const guint16 *row = range->history + w * (gsize) range->n_history;

        printf("%s\n        [", w == 0 ? "" : ",");
        for (guint g = 0; g < range->n_history; g++)
            printf("%s%.4g", comma(g), row[g] / 64.0);
        printf("]");
    }
    printf("]");
}

static void
print_range(const FolioHeatView *view, const FolioHeatViewRange *range)
{
    g_autofree char *name = folio_json_quote(range->name);

    printf("\n    { \"name\" : %s,\n      \"first_block\" : %" G_GUINT64_FORMAT
           ",\n      \"blocks\" : %" G_GUINT64_FORMAT,
           name, range->first_block, range->blocks);
    print_verdicts(range);
    print_sub_pages("in_use", range->in_use, range->n);
    print_sub_pages("footprint", range->footprint, range->n);
    print_unseen(range);
    if (view->granule > 1)
        print_counts(range);
    if (range->history != NULL)
        print_history(view, range);
    printf(" }");
}

static void
print_times(const FolioHeatView *view)
{
    print_number("history_granule", view->history_granule);
    printf("  \"history_ended_usec\" : [");
    for (guint w = 0; w < view->n_windows; w++)
        printf("%s%" G_GINT64_FORMAT, comma(w), view->ends[w]);
    printf("],\n");
}

void
folio_json_print_heat(GVariant *guest, const FolioHeatView *view)
{
    printf("{\n");
    print_number("version", FOLIO_JSON_VERSION);
    print_string("uuid", folio_dict_string(guest, "Uuid"));
    print_string("name", folio_dict_string(guest, "Name"));
    print_string("source", folio_dict_string(guest, "Source"));
    print_string("waits", folio_dict_string(guest, "Waits"));
    print_number("windows", view->windows);
    print_number("ended_usec", (guint64) view->ended_usec);
    print_number("window_usec", view->window_usec);
    print_number("block_bytes", view->block_bytes);
    print_number("granule", view->granule);
    if (view->history_granule > 0)
        print_times(view);
    printf("  \"ranges\" : [");
    for (guint r = 0; r < view->ranges->len; r++) {
        printf("%s", r == 0 ? "" : ",");
        print_range(view, view->ranges->pdata[r]);
    }
    printf("%s]\n}\n", view->ranges->len > 0 ? "\n  " : "");
}
