/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Epochs, windows and the footprint, against a plain count of the same samples. */
#include "cmocka-all.h"

#include "heat/heat-table.h"

static void
end_epochs(FolioHeatTable *table, guint n)
{
    for (guint i = 0; i < n; i++)
        folio_heat_table_end_epoch(table);
}

static void
test_size(void **state)
{
    assert_true(folio_heat_table_block_bytes() <= 272);
}

static void
test_window_ends_with_tenth_epoch(void **state)
{
    g_autoptr(FolioHeatTable) table = folio_heat_table_new(1);

    for (guint i = 1; i <= 30; i++)
        assert_int_equal(folio_heat_table_end_epoch(table), i % 10 == 0);
    assert_int_equal(table->window, 3);
}

static void
test_no_blocks(void **state)
{
    g_autoptr(FolioHeatTable) table = folio_heat_table_new(0);

    end_epochs(table, FOLIO_EPOCHS);
    folio_heat_table_decide(table, NULL);
}

static void
test_counts_epochs_not_samples(void **state)
{
    g_autoptr(FolioHeatTable) table = folio_heat_table_new(2);
    const FolioHeatEvidence *evidence = &table->evidence[1];

    for (guint epoch = 0; epoch < FOLIO_EPOCHS; epoch++) {
        for (guint burst = 0; burst < 50; burst++)
            folio_heat_table_add(table, 1, 511); /* every epoch */
        if (epoch < 2)
            folio_heat_table_add(table, 1, 64); /* two of them */
        if (epoch == 9)
            folio_heat_table_add(table, 1, 0); /* one */
        folio_heat_table_end_epoch(table);
    }
    assert_int_equal(evidence->incidences, 13);
    assert_int_equal(evidence->seen, 3);
    assert_int_equal(evidence->once, 1);
    assert_int_equal(evidence->twice, 1);
    assert_int_equal(evidence->again, evidence->incidences - 3);
    assert_int_equal(evidence->footprint, 3);
    assert_int_equal(evidence->age, 1);
    assert_int_equal(table->evidence[0].age, 0);
    assert_int_equal(table->samples, 503);
}

static void
test_window_starts_anew_and_remembers(void **state)
{
    g_autoptr(FolioHeatTable) table = folio_heat_table_new(1);

    folio_heat_table_add(table, 0, 100);
    end_epochs(table, FOLIO_EPOCHS);
    folio_heat_table_add(table, 0, 200);
    end_epochs(table, FOLIO_EPOCHS);
    assert_int_equal(table->evidence->incidences, 1);
    assert_int_equal(table->evidence->seen, 1);
    assert_int_equal(table->evidence->growth, 64 / 4);
    assert_int_equal(table->evidence->again, 0);
    assert_int_equal(table->evidence->footprint, 2);
    assert_int_equal(table->evidence->age, 2);
    end_epochs(table, FOLIO_EPOCHS);
    assert_int_equal(table->evidence->seen, 0);
    assert_int_equal(table->evidence->footprint, 2);
}

/* Whatever is not used any more is forgotten in the end, and nothing in use ever is. */
static void
test_footprint_forgets(void **state)
{
    g_autoptr(FolioHeatTable) table = folio_heat_table_new(1);
    guint before = FOLIO_SUB_PAGES;

    for (guint i = 0; i < FOLIO_SUB_PAGES; i++)
        folio_heat_table_add(table, 0, i);
    end_epochs(table, FOLIO_EPOCHS);
    for (guint window = 0; window < FOLIO_FORGET_WINDOWS; window++) {
        folio_heat_table_add(table, 0, 77);
        end_epochs(table, FOLIO_EPOCHS);
        assert_true(table->evidence->footprint <= before);
        assert_true(before - table->evidence->footprint <= FOLIO_SUB_PAGES / FOLIO_FORGET_WINDOWS);
        assert_int_equal(table->evidence->growth, 0);
        before = table->evidence->footprint;
    }
    assert_int_equal(before, 1);
}

static void
test_forget_block(void **state)
{
    g_autoptr(FolioHeatTable) table = folio_heat_table_new(2);

    folio_heat_table_add(table, 0, 5);
    folio_heat_table_add(table, 1, 5);
    end_epochs(table, FOLIO_EPOCHS);
    folio_heat_table_add(table, 0, 6);
    folio_heat_table_forget(table, 0);
    end_epochs(table, FOLIO_EPOCHS);
    assert_int_equal(table->evidence[0].age, 0);
    assert_int_equal(table->evidence[0].footprint, 0);
    assert_int_equal(table->evidence[1].footprint, 1);
}

static void
test_verdicts(void **state)
{
    g_autoptr(FolioHeatTable) table = folio_heat_table_new(3);
    FolioVerdict verdicts[3];

    /* The last window is the first that may have a verdict of sparse. */
    for (guint window = 1; window <= 24; window++) {
        for (guint epoch = 0; epoch < FOLIO_EPOCHS; epoch++) {
            folio_heat_table_add(table, 0, 9); /* one hot page */
            for (guint i = 0; i < FOLIO_SUB_PAGES; i += 2)
                folio_heat_table_add(table, 1, i);
            folio_heat_table_end_epoch(table);
        }
        folio_heat_table_decide(table, verdicts);
        assert_int_equal(verdicts[0], window < 24 ? FOLIO_VERDICT_UNDECIDED : FOLIO_VERDICT_SPARSE);
    }
    assert_int_equal(verdicts[1], FOLIO_VERDICT_DENSE);
    assert_int_equal(verdicts[2], FOLIO_VERDICT_IDLE);
    assert_int_equal(table->outcomes.dense, 24);
    assert_true(table->outcomes.clean > 0);
}

enum { BLOCKS = 4 };

static void
assert_window(const FolioHeatTable *table, guint8 (*epochs)[FOLIO_SUB_PAGES],
              guint8 (*known)[FOLIO_SUB_PAGES], guint *again)
{
    for (guint b = 0; b < BLOCKS; b++) {
        FolioHeatEvidence plain = { 0 };
        guint fresh = 0;

        for (guint i = 0; i < FOLIO_SUB_PAGES; i++) {
            plain.incidences = (guint16) (plain.incidences + epochs[b][i]);
            plain.seen += epochs[b][i] > 0;
            plain.once += epochs[b][i] == 1;
            plain.twice += epochs[b][i] == 2;
            fresh += epochs[b][i] > 0 && !known[b][i];
            known[b][i] |= epochs[b][i] > 0;
            plain.footprint += known[b][i];
        }
        assert_int_equal(table->evidence[b].incidences, plain.incidences);
        assert_int_equal(table->evidence[b].seen, plain.seen);
        assert_int_equal(table->evidence[b].once, plain.once);
        assert_int_equal(table->evidence[b].twice, plain.twice);
        again[b] += plain.incidences - fresh;
        assert_int_equal(table->evidence[b].again, MIN(again[b], 255));
        assert_int_equal(table->evidence[b].footprint, plain.footprint);
    }
}

static void
test_against_plain_count(void **state)
{
    g_autoptr(FolioHeatTable) table = folio_heat_table_new(BLOCKS);
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    static guint8 known[BLOCKS][FOLIO_SUB_PAGES];
    guint again[BLOCKS] = { 0 };

    /* Sub-pages whose turn to be forgotten comes later than these windows. */
    for (guint window = 0; window < 6; window++) {
        guint8 epochs[BLOCKS][FOLIO_SUB_PAGES] = { 0 };

        for (guint epoch = 0; epoch < FOLIO_EPOCHS; epoch++) {
            guint8 now[BLOCKS][FOLIO_SUB_PAGES] = { 0 };

            for (guint i = 0; i < 300; i++) {
                guint b = (guint) g_rand_int_range(rand, 0, BLOCKS);
                guint page = 8 + (guint) g_rand_int_range(rand, 0, 30 << b);

                folio_heat_table_add(table, b, page);
                now[b][page] = 1;
            }
            for (guint b = 0; b < BLOCKS; b++) {
                for (guint i = 0; i < FOLIO_SUB_PAGES; i++)
                    epochs[b][i] = (guint8) (epochs[b][i] + now[b][i]);
            }
            folio_heat_table_end_epoch(table);
        }
        assert_window(table, epochs, known, again);
    }
}

/* Blocks of a guest that changes its ways: before it some are sparse and all others dense, then
 * those and one more are the other way round. */
#define CHANGING   60u
#define CHANGED_TO 170u
#define GUEST      (CHANGED_TO + 1)

/* A window in which blocks [first, first + n) are used all over, and four pages of all others. */
static void
use_in_window(FolioHeatTable *table, guint first, guint n, FolioVerdict *verdicts)
{
    for (guint epoch = 0; epoch < FOLIO_EPOCHS; epoch++) {
        for (guint b = 0; b < GUEST; b++) {
            const guint pages = b >= first && b < first + n ? FOLIO_SUB_PAGES : 4;

            for (guint page = 0; page < pages; page++)
                folio_heat_table_add(table, b, page);
        }
        folio_heat_table_end_epoch(table);
    }
    folio_heat_table_decide(table, verdicts);
}

static void
test_change_outdates_footprints(void **state)
{
    g_autoptr(FolioHeatTable) table = folio_heat_table_new(GUEST);
    FolioVerdict verdicts[GUEST];

    for (guint window = 0; window < 10; window++)
        use_in_window(table, CHANGING, GUEST - CHANGING, verdicts);
    assert_int_equal(verdicts[CHANGED_TO], FOLIO_VERDICT_DENSE);
    assert_int_equal(verdicts[0], FOLIO_VERDICT_SPARSE);
    for (guint window = 0; window < FOLIO_DENSE_WINDOWS; window++) {
        assert_true(table->evidence[CHANGED_TO].footprint > 500);
        use_in_window(table, 0, CHANGED_TO, verdicts);
    }
    assert_int_equal(table->evidence[CHANGED_TO].footprint, 0);
    assert_int_equal(table->evidence[CHANGED_TO - 1].footprint, FOLIO_SUB_PAGES);
    for (guint window = 0; window < FOLIO_YOUNGEST; window++) {
        assert_int_not_equal(verdicts[CHANGED_TO], FOLIO_VERDICT_SPARSE);
        use_in_window(table, 0, CHANGED_TO, verdicts);
    }
    assert_int_equal(verdicts[CHANGED_TO], FOLIO_VERDICT_SPARSE);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_window_ends_with_tenth_epoch),
        cmocka_unit_test(test_no_blocks),
        cmocka_unit_test(test_counts_epochs_not_samples),
        cmocka_unit_test(test_window_starts_anew_and_remembers),
        cmocka_unit_test(test_footprint_forgets),
        cmocka_unit_test(test_forget_block),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_change_outdates_footprints),
        cmocka_unit_test(test_against_plain_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
