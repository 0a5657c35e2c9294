/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real memory of a real process, collapsed by MADV_COLLAPSE and split by punching holes into its
 * file: what is reported is what became of it. */
#include "act-stage.h"

#include "act/madvise-collapse.h"

#include <linux/falloc.h>

#define N_BLOCKS 8u

static FolioActuator *collapser;

static int
set_up(void **state)
{
    Stage *stage = stage_new("huge=never", N_BLOCKS);

    collapser = folio_way_actuator_new(folio_madvise_collapse_way_new(), &stage->context);
    *state = stage;
    return 0;
}

static int
tear_down(void **state)
{
    collapser->klass->free(collapser);
    stage_free(*state);
    return 0;
}

/* What is written from now on is huge. */
static void
allow_huge(const Stage *stage)
{
    assert_int_equal(mount("foliod-test", stage->dir, "tmpfs", MS_REMOUNT, "huge=always"), 0);
}

static void
assert_outcomes(const Stage *stage, guint done, guint already, guint left, guint absent)
{
    const guint64 *outcomes = stage->told.report.outcomes;

    if (stage->told.outcome != FOLIO_ACT_DONE)
        fail_msg("it failed: %s", stage->told.error);
    assert_int_equal(outcomes[FOLIO_OUTCOME_DONE], done);
    assert_int_equal(outcomes[FOLIO_OUTCOME_ALREADY], already);
    assert_int_equal(outcomes[FOLIO_OUTCOME_LEFT], left);
    assert_int_equal(outcomes[FOLIO_OUTCOME_ABSENT], absent);
    assert_int_equal(outcomes[FOLIO_OUTCOME_PARTLY], 0);
    assert_int_equal(outcomes[FOLIO_OUTCOME_GONE], 0);
}

static void
act(Stage *stage, FolioActuator *actuator, FolioActKind kind, guint order, guint first, guint n)
{
    stage->told = (Told){ 0 };
    run_request(actuator, act_child_request(stage->child, kind, order, first, n), &stage->told);
}

/* Small blocks, huge ones, one that is huge but mapped by pages, one that is hardly there, and one
 * that is not. */
static void
test_collapse(void **state)
{
    Stage *stage = *state;
    ActChild *child = stage->child;

    for (guint i = 0; i < 3; i++)
        assert_true(act_child_tell(child, CHILD_WRITE, i));
    assert_true(act_child_tell(child, CHILD_WRITE_5, 3));
    allow_huge(stage);
    assert_true(act_child_tell(child, CHILD_WRITE, 4));
    assert_true(act_child_tell(child, CHILD_BY_PAGES, 5));
    assert_int_equal(pmd_mapped_of(stage->child->pid), BLOCK);

    act(stage, collapser, FOLIO_ACT_COLLAPSE, 9, 0, N_BLOCKS);
    assert_outcomes(stage, 5, 1, 0, 2);
    assert_string_equal(stage->told.report.way, "madvise-collapse");
    assert_int_equal(pmd_mapped_of(stage->child->pid), 6 * BLOCK);
    for (guint i = 0; i < 6; i++) {
        if (i != 3)
            assert_true(act_child_tell(child, CHILD_SUM, i));
    }

    act(stage, collapser, FOLIO_ACT_COLLAPSE, 9, 0, N_BLOCKS);
    assert_outcomes(stage, 0, 6, 0, 2);
}

/* In a process that may not have huge pages the kernel refuses. */
static void
test_collapse_refused(void **state)
{
    Stage *stage = *state;

    assert_true(act_child_tell(stage->child, CHILD_WRITE, 0));
    assert_true(act_child_tell(stage->child, CHILD_WRITE, 1));
    assert_true(act_child_tell(stage->child, CHILD_FORGET, 1)); /* it is in the file still */
    assert_true(act_child_tell(stage->child, CHILD_DISABLE, 0));
    allow_huge(stage);
    act(stage, collapser, FOLIO_ACT_COLLAPSE, 9, 0, N_BLOCKS);
    assert_outcomes(stage, 0, 0, 2, N_BLOCKS - 2);
    assert_int_equal(stage->told.report.left[FOLIO_LEFT_REFUSED], 2);
    assert_int_equal(pmd_mapped_of(stage->child->pid), 0);
}

static void
punch(const ActChild *child, off_t start, off_t bytes)
{
    assert_int_equal(
        fallocate(child->file_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, start, bytes), 0);
}

/* Where the first range of the chunk is in the file. */
static off_t
offset_of(const FakeWay *self, const FolioChunk *chunk)
{
    return (off_t) (chunk->ranges[0].start - (gsize) self->child->ram);
}

/* Every second page goes: what is left is single pages, at their frames, and unmapped. */
static gboolean
punch_every_second(FakeWay *self, guint number, FolioChunk *chunk, GCancellable *cancellable,
                   GError **error)
{
    for (off_t at = 0; at < (off_t) chunk->ranges[0].bytes; at += 2 * (off_t) PAGE)
        punch(self->child, offset_of(self, chunk) + at, (off_t) PAGE);
    return TRUE;
}

/* One page goes: the rest is of order 8 and less (of order 0 before Linux 6.15). */
static gboolean
punch_first(FakeWay *self, guint number, FolioChunk *chunk, GCancellable *cancellable,
            GError **error)
{
    punch(self->child, offset_of(self, chunk), (off_t) PAGE);
    return TRUE;
}

static gboolean
punch_all(FakeWay *self, guint number, FolioChunk *chunk, GCancellable *cancellable, GError **error)
{
    punch(self->child, offset_of(self, chunk), (off_t) chunk->ranges[0].bytes);
    return TRUE;
}

static void
test_split(void **state)
{
    Stage *stage = *state;
    ActChild *child = stage->child;

    assert_true(act_child_tell(child, CHILD_WRITE, 6)); /* small */
    allow_huge(stage);
    for (guint i = 0; i < 6; i++)
        assert_true(act_child_tell(child, i == 5 ? CHILD_BY_PAGES : CHILD_WRITE, i));

    act(stage, stage->actuator, FOLIO_ACT_SPLIT, 0, 0, N_BLOCKS);
    assert_outcomes(stage, 0, 1, 6, 1);
    stage->way.act = punch_every_second;
    act(stage, stage->actuator, FOLIO_ACT_SPLIT, 0, 2, 4);
    assert_outcomes(stage, 4, 0, 0, 0);
    stage->way.act = punch_first;
    act(stage, stage->actuator, FOLIO_ACT_SPLIT, 8, 0, 1);
    assert_outcomes(stage, 1, 0, 0, 0);
    assert_int_equal(pmd_mapped_of(stage->child->pid), BLOCK);

    /* Used again, it is as small as it was made. */
    stage->way.act = NULL;
    assert_true(act_child_tell(child, CHILD_WRITE_5, 2));
    act(stage, stage->actuator, FOLIO_ACT_SPLIT, 0, 2, 1);
    assert_outcomes(stage, 0, 1, 0, 0);
}

static void
test_given_back_meanwhile(void **state)
{
    Stage *stage = *state;

    allow_huge(stage);
    assert_true(act_child_tell(stage->child, CHILD_WRITE, 0));
    stage->way.act = punch_all;
    act(stage, stage->actuator, FOLIO_ACT_SPLIT, 0, 0, 1);
    assert_int_equal(stage->told.outcome, FOLIO_ACT_DONE);
    assert_int_equal(stage->told.report.outcomes[FOLIO_OUTCOME_GONE], 1);
}

/* Out of the page tables, but in the file, it may have been split or not; a collapse maps it. */
static void
test_forgotten(void **state)
{
    Stage *stage = *state;

    allow_huge(stage);
    assert_true(act_child_tell(stage->child, CHILD_WRITE, 0));
    assert_true(act_child_tell(stage->child, CHILD_FORGET, 0));
    act(stage, stage->actuator, FOLIO_ACT_SPLIT, 0, 0, 1);
    assert_int_equal(stage->told.report.outcomes[FOLIO_OUTCOME_GONE], 1);
    act(stage, collapser, FOLIO_ACT_COLLAPSE, 9, 0, 1);
    assert_outcomes(stage, 1, 0, 0, 0);
    assert_int_equal(pmd_mapped_of(stage->child->pid), BLOCK);
}

/* What the ledger has as split, unmapped since, is made whole; what of it was given back since is
 * not there. */
static void
test_restore(void **state)
{
    Stage *stage = *state;
    const FolioBlockRange split = { (gsize) stage->child->ram, 3 * BLOCK };
    FolioActRequest *request;

    allow_huge(stage);
    for (guint i = 0; i < 4; i++)
        assert_true(act_child_tell(stage->child, CHILD_WRITE, i));
    stage->way.act = punch_every_second;
    act(stage, stage->actuator, FOLIO_ACT_SPLIT, 0, 0, 3);
    assert_outcomes(stage, 3, 0, 0, 0);
    assert_int_equal(pmd_mapped_of(stage->child->pid), BLOCK);
    punch(stage->child, 2 * (off_t) BLOCK, (off_t) BLOCK);

    g_array_append_val(fake_ledger.split, split);
    request = act_child_request(stage->child, FOLIO_ACT_RESTORE, 9, 0, N_BLOCKS);
    request->ram = g_new0(FolioGuestRam, 1);
    request->ram->blocks = g_ptr_array_new();
    g_string_truncate(fake_ledger.steps, 0);
    stage->told = (Told){ 0 };
    run_request(collapser, request, &stage->told);
    assert_outcomes(stage, 2, 0, 0, 1);
    assert_int_equal(pmd_mapped_of(stage->child->pid), 3 * BLOCK);
    assert_string_equal(fake_ledger.steps->str, "begin 3; before; after; ended 3; give back; ");
}

static int
no_ioctl(int fd, unsigned long request, void *argument)
{
    errno = ENOTTY;
    return -1;
}

/* Without PAGEMAP_SCAN the same comes out, but for what is huge and mapped by pages. */
static void
test_old_kernel(void **state)
{
    static const FolioFileCalls old_kernel = { .ioctl = no_ioctl };
    Stage *stage = *state;

    assert_true(act_child_tell(stage->child, CHILD_WRITE, 0));
    allow_huge(stage);
    assert_true(act_child_tell(stage->child, CHILD_WRITE, 1));
    assert_true(act_child_tell(stage->child, CHILD_BY_PAGES, 2));
    folio_file_set_calls(&old_kernel);
    act(stage, collapser, FOLIO_ACT_COLLAPSE, 9, 0, N_BLOCKS);
    folio_file_set_calls(NULL);
    assert_outcomes(stage, 1, 2, 0, N_BLOCKS - 3);
}

#define REAL_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        REAL_TEST(test_collapse),   REAL_TEST(test_collapse_refused),
        REAL_TEST(test_split),      REAL_TEST(test_given_back_meanwhile),
        REAL_TEST(test_forgotten),  REAL_TEST(test_restore),
        REAL_TEST(test_old_kernel),
    };

    enter_mount_namespace();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
