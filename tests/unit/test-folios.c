/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of a block, as a table: what was there, what is at the same frames now, what is
 * mapped now. And the orders of folios by flags of frames. */
#include "act/folios.h"
#include "cmocka-all.h"

#include <linux/kernel-page-flags.h>

#define UNKNOWN FOLIO_ORDER_UNKNOWN
#define GONE    FOLIO_ORDER_GONE
#define HUGE    FOLIO_ORDER_HUGE

#define HERE  (64 * (guint64) FOLIO_BLOCK_PAGES)
#define THERE (99 * (guint64) FOLIO_BLOCK_PAGES)

/* Pages first to end - 1 are mapped, in a row from frame base + first on, in folios of that order.
 */
typedef struct {
    guint first, end;
    gint8 order;
    guint64 base;
    gboolean pmd_mapped;
} Mapped;

/* At the frames of before: one order up to a page, another from it on. */
typedef struct {
    gint8 order;
    guint until;
    gint8 rest;
} There;

#define NOTHING \
    {           \
        0       \
    }
#define ALL(order, base)       \
    {                          \
        0, 512, order, base, 0 \
    }
#define BY_PMD(base)          \
    {                         \
        0, 512, HUGE, base, 1 \
    }
#define SOME(first, end, order, base) \
    {                                 \
        first, end, order, base, 0    \
    }
#define EACH(order)       \
    {                     \
        order, 512, order \
    }

typedef struct {
    const char *what;
    FolioActKind kind;
    guint order;
    Mapped before;
    There there_now;
    Mapped now;
    gboolean split_before;
    FolioLeft said;
    FolioOutcome outcome;
    FolioFileMemory in_file;
} Row;

static const Row splits[] = {
    { "a split unmaps", FOLIO_ACT_SPLIT, 0, BY_PMD(HERE), EACH(0), NOTHING, 0, 0,
      FOLIO_OUTCOME_DONE },
    { "some were used again", FOLIO_ACT_SPLIT, 0, BY_PMD(HERE), EACH(0), SOME(3, 70, 0, HERE), 0, 0,
      FOLIO_OUTCOME_DONE },
    { "to order 4", FOLIO_ACT_SPLIT, 4, BY_PMD(HERE), EACH(4), NOTHING, 0, 0, FOLIO_OUTCOME_DONE },
    { "to order 8", FOLIO_ACT_SPLIT, 8, ALL(HUGE, HERE), EACH(8), NOTHING, 0, 0,
      FOLIO_OUTCOME_DONE },
    { "smaller than asked", FOLIO_ACT_SPLIT, 4, BY_PMD(HERE), EACH(0), NOTHING, 0, 0,
      FOLIO_OUTCOME_DONE },
    { "not small enough", FOLIO_ACT_SPLIT, 4, BY_PMD(HERE), EACH(5), NOTHING, 0, 0,
      FOLIO_OUTCOME_LEFT },
    { "left", FOLIO_ACT_SPLIT, 0, BY_PMD(HERE), EACH(HUGE), BY_PMD(HERE), 0, 0,
      FOLIO_OUTCOME_LEFT },
    { "unmapped and left", FOLIO_ACT_SPLIT, 0, BY_PMD(HERE), EACH(HUGE), NOTHING, 0,
      FOLIO_LEFT_BUSY, FOLIO_OUTCOME_LEFT },
    { "in part",
      FOLIO_ACT_SPLIT,
      0,
      ALL(8, HERE),
      { 0, 256, 8 },
      NOTHING,
      0,
      0,
      FOLIO_OUTCOME_PARTLY },
    { "a half given back",
      FOLIO_ACT_SPLIT,
      0,
      BY_PMD(HERE),
      { 0, 256, GONE },
      NOTHING,
      0,
      0,
      FOLIO_OUTCOME_DONE },
    { "all given back", FOLIO_ACT_SPLIT, 0, BY_PMD(HERE), EACH(GONE), NOTHING, 0, 0,
      FOLIO_OUTCOME_GONE },
    { "the half that is left is large",
      FOLIO_ACT_SPLIT,
      4,
      ALL(8, HERE),
      { GONE, 256, 8 },
      NOTHING,
      0,
      0,
      FOLIO_OUTCOME_LEFT },
    { "moved, and others have the frames", FOLIO_ACT_SPLIT, 0, BY_PMD(HERE), EACH(0), BY_PMD(THERE),
      0, 0, FOLIO_OUTCOME_GONE },
    { "a few pages of it known", FOLIO_ACT_SPLIT, 0, SOME(9, 11, HUGE, HERE), EACH(0), NOTHING, 0,
      0, FOLIO_OUTCOME_DONE },
    { "a few pages of it known, left", FOLIO_ACT_SPLIT, 0, SOME(9, 11, HUGE, HERE), EACH(HUGE),
      NOTHING, 0, 0, FOLIO_OUTCOME_LEFT },
    { "small before", FOLIO_ACT_SPLIT, 0, ALL(0, HERE), EACH(0), ALL(0, HERE), 0, 0,
      FOLIO_OUTCOME_ALREADY },
    { "smaller before", FOLIO_ACT_SPLIT, 4, ALL(2, HERE), EACH(2), ALL(2, HERE), 0, 0,
      FOLIO_OUTCOME_ALREADY },
    { "as small before", FOLIO_ACT_SPLIT, 4, SOME(16, 32, 4, HERE), EACH(4), NOTHING, 0, 0,
      FOLIO_OUTCOME_ALREADY },
    { "small before, gone now", FOLIO_ACT_SPLIT, 0, ALL(0, HERE), EACH(GONE), NOTHING, 0, 0,
      FOLIO_OUTCOME_ALREADY },
    { "split further", FOLIO_ACT_SPLIT, 0, ALL(4, HERE), EACH(0), NOTHING, 1, 0,
      FOLIO_OUTCOME_DONE },
    { "nothing there", FOLIO_ACT_SPLIT, 0, NOTHING, EACH(UNKNOWN), NOTHING, 0, 0,
      FOLIO_OUTCOME_ABSENT },
    { "nothing there, refused", FOLIO_ACT_SPLIT, 0, NOTHING, EACH(UNKNOWN), NOTHING, 0,
      FOLIO_LEFT_REFUSED, FOLIO_OUTCOME_ABSENT },
    { "nothing mapped, but busy", FOLIO_ACT_SPLIT, 0, NOTHING, EACH(UNKNOWN), NOTHING, 1,
      FOLIO_LEFT_BUSY, FOLIO_OUTCOME_LEFT },
    { "split earlier, unmapped", FOLIO_ACT_SPLIT, 0, NOTHING, EACH(UNKNOWN), NOTHING, 1, 0,
      FOLIO_OUTCOME_ALREADY },
    { "split earlier, unmapped, still in the file", FOLIO_ACT_SPLIT, 0, NOTHING, EACH(UNKNOWN),
      NOTHING, 1, 0, FOLIO_OUTCOME_ALREADY, FOLIO_FILE_HOLDS },
    { "split earlier, given back since", FOLIO_ACT_SPLIT, 0, NOTHING, EACH(UNKNOWN), NOTHING, 1, 0,
      FOLIO_OUTCOME_ABSENT, FOLIO_FILE_EMPTY },
    { "in the file alone", FOLIO_ACT_SPLIT, 0, NOTHING, EACH(UNKNOWN), NOTHING, 0, 0,
      FOLIO_OUTCOME_GONE, FOLIO_FILE_HOLDS },
    { "in the file alone, and refused", FOLIO_ACT_SPLIT, 0, NOTHING, EACH(UNKNOWN), NOTHING, 0,
      FOLIO_LEFT_BUSY, FOLIO_OUTCOME_LEFT, FOLIO_FILE_HOLDS },
    { "came meanwhile", FOLIO_ACT_SPLIT, 0, NOTHING, EACH(UNKNOWN), BY_PMD(HERE), 0, 0,
      FOLIO_OUTCOME_ABSENT },
};

static const Row collapses[] = {
    { "small before", FOLIO_ACT_COLLAPSE, 9, ALL(0, HERE), EACH(GONE), BY_PMD(THERE), 0, 0,
      FOLIO_OUTCOME_DONE },
    { "the old frames belong to others", FOLIO_ACT_COLLAPSE, 9, ALL(0, HERE), EACH(0),
      BY_PMD(THERE), 0, 0, FOLIO_OUTCOME_DONE },
    { "holes filled", FOLIO_ACT_COLLAPSE, 9, SOME(0, 9, 0, HERE), EACH(GONE), BY_PMD(THERE), 0, 0,
      FOLIO_OUTCOME_DONE },
    { "split earlier, unmapped", FOLIO_ACT_COLLAPSE, 9, NOTHING, EACH(UNKNOWN), BY_PMD(THERE), 1, 0,
      FOLIO_OUTCOME_DONE },
    { "unmapped before", FOLIO_ACT_COLLAPSE, 9, NOTHING, EACH(UNKNOWN), BY_PMD(THERE), 0, 0,
      FOLIO_OUTCOME_DONE },
    { "huge before", FOLIO_ACT_COLLAPSE, 9, BY_PMD(HERE), EACH(HUGE), BY_PMD(HERE), 0, 0,
      FOLIO_OUTCOME_ALREADY },
    { "huge before and migrated", FOLIO_ACT_COLLAPSE, 9, BY_PMD(HERE), EACH(GONE), BY_PMD(THERE), 0,
      0, FOLIO_OUTCOME_ALREADY },
    { "one folio, mapped by pages: now by a PMD", FOLIO_ACT_COLLAPSE, 9, ALL(HUGE, HERE),
      EACH(HUGE), BY_PMD(HERE), 0, 0, FOLIO_OUTCOME_DONE },
    { "one folio, mapped in part: now by a PMD", FOLIO_ACT_COLLAPSE, 9, SOME(7, 9, HUGE, HERE),
      EACH(HUGE), BY_PMD(HERE), 0, 0, FOLIO_OUTCOME_DONE },
    { "one folio, mapped by pages still", FOLIO_ACT_COLLAPSE, 9, ALL(HUGE, HERE), EACH(HUGE),
      ALL(HUGE, HERE), 0, 0, FOLIO_OUTCOME_LEFT },
    { "one folio now, mapped by pages", FOLIO_ACT_COLLAPSE, 9, ALL(0, HERE), EACH(GONE),
      SOME(0, 5, HUGE, THERE), 0, 0, FOLIO_OUTCOME_PARTLY },
    { "half a huge folio out of its place", FOLIO_ACT_COLLAPSE, 9, ALL(0, HERE), EACH(GONE),
      SOME(0, 256, HUGE, THERE + 256), 0, 0, FOLIO_OUTCOME_LEFT },
    { "left", FOLIO_ACT_COLLAPSE, 9, ALL(0, HERE), EACH(0), ALL(0, HERE), 0, FOLIO_LEFT_BUSY,
      FOLIO_OUTCOME_LEFT },
    { "left, in folios of 64 KiB", FOLIO_ACT_COLLAPSE, 9, ALL(4, HERE), EACH(4), ALL(4, HERE), 0, 0,
      FOLIO_OUTCOME_LEFT },
    { "unmapped meanwhile", FOLIO_ACT_COLLAPSE, 9, ALL(0, HERE), EACH(0), NOTHING, 0, 0,
      FOLIO_OUTCOME_LEFT },
    { "given back", FOLIO_ACT_COLLAPSE, 9, ALL(0, HERE), EACH(GONE), NOTHING, 0, 0,
      FOLIO_OUTCOME_GONE },
    { "split by others meanwhile", FOLIO_ACT_COLLAPSE, 9, BY_PMD(HERE), EACH(0),
      SOME(0, 3, 0, HERE), 0, 0, FOLIO_OUTCOME_LEFT },
    { "nothing there", FOLIO_ACT_COLLAPSE, 9, NOTHING, EACH(UNKNOWN), NOTHING, 0,
      FOLIO_LEFT_REFUSED, FOLIO_OUTCOME_ABSENT },
    { "split earlier, unmapped, left", FOLIO_ACT_COLLAPSE, 9, NOTHING, EACH(UNKNOWN), NOTHING, 1, 0,
      FOLIO_OUTCOME_LEFT },
    { "split earlier, given back since", FOLIO_ACT_COLLAPSE, 9, NOTHING, EACH(UNKNOWN), NOTHING, 1,
      FOLIO_LEFT_REFUSED, FOLIO_OUTCOME_ABSENT, FOLIO_FILE_EMPTY },
    { "no VMA any more", FOLIO_ACT_COLLAPSE, 9, NOTHING, EACH(UNKNOWN), NOTHING, 0,
      FOLIO_LEFT_NO_MEMORY, FOLIO_OUTCOME_ABSENT, FOLIO_FILE_EMPTY },
    { "in the file alone, refused", FOLIO_ACT_COLLAPSE, 9, NOTHING, EACH(UNKNOWN), NOTHING, 0,
      FOLIO_LEFT_REFUSED, FOLIO_OUTCOME_LEFT, FOLIO_FILE_HOLDS },
    { "unmapped, no huge page free", FOLIO_ACT_COLLAPSE, 9, NOTHING, EACH(UNKNOWN), NOTHING, 0,
      FOLIO_LEFT_NO_MEMORY, FOLIO_OUTCOME_LEFT },
    { "unmapped and busy", FOLIO_ACT_COLLAPSE, 9, NOTHING, EACH(UNKNOWN), NOTHING, 0,
      FOLIO_LEFT_BUSY, FOLIO_OUTCOME_LEFT },
};

static void
fill(const Mapped *mapped, FolioBlockFolios *folios)
{
    for (guint i = 0; i < FOLIO_BLOCK_PAGES; i++) {
        const gboolean is = i >= mapped->first && i < mapped->end;

        folios->frames[i] = is ? mapped->base + i : FOLIO_NO_FRAME;
        folios->orders[i] = is ? mapped->order : (gint8) UNKNOWN;
    }
    folios->pmd_mapped = mapped->pmd_mapped;
}

static void
check_rows(const Row *rows, guint n_rows)
{
    for (guint r = 0; r < n_rows; r++) {
        const Row *row = &rows[r];
        FolioBlockFolios before, now;
        gint8 there_now[FOLIO_BLOCK_PAGES];
        const FolioEvidence evidence = {
            row->kind, row->order,        &before,   there_now,
            &now,      row->split_before, row->said, row->in_file,
        };
        FolioOutcome outcome;

        fill(&row->before, &before);
        fill(&row->now, &now);
        for (guint i = 0; i < FOLIO_BLOCK_PAGES; i++) {
            const gint8 order =
                i < row->there_now.until ? row->there_now.order : row->there_now.rest;

            there_now[i] = before.frames[i] != FOLIO_NO_FRAME ? order : (gint8) UNKNOWN;
        }
        if (!folio_evidence_wants_frames(&evidence))
            memset(there_now, GONE, sizeof there_now); /* it is not to be looked at */
        outcome = folio_evidence_judge(&evidence);
        if (outcome != row->outcome)
            fail_msg("%s of \"%s\": %s, expected %s", folio_act_kind_token(row->kind), row->what,
                     folio_outcome_token(outcome), folio_outcome_token(row->outcome));
    }
}

static void
test_splits(void **state)
{
    check_rows(splits, G_N_ELEMENTS(splits));
}

static void
test_collapses(void **state)
{
    check_rows(collapses, G_N_ELEMENTS(collapses));
}

/* Flags */

#define SHMEM (G_GUINT64_CONSTANT(1) << KPF_SWAPBACKED | G_GUINT64_CONSTANT(1) << KPF_LRU)
#define HEAD  (SHMEM | G_GUINT64_CONSTANT(1) << KPF_COMPOUND_HEAD)
#define TAIL  (G_GUINT64_CONSTANT(1) << KPF_COMPOUND_TAIL) /* bare, as old kernels have it */

static void
put_folio(guint64 *flags, guint first, guint order)
{
    flags[first] = order > 0 ? HEAD : SHMEM;
    for (guint i = 1; i < 1u << order; i++)
        flags[first + i] = TAIL;
}

static void
test_every_order(void **state)
{
    for (guint order = 0; order <= HUGE; order++) {
        guint64 flags[FOLIO_BLOCK_PAGES];
        gint8 orders[FOLIO_BLOCK_PAGES];

        for (guint i = 0; i < FOLIO_BLOCK_PAGES; i += 1u << order)
            put_folio(flags, i, order);
        folio_orders_of_flags(flags, orders);
        for (guint i = 0; i < FOLIO_BLOCK_PAGES; i++)
            assert_int_equal(orders[i], order);
    }
}

static void
test_mixed_orders(void **state)
{
    guint64 flags[FOLIO_BLOCK_PAGES] = { 0 };
    gint8 orders[FOLIO_BLOCK_PAGES];

    put_folio(flags, 0, 0);
    put_folio(flags, 1, 0);
    put_folio(flags, 2, 1);
    put_folio(flags, 256, 8);
    flags[4] = G_GUINT64_CONSTANT(1) << KPF_BUDDY;
    flags[5] = SHMEM | G_GUINT64_CONSTANT(1) << KPF_ANON;
    flags[8] = HEAD | G_GUINT64_CONSTANT(1) << KPF_ANON;
    flags[9] = flags[10] = flags[11] = TAIL | SHMEM;
    folio_orders_of_flags(flags, orders);
    assert_int_equal(orders[0], 0);
    assert_int_equal(orders[1], 0);
    assert_int_equal(orders[2], 1);
    assert_int_equal(orders[3], 1);
    for (guint i = 4; i < 256; i++)
        assert_int_equal(orders[i], GONE);
    for (guint i = 256; i < FOLIO_BLOCK_PAGES; i++)
        assert_int_equal(orders[i], 8);
}

/* A larger folio is all tails here; a few of them were read while it changed. */
static void
test_tails_alone(void **state)
{
    guint64 flags[FOLIO_BLOCK_PAGES];
    gint8 orders[FOLIO_BLOCK_PAGES];

    for (guint i = 0; i < FOLIO_BLOCK_PAGES; i++)
        flags[i] = TAIL | SHMEM;
    folio_orders_of_flags(flags, orders);
    for (guint i = 0; i < FOLIO_BLOCK_PAGES; i++)
        assert_int_equal(orders[i], HUGE);
    put_folio(flags, 128, 0);
    folio_orders_of_flags(flags, orders);
    assert_int_equal(orders[0], GONE);
    assert_int_equal(orders[127], GONE);
    assert_int_equal(orders[128], 0);
    assert_int_equal(orders[129], GONE);
}

/* Reports */

static void
test_report(void **state)
{
    const FolioActReport nothing = { { 0 } };
    const FolioActReport split = { { 37, 2, 0, 1, 0, 0 }, { 0, 1, 0, 0 }, .way = "damon" };
    const FolioActReport all = { { 1, 2, 3, 4, 5, 6 }, { 1, 2, 3, 1 }, .way = "madvise-collapse" };
    g_autofree char *nothing_text = folio_act_report_print(&nothing, "split");
    g_autofree char *split_text = folio_act_report_print(&split, "split");
    g_autofree char *collapse_text = folio_act_report_print(&all, "collapse");
    g_autofree char *restore_text = folio_act_report_print(&all, "restore");

    assert_string_equal(nothing_text, "nothing to do");
    assert_string_equal(split_text, "split 37, were split before 2, left 1 (busy 1)");
    assert_string_equal(collapse_text, "collapsed 1, were huge before 2, done in part 3, left 4 "
                                       "(busy 2, no-memory 3, refused 1), not in memory 5, gone "
                                       "or not known 6");
    assert_true(g_str_has_prefix(restore_text, "restored 1, were huge before 2, "));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splits),      cmocka_unit_test(test_collapses),
        cmocka_unit_test(test_every_order), cmocka_unit_test(test_mixed_orders),
        cmocka_unit_test(test_tails_alone), cmocka_unit_test(test_report),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
