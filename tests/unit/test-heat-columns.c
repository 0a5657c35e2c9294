/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is told of a guest's heat: snapshots, columns of bytes, the history, and the words. */
#include "cmocka-all.h"

#include "heat/explain.h"
#include "heat/heat-columns.h"

/* Two ranges, of 5 and of 3 blocks. */
typedef struct {
    GArray *ranges;
    FolioHeatTable *table;
    FolioVerdict verdicts[8];
    FolioHeatSnapshot *last;
} Guest;

static int
set_up(void **state)
{
    Guest *guest = g_new0(Guest, 1);

    guest->ranges = folio_heat_ranges_new();
    folio_heat_ranges_add(guest->ranges, "ram", 5);
    folio_heat_ranges_add(guest->ranges, "dimm0", 3);
    guest->table = folio_heat_table_new(8);
    *state = guest;
    return 0;
}

static int
tear_down(void **state)
{
    Guest *guest = *state;

    g_clear_pointer(&guest->last, folio_heat_snapshot_unref);
    folio_heat_table_free(guest->table);
    g_array_unref(guest->ranges);
    g_free(guest);
    return 0;
}

/* A window in which so many sub-pages of a block were used in every epoch: from FIRST_PAGE on,
 * whose turn to be forgotten does not come in these tests. */
#define FIRST_PAGE 200

typedef struct {
    guint block, pages;
} Use;

static void
run_window(Guest *guest, const Use *uses, guint n)
{
    FolioHeatSnapshot *before = guest->last;

    for (guint epoch = 0; epoch < FOLIO_EPOCHS; epoch++) {
        for (guint i = 0; i < n; i++) {
            for (guint page = 0; page < uses[i].pages; page++)
                folio_heat_table_add(guest->table, uses[i].block,
                                     (FIRST_PAGE + page) % FOLIO_SUB_PAGES);
        }
        folio_heat_table_end_epoch(guest->table);
    }
    folio_heat_table_decide(guest->table, guest->verdicts);
    guest->last = folio_heat_snapshot_new(guest->table, guest->verdicts, guest->ranges, before);
    if (before != NULL)
        folio_heat_snapshot_unref(before);
}

static guint
get(GBytes *column, guint width, guint index)
{
    const guint8 *bytes = g_bytes_get_data(column, NULL);
    guint value = 0;

    assert_true((index + 1) * width <= g_bytes_get_size(column));
    for (guint i = 0; i < width; i++)
        value |= (guint) bytes[index * width + i] << 8 * i;
    return value;
}

/* ---- Snapshots */

static void
test_snapshot_does_not_change(void **state)
{
    Guest *guest = *state;
    const Use first = { 1, 3 }, second = { 6, 200 };
    g_autoptr(FolioHeatSnapshot) held = NULL;

    run_window(guest, &first, 1);
    held = folio_heat_snapshot_ref(guest->last);
    run_window(guest, &second, 1);
    assert_int_equal(held->windows, 1);
    assert_int_equal(held->evidence[1].seen, 3);
    assert_int_equal(held->evidence[6].seen, 0);
    assert_int_equal(held->verdicts[6], FOLIO_VERDICT_IDLE);
    assert_int_equal(guest->last->windows, 2);
    assert_int_equal(guest->last->evidence[6].seen, 200);
    assert_int_not_equal(guest->last->verdicts[6], FOLIO_VERDICT_IDLE);
}

static void
test_unseen(void **state)
{
    Guest *guest = *state;
    const Use use = { 1, 3 };

    run_window(guest, &use, 1);
    assert_int_equal(guest->last->unseen[1], 0);
    assert_int_equal(guest->last->unseen[2], FOLIO_NEVER_SEEN);
    run_window(guest, NULL, 0);
    run_window(guest, NULL, 0);
    assert_int_equal(guest->last->unseen[1], 2);
    assert_int_equal(guest->last->unseen[2], FOLIO_NEVER_SEEN);
    guest->last->unseen[1] = FOLIO_LONG_UNSEEN;
    run_window(guest, NULL, 0);
    assert_int_equal(guest->last->unseen[1], FOLIO_LONG_UNSEEN);
    run_window(guest, &use, 1);
    assert_int_equal(guest->last->unseen[1], 0);
}

/* ---- Columns */

static void
test_all_blocks(void **state)
{
    Guest *guest = *state;
    const FolioHeatRequest request = { .blocks = G_MAXUINT64, .granule = 1 };
    const Use uses[] = { { 1, 3 }, { 6, 512 } };
    g_autoptr(GPtrArray) parts = NULL;
    const FolioHeatPart *ram, *dimm;

    run_window(guest, uses, G_N_ELEMENTS(uses));
    run_window(guest, &uses[1], 1);
    assert_int_equal(folio_heat_columns_count(guest->ranges, &request), 8);
    parts = folio_heat_columns_new(guest->last, &request);
    assert_int_equal(parts->len, 2);
    ram = parts->pdata[0];
    dimm = parts->pdata[1];
    assert_string_equal(ram->range->name, "ram");
    assert_int_equal(ram->first_block, 0);
    assert_int_equal(ram->n_granules, 5);
    assert_int_equal(g_bytes_get_size(ram->verdict), 5);
    assert_int_equal(g_bytes_get_size(ram->in_use), 10);
    assert_null(ram->counts[0]);
    assert_int_equal(get(ram->verdict, 1, 0), FOLIO_VERDICT_IDLE);
    assert_int_equal(get(ram->verdict, 1, 1), FOLIO_VERDICT_UNDECIDED);
    assert_int_equal(get(ram->in_use, 2, 1), 0);
    assert_int_equal(get(ram->footprint, 2, 1), 3 * 64);
    assert_int_equal(get(ram->unseen, 2, 1), 1);
    assert_int_equal(get(ram->unseen, 2, 0), FOLIO_NEVER_SEEN);
    assert_int_equal(dimm->first_block, 5);
    assert_int_equal(get(dimm->in_use, 2, 1), 512 * 64);
    assert_int_equal(get(dimm->footprint, 2, 1), 512 * 64);
    assert_int_equal(get(dimm->unseen, 2, 1), 0);
}

/* Granules stay within their range; the last of one may be short. */
static void
test_granules(void **state)
{
    Guest *guest = *state;
    const FolioHeatRequest request = { .blocks = G_MAXUINT64, .granule = 2 };
    const Use uses[] = { { 1, 3 }, { 4, 10 }, { 6, 512 } };
    g_autoptr(GPtrArray) parts = NULL;
    const FolioHeatPart *ram, *dimm;

    for (guint i = 0; i < 6; i++)
        run_window(guest, uses, G_N_ELEMENTS(uses));
    assert_int_equal(guest->verdicts[6], FOLIO_VERDICT_DENSE);
    parts = folio_heat_columns_new(guest->last, &request);
    ram = parts->pdata[0];
    dimm = parts->pdata[1];
    assert_int_equal(ram->n_granules, 3);
    assert_int_equal(dimm->n_granules, 2);
    assert_int_equal(get(ram->in_use, 2, 0), 3 * 64 / 2);
    assert_int_equal(get(ram->in_use, 2, 1), 0);
    assert_int_equal(get(ram->in_use, 2, 2), 10 * 64);
    assert_int_equal(get(dimm->in_use, 2, 0), 512 * 64 / 2);
    assert_int_equal(get(dimm->verdict, 1, 0), FOLIO_VERDICT_DENSE);
    assert_int_equal(get(dimm->verdict, 1, 1), FOLIO_VERDICT_IDLE);
    assert_int_equal(get(dimm->counts[FOLIO_VERDICT_DENSE], 4, 0), 1);
    assert_int_equal(get(dimm->counts[FOLIO_VERDICT_IDLE], 4, 0), 1);
    assert_int_equal(get(dimm->counts[FOLIO_VERDICT_IDLE], 4, 1), 1);
    assert_int_equal(get(ram->counts[FOLIO_VERDICT_IDLE], 4, 1), 2);
    assert_int_equal(get(ram->unseen, 2, 1), FOLIO_NEVER_SEEN);
    assert_int_equal(get(dimm->unseen, 2, 0), 0);
}

static void
test_parts(void **state)
{
    Guest *guest = *state;
    static const struct {
        FolioHeatRequest request;
        guint parts, count, first, n;
    } cases[] = {
        { { 3, 1, 1 }, 1, 1, 3, 1 },
        { { 3, 3, 1 }, 2, 3, 3, 2 },
        { { 3, 3, 8 }, 2, 2, 3, 2 },
        { { 7, G_MAXUINT64, 1 }, 1, 1, 7, 1 },
        { { 0, G_MAXUINT64, G_MAXUINT }, 2, 2, 0, 5 },
        { { 8, 1, 1 }, 0, 0, 0, 0 },
        { { G_MAXUINT64, G_MAXUINT64, 1 }, 0, 0, 0, 0 },
        { { 2, 0, 1 }, 0, 0, 0, 0 },
    };

    run_window(guest, NULL, 0);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) parts = folio_heat_columns_new(guest->last, &cases[i].request);

        assert_int_equal(parts->len, cases[i].parts);
        assert_int_equal(folio_heat_columns_count(guest->ranges, &cases[i].request),
                         cases[i].count);
        if (parts->len > 0) {
            assert_int_equal(((FolioHeatPart *) parts->pdata[0])->first_block, cases[i].first);
            assert_int_equal(((FolioHeatPart *) parts->pdata[0])->n_blocks, cases[i].n);
        }
    }
}

/* ---- History */

static void
test_history(void **state)
{
    Guest *guest = *state;
    g_autoptr(FolioHeatHistory) history = folio_heat_history_new(guest->ranges);
    g_autoptr(FolioHeatHistory) copy = NULL;
    g_autoptr(GBytes) column = NULL;
    gint64 ended;
    guint16 row[8];

    assert_int_equal(history->granule, 1);
    assert_int_equal(history->n_granules, 8);
    for (guint w = 1; w <= FOLIO_HISTORY_WINDOWS + 3; w++) {
        const Use use = { w % 2 == 0 ? 0 : 6, w };

        run_window(guest, &use, 1);
        folio_heat_history_measure(history, guest->last, row);
        folio_heat_history_add(history, 1000 + w, row);
    }
    assert_int_equal(history->n_windows, FOLIO_HISTORY_WINDOWS);
    copy = folio_heat_history_copy(history);
    folio_heat_history_add(history, 5, row);
    assert_int_equal(folio_heat_history_get(copy, 0, &ended)[0], 4 * 64);
    assert_int_equal(ended, 1004);
    assert_int_equal(folio_heat_history_get(copy, 1, &ended)[6], 5 * 64);
    assert_int_equal(folio_heat_history_get(copy, FOLIO_HISTORY_WINDOWS - 1, &ended)[6], 123 * 64);
    assert_int_equal(ended, 1000 + FOLIO_HISTORY_WINDOWS + 3);

    column = folio_heat_columns_history(copy, guest->ranges, 1);
    assert_int_equal(g_bytes_get_size(column), FOLIO_HISTORY_WINDOWS * 3 * 2);
    assert_int_equal(get(column, 2, 1), 0);
    assert_int_equal(get(column, 2, 3 + 1), 5 * 64);
}

/* However large the guest, the history is not. */
static void
test_history_is_bounded(void **state)
{
    static const guint sizes[] = { 1, 511, 512, 513, 524288, 8388607 };

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autoptr(GArray) ranges = folio_heat_ranges_new();
        g_autoptr(FolioHeatHistory) history = NULL;

        folio_heat_ranges_add(ranges, "a", sizes[i]);
        folio_heat_ranges_add(ranges, "b", 3);
        history = folio_heat_history_new(ranges);
        assert_in_range(history->n_granules, 2, FOLIO_HISTORY_GRANULES);
        assert_true((guint64) history->n_granules * history->granule >= sizes[i]);
    }
}

static void
test_history_of_many_ranges(void **state)
{
    g_autoptr(GArray) ranges = folio_heat_ranges_new();
    g_autoptr(GArray) none = folio_heat_ranges_new();
    g_autoptr(FolioHeatHistory) history = NULL;
    g_autoptr(FolioHeatHistory) empty = folio_heat_history_new(none);

    for (guint i = 0; i < 600; i++)
        folio_heat_ranges_add(ranges, "dimm", 100);
    history = folio_heat_history_new(ranges);
    assert_int_equal(history->n_granules, 600);
    assert_int_equal(empty->n_granules, 0);
    folio_heat_history_add(empty, 1, NULL);
    assert_int_equal(empty->n_windows, 1);
}

/* ---- Words */

static void
assert_explained(const FolioHeatSnapshot *snapshot, guint block, FolioCause cause, const char *part)
{
    g_autofree char *text = folio_explain_block(snapshot, block);

    assert_string_equal(
        folio_cause_token(folio_outcomes_cause(&snapshot->outcomes, &snapshot->evidence[block],
                                               (FolioVerdict) snapshot->verdicts[block])),
        folio_cause_token(cause));
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, text);
}

static void
test_causes(void **state)
{
    Guest *guest = *state;
    const Use uses[] = { { 0, 2 }, { 1, 300 }, { 2, 100 }, { 3, 70 } };

    run_window(guest, uses, 3);
    assert_explained(guest->last, 0, FOLIO_CAUSE_YOUNG, "1 windows ago");
    assert_explained(guest->last, 1, FOLIO_CAUSE_FILLED, "for 1 windows in a row");
    assert_explained(guest->last, 7, FOLIO_CAUSE_IDLE, "in 1 windows");
    for (guint i = 0; i < 10; i++)
        run_window(guest, uses, 3);
    assert_explained(guest->last, 0, FOLIO_CAUSE_ACCOUNT,
                     "11 of 24 quiet windows, 11 of 100 dense blocks");
    assert_explained(guest->last, 1, FOLIO_CAUSE_DENSE, "about 300 of 512");
    assert_explained(guest->last, 2, FOLIO_CAUSE_BUSY, "about 100 of 512");
    for (guint i = 0; i < 20; i++)
        run_window(guest, uses, 4);
    assert_explained(guest->last, 0, FOLIO_CAUSE_SPARSE, "2 of 512 sub-pages were seen in use");
    assert_explained(guest->last, 3, FOLIO_CAUSE_SPARSE, "70 of 512");
    assert_true(folio_outcomes_confidence(&guest->last->outcomes, &guest->last->evidence[0],
                                          FOLIO_VERDICT_SPARSE) > 0.9);
    /* As the rule itself: what is below the limit and no more. */
    assert_true(folio_estimate_reach(&guest->last->evidence[3]) <
                folio_outcomes_reach_limit(&guest->last->outcomes));
}

/* One sample each of very many sub-pages tells nothing. */
static void
test_unproven_and_wide(void **state)
{
    Guest *guest = *state;

    for (guint window = 0; window < 30; window++) {
        for (guint epoch = 0; epoch < FOLIO_EPOCHS; epoch++) {
            if (epoch == 0)
                folio_heat_table_add(guest->table, 0, FIRST_PAGE + window);
            for (guint i = 0; i < 60; i++)
                folio_heat_table_add(guest->table, 1, FIRST_PAGE + (window % 4) * 60 + i);
            folio_heat_table_end_epoch(guest->table);
        }
        folio_heat_table_decide(guest->table, guest->verdicts);
    }
    guest->last = folio_heat_snapshot_new(guest->table, guest->verdicts, guest->ranges, NULL);
    assert_explained(guest->last, 0, FOLIO_CAUSE_UNPROVEN, "30 sub-pages were seen in use, and 0");
    assert_explained(guest->last, 1, FOLIO_CAUSE_WIDE, "sub-pages are in reach; below");
}

static void
test_pick(void **state)
{
    Guest *guest = *state;
    const Use uses[] = { { 0, 40 }, { 1, 2 }, { 2, 300 }, { 3, 400 }, { 5, 20 }, { 6, 100 } };
    static const guint expected[] = { 1, 5, 3, 2, 6 };
    g_autoptr(GArray) all = NULL;
    g_autoptr(GArray) none = NULL;

    for (guint i = 0; i < 30; i++)
        run_window(guest, uses, G_N_ELEMENTS(uses));
    all = folio_explain_pick(guest->last, 2);
    none = folio_explain_pick(guest->last, 0);
    assert_int_equal(none->len, 0);
    assert_int_equal(all->len, G_N_ELEMENTS(expected));
    for (guint i = 0; i < all->len; i++)
        assert_int_equal(g_array_index(all, guint, i), expected[i]);
}

#define GUEST_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        GUEST_TEST(test_snapshot_does_not_change),
        GUEST_TEST(test_unseen),
        GUEST_TEST(test_all_blocks),
        GUEST_TEST(test_granules),
        GUEST_TEST(test_parts),
        GUEST_TEST(test_history),
        GUEST_TEST(test_history_is_bounded),
        GUEST_TEST(test_history_of_many_ranges),
        GUEST_TEST(test_causes),
        GUEST_TEST(test_unproven_and_wide),
        GUEST_TEST(test_pick),
    };

    return cmocka_run_group_tests_name("heat-columns", tests, NULL, NULL);
}
