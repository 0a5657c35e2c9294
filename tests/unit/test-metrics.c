/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of folioctl metrics. */
#include "cmocka-all.h"

#include "ctl/metrics.h"

#include <string.h>

static GVariant *
parse(const char *text)
{
    return g_variant_ref_sink(g_variant_new_parsed(text));
}

/* Two guests: one with a name that is meant to harm and no window yet, one that has been judged. */
static char *
metrics(void)
{
    g_autoptr(GVariant) manager =
        parse("{'Version': <'1.2'>, 'Connected': <true>, 'Paused': <false>,"
              " 'HostSamples': <uint64 7>, 'JobsDone': <uint64 3>, 'MaxTrackedSplit': <uint32 9>}");
    g_autoptr(GPtrArray) guests = g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);

    g_ptr_array_add(guests,
                    parse("{'Uuid': <'aa'>, 'Name': <'a\"} 1\\nb\\\\'>, 'State': <'sampling'>,"
                          " 'RamBytes': <uint64 4096>, 'Windows': <uint64 0>,"
                          " 'SparseBytes': <uint64 0>}"));
    g_ptr_array_add(guests, parse("{'Uuid': <'bb'>, 'Name': <'web'>, 'Windows': <uint64 9>,"
                                  " 'RamBytes': <uint64 8192>, 'SparseBytes': <uint64 2048>,"
                                  " 'SplitBlocks': <uint64 37>, 'CollapsedBlocks': <uint64 30>,"
                                  " 'LeftBlocks': <uint64 2>, 'PartlyBlocks': <uint64 1>,"
                                  " 'RecollapsedBlocks': <uint64 3>, 'SplitNowBlocks': <uint64 4>,"
                                  " 'TrackedBlocks': <uint64 4>, 'SplitWalks': <uint64 12>,"
                                  " 'SplitTranslationCycles': <uint64 900>,"
                                  " 'OtherTimedSamples': <uint64 70>, 'Keeper': <'flag'>}"));
    return folio_metrics_text(manager, guests);
}

static void
assert_line(const char *text, const char *line)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    if (!g_strv_contains((const char *const *) lines, line))
        fail_msg("there is no line %s in:\n%s", line, text);
}

static void
test_figures(void **state)
{
    g_autofree char *text = metrics();

    assert_line(text, "foliod_info{version=\"1.2\"} 1");
    assert_line(text, "foliod_connected 1");
    assert_line(text, "foliod_paused 0");
    assert_line(text, "foliod_guests 2");
    assert_line(text, "foliod_host_samples_total 7");
    assert_line(text, "foliod_jobs_done_total 3");
    assert_line(text, "# TYPE foliod_guest_ram_bytes gauge");
    assert_line(text, "# TYPE foliod_guest_samples_total counter");
    assert_line(text, "foliod_guest_ram_bytes{uuid=\"aa\"} 4096");
    assert_line(text, "foliod_guest_ram_bytes{uuid=\"bb\"} 8192");
    assert_line(text, "# TYPE foliod_guest_split_blocks_total counter");
    assert_line(text, "foliod_guest_split_blocks_total{uuid=\"bb\"} 37");
    assert_line(text, "foliod_guest_collapsed_blocks_total{uuid=\"bb\"} 30");
    assert_line(text, "foliod_guest_left_blocks_total{uuid=\"bb\"} 2");
    assert_line(text, "foliod_guest_partly_blocks_total{uuid=\"bb\"} 1");
    assert_line(text, "foliod_guest_recollapsed_blocks_total{uuid=\"bb\"} 3");
    assert_line(text, "foliod_max_tracked_split 9");
    assert_line(text, "foliod_guest_tracked_blocks{uuid=\"bb\"} 4");
    assert_line(text, "# TYPE foliod_guest_split_walks_total counter");
    assert_line(text, "foliod_guest_split_walks_total{uuid=\"bb\"} 12");
    assert_line(text, "foliod_guest_split_translation_cycles_total{uuid=\"bb\"} 900");
    assert_line(text, "foliod_guest_other_timed_samples_total{uuid=\"bb\"} 70");
    assert_line(text, "# TYPE foliod_guest_split_now_blocks gauge");
    assert_line(text, "foliod_guest_split_now_blocks{uuid=\"bb\"} 4");
}

static void
test_unknown_is_left_out(void **state)
{
    g_autofree char *text = metrics();

    assert_line(text, "foliod_guest_sparse_bytes{uuid=\"bb\"} 2048");
    assert_null(strstr(text, "foliod_guest_sparse_bytes{uuid=\"aa\"}"));
}

/* No name can begin a line, or end a label. */
static void
test_names_do_no_harm(void **state)
{
    g_autofree char *text = metrics();
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    assert_non_null(strstr(text, "name=\"a\\\"} 1"));
    for (char **line = lines; **line != '\0'; line++) {
        if (!g_str_has_prefix(*line, "foliod_") && !g_str_has_prefix(*line, "# "))
            fail_msg("%s", *line);
    }
    assert_line(text, "foliod_guest_info{uuid=\"bb\",name=\"web\",state=\"\",reason=\"\",mode=\"\","
                      "source=\"\",keeper=\"flag\"} 1");
}

/* Each family has its head once, before its values. */
static void
test_heads(void **state)
{
    g_autofree char *text = metrics();
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (char **line = lines; **line != '\0'; line++) {
        g_auto(GStrv) words = g_strsplit_set(*line, " {", 4);

        if (g_str_equal(words[0], "#")) {
            if (g_str_equal(words[1], "TYPE"))
                assert_true(g_hash_table_add(seen, g_strdup(words[2])));
        } else {
            assert_true(g_hash_table_contains(seen, words[0]));
        }
    }
    assert_true(g_hash_table_size(seen) > 20);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_figures),
        cmocka_unit_test(test_unknown_is_left_out),
        cmocka_unit_test(test_names_do_no_harm),
        cmocka_unit_test(test_heads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
