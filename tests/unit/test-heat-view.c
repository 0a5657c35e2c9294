/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl heat: what foliod answers, taken apart; the map and the picture of time on a terminal.
 */
#include "ctl/heat-picture.h"
#include "ctl/heat-terminal.h"

#include "cmocka-all.h"

#define FULL (64 * 512)

/* A reply of one range of n blocks whose verdicts are given as digits. */
typedef struct {
    const char *verdicts;
    guint granule;
    const guint16 *in_use;  /* one an entry */
    const guint16 *history; /* NULL: none */
    guint n_windows, history_granule;
    guint n_blocks; /* 0: one an entry */
} Range;

static void
add16(GVariantBuilder *dict, const char *key, const guint16 *values, guint n)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    for (guint i = 0; i < n; i++) {
        const guint8 pair[] = { values[i] & 0xff, values[i] >> 8 };

        g_byte_array_append(bytes, pair, 2);
    }
    g_variant_builder_add(
        dict, "{sv}", key,
        g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, bytes->data, bytes->len, 1));
}

static void
add_counts(GVariantBuilder *dict, const Range *range, guint n)
{
    static const char *const names[] = { "idle", "undecided", "sparse", "dense" };

    for (guint v = 0; v < 4; v++) {
        g_autofree guint8 *bytes = g_new0(guint8, 4 * n);

        for (guint i = 0; i < n; i++)
            bytes[4 * i] = range->verdicts[i] == (char) ('0' + v) ? (guint8) range->granule : 0;
        g_variant_builder_add(dict, "{sv}", names[v],
                              g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, bytes, 4 * n, 1));
    }
}

static GVariant *
make_range(const Range *range)
{
    const guint n = (guint) strlen(range->verdicts);
    g_autofree guint8 *verdicts = g_new(guint8, n + 1);
    g_autofree guint16 *zero = g_new0(guint16, n + 1);
    GVariantBuilder dict;

    for (guint i = 0; i < n; i++)
        verdicts[i] = (guint8) (range->verdicts[i] - '0');
    g_variant_builder_init(&dict, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&dict, "{sv}", "name", g_variant_new_string("ram\033"));
    g_variant_builder_add(&dict, "{sv}", "first-block", g_variant_new_uint64(0));
    g_variant_builder_add(&dict, "{sv}", "blocks",
                          g_variant_new_uint64(range->n_blocks > 0 ? range->n_blocks : n));
    g_variant_builder_add(&dict, "{sv}", "verdict",
                          g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, verdicts, n, 1));
    add16(&dict, "in-use", range->in_use != NULL ? range->in_use : zero, n);
    add16(&dict, "footprint", zero, n);
    add16(&dict, "unseen", zero, n);
    if (range->granule > 1)
        add_counts(&dict, range, n);
    if (range->history != NULL)
        add16(&dict, "history", range->history,
              range->n_windows *
                  ((range->n_blocks + range->history_granule - 1) / range->history_granule));
    return g_variant_builder_end(&dict);
}

static GVariant *
make_reply(const Range *range)
{
    GVariantBuilder about, ranges, ends;

    g_variant_builder_init(&about, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_init(&ranges, G_VARIANT_TYPE("aa{sv}"));
    g_variant_builder_init(&ends, G_VARIANT_TYPE("ax"));
    g_variant_builder_add(&about, "{sv}", "windows", g_variant_new_uint64(9));
    g_variant_builder_add(&about, "{sv}", "block-bytes", g_variant_new_uint64(2 << 20));
    g_variant_builder_add(&about, "{sv}", "blocks", g_variant_new_uint64(range->n_blocks));
    g_variant_builder_add(&about, "{sv}", "granule", g_variant_new_uint32(range->granule));
    for (guint w = 0; w < range->n_windows; w++)
        g_variant_builder_add(&ends, "x", (w + 1) * G_GINT64_CONSTANT(60000000));
    g_variant_builder_add(&about, "{sv}", "history-ended", g_variant_builder_end(&ends));
    if (range->history != NULL)
        g_variant_builder_add(&about, "{sv}", "history-granule",
                              g_variant_new_uint32(range->history_granule));
    g_variant_builder_add_value(&ranges, make_range(range));
    return g_variant_ref_sink(g_variant_new("(a{sv}aa{sv})", &about, &ranges));
}

static FolioHeatView *
view_of(const Range *range)
{
    g_autoptr(GVariant) reply = make_reply(range);
    g_autoptr(GError) error = NULL;
    FolioHeatView *view = folio_heat_view_new(reply, &error);

    assert_no_error(error);
    return view;
}

static const FolioHeatOptions by_sub_page = { .block = -1, .top = -1 };
static const FolioHeatOptions by_time = { .by_time = TRUE, .block = -1, .top = -1 };

static void
assert_holds(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
}

/* ---- Replies */

static void
test_reply(void **state)
{
    const guint16 in_use[] = { 0, FULL, 0x1234 };
    const Range range = { .verdicts = "032", .granule = 1, .in_use = in_use };
    g_autoptr(FolioHeatView) view = view_of(&range);
    const FolioHeatViewRange *got = view->ranges->pdata[0];

    assert_int_equal(view->windows, 9);
    assert_int_equal(got->n, 3);
    assert_int_equal(got->verdict[1], FOLIO_VERDICT_DENSE);
    assert_int_equal(got->in_use[2], 0x1234);
    assert_int_equal(got->counts[FOLIO_VERDICT_DENSE][1], 1);
    assert_int_equal(got->counts[FOLIO_VERDICT_DENSE][2], 0);
    assert_int_equal(folio_heat_view_bytes(view, got, 1), 2 << 20);
    assert_null(got->history);
}

/* The last granule has fewer blocks. */
static void
test_granules(void **state)
{
    const guint16 in_use[] = { FULL, FULL };
    const guint16 history[] = { 100, 200, 300, 1000, 2000, 3000 };
    const Range range = { .verdicts = "32",
                          .granule = 4,
                          .in_use = in_use,
                          .n_blocks = 5,
                          .history = history,
                          .n_windows = 2,
                          .history_granule = 2 };
    g_autoptr(FolioHeatView) view = view_of(&range);
    const FolioHeatViewRange *got = view->ranges->pdata[0];

    assert_int_equal(folio_heat_view_blocks(view, got, 0), 4);
    assert_int_equal(folio_heat_view_blocks(view, got, 1), 1);
    assert_int_equal(folio_heat_view_bytes(view, got, 1), 2 << 20);
    assert_int_equal(got->n_history, 3);
    assert_int_equal(folio_heat_view_then(view, got, 0, 0), 150);
    assert_int_equal(folio_heat_view_then(view, got, 1, 0), 1500);
    assert_int_equal(folio_heat_view_then(view, got, 1, 1), 3000);
}

static void
test_choice_of_granule(void **state)
{
    assert_int_equal(folio_heat_granule(0, 1, 16), 1);
    assert_int_equal(folio_heat_granule(16, 1, 16), 1);
    assert_int_equal(folio_heat_granule(17, 1, 16), 2);
    assert_int_equal(folio_heat_granule(8388608, 1, 160), 65536);
    assert_int_equal(folio_heat_granule(100, 8, 160), 8);
    assert_int_equal(folio_heat_granule(10000, 8, 160), 64);
    assert_int_equal(folio_heat_granule(10, 0, 16), 1);
}

/* A column that is too short, too long or not there is an error and nothing else. */
static void
test_broken_replies(void **state)
{
    static const char *const texts[] = {
        "({'windows': <uint64 1>, 'block-bytes': <uint64 2097152>}, [{'blocks': <uint64 2>}])",
        "({'windows': <uint64 1>}, [{'blocks': <uint64 2>, 'verdict': <b'a'>}])",
        "({'windows': <uint64 1>}, [{'blocks': <uint64 2>, 'verdict': <[byte 1, 2]>,"
        " 'in-use': <[byte 1, 2]>}])",
        "({'windows': <uint64 1>}, [{'blocks': <uint64 18446744073709551615>}])",
        "({'windows': <uint64 1>, 'granule': <uint32 0>}, [{'blocks': <uint64 1>,"
        " 'verdict': <'x'>}])",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GVariant) reply =
            g_variant_parse(G_VARIANT_TYPE("(a{sv}aa{sv})"), texts[i], NULL, NULL, &error);
        g_autoptr(FolioHeatView) view = NULL;

        assert_no_error(error);
        view = folio_heat_view_new(reply, &error);
        assert_null(view);
        assert_non_null(error);
    }
}

/* ---- Terminal */

static void
test_plain_map(void **state)
{
    const guint16 in_use[] = { 0, FULL, FULL / 2, 64 };
    const Range range = { .verdicts = "0321", .granule = 1, .in_use = in_use };
    g_autoptr(FolioHeatView) view = view_of(&range);
    const FolioInvocation invocation = { .width = 80, .heat = &by_sub_page };
    g_autofree char *text = folio_heat_map(&invocation, view);

    assert_true(g_str_has_prefix(text, "ram\\x1b, 8 MiB, blocks 0 to 3\n"
                                       "       from            in use\n"
                                       "      0 MiB  .Dsu       3 MiB\n"
                                       "\n"
                                       "  s sparse  D dense  u undecided  . idle\n"));
    assert_null(strchr(text, '\033'));
}

/* The digit is how much, the colour the verdict; runs of a colour are one. */
static void
test_coloured_map(void **state)
{
    const guint16 in_use[] = { 0, FULL, FULL, FULL / 2, 64, 0 };
    const Range range = { .verdicts = "033211", .granule = 1, .in_use = in_use };
    g_autoptr(FolioHeatView) view = view_of(&range);
    const FolioInvocation invocation = { .width = 80, .coloured = TRUE, .heat = &by_sub_page };
    g_autofree char *text = folio_heat_map(&invocation, view);

    assert_holds(text, ".\033[48;5;36;38;5;16m99\033[0m\033[48;5;214;38;5;16m5\033[0m"
                       "\033[48;5;250;38;5;16m0 \033[0m");
}

static guint
longest_line(const char *text)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    guint longest = 0;

    for (char **line = lines; *line != NULL; line++)
        longest = MAX(longest, (guint) strlen(*line));
    return longest;
}

/* At any width no line is wider, down to where nothing would fit. */
static void
test_widths(void **state)
{
    g_autofree char *verdicts = g_strnfill(1000, '1');
    g_autofree guint16 *history = g_new0(guint16, 120 * 1000);
    const Range range = { .verdicts = verdicts,
                          .granule = 2,
                          .n_blocks = 2000,
                          .history = history,
                          .n_windows = 120,
                          .history_granule = 2 };
    g_autoptr(FolioHeatView) view = view_of(&range);

    for (guint width = 44; width <= 250; width += 3) {
        const FolioInvocation map = { .width = width, .heat = &by_sub_page };
        const FolioInvocation times = { .width = width, .heat = &by_time };
        g_autofree char *one = folio_heat_map(&map, view);
        g_autofree char *other = NULL;

        assert_true(longest_line(one) <= width);
        assert_true(folio_heat_map_cells(width) >= 8 * 16);
        view->granule = 4;
        ((FolioHeatViewRange *) view->ranges->pdata[0])->n = 20;
        other = folio_heat_times(&times, view);
        assert_true(longest_line(other) <= width);
        view->granule = 2;
        ((FolioHeatViewRange *) view->ranges->pdata[0])->n = 1000;
    }
}

static void
test_times(void **state)
{
    const guint16 history[] = { 0, 1, 128, 512, 2048, 8192, FULL, 0 };
    const Range range = { .verdicts = "11",
                          .granule = 2,
                          .n_blocks = 4,
                          .history = history,
                          .n_windows = 4,
                          .history_granule = 2 };
    g_autoptr(FolioHeatView) view = view_of(&range);
    const FolioInvocation plain = { .width = 80, .heat = &by_time };
    const FolioInvocation coloured = { .width = 80, .coloured = TRUE, .heat = &by_time };
    g_autofree char *text = folio_heat_times(&plain, view);
    g_autofree char *painted = folio_heat_times(&coloured, view);

    assert_holds(text, "      0 MiB  .+#@\n");
    assert_holds(text, "      4 MiB  -o@.\n");
    assert_holds(painted, "      0 MiB  .\033[48;5;25;38;5;231m2\033[0m\033[48;5;77;38;5;16m4"
                          "\033[0m\033[48;5;226;38;5;16m5\033[0m\n");
}

/* ---- Pictures */

static void
test_scene(void **state)
{
    const guint16 history[] = { 0, 1, 128, 512 };
    const guint16 in_use[] = { 640, 64 };
    const Range range = { .verdicts = "23",
                          .granule = 2,
                          .n_blocks = 4,
                          .history = history,
                          .n_windows = 2,
                          .history_granule = 2,
                          .in_use = in_use };
    g_autoptr(FolioHeatView) view = view_of(&range);
    GVariantDict dict;
    g_autoptr(GVariant) guest = NULL;

    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "Name", "s", "web1");
    g_variant_dict_insert(&dict, "Source", "s", "spe");
    g_variant_dict_insert(&dict, "Waits", "s", "a sign");
    guest = g_variant_ref_sink(g_variant_dict_end(&dict));
    for (guint i = 0; i < 2; i++) {
        g_autoptr(FolioScene) scene = folio_heat_scene(guest, view, i == 1);

        assert_holds(scene->title, "guest web1 (8 MiB)");
        assert_holds(scene->text, "samples by spe");
        assert_holds(scene->text, "a row is 4 MiB, 2 blocks");
        assert_holds(scene->text, "waits for a sign");
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reply),
        cmocka_unit_test(test_granules),
        cmocka_unit_test(test_choice_of_granule),
        cmocka_unit_test(test_broken_replies),
        cmocka_unit_test(test_plain_map),
        cmocka_unit_test(test_coloured_map),
        cmocka_unit_test(test_widths),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_scene),
    };

    return cmocka_run_group_tests_name("heat-view", tests, NULL, NULL);
}
