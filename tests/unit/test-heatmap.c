/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* heatmap: what is painted where, that no text lies on another, and files that readers take. */
#include "report/heatmap.h"
#include "report/levels.h"
#include "report/scene-paint.h"

#include "cmocka-all.h"

#include <libxml/parser.h>
#include <math.h>

#define SPARSE_COLOUR 0xe69f00
#define DENSE_COLOUR  0x009e73
#define LEFT          150
#define STRIP_X       (LEFT + 1024 + 8)

static FolioHeatmapRow
row(guint64 address, FolioVerdict verdict)
{
    FolioHeatmapRow made = { .address = address, .end = address + 0x200000, .blocks = 1 };

    made.verdicts[verdict] = 1;
    return made;
}

/* ---- What is in a scene */

static const FolioSceneItem *
item(const FolioScene *scene, guint i)
{
    return &g_array_index(scene->items, FolioSceneItem, i);
}

static guint
count_texts(const FolioScene *scene, const char *text)
{
    guint n = 0;

    for (guint i = 0; i < scene->items->len; i++)
        n += item(scene, i)->kind == FOLIO_SCENE_TEXT && g_str_equal(item(scene, i)->text, text);
    return n;
}

/* Rectangles of that colour; of their widths the sum into *width. */
static guint
count_rectangles(const FolioScene *scene, guint32 colour, double *width)
{
    guint n = 0;

    *width = 0;
    for (guint i = 0; i < scene->items->len; i++) {
        if (item(scene, i)->kind != FOLIO_SCENE_RECTANGLE || item(scene, i)->colour != colour)
            continue;
        n++;
        *width += item(scene, i)->width;
    }
    return n;
}

static guint
count_kind(const FolioScene *scene, FolioSceneKind kind)
{
    guint n = 0;

    for (guint i = 0; i < scene->items->len; i++)
        n += item(scene, i)->kind == kind;
    return n;
}

typedef struct {
    double x, y, width, height;
    const char *text;
} Box;

static gboolean
overlap(const Box *a, const Box *b)
{
    return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height &&
           b->y < a->y + a->height;
}

/* Every text is within the picture, and none lies on another. */
static void
assert_readable(const FolioScene *scene)
{
    g_autoptr(GArray) boxes = g_array_new(FALSE, FALSE, sizeof(Box));

    for (guint i = 0; i < scene->items->len; i++) {
        Box box = { .text = item(scene, i)->text };

        if (box.text == NULL || *box.text == '\0')
            continue;
        folio_scene_measure(item(scene, i), &box.x, &box.y, &box.width, &box.height);
        if (box.x < 0 || box.y < 0 || box.x + box.width > scene->width ||
            box.y + box.height > scene->height)
            fail_msg("\"%s\" is beyond the picture", box.text);
        for (guint j = 0; j < boxes->len; j++) {
            if (overlap(&box, &g_array_index(boxes, Box, j)))
                fail_msg("\"%s\" lies on \"%s\"", box.text, g_array_index(boxes, Box, j).text);
        }
        g_array_append_val(boxes, box);
    }
    assert_true(boxes->len > 10);
}

/* ---- Files */

static void
assert_words(const xmlNode *root, const char *name, const char *expected)
{
    const xmlNode *node = root->children;
    xmlChar *text;

    while (node != NULL && !g_str_equal((const char *) node->name, name))
        node = node->next;
    assert_non_null(node);
    text = xmlNodeGetContent(node);
    assert_string_equal((const char *) text, expected);
    xmlFree(text);
}

static void
assert_svg(const FolioScene *scene)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = folio_scene_paint(scene, FOLIO_PICTURE_SVG, &error);
    xmlDoc *doc;
    xmlChar *width;

    assert_no_error(error);
    doc = xmlReadMemory(g_bytes_get_data(bytes, NULL), (int) g_bytes_get_size(bytes), "x.svg", NULL,
                        XML_PARSE_NONET | XML_PARSE_HUGE);
    assert_non_null(doc);
    assert_string_equal((const char *) xmlDocGetRootElement(doc)->name, "svg");
    width = xmlGetProp(xmlDocGetRootElement(doc), BAD_CAST "width");
    assert_true(fabs(g_ascii_strtod((const char *) width, NULL) - scene->width) < 1);
    assert_words(xmlDocGetRootElement(doc), "title", scene->title);
    assert_words(xmlDocGetRootElement(doc), "desc", scene->text);
    assert_true(g_bytes_get_size(bytes) < 16000000);
    xmlFree(width);
    xmlFreeDoc(doc);
}

static guint
big_endian(const guint8 *at)
{
    return (guint) at[0] << 24 | (guint) at[1] << 16 | (guint) at[2] << 8 | at[3];
}

/* The signature, then IHDR with width and height (RFC 2083). */
static void
assert_png(const FolioScene *scene)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) bytes = folio_scene_paint(scene, FOLIO_PICTURE_PNG, &error);
    const guint8 *data;
    gsize size;

    assert_no_error(error);
    data = g_bytes_get_data(bytes, &size);
    assert_true(size > 1000);
    assert_memory_equal(data, "\x89PNG\r\n\x1a\n", 8);
    assert_memory_equal(data + 12, "IHDR", 4);
    assert_int_equal(big_endian(data + 16), (guint) scene->width);
    assert_int_equal(big_endian(data + 20), (guint) scene->height);
}

static void
assert_good(const FolioScene *scene)
{
    assert_readable(scene);
    assert_svg(scene);
    assert_png(scene);
}

/* ---- Kinds */

static void
test_samples(void **state)
{
    const FolioHeatmapRow rows[] = { row(0x200000, FOLIO_VERDICT_SPARSE),
                                     row(0x400000, FOLIO_VERDICT_DENSE),
                                     row(0x40000000, FOLIO_VERDICT_SPARSE) };
    g_autofree guint64 *cells = g_new0(guint64, 3 * FOLIO_SUB_PAGES);
    const FolioHeatmap heatmap = { .title = "T",
                                   .subtitle = "S",
                                   .note = "N",
                                   .confirmed = TRUE,
                                   .rows = rows,
                                   .n_rows = 3,
                                   .cells = cells,
                                   .n_columns = FOLIO_SUB_PAGES };
    g_autoptr(FolioScene) scene = NULL;
    double width;

    cells[7] = 1000;
    for (guint i = 0; i < FOLIO_SUB_PAGES; i++)
        cells[FOLIO_SUB_PAGES + i] = 1;
    scene = folio_heatmap_scene(&heatmap);
    assert_good(scene);
    /* A strip of 64 for each row, and the legend's key of 18. */
    assert_int_equal(count_rectangles(scene, SPARSE_COLOUR, &width), 2 + 1);
    assert_true(fabs(width - 2 * 64 - 18) < 0.1);
    assert_int_equal(count_rectangles(scene, DENSE_COLOUR, &width), 1 + 1);
    assert_int_equal(count_texts(scene, "0x200000"), 1);
    assert_int_equal(count_texts(scene, "0x40000000"), 1);
    assert_int_equal(count_texts(scene, "1000"), 1);
    /* One gap, and the legend's. */
    assert_int_equal(count_kind(scene, FOLIO_SCENE_DASHES), 2);
    /* The hottest sub-page alone is two pixels wide; the warm row is one piece over all of it. */
    assert_int_equal(count_rectangles(scene, folio_level_colour(5), &width), 1 + 1);
    assert_true(fabs(width - 2 - 18) < 0.1);
    assert_int_equal(count_rectangles(scene, folio_level_colour(1), &width), 1 + 1);
    assert_true(fabs(width - 1024 - 18) < 0.1);
    assert_int_equal(count_texts(scene, "unconfirmed"), 0);
}

/* Where the piece at x in the row at y ends; 0: there is none of that colour. */
static double
end_of_piece(const FolioScene *scene, double x, guint32 colour)
{
    for (guint i = 0; i < scene->items->len; i++) {
        const FolioSceneItem *piece = item(scene, i);

        if (piece->kind == FOLIO_SCENE_RECTANGLE && piece->colour == colour &&
            fabs(piece->x - x) < 0.1 && piece->y < 200)
            return piece->x + piece->width;
    }
    return 0;
}

static void
test_use(void **state)
{
    FolioHeatmapRow rows[] = { row(0, FOLIO_VERDICT_SPARSE), row(0x200000, FOLIO_VERDICT_DENSE) };
    const FolioHeatmap heatmap = { .kind = FOLIO_HEATMAP_USE,
                                   .title = "T",
                                   .subtitle = "S",
                                   .confirmed = TRUE,
                                   .sizes = TRUE,
                                   .rows = rows,
                                   .n_rows = 2 };
    g_autoptr(FolioScene) scene = NULL;

    rows[0].heading = "ram, 4 MiB";
    rows[0].in_use = 10;
    rows[0].footprint = 100;
    scene = folio_heatmap_scene(&heatmap);
    assert_good(scene);
    assert_int_equal(count_texts(scene, "ram, 4 MiB"), 1);
    assert_int_equal(count_texts(scene, "2 MiB"), 1);
    assert_int_equal(count_texts(scene, "40 KiB"), 1);
    /* Two pixels a sub-page. */
    assert_true(fabs(end_of_piece(scene, LEFT, folio_level_colour(4)) - LEFT - 20) < 0.1);
    assert_true(fabs(end_of_piece(scene, LEFT, folio_level_colour(2)) - LEFT - 200) < 0.1);
}

static void
test_time(void **state)
{
    const FolioHeatmapRow rows[] = { row(0, FOLIO_VERDICT_SPARSE),
                                     row(0x200000, FOLIO_VERDICT_DENSE) };
    /* Nothing, 1 sub-page; a fifth of it, all of it. */
    const guint64 cells[] = { 0, 64, 100 * 64, 512 * 64, 0, 0, 0, 0 };
    const gint64 minute = 60 * G_USEC_PER_SEC;
    const gint64 times[] = { minute, 2 * minute, 3 * minute, 9 * minute };
    const FolioHeatmap heatmap = { .kind = FOLIO_HEATMAP_TIME,
                                   .title = "T",
                                   .subtitle = "S",
                                   .confirmed = TRUE,
                                   .sizes = TRUE,
                                   .rows = rows,
                                   .n_rows = 2,
                                   .cells = cells,
                                   .n_columns = 4,
                                   .times = times };
    g_autoptr(FolioScene) scene = folio_heatmap_scene(&heatmap);
    g_autoptr(GDateTime) first = g_date_time_new_from_unix_local(60);
    g_autofree char *clock = g_date_time_format(first, "%T");
    guint gaps = 0;

    assert_good(scene);
    assert_int_equal(count_texts(scene, clock), 1);
    assert_true(end_of_piece(scene, LEFT + 40, folio_level_colour(folio_use_level(64))) > 0);
    assert_true(end_of_piece(scene, LEFT + 80, folio_level_colour(4)) > 0);
    assert_true(end_of_piece(scene, LEFT + 120, folio_level_colour(5)) > 0);
    /* Six minutes instead of one: a line in each row. */
    for (guint i = 0; i < scene->items->len; i++)
        gaps += item(scene, i)->kind == FOLIO_SCENE_LINE && item(scene, i)->colour == 0xd55e00;
    assert_int_equal(gaps, 2);
}

static void
test_levels(void **state)
{
    assert_int_equal(folio_use_level(0), 0);
    assert_int_equal(folio_use_level(1), 1);
    assert_int_equal(folio_use_level(2 * 64 - 1), 1);
    assert_int_equal(folio_use_level(2 * 64), 2);
    assert_int_equal(folio_use_level(8 * 64), 3);
    assert_int_equal(folio_use_level(32 * 64), 4);
    assert_int_equal(folio_use_level(128 * 64), 5);
    assert_int_equal(folio_use_level(G_MAXUINT), 5);
}

/* ---- Rows of several blocks, foreign text, extremes */

/* Verdicts by share; the least share is a pixel. */
static void
test_shares(void **state)
{
    FolioHeatmapRow many = { .address = 0, .end = 0x80000000, .blocks = 1000 };
    const FolioHeatmap heatmap = {
        .title = "T", .subtitle = "S", .rows = &many, .n_rows = 1, .n_columns = 0
    };
    g_autoptr(FolioScene) scene = NULL;
    double width;

    many.verdicts[FOLIO_VERDICT_SPARSE] = 1;
    many.verdicts[FOLIO_VERDICT_UNDECIDED] = 499;
    many.verdicts[FOLIO_VERDICT_DENSE] = 500;
    scene = folio_heatmap_scene(&heatmap);
    assert_int_equal(count_rectangles(scene, SPARSE_COLOUR, &width), 2);
    assert_true(fabs(width - 1 - 18) < 0.1);
    assert_int_equal(count_rectangles(scene, DENSE_COLOUR, &width), 2);
    assert_true(fabs(width - 32 - 18) < 0.1);
    assert_int_equal(count_texts(scene, "unconfirmed"), 1);
    assert_good(scene);
}

static void
test_foreign_title(void **state)
{
    const FolioHeatmap heatmap = { .title = "<script>&\"\001\xff\xe2\x80\xae", .subtitle = "S" };
    g_autoptr(FolioScene) scene = folio_heatmap_scene(&heatmap);

    assert_string_equal(scene->title, "<script>&\"?\xef\xbf\xbd?");
    assert_int_equal(count_texts(scene, "<script>&\"?\xef\xbf\xbd?"), 1);
    assert_good(scene);
}

/* However long it is, it ends within the picture. */
static void
test_long_title(void **state)
{
    g_autofree char *title = g_strnfill(3000, 'W');
    const FolioHeatmap heatmap = { .title = title, .subtitle = title, .note = title };
    g_autoptr(FolioScene) scene = folio_heatmap_scene(&heatmap);

    assert_good(scene);
}

static void
fill(FolioHeatmapRow *rows, guint64 *cells, gint64 *times, guint n_columns)
{
    for (guint r = 0; r < FOLIO_HEATMAP_MAX_ROWS; r++) {
        rows[r] = row(r * G_GUINT64_CONSTANT(0x2000000000), FOLIO_VERDICT_UNDECIDED);
        rows[r].end = rows[r].address + G_GUINT64_CONSTANT(0x2000000000);
        rows[r].blocks = 65536;
        rows[r].in_use = 65536 * 512.0f;
        rows[r].footprint = 1e30f;
        rows[r].heading = r % 50 == 0 ? "virtiomem0, 8 TiB" : NULL;
        for (guint i = 0; i < n_columns; i++)
            cells[r * (gsize) n_columns + i] = i % 2 ? G_MAXUINT64 >> (r % 64) : 0;
    }
    for (guint i = 0; i < n_columns; i++)
        times[i] = i % 3 == 0 ? G_MAXINT64 / 2 : (gint64) i;
}

/* Any figures give a picture of bounded size, and labels that can be read. */
static void
test_extremes(void **state)
{
    static const FolioHeatmapKind kinds[] = { FOLIO_HEATMAP_SAMPLES, FOLIO_HEATMAP_USE,
                                              FOLIO_HEATMAP_TIME };
    g_autofree FolioHeatmapRow *rows = g_new0(FolioHeatmapRow, FOLIO_HEATMAP_MAX_ROWS);
    g_autofree guint64 *cells = g_new0(guint64, FOLIO_HEATMAP_MAX_ROWS * FOLIO_SUB_PAGES);
    gint64 times[FOLIO_SUB_PAGES];

    for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
        const FolioHeatmap heatmap = { .kind = kinds[i],
                                       .title = "T",
                                       .subtitle = "S",
                                       .confirmed = TRUE,
                                       .sizes = i > 0,
                                       .rows = rows,
                                       .n_rows = FOLIO_HEATMAP_MAX_ROWS,
                                       .cells = cells,
                                       .n_columns = i == 2 ? 120 : FOLIO_SUB_PAGES,
                                       .times = times };
        g_autoptr(FolioScene) scene = NULL;

        fill(rows, cells, times, heatmap.n_columns);
        scene = folio_heatmap_scene(&heatmap);
        assert_good(scene);
        assert_in_range((guint) scene->height, 900, 1600);
        for (guint j = 0; j < scene->items->len; j++) {
            if (item(scene, j)->kind == FOLIO_SCENE_RECTANGLE && item(scene, j)->x < STRIP_X)
                assert_true(item(scene, j)->x + item(scene, j)->width <= STRIP_X ||
                            item(scene, j)->y > scene->height - 128);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),    cmocka_unit_test(test_use),
        cmocka_unit_test(test_time),       cmocka_unit_test(test_levels),
        cmocka_unit_test(test_shares),     cmocka_unit_test(test_foreign_title),
        cmocka_unit_test(test_long_title), cmocka_unit_test(test_extremes),
    };

    return cmocka_run_group_tests_name("heatmap", tests, NULL, NULL);
}
