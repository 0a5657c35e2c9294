/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way "damon": what it has a kernel do, on kernels of all kinds. */
#include "damon-stage.h"

#include "act/damon-trace.h"

static void
assert_ranges(const FakeDamonRun *run, const FolioChunk *chunk)
{
    assert_int_equal(run->ranges->len, chunk->n_ranges);
    for (guint i = 0; i < chunk->n_ranges; i++) {
        const FolioBlockRange *range = &g_array_index(run->ranges, FolioBlockRange, i);

        assert_int_equal(range->start, chunk->ranges[i].start);
        assert_int_equal(range->bytes, chunk->ranges[i].bytes);
    }
}

static void
assert_does(DamonStage *stage, FolioActKind kind, guint order, guint n_blocks)
{
    const guint n = fake_damon_count_runs(stage->fake);
    g_autoptr(GError) error = NULL;
    const FakeDamonRun *run = NULL;
    FolioChunk *chunk = NULL;
    StageChunk own;

    chunk = stage_chunk(stage, &own, kind, order, n_blocks);
    if (!stage->way->klass->apply(stage->way, chunk, NULL, &error))
        assert_no_error(error);
    assert_int_equal(fake_damon_count_runs(stage->fake), n + 1);
    run = fake_damon_get_run(stage->fake, n);
    assert_int_equal(run->pid, folio_process_get_pid(stage->process));
    assert_string_equal(run->action, folio_act_kind_token(kind));
    assert_ranges(run, chunk);
    assert_int_equal(run->min_regions, MAX(3, n_blocks));
    assert_int_equal(run->max_regions, MAX(3, n_blocks));
    assert_int_equal(fake_damon_count_on(stage->fake), 0);
    assert_int_equal(fake_damon_count_configured(stage->fake), 0);
    assert_string_equal(ledger_original, "0");
    assert_string_equal(ledger_ours, "4");
}

static void
assert_cannot(DamonStage *stage, FolioActKind kind, guint order, const char *why)
{
    g_autofree char *reason = NULL;

    assert_false(stage_probe(stage, kind, order, &reason));
    if (strstr(reason, why) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", reason, why);
    assert_null(ledger_path);
}

static void
assert_can(DamonStage *stage, FolioActKind kind, guint order)
{
    const guint n = fake_damon_count_kdamonds(stage->fake);
    char *reason = NULL;

    if (!stage_probe(stage, kind, order, &reason))
        fail_msg("it cannot: %s", reason);
    assert_int_equal(fake_damon_count_kdamonds(stage->fake), n);
    assert_int_equal(fake_damon_count_configured(stage->fake), 0);
}

static void
test_orders(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);

    for (guint order = 0; order < FOLIO_ORDER_HUGE; order++) {
        assert_can(stage, FOLIO_ACT_SPLIT, order);
        assert_does(stage, FOLIO_ACT_SPLIT, order, 3);
        assert_int_equal(fake_damon_get_run(stage->fake, order)->order, order);
    }
    assert_can(stage, FOLIO_ACT_COLLAPSE, FOLIO_ORDER_HUGE);
    assert_does(stage, FOLIO_ACT_COLLAPSE, FOLIO_ORDER_HUGE, 3);
    assert_int_equal(fake_damon_get_run(stage->fake, FOLIO_ORDER_HUGE)->order, FOLIO_ORDER_HUGE);
    assert_int_equal(fake_damon_get_run(stage->fake, 0)->max_snapshots, 1);
    assert_int_equal(fake_damon_count_kdamonds(stage->fake), 4);
}

static void
test_sizes(void **state)
{
    static const guint sizes[] = { 1, 2, 3, 4, 100, FOLIO_CHUNK_BLOCKS };
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++)
        assert_does(stage, FOLIO_ACT_SPLIT, 0, sizes[i]);
}

static void
test_refused_orders(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);
    g_autoptr(GError) split_error = NULL;
    g_autoptr(GError) collapse_error = NULL;

    assert_cannot(stage, FOLIO_ACT_SPLIT, FOLIO_ORDER_HUGE, "does not split to order 9");
    assert_cannot(stage, FOLIO_ACT_COLLAPSE, 4, "does not collapse to order 4");
    assert_false(stage_apply(stage, FOLIO_ACT_SPLIT, FOLIO_ORDER_HUGE, 3, NULL, &split_error));
    assert_folio_error(split_error, FOLIO_ERROR_UNSUPPORTED);
    assert_false(stage_apply(stage, FOLIO_ACT_COLLAPSE, 8, 3, NULL, &collapse_error));
    assert_folio_error(collapse_error, FOLIO_ERROR_UNSUPPORTED);
    assert_int_equal(fake_damon_count_runs(stage->fake), 0);
}

static void
test_old_kernels(void **state)
{
    static const struct {
        FakeDamonLayout layout;
        const char *why;
    } old[] = {
        { FAKE_DAMON_NONE, "this kernel has no DAMON" },
        { FAKE_DAMON_6_1, "no action split" },
        { FAKE_DAMON_6_12, "no action split" },
        { FAKE_DAMON_COLLAPSE, "no action split" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(old); i++) {
        g_autoptr(DamonStage) stage = stage_new(old[i].layout);
        g_autoptr(GError) error = NULL;

        assert_cannot(stage, FOLIO_ACT_SPLIT, 0, old[i].why);
        assert_int_equal(fake_damon_count_kdamonds(stage->fake), 0);
        assert_false(stage_apply(stage, FOLIO_ACT_SPLIT, 0, 3, NULL, &error));
        assert_folio_error(error, old[i].layout == FAKE_DAMON_NONE ? FOLIO_ERROR_NOT_FOUND
                                                                   : FOLIO_ERROR_UNSUPPORTED);
        assert_int_equal(fake_damon_count_runs(stage->fake), 0);
    }
}

/* Passes go on until it is turned off: it is, after the first. */
static void
test_no_limit(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_NO_LIMIT);

    fake_damon_set_slow(stage->fake, 2);
    assert_can(stage, FOLIO_ACT_SPLIT, 4);
    assert_does(stage, FOLIO_ACT_SPLIT, 4, 5);
    assert_int_equal(fake_damon_get_run(stage->fake, 0)->max_snapshots, 0);
    assert_false(fake_damon_get_run(stage->fake, 0)->has_filter);
}

static void
test_filters(void **state)
{
    static const FakeDamonLayout layouts[] = { FAKE_DAMON_ALLOW, FAKE_DAMON_CORE };

    for (guint i = 0; i < G_N_ELEMENTS(layouts); i++) {
        g_autoptr(DamonStage) stage = stage_new(layouts[i]);
        const FakeDamonRun *run = NULL;

        assert_can(stage, FOLIO_ACT_SPLIT, 0);
        assert_does(stage, FOLIO_ACT_SPLIT, 0, 10);
        run = fake_damon_get_run(stage->fake, 0);
        assert_true(run->has_filter);
        assert_int_equal(run->filter_start, STAGE_START);
        assert_int_equal(run->filter_end, STAGE_START + (9 * 4 + 2) * MIB);
    }
}

static void
test_collapse_only(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_COLLAPSE);

    assert_can(stage, FOLIO_ACT_COLLAPSE, FOLIO_ORDER_HUGE);
    assert_does(stage, FOLIO_ACT_COLLAPSE, FOLIO_ORDER_HUGE, 7);
    assert_true(fake_damon_get_run(stage->fake, 0)->has_filter);
}

/* What is left out of a pass gets others, but not for ever. */
static void
test_left_out(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);
    g_autoptr(GError) error = NULL;

    fake_damon_leave_out(stage->fake, 2);
    assert_true(stage_apply(stage, FOLIO_ACT_SPLIT, 0, 3, NULL, &error));
    assert_int_equal(fake_damon_count_runs(stage->fake), 3);
    fake_damon_leave_out(stage->fake, 100);
    assert_true(stage_apply(stage, FOLIO_ACT_SPLIT, 0, 3, NULL, &error));
    assert_int_equal(fake_damon_count_runs(stage->fake), 6);
}

static void
test_said(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);
    g_autoptr(GError) error = NULL;
    StageChunk own;
    FolioChunk *chunk = stage_chunk(stage, &own, FOLIO_ACT_SPLIT, 0, 6);

    memset(own.said, 0xff, sizeof own.said);
    fake_damon_say(stage->fake, own.ranges[0].start, "pinned");
    fake_damon_say(stage->fake, own.ranges[1].start, "mlocked");
    fake_damon_say(stage->fake, own.ranges[2].start, "no_memory");
    fake_damon_say(stage->fake, own.ranges[3].start, "done");
    fake_damon_say(stage->fake, own.ranges[4].start, "of a later kernel");
    fake_damon_say(stage->fake, own.ranges[5].start + 2 * MIB, "refused");
    assert_true(stage->way->klass->apply(stage->way, chunk, NULL, &error));
    assert_int_equal(own.said[0], FOLIO_LEFT_BUSY);
    assert_int_equal(own.said[1], FOLIO_LEFT_REFUSED);
    assert_int_equal(own.said[2], FOLIO_LEFT_NO_MEMORY);
    for (guint i = 3; i < 6; i++)
        assert_int_equal(own.said[i], FOLIO_LEFT_UNSAID);
    assert_true(fake_damon_has_instance(stage->fake));
}

/* Lines of other kdamonds, of other processes and of no sense count for nothing. */
static void
test_trace_text(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);
    const int pid = folio_process_get_pid(stage->process);
    StageChunk own;
    FolioChunk *chunk = stage_chunk(stage, &own, FOLIO_ACT_SPLIT, 0, 2);
    g_autofree char *text = g_strdup_printf(
        "# tracer: nop\n#\n"
        "  kdamond.0-151 [001] ..... 1.5: damos_result: pid=%d action=split 0x4000000-0x4001000 "
        "order=9 target_order=0 result=locked\n"
        "  kdamond.1-152 [001] ..... 1.5: damos_result: pid=%d action=split 0x4400000-0x4600000 "
        "order=9 target_order=0 result=locked\n"
        "  kdamond.0-151 [001] ..... 1.5: damos_result: pid=%d action=split 0x4400000-0x4600000 "
        "order=9 target_order=0 result=locked\n"
        "  x-151 [001] ..... 1.5: damos_result: pid=%d action=split 0x4400000-0x4600000 "
        "order=9 target_order=0 result=locked\n"
        "  kdamond.0-151 damos_result: pid=%d\n-\nkdamond.\n\n  kdamond.0-151 [0",
        pid, pid, pid + 1, pid, pid);

    memset(own.said, 0, sizeof own.said);
    folio_damon_trace_parse(text, 151, chunk);
    assert_int_equal(own.said[0], FOLIO_LEFT_BUSY);
    assert_int_equal(own.said[1], FOLIO_LEFT_UNSAID);
    folio_damon_trace_parse(text, 152, chunk);
    assert_int_equal(own.said[1], FOLIO_LEFT_BUSY);
}

/* Others */

static void
assert_respected(DamonStage *stage, const char *why)
{
    const guint writes = fake_damon_count_writes(stage->fake);
    g_autoptr(GError) error = NULL;

    assert_cannot(stage, FOLIO_ACT_SPLIT, 0, why);
    assert_false(stage_apply(stage, FOLIO_ACT_SPLIT, 0, 3, NULL, &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    assert_non_null(strstr(error->message, why));
    stage->way->klass->close(stage->way);
    assert_int_equal(fake_damon_count_writes(stage->fake), writes);
    assert_int_equal(fake_damon_count_violations(stage->fake), 0);
}

/* As stage_free, when what others have stays there. */
static void
stage_leave(DamonStage *stage)
{
    assert_int_equal(fake_damon_count_violations(stage->fake), 0);
    assert_null(ledger_path);
    stage->way->klass->free(stage->way);
    stage_kill(stage);
    folio_process_unref(stage->process);
    fake_damon_free(stage->fake);
    fake_host_free(stage->host);
    g_free(stage);
}

static void
test_other_program(void **state)
{
    DamonStage *idle = stage_new(FAKE_DAMON_PATCHED);
    DamonStage *on = NULL;

    fake_damon_add_program(idle->fake, 2, FALSE);
    assert_respected(idle, "2 kdamonds, 0 of them on");
    stage_leave(idle);
    on = stage_new(FAKE_DAMON_PATCHED);
    fake_damon_add_program(on->fake, 4, TRUE);
    assert_respected(on, "4 kdamonds, 1 of them on");
    stage_leave(on);
}

static void
test_modules(void **state)
{
    static const char *const modules[] = { "damon_reclaim", "damon_lru_sort", "damon_stat" };

    for (guint i = 0; i < G_N_ELEMENTS(modules); i++) {
        g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);

        fake_damon_add_module(stage->fake, modules[i], FALSE);
        assert_can(stage, FOLIO_ACT_SPLIT, 0);
        fake_damon_add_module(stage->fake, modules[i], TRUE);
        assert_respected(stage, modules[i]);
    }
}

static void
test_threads(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);

    fake_damon_add_thread(stage->fake, 4242, "kdamond.0", FALSE);
    fake_damon_add_thread(stage->fake, 4243, "kdamond) (.0", FALSE);
    fake_damon_add_thread(stage->fake, 4244, "kworker", TRUE);
    assert_can(stage, FOLIO_ACT_SPLIT, 0);
    fake_damon_add_thread(stage->fake, 4245, "kdamond.7", TRUE);
    assert_respected(stage, "kdamond.7 (PID 4245)");
}

/* Somebody makes all kdamonds anew while none of foliod's is on. */
static void
test_taken_away(void **state)
{
    DamonStage *stage = stage_new(FAKE_DAMON_PATCHED);
    g_autoptr(GError) error = NULL;

    assert_does(stage, FOLIO_ACT_SPLIT, 0, 3);
    fake_damon_add_program(stage->fake, 1, TRUE);
    assert_false(stage_apply(stage, FOLIO_ACT_SPLIT, 0, 3, NULL, &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    assert_respected(stage, "1 kdamonds, 1 of them on");
    assert_int_equal(fake_damon_count_kdamonds(stage->fake), 1);
    stage_leave(stage);
}

/* Or uses those that are there. */
static void
test_shared(void **state)
{
    DamonStage *stage = stage_new(FAKE_DAMON_PATCHED);
    g_autofree char *reason = NULL;
    g_autoptr(GError) error = NULL;
    guint writes;

    assert_does(stage, FOLIO_ACT_SPLIT, 0, 3);
    fake_damon_add_program(stage->fake, 4, TRUE);
    writes = fake_damon_count_writes(stage->fake);
    assert_false(stage_probe(stage, FOLIO_ACT_SPLIT, 0, &reason));
    assert_non_null(strstr(reason, "another program has set up this kdamond"));
    assert_false(stage_apply(stage, FOLIO_ACT_SPLIT, 0, 3, NULL, &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    stage->way->klass->close(stage->way);
    assert_int_equal(fake_damon_count_writes(stage->fake), writes);
    assert_int_equal(fake_damon_count_on(stage->fake), 1);
    stage_leave(stage);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_orders),         cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_refused_orders), cmocka_unit_test(test_old_kernels),
        cmocka_unit_test(test_no_limit),       cmocka_unit_test(test_filters),
        cmocka_unit_test(test_collapse_only),  cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_said),           cmocka_unit_test(test_trace_text),
        cmocka_unit_test(test_other_program),  cmocka_unit_test(test_modules),
        cmocka_unit_test(test_threads),        cmocka_unit_test(test_taken_away),
        cmocka_unit_test(test_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
