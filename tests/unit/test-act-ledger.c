/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Real memory is split and made whole again, over a restart of foliod, with what the ledger keeps
 * and nothing else in between. */
#include "act-child.h"

#include "act/madvise-collapse.h"

#include <linux/falloc.h>

#define N_BLOCKS 6u

typedef struct {
    char *dir, *run; /* the child's RAM; foliod's run directory */
    ActChild *child;
    FolioWay splitter;
    /* Until foliod ends */
    FolioActContext context;
    FolioActuator *splits, *collapses;
    FolioLedgerGuest *guest;
    FolioActReport report;
    gboolean ended;
} Stage;

static ActChild *punched; /* whose file the way below punches */

static gboolean
can_split(FolioWay *way, FolioActKind kind, guint order, char **reason)
{
    return TRUE;
}

/* Every second page goes, so that what is left is single pages. The last block is refused. */
static gboolean
punch(FolioWay *way, FolioChunk *chunk, GCancellable *cancellable, GError **error)
{
    const off_t start = (off_t) (chunk->ranges[0].start - (gsize) punched->ram);
    const off_t end = start + (off_t) (chunk->ranges[0].bytes - FOLIO_BLOCK_BYTES);

    chunk->said[chunk->n_blocks - 1] = FOLIO_LEFT_REFUSED;
    for (off_t at = start; at < end; at += 2 * (off_t) PAGE)
        assert_int_equal(fallocate(punched->file_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
                                   (off_t) PAGE),
                         0);
    return TRUE;
}

static void
way_free(FolioWay *way)
{
}

static const FolioWayClass punching = {
    .name = "punch", .probe = can_split, .apply = punch, .free = way_free
};

static void
start_foliod(Stage *stage)
{
    stage->context =
        (FolioActContext){ .proc_root = "/proc", .ledger = folio_ledger_open(stage->run) };
    stage->splitter.klass = &punching;
    stage->splits = folio_way_actuator_new(&stage->splitter, &stage->context);
    stage->collapses = folio_way_actuator_new(folio_madvise_collapse_way_new(), &stage->context);
    stage->guest = folio_ledger_get_guest(stage->context.ledger, FAKE_UUID, stage->child->process);
}

static void
end_foliod(Stage *stage)
{
    folio_ledger_guest_unref(stage->guest);
    stage->splits->klass->free(stage->splits);
    stage->collapses->klass->free(stage->collapses);
    folio_ledger_free(stage->context.ledger);
}

static int
set_up(void **state)
{
    Stage *stage = g_new0(Stage, 1);

    stage->dir = mount_tmpfs("huge=always");
    stage->run = mount_tmpfs("mode=700");
    stage->child = punched = act_child_new(stage->dir, N_BLOCKS);
    for (guint i = 0; i < N_BLOCKS; i++)
        assert_true(act_child_tell(stage->child, CHILD_WRITE, i));
    start_foliod(stage);
    *state = stage;
    return 0;
}

static int
tear_down(void **state)
{
    Stage *stage = *state;

    end_foliod(stage);
    act_child_free(stage->child);
    unmount_tmpfs(stage->dir);
    unmount_tmpfs(stage->run);
    g_free(stage);
    return 0;
}

static void
on_progress(guint64 done, guint64 total, gpointer user_data)
{
    assert_true(done <= total);
}

static void
on_ended(FolioActOutcome outcome, const FolioActReport *report, const char *error,
         gpointer user_data)
{
    Stage *stage = user_data;

    if (outcome != FOLIO_ACT_DONE)
        fail_msg("it failed: %s", error);
    stage->report = *report;
    stage->ended = TRUE;
}

static void
run(Stage *stage, FolioActuator *actuator, FolioActKind kind, guint order, guint first, guint n)
{
    static const FolioActEvents events = { .progress = on_progress, .ended = on_ended };
    g_autoptr(FolioActRequest) request = act_child_request(stage->child, kind, order, first, n);
    g_autoptr(GError) error = NULL;

    request->ram = act_child_ram(stage->child);
    stage->ended = FALSE;
    assert_non_null(actuator->klass->start(actuator, request, &events, stage, &error));
    while (!stage->ended)
        g_main_context_iteration(NULL, TRUE);
}

static guint64
split_now(const Stage *stage)
{
    return folio_ledger_count(stage->guest).split_now;
}

static void
test_split_and_restore(void **state)
{
    Stage *stage = *state;
    FolioLedgerCounters counters;

    run(stage, stage->splits, FOLIO_ACT_SPLIT, 0, 1, 4);
    assert_int_equal(stage->report.outcomes[FOLIO_OUTCOME_DONE], 3);
    assert_int_equal(stage->report.outcomes[FOLIO_OUTCOME_LEFT], 1);
    counters = folio_ledger_count(stage->guest);
    assert_int_equal(counters.split, 3);
    assert_int_equal(counters.left, 1);
    assert_int_equal(counters.split_now, 3);

    end_foliod(stage);
    start_foliod(stage);
    assert_int_equal(split_now(stage), 3);

    /* One of them by hand, then what is left. */
    run(stage, stage->collapses, FOLIO_ACT_COLLAPSE, 9, 2, 1);
    assert_int_equal(split_now(stage), 2);
    run(stage, stage->collapses, FOLIO_ACT_RESTORE, 9, 0, N_BLOCKS);
    assert_int_equal(stage->report.outcomes[FOLIO_OUTCOME_DONE], 2);
    assert_string_equal(stage->report.way, "madvise-collapse");
    counters = folio_ledger_count(stage->guest);
    assert_int_equal(counters.split, 3);
    assert_int_equal(counters.collapsed, 3);
    assert_int_equal(counters.split_now, 0);
    assert_false(folio_ledger_has_split(stage->context.ledger));

    run(stage, stage->collapses, FOLIO_ACT_RESTORE, 9, 0, N_BLOCKS);
    assert_null(stage->report.way); /* nothing was to be done */
}

/* Memory that the guest gave back while it was split is no longer anybody's to restore. */
static void
test_given_back(void **state)
{
    Stage *stage = *state;

    run(stage, stage->splits, FOLIO_ACT_SPLIT, 0, 0, 3);
    assert_int_equal(split_now(stage), 2);
    assert_int_equal(fallocate(stage->child->file_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                               (off_t) BLOCK),
                     0);
    run(stage, stage->collapses, FOLIO_ACT_RESTORE, 9, 0, N_BLOCKS);
    assert_int_equal(stage->report.outcomes[FOLIO_OUTCOME_DONE], 1);
    assert_int_equal(stage->report.outcomes[FOLIO_OUTCOME_ABSENT], 1);
    assert_int_equal(split_now(stage), 0);
}

/* The kernel refuses while the process may not have huge pages: it stays split, and is found again
 * when it may. */
static void
test_refused(void **state)
{
    Stage *stage = *state;

    run(stage, stage->splits, FOLIO_ACT_SPLIT, 0, 0, 3);
    assert_true(act_child_tell(stage->child, CHILD_DISABLE, 0));
    run(stage, stage->collapses, FOLIO_ACT_RESTORE, 9, 0, N_BLOCKS);
    assert_int_equal(stage->report.outcomes[FOLIO_OUTCOME_LEFT], 2);
    assert_int_equal(stage->report.left[FOLIO_LEFT_REFUSED], 2);
    assert_int_equal(split_now(stage), 2);
    assert_true(act_child_tell(stage->child, CHILD_ENABLE, 0));
    run(stage, stage->collapses, FOLIO_ACT_RESTORE, 9, 0, N_BLOCKS);
    assert_int_equal(stage->report.outcomes[FOLIO_OUTCOME_DONE], 2);
    assert_int_equal(split_now(stage), 0);
}

#define LEDGER_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        LEDGER_TEST(test_split_and_restore),
        LEDGER_TEST(test_given_back),
        LEDGER_TEST(test_refused),
    };

    enter_mount_namespace();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
