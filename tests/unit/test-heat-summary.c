/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* heat-summary: what is made reads as what was in use, within its length for a guest of any size,
 * and whatever is not one is refused with a reason; and where it stands in the metadata. */
#include "cmocka-all.h"

#include "base/error.h"
#include "heat/heat-summary.h"
#include "virt/heat-element.h"

/* Of a guest whose RAM blocks have so many blocks (up to a 0). Nothing is in use. */
static FolioHeatSnapshot *
snapshot_new(const guint *sizes)
{
    g_autoptr(GArray) ranges = folio_heat_ranges_new();
    FolioHeatTable table = { .window = 1 };
    g_autofree FolioVerdict *verdicts = NULL;
    FolioHeatSnapshot *snapshot;

    for (guint i = 0; sizes[i] != 0; i++) {
        folio_heat_ranges_add(ranges, "ram", sizes[i]);
        table.n_blocks += sizes[i];
    }
    table.evidence = g_new0(FolioHeatEvidence, table.n_blocks);
    verdicts = g_new0(FolioVerdict, table.n_blocks);
    snapshot = folio_heat_snapshot_new(&table, verdicts, ranges, NULL);
    g_free(table.evidence);
    return snapshot;
}

/* So many sub-pages of it are in use, of which none was missed. */
static void
use(FolioHeatSnapshot *snapshot, guint block, guint pages)
{
    snapshot->evidence[block].seen = (guint16) pages;
    snapshot->evidence[block].incidences = (guint16) (pages * FOLIO_EPOCHS);
}

static void
use_all(FolioHeatSnapshot *snapshot, guint first, guint n, guint pages)
{
    for (guint b = first; b < first + n; b++)
        use(snapshot, b, pages);
}

static FolioHeatSummary *
read_back(const FolioHeatSnapshot *snapshot, const char *text)
{
    g_autoptr(GError) error = NULL;
    FolioHeatSummary *summary = folio_heat_summary_parse(text, snapshot->ranges, &error);

    assert_no_error(error);
    assert_non_null(summary);
    assert_int_equal(summary->n_blocks, snapshot->n_blocks);
    return summary;
}

static void
test_text(void **state)
{
    const guint sizes[] = { 512, 40, 0 };
    g_autoptr(FolioHeatSnapshot) snapshot = snapshot_new(sizes);
    g_autofree FolioHeatSummary *summary = NULL;
    g_autofree char *text = NULL;

    use_all(snapshot, 0, 64, 512);
    use_all(snapshot, 64, 32, 20);
    use(snapshot, 551, 1);
    text = folio_heat_summary_print(snapshot);
    assert_string_equal(text, "1:552:32:d2ca13,ab");
    summary = read_back(snapshot, text);
    assert_int_equal(summary->granule, 32);
    for (guint b = 0; b < 552; b++)
        assert_int_equal(summary->levels[b], b < 64 ? 3 : b < 96 ? 2 : b < 544 ? 0 : 1);
}

static void
test_levels(void **state)
{
    static const struct {
        guint pages, level;
    } cases[] = { { 0, 0 }, { 1, 1 }, { 7, 1 }, { 8, 2 }, { 63, 2 }, { 64, 3 }, { 512, 3 } };
    const guint sizes[] = { 32, 0 };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(FolioHeatSnapshot) snapshot = snapshot_new(sizes);
        g_autofree FolioHeatSummary *summary = NULL;
        g_autofree char *text = NULL;

        use_all(snapshot, 0, 32, cases[i].pages);
        text = folio_heat_summary_print(snapshot);
        summary = read_back(snapshot, text);
        assert_int_equal(summary->levels[31], cases[i].level);
    }
}

/* 16 TiB, in which no granule is as the one before it, and less. */
static void
test_large(void **state)
{
    static const guint sizes[][2] = { { 8191 * 1024, 0 }, { 512 * 1024, 0 }, { 64 * 1024, 0 } };
    static const guint granules[] = { 1024, 64, 32 };

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(FolioHeatSnapshot) snapshot = snapshot_new(sizes[i]);
        g_autofree FolioHeatSummary *summary = NULL;
        g_autofree char *text = NULL;

        for (guint b = 0; b < sizes[i][0]; b += 2 * granules[i])
            use_all(snapshot, b, granules[i], 512);
        text = folio_heat_summary_print(snapshot);
        assert_true(strlen(text) <= FOLIO_SUMMARY_MAX);
        summary = read_back(snapshot, text);
        assert_int_equal(summary->granule, granules[i]);
        for (guint b = 0; b < sizes[i][0]; b++)
            assert_int_equal(summary->levels[b], b / granules[i] % 2 == 0 ? 3 : 0);
    }
}

/* Runs make it short, however large the guest is. */
static void
test_runs(void **state)
{
    const guint sizes[] = { 512 * 1024, 0 };
    g_autoptr(FolioHeatSnapshot) snapshot = snapshot_new(sizes);
    g_autofree char *text = NULL;

    use_all(snapshot, 32 * 100, 32 * 10, 512);
    text = folio_heat_summary_print(snapshot);
    assert_string_equal(text, "1:524288:32:a100d10a16274");
}

/* So many RAM blocks that no granule is of use. */
static void
test_too_many(void **state)
{
    g_autofree guint *sizes = g_new0(guint, 9001);
    g_autoptr(FolioHeatSnapshot) snapshot = NULL;
    g_autofree char *text = NULL;

    for (guint i = 0; i < 9000; i++)
        sizes[i] = 1;
    snapshot = snapshot_new(sizes);
    text = folio_heat_summary_print(snapshot);
    assert_null(text);
}

static void
test_refused(void **state)
{
    static const struct {
        const char *text;
        FolioErrorCode code;
        const char *message;
    } cases[] = {
        { "", FOLIO_ERROR_INVALID, "byte 0: the version should be here, a number from 1 on" },
        { "heat", FOLIO_ERROR_INVALID, "byte 0: the version should be here, a number from 1 on" },
        { "01:552:32:a16,a2", FOLIO_ERROR_INVALID, "byte 0: the version" },
        { "-1:552:32:a16,a2", FOLIO_ERROR_INVALID, "byte 0: the version" },
        { "2:552:32:a16,a2", FOLIO_ERROR_UNSUPPORTED, "it is of version 2; known is 1" },
        { "2:whatever", FOLIO_ERROR_UNSUPPORTED, "it is of version 2; known is 1" },
        { "1", FOLIO_ERROR_INVALID, "byte 1: a colon should be here, behind the version" },
        { "1:", FOLIO_ERROR_INVALID, "byte 2: the number of blocks should be here" },
        { "1:551:32:a16,a2", FOLIO_ERROR_INVALID, "it is of 551 blocks of RAM; the guest has 552" },
        { "1:1000000000:32:a", FOLIO_ERROR_INVALID, "byte 2: the number of blocks" },
        { "1:552:a", FOLIO_ERROR_INVALID, "byte 6: the blocks of a granule should be here" },
        { "1:552:16:a32,a3", FOLIO_ERROR_INVALID, "granules of 16 blocks" },
        { "1:552:33:a16,a2", FOLIO_ERROR_INVALID, "granules of 33 blocks" },
        { "1:552:96:a6,a", FOLIO_ERROR_INVALID, "granules of 96 blocks" },
        { "1:552:32:", FOLIO_ERROR_INVALID,
          "byte 9: 16 more granules should be here, of levels a "
          "to d" },
        { "1:552:32:a15,a2", FOLIO_ERROR_INVALID, "byte 12: 1 more granules should be here" },
        { "1:552:32:a17,a", FOLIO_ERROR_INVALID,
          "byte 12: a run of 17 granules, where the RAM block has 16 left" },
        { "1:552:32:a999999999,a2", FOLIO_ERROR_INVALID, "a run of 999999999 granules" },
        { "1:552:32:a4294967298,a2", FOLIO_ERROR_INVALID, "the length of a run should be here" },
        { "1:552:32:a0a16,a2", FOLIO_ERROR_INVALID, "byte 10: the length of a run should be here" },
        { "1:552:32:a1a15,a2", FOLIO_ERROR_INVALID, "byte 11: a run of one granule has no number" },
        { "1:552:32:e16,a2", FOLIO_ERROR_INVALID, "byte 9: 16 more granules" },
        { "1:552:32:\xc3\xa4,a2", FOLIO_ERROR_INVALID, "byte 9: 16 more granules" },
        { "1:552:32:a16", FOLIO_ERROR_INVALID,
          "byte 12: a comma should be here: the guest has 2 RAM blocks" },
        { "1:552:32:a16 a2", FOLIO_ERROR_INVALID, "byte 12: a comma should be here" },
        { "1:552:32:a16,a", FOLIO_ERROR_INVALID, "byte 14: 1 more granules should be here" },
        { "1:552:32:a16,a2,a", FOLIO_ERROR_INVALID,
          "byte 15: more than the guest's 2 RAM blocks have" },
        { "1:552:32:a16,a2 ", FOLIO_ERROR_INVALID, "byte 15: more than" },
    };
    const guint sizes[] = { 512, 40, 0 };
    g_autoptr(FolioHeatSnapshot) snapshot = snapshot_new(sizes);

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;

        if (folio_heat_summary_parse(cases[i].text, snapshot->ranges, &error) != NULL)
            fail_msg("%s was read", cases[i].text);
        assert_folio_error(error, cases[i].code);
        if (strstr(error->message, cases[i].message) == NULL)
            fail_msg("%s: %s", cases[i].text, error->message);
    }
}

/* Exactly as long as may be, and one byte more. */
static void
test_length(void **state)
{
    const guint n = FOLIO_SUMMARY_MAX - strlen("1:523872:32:,a");
    const guint sizes[] = { n * 32, 32, 0 };
    g_autoptr(FolioHeatSnapshot) snapshot = snapshot_new(sizes);
    g_autofree FolioHeatSummary *summary = NULL;
    g_autoptr(GError) error = NULL;
    GString *text = g_string_new(NULL);

    g_string_printf(text, "1:%u:32:", n * 32 + 32);
    for (guint i = 0; i < n; i++)
        g_string_append_c(text, i % 2 == 0 ? 'a' : 'b');
    g_string_append(text, ",a");
    assert_int_equal(text->len, FOLIO_SUMMARY_MAX);
    summary = read_back(snapshot, text->str);
    assert_int_equal(summary->levels[32], 1);
    g_string_append_c(text, 'a');
    assert_null(folio_heat_summary_parse(text->str, snapshot->ranges, &error));
    assert_string_equal(error->message, "it has 16385 bytes; more than 16384 are not looked at");
    g_string_free(text, TRUE);
}

/* ---- In the metadata */

static void
test_element(void **state)
{
    static const struct {
        const char *status, *text, *error;
    } cases[] = {
        { NULL, NULL, NULL },
        { "<status mode=\"observe\"/>", NULL, NULL },
        { "<status mode=\"observe\" heat=\"1:512:32:a16\"/>", "1:512:32:a16", NULL },
        { "<status heat=\"\"/>", "", NULL },
        { "<status heat=\"<\"/>", NULL, "<status>: " },
        { "<!DOCTYPE a [<!ENTITY b \"c\">]><status heat=\"&b;\"/>", NULL, "<status>: " },
        { "", NULL, "<status>: " },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        FolioHeatElement element, copy;

        folio_heat_element_read(&element, cases[i].status);
        folio_heat_element_copy(&copy, &element);
        folio_heat_element_clear(&element);
        assert_null(element.text);
        assert_null(element.error);
        if (cases[i].text != NULL)
            assert_string_equal(copy.text, cases[i].text);
        else
            assert_null(copy.text);
        if (cases[i].error != NULL)
            assert_true(g_str_has_prefix(copy.error, cases[i].error));
        else
            assert_null(copy.error);
        folio_heat_element_clear(&copy);
    }
}

static void
test_long_element(void **state)
{
    g_autofree char *filling = g_strnfill(FOLIO_STATUS_MAX, 'a');
    g_autofree char *status = g_strdup_printf("<status heat=\"%s\"/>", filling);
    FolioHeatElement element;

    folio_heat_element_read(&element, status);
    assert_null(element.text);
    assert_string_equal(element.error,
                        "<status> has 32785 bytes; more than 32768 are not looked at");
    folio_heat_element_clear(&element);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),         cmocka_unit_test(test_levels),
        cmocka_unit_test(test_large),        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_too_many),     cmocka_unit_test(test_refused),
        cmocka_unit_test(test_length),       cmocka_unit_test(test_element),
        cmocka_unit_test(test_long_element),
    };

    return cmocka_run_group_tests_name("heat-summary", tests, NULL, NULL);
}
