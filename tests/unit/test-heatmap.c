/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* heatmap: well-formed SVG, a row a block, its colours, gaps, foreign titles. */
#include "report/heatmap.h"

#include "cmocka-all.h"

#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

#define SPARSE_COLOUR "#e69f00"
#define DENSE_COLOUR  "#009e73"
#define HOTTEST       "#08306b"

/* The number of elements that an expression finds; "s" is SVG's namespace. */
static guint
count(const char *svg, const char *expression)
{
    xmlDoc *doc = xmlReadMemory(svg, (int) strlen(svg), "x.svg", NULL, XML_PARSE_NONET);
    xmlXPathContext *context;
    xmlXPathObject *found;
    guint n;

    assert_non_null(doc);
    context = xmlXPathNewContext(doc);
    xmlXPathRegisterNs(context, BAD_CAST "s", BAD_CAST "http://www.w3.org/2000/svg");
    found = xmlXPathEvalExpression(BAD_CAST expression, context);
    assert_non_null(found);
    n = found->nodesetval != NULL ? (guint) found->nodesetval->nodeNr : 0;
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    xmlFreeDoc(doc);
    return n;
}

static FolioHeatmapRow
row(guint64 address, FolioVerdict verdict)
{
    FolioHeatmapRow made = { .address = address, .end = address + 0x200000, .blocks = 1 };

    made.verdicts[verdict] = 1;
    return made;
}

static void
test_rows(void **state)
{
    FolioHeatmapRow rows[] = { row(0x200000, FOLIO_VERDICT_SPARSE),
                               row(0x400000, FOLIO_VERDICT_DENSE),
                               row(0x40000000, FOLIO_VERDICT_SPARSE) };
    const FolioHeatmap heatmap = { "T", "S", "N", TRUE, rows, G_N_ELEMENTS(rows) };
    g_autofree char *svg = NULL;

    rows[0].samples[7] = 1000;
    for (guint i = 0; i < FOLIO_SUB_PAGES; i++)
        rows[1].samples[i] = 1;
    svg = folio_heatmap_svg(&heatmap);
    assert_int_equal(count(svg, "/s:svg"), 1);
    /* One strip for each row, and the legend's. */
    assert_int_equal(count(svg, "//s:rect[@fill='" SPARSE_COLOUR "']"), 2 + 1);
    assert_int_equal(count(svg, "//s:rect[@fill='" DENSE_COLOUR "']"), 1 + 1);
    assert_int_equal(count(svg, "//s:text[.='0x200000']"), 1);
    assert_int_equal(count(svg, "//s:text[.='0x40000000']"), 1);
    assert_int_equal(count(svg, "//s:text[.='1000']"), 1);
    /* One gap, and the legend's. */
    assert_int_equal(count(svg, "//s:path[@stroke-dasharray]"), 2);
    /* The hottest sub-page alone: one piece of two pixels, at sub-page 7. */
    assert_int_equal(count(svg, "//s:path[@fill='" HOTTEST "'][starts-with(@d, 'M164 ')]"
                                "[contains(@d, 'h2v')][not(contains(substring(@d, 2), 'M'))]"),
                     1);
    /* The warm row is one piece over its whole width. */
    assert_int_equal(count(svg, "//s:path[contains(@d, 'h1024v')]"), 2);
    assert_int_equal(count(svg, "//s:text[.='unconfirmed']"), 0);
}

/* A row of several blocks shows their verdicts by share. */
static void
test_shares(void **state)
{
    FolioHeatmapRow many = { .address = 0, .end = 0x800000, .blocks = 4 };
    const FolioHeatmap heatmap = { "T", "S", NULL, FALSE, &many, 1 };
    g_autofree char *svg = NULL;

    many.verdicts[FOLIO_VERDICT_SPARSE] = 3;
    many.verdicts[FOLIO_VERDICT_DENSE] = 1;
    svg = folio_heatmap_svg(&heatmap);
    assert_int_equal(count(svg, "//s:rect[@fill='" SPARSE_COLOUR "'][@width='48']"), 1);
    assert_int_equal(count(svg, "//s:rect[@fill='" DENSE_COLOUR "'][@width='16']"), 1);
    assert_int_equal(count(svg, "//s:text[.='unconfirmed']"), 1);
}

static void
test_foreign_title(void **state)
{
    const FolioHeatmap heatmap = { "<script>&\"\001", "S", NULL, TRUE, NULL, 0 };
    g_autofree char *svg = folio_heatmap_svg(&heatmap);

    assert_int_equal(count(svg, "//s:script"), 0);
    assert_int_equal(count(svg, "//s:text[starts-with(., '<script>&\"')]"), 1);
}

/* Any figures give a document of bounded size. */
static void
test_extremes(void **state)
{
    g_autofree FolioHeatmapRow *rows = g_new0(FolioHeatmapRow, FOLIO_HEATMAP_MAX_ROWS);
    const FolioHeatmap heatmap = { "T", "S", "N", TRUE, rows, FOLIO_HEATMAP_MAX_ROWS };
    g_autofree char *svg = NULL;

    for (guint i = 0; i < FOLIO_HEATMAP_MAX_ROWS; i++) {
        rows[i] = row(i * G_GUINT64_CONSTANT(0x400000000), FOLIO_VERDICT_UNDECIDED);
        for (guint j = 0; j < FOLIO_SUB_PAGES; j++)
            rows[i].samples[j] = j % 2 ? G_MAXUINT64 >> (i % 64) : 0;
    }
    svg = folio_heatmap_svg(&heatmap);
    assert_int_equal(count(svg, "//s:path[@stroke-dasharray]"), FOLIO_HEATMAP_MAX_ROWS);
    assert_in_range(strlen(svg), 100000, 4000000);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_foreign_title),
        cmocka_unit_test(test_extremes),
    };

    return cmocka_run_group_tests_name("heatmap", tests, NULL, NULL);
}
