/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* block-space: every number has the owner it was given to, and no other. */
#include "cmocka-all.h"
#include "sample/block-space.h"

#define OWNERS 40

typedef struct {
    guint first, n;
    gboolean in;
} Owner;

static void
test_owners(void **state)
{
    FolioBlockSpace *space = folio_block_space_new();
    char owner[3];
    guint first[3];

    assert_null(folio_block_space_owner(space, 0));
    assert_true(folio_block_space_take(space, &owner[0], 1, &first[0]));
    assert_true(folio_block_space_take(space, &owner[1], FOLIO_BLOCKS_A_GROUP + 1, &first[1]));
    assert_true(folio_block_space_take(space, &owner[2], 3, &first[2]));
    assert_ptr_equal(folio_block_space_owner(space, first[0]), &owner[0]);
    assert_ptr_equal(folio_block_space_owner(space, first[1]), &owner[1]);
    assert_ptr_equal(folio_block_space_owner(space, first[1] + FOLIO_BLOCKS_A_GROUP), &owner[1]);
    assert_ptr_equal(folio_block_space_owner(space, first[2] + 2), &owner[2]);
    assert_null(folio_block_space_owner(space, FOLIO_NO_PLACE / FOLIO_FRAMES_A_CHUNK));

    /* The hole is used again, by whoever fits in. */
    folio_block_space_give_back(space, &owner[0]);
    assert_null(folio_block_space_owner(space, first[0]));
    assert_true(folio_block_space_take(space, &owner[0], FOLIO_BLOCKS_A_GROUP + 1, &first[0]));
    assert_true(first[0] > first[2]);
    folio_block_space_free(space);
}

static void
test_room(void **state)
{
    FolioBlockSpace *space = folio_block_space_new();
    char owner[2];
    guint first = 1;

    assert_false(folio_block_space_take(space, &owner[0], FOLIO_MAX_BLOCKS + 1, &first));
    assert_false(folio_block_space_take(space, &owner[0], G_MAXUINT32, &first));
    assert_true(folio_block_space_take(space, &owner[0], FOLIO_MAX_BLOCKS, &first));
    assert_int_equal(first, 0);
    assert_ptr_equal(folio_block_space_owner(space, FOLIO_MAX_BLOCKS - 1), &owner[0]);
    assert_false(folio_block_space_take(space, &owner[1], 1, &first));
    folio_block_space_give_back(space, &owner[0]);
    assert_true(folio_block_space_take(space, &owner[1], 1, &first));
    assert_int_equal(first, 0);
    assert_true(folio_block_space_take(space, &owner[0], 0, &first));
    folio_block_space_free(space);
}

/* Against a list of what was given out. */
static void
test_coming_and_going(void **state)
{
    FolioBlockSpace *space = folio_block_space_new();
    g_autoptr(GRand) random = g_rand_new_with_seed(11);
    Owner owners[OWNERS] = { 0 };

    for (guint round = 0; round < 2000; round++) {
        Owner *owner = &owners[g_rand_int_range(random, 0, OWNERS)];

        if (owner->in) {
            folio_block_space_give_back(space, owner);
        } else {
            owner->n = (guint) g_rand_int_range(random, 1, 500);
            assert_true(folio_block_space_take(space, owner, owner->n, &owner->first));
        }
        owner->in = !owner->in;
        for (guint i = 0; i < OWNERS; i++) {
            for (guint block = 0; owners[i].in && block < owners[i].n; block++)
                assert_ptr_equal(folio_block_space_owner(space, owners[i].first + block),
                                 &owners[i]);
        }
    }
    /* Bounded by what was in at the same time, not by how often. */
    assert_true(space->owners->len < 2 * OWNERS * 500 / FOLIO_BLOCKS_A_GROUP);
    folio_block_space_free(space);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owners),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_coming_and_going),
    };

    return cmocka_run_group_tests_name("block-space", tests, NULL, NULL);
}
