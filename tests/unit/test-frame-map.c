/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The map from host frames to places in guest RAM, and against a plain table under random moves. */
#include "cmocka-all.h"

#include "heat/frame-map.h"

#include <malloc.h>

static FolioPlace
place_of(guint block, guint sub_page)
{
    return block << 9 | sub_page;
}

static void
test_empty(void **state)
{
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();
    guint64 frame;

    assert_int_equal(folio_frame_map_find(map, 0), FOLIO_NO_PLACE);
    assert_int_equal(folio_frame_map_find(map, G_MAXUINT64), FOLIO_NO_PLACE);
    assert_false(folio_frame_map_frame_of(map, 0, &frame));
    folio_frame_map_drop_page(map, 12345);
    folio_frame_map_drop_block(map, 7);
}

static void
test_whole_block(void **state)
{
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();
    guint64 frame = 0;

    assert_true(folio_frame_map_set_block(map, 3, 1024));
    assert_int_equal(folio_frame_map_find(map, 1023), FOLIO_NO_PLACE);
    assert_int_equal(folio_frame_map_find(map, 1024), place_of(3, 0));
    assert_int_equal(folio_frame_map_find(map, 1535), place_of(3, 511));
    assert_int_equal(folio_frame_map_find(map, 1536), FOLIO_NO_PLACE);
    assert_true(folio_frame_map_frame_of(map, place_of(3, 7), &frame));
    assert_int_equal(frame, 1031);
}

static void
test_block_moves(void **state)
{
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();

    assert_true(folio_frame_map_set_block(map, 3, 1024));
    assert_true(folio_frame_map_set_block(map, 3, 4096));
    assert_int_equal(folio_frame_map_find(map, 1024), FOLIO_NO_PLACE);
    assert_int_equal(folio_frame_map_find(map, 4096), place_of(3, 0));
    assert_true(folio_frame_map_set_block(map, 9, 4096));
    assert_int_equal(folio_frame_map_find(map, 4097), place_of(9, 1));
    assert_false(folio_frame_map_frame_of(map, place_of(3, 1), &(guint64){ 0 }));
}

static void
test_split_in_place_costs_nothing(void **state)
{
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();

    assert_true(folio_frame_map_set_block(map, 0, 512));
    for (guint i = 0; i < 512; i++)
        assert_true(folio_frame_map_set_page(map, place_of(0, i), 512 + i));
    assert_int_equal(map->chunk_tables->len, 0);
    assert_int_equal(map->block_tables->len, 0);
}

static void
test_page_moves_out(void **state)
{
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();
    guint64 frame = 0;

    assert_true(folio_frame_map_set_block(map, 0, 512));
    assert_true(folio_frame_map_set_page(map, place_of(0, 5), 9000));
    assert_int_equal(folio_frame_map_find(map, 517), FOLIO_NO_PLACE);
    assert_int_equal(folio_frame_map_find(map, 9000), place_of(0, 5));
    assert_int_equal(folio_frame_map_find(map, 518), place_of(0, 6));
    assert_true(folio_frame_map_frame_of(map, place_of(0, 5), &frame));
    assert_int_equal(frame, 9000);
}

static void
test_frame_is_reused(void **state)
{
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();

    assert_true(folio_frame_map_set_block(map, 0, 512));
    assert_true(folio_frame_map_set_page(map, place_of(4, 1), 600));
    assert_int_equal(folio_frame_map_find(map, 600), place_of(4, 1));
    assert_false(folio_frame_map_frame_of(map, place_of(0, 88), &(guint64){ 0 }));
    assert_int_equal(folio_frame_map_find(map, 601), place_of(0, 89));
}

static void
test_collapse_after_split(void **state)
{
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();

    for (guint i = 0; i < 512; i++)
        assert_true(folio_frame_map_set_page(map, place_of(1, i), 100000 + 3 * i));
    assert_true(folio_frame_map_set_block(map, 1, 2048));
    assert_int_equal(folio_frame_map_find(map, 100003), FOLIO_NO_PLACE);
    assert_int_equal(folio_frame_map_find(map, 2049), place_of(1, 1));
    for (guint i = 0; i < map->chunk_tables->len; i++)
        assert_null(map->chunk_tables->pdata[i]);
    assert_int_equal(map->free_block_tables->len, map->block_tables->len);
}

/* What foliod may take for each block that is split, of which this is the most. */
#define MOST_A_BLOCK 2048

enum { MANY = 256, GONE_PAGES = 400, STRAYS = 150 };

/* Blocks that were split and of which most pages have gone; then some of these come back, in frames
 * that others have left. */
static void
test_memory_of_split_blocks(void **state)
{
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();
    gsize before, gone;

    for (guint b = 0; b < MANY; b++)
        assert_true(folio_frame_map_set_block(map, b, (b + 1) * 512));
    before = mallinfo2().uordblks;
    for (guint b = 0; b < MANY; b++) {
        for (guint i = 0; i < GONE_PAGES; i++)
            folio_frame_map_drop_page(map, place_of(b, i));
    }
    gone = mallinfo2().uordblks;
    assert_true(gone - before <= MANY * 256);
    for (guint b = 0; b < MANY; b++) {
        for (guint i = 0; i < STRAYS; i++)
            assert_true(folio_frame_map_set_page(map, place_of(b, i),
                                                 ((b + 7) % MANY + 1) * 512 + 399 - i));
    }
    print_message("%zu bytes a split block, %zu with %d pages elsewhere\n", (gone - before) / MANY,
                  (mallinfo2().uordblks - before) / MANY, STRAYS);
    assert_true(mallinfo2().uordblks - before <= MANY * MOST_A_BLOCK);
    assert_int_equal(folio_frame_map_find(map, 8 * 512 + 399), place_of(0, 0));
    /* What it says of itself is what was allocated, but for the allocator's own and arrays.
     * AddressSanitizer's allocator tells nothing. */
    if (before > 0)
        assert_in_range(mallinfo2().uordblks - before, map->bytes, map->bytes * 5 / 4);
    for (guint b = 0; b < MANY; b++)
        folio_frame_map_drop_block(map, b);
    assert_int_equal(map->bytes, 0);
    assert_int_equal(map->free_block_tables->len, map->block_tables->len);
    assert_int_equal(map->free_chunk_tables->len, map->chunk_tables->len);
}

static void
test_limits(void **state)
{
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();

    assert_false(folio_frame_map_set_block(map, FOLIO_MAX_BLOCKS, 0));
    assert_false(folio_frame_map_set_block(map, 0, 1));
    assert_false(folio_frame_map_set_block(map, 0, FOLIO_MAX_FRAME + 1));
    assert_false(folio_frame_map_set_page(map, 0, G_MAXUINT64));
    assert_true(folio_frame_map_set_page(map, place_of(FOLIO_MAX_BLOCKS - 1, 511),
                                         G_GUINT64_CONSTANT(1) << 34));
    assert_int_equal(folio_frame_map_find(map, G_GUINT64_CONSTANT(1) << 34),
                     place_of(FOLIO_MAX_BLOCKS - 1, 511));
}

enum { BLOCKS = 6, FRAMES = 16 * 512 };

/* The same, written down the simple way. */
typedef struct {
    guint64 frame_of[BLOCKS * 512]; /* frame + 1 */
    FolioPlace place_at[FRAMES];    /* place + 1 */
} Plain;

static void
plain_drop(Plain *plain, FolioPlace place)
{
    if (plain->frame_of[place] != 0)
        plain->place_at[plain->frame_of[place] - 1] = 0;
    plain->frame_of[place] = 0;
}

static void
plain_set(Plain *plain, FolioPlace place, guint64 frame)
{
    plain_drop(plain, place);
    if (plain->place_at[frame] != 0)
        plain_drop(plain, plain->place_at[frame] - 1);
    plain->frame_of[place] = frame + 1;
    plain->place_at[frame] = place + 1;
}

static void
random_move(FolioFrameMap *map, Plain *plain, GRand *rand)
{
    guint block = (guint) g_rand_int_range(rand, 0, BLOCKS);
    FolioPlace place = place_of(block, (guint) g_rand_int_range(rand, 0, 512));
    guint64 frame = (guint64) g_rand_int_range(rand, 0, FRAMES);

    switch (g_rand_int_range(rand, 0, 40)) {
    case 0:
        frame &= ~G_GUINT64_CONSTANT(511);
        assert_true(folio_frame_map_set_block(map, block, frame));
        for (guint i = 0; i < 512; i++)
            plain_drop(plain, place_of(block, i));
        for (guint i = 0; i < 512; i++)
            plain_set(plain, place_of(block, i), frame + i);
        /* What stood in these frames is gone, whole or in part. */
        break;
    case 1:
        folio_frame_map_drop_block(map, block);
        for (guint i = 0; i < 512; i++)
            plain_drop(plain, place_of(block, i));
        break;
    case 2:
        folio_frame_map_drop_page(map, place);
        plain_drop(plain, place);
        break;
    default:
        assert_true(folio_frame_map_set_page(map, place, frame));
        plain_set(plain, place, frame);
        break;
    }
}

static void
assert_same(const FolioFrameMap *map, const Plain *plain)
{
    for (guint64 frame = 0; frame < FRAMES; frame++)
        assert_int_equal(folio_frame_map_find(map, frame), plain->place_at[frame] - 1);
    for (FolioPlace place = 0; place < BLOCKS * 512; place++) {
        guint64 frame = 0;
        gboolean known = folio_frame_map_frame_of(map, place, &frame);

        assert_int_equal(known, plain->frame_of[place] != 0);
        if (known)
            assert_int_equal(frame, plain->frame_of[place] - 1);
    }
}

static void
test_random_moves(void **state)
{
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();
    g_autoptr(GRand) rand = g_rand_new_with_seed(20);
    g_autofree Plain *plain = g_new0(Plain, 1);

    for (guint i = 0; i < 4000; i++) {
        random_move(map, plain, rand);
        if (i % 40 == 0)
            assert_same(map, plain);
    }
    assert_same(map, plain);
}

/* What is known is right, whether or not all of it is. */
static guint
assert_some(const FolioFrameMap *map, const Plain *plain)
{
    guint known = 0;

    for (guint64 frame = 0; frame < FRAMES; frame++) {
        const FolioPlace place = folio_frame_map_find(map, frame);
        guint64 back = 0;

        if (place == FOLIO_NO_PLACE)
            continue;
        known++;
        assert_int_equal(place, plain->place_at[frame] - 1);
        assert_true(folio_frame_map_frame_of(map, place, &back));
        assert_int_equal(back, frame);
    }
    return known;
}

/* A block in one piece is known whatever there is room for; one that stands apart is not, beyond
 * it, and nothing of it is taken for another. */
static void
test_room(void **state)
{
    enum { ROOM = 1024, STEP = 512 };
    g_autoptr(FolioFrameMap) map = folio_frame_map_new();
    g_autoptr(GRand) rand = g_rand_new_with_seed(21);
    g_autofree Plain *plain = g_new0(Plain, 1);
    guint refused = 0;

    folio_frame_map_set_room(map, ROOM);
    for (guint i = 0; i < 4000; i++) {
        const FolioPlace place = (FolioPlace) g_rand_int_range(rand, 0, BLOCKS * 512);
        const guint64 frame = (guint64) g_rand_int_range(rand, 0, FRAMES);

        if (i % 100 == 0) {
            assert_true(folio_frame_map_set_block(map, place / 512, frame & ~511u));
            for (guint page = 0; page < 512; page++)
                plain_set(plain, place_of(place / 512, page), (frame & ~511u) + page);
        } else {
            refused += !folio_frame_map_set_page(map, place, frame);
            plain_set(plain, place, frame);
        }
        assert_true(map->bytes <= ROOM + STEP);
        if (i % 40 == 0)
            assert_some(map, plain);
    }
    assert_true(refused > 0);
    assert_true(assert_some(map, plain) > 0);

    folio_frame_map_set_room(map, G_MAXSIZE);
    for (FolioPlace place = 0; place < BLOCKS * 512; place++) {
        if (plain->frame_of[place] != 0)
            assert_true(folio_frame_map_set_page(map, place, plain->frame_of[place] - 1));
    }
    assert_same(map, plain);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_whole_block),
        cmocka_unit_test(test_block_moves),
        cmocka_unit_test(test_split_in_place_costs_nothing),
        cmocka_unit_test(test_page_moves_out),
        cmocka_unit_test(test_frame_is_reused),
        cmocka_unit_test(test_collapse_after_split),
        cmocka_unit_test(test_memory_of_split_blocks),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_random_moves),
        cmocka_unit_test(test_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
