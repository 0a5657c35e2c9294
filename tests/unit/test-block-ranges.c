/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From numbers of blocks to addresses. */
#include "memory/block-ranges.h"

#include "cmocka-all.h"

#define B FOLIO_BLOCK_BYTES

/* Five whole blocks and a short one, then four that cannot be served, then three. */
typedef struct {
    FolioGuestRam ram;
    FolioRamBlock blocks[3];
} Fixture;

static void
fixture_init(Fixture *fixture)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->blocks[0] = (FolioRamBlock){ .hva = 100 * B, .bytes = 5 * B + 4096 };
    fixture->blocks[1] =
        (FolioRamBlock){ .hva = 200 * B, .bytes = 4 * B, .reason = FOLIO_REASON_MISALIGNED };
    fixture->blocks[2] = (FolioRamBlock){ .hva = 300 * B, .bytes = 3 * B };
    fixture->ram.blocks = g_ptr_array_new();
    for (gsize i = 0; i < G_N_ELEMENTS(fixture->blocks); i++)
        g_ptr_array_add(fixture->ram.blocks, &fixture->blocks[i]);
}

/* expected: pairs of start and length in blocks, up to a length of 0. */
static void
assert_ranges(const Fixture *fixture, guint64 first, guint64 n, const guint64 (*expected)[2])
{
    g_autoptr(GArray) ranges = folio_block_ranges_new(&fixture->ram, first, n);
    guint i = 0;

    for (; expected[i][1] > 0; i++) {
        assert_true(i < ranges->len);
        assert_int_equal(g_array_index(ranges, FolioBlockRange, i).start, expected[i][0] * B);
        assert_int_equal(g_array_index(ranges, FolioBlockRange, i).bytes, expected[i][1] * B);
    }
    assert_int_equal(ranges->len, i);
}

static void
test_ranges(void **state)
{
    static const guint64 all[][2] = { { 100, 5 }, { 300, 3 }, { 0, 0 } };
    static const guint64 first[][2] = { { 100, 1 }, { 0, 0 } };
    static const guint64 middle[][2] = { { 102, 2 }, { 0, 0 } };
    static const guint64 across[][2] = { { 104, 1 }, { 300, 1 }, { 0, 0 } };
    static const guint64 last[][2] = { { 302, 1 }, { 0, 0 } };
    static const guint64 none[][2] = { { 0, 0 } };
    Fixture fixture;

    fixture_init(&fixture);
    assert_int_equal(folio_block_ranges_count(&fixture.ram), 6 + 4 + 3);
    assert_ranges(&fixture, 0, 13, all);
    assert_ranges(&fixture, 0, 1, first);
    assert_ranges(&fixture, 2, 2, middle);
    assert_ranges(&fixture, 4, 7, across);
    assert_ranges(&fixture, 12, 1, last);
    assert_ranges(&fixture, 5, 1, none); /* the short one */
    assert_ranges(&fixture, 6, 4, none); /* those that cannot be served */
    assert_ranges(&fixture, 0, 0, none);
    g_ptr_array_unref(fixture.ram.blocks);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_ranges) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
