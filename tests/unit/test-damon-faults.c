/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way "damon" when something goes wrong: each write, the process, foliod itself. */
#include "damon-stage.h"

#include "act/damon-sysfs.h"

#include <pthread.h>

/* One block of a kernel with all files, so that each of them is written. */
static gboolean
apply_one(DamonStage *stage, GError **error)
{
    return stage_apply(stage, FOLIO_ACT_SPLIT, 4, 2, NULL, error);
}

static guint
count_writes_of_a_run(void)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_CORE);
    g_autoptr(GError) error = NULL;

    assert_true(apply_one(stage, &error));
    stage->way->klass->close(stage->way);
    return fake_damon_count_writes(stage->fake);
}

/* Then all is as before, and the next run works: nothing hangs on. */
static void
assert_survives(guint nth, int failure)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_CORE);
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) later_error = NULL;
    guint n_fds;

    n_fds = count_fds();
    fake_damon_fail(stage->fake, nth, failure);
    if (!apply_one(stage, &error) && (error->domain != FOLIO_ERROR || *error->message == '\0'))
        fail_msg("write %u, failure %d: no error of foliod", nth, failure);
    assert_int_equal(fake_damon_count_on(stage->fake), 0);
    assert_int_equal(fake_damon_count_configured(stage->fake), 0);
    stage->way->klass->close(stage->way);
    assert_int_equal(fake_damon_count_kdamonds(stage->fake), 0);
    assert_int_equal(count_fds(), n_fds);

    fake_damon_fail(stage->fake, 0, 0);
    if (!apply_one(stage, &later_error))
        fail_msg("write %u, failure %d, afterwards: %s", nth, failure, later_error->message);
}

static void
test_each_write(void **state)
{
    static const int failures[] = { EBUSY,  EINVAL,           ENOSPC,         EIO,
                                    ENOENT, FAKE_DAMON_SHORT, FAKE_DAMON_GONE };
    const guint n = count_writes_of_a_run();

    assert_true(n > 30);
    for (guint i = 0; i < G_N_ELEMENTS(failures); i++) {
        for (guint nth = 0; nth < n; nth++)
            assert_survives(nth, failures[i]);
    }
}

/* The same while the first probe looks what the kernel has. */
static void
test_each_write_of_probe(void **state)
{
    for (guint nth = 0; nth < 12; nth++) {
        g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_CORE);
        g_autofree char *reason = NULL;
        g_autofree char *later = NULL;

        fake_damon_fail(stage->fake, nth, EIO);
        if (!stage_probe(stage, FOLIO_ACT_SPLIT, 0, &reason))
            assert_non_null(strstr(reason, "Input/output error"));
        assert_int_equal(fake_damon_count_configured(stage->fake), 0);
        assert_true(stage_probe(stage, FOLIO_ACT_SPLIT, 0, &later));
    }
}

/* An error says which file and which value. */
static void
test_message(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) second = NULL;
    char *reason = NULL;

    assert_true(stage_probe(stage, FOLIO_ACT_SPLIT, 0, &reason));
    /* After nr_kdamonds, two of the trace, and nr_contexts. */
    fake_damon_fail(stage->fake, 4, EINVAL);
    assert_false(apply_one(stage, &error));
    assert_folio_error(error, FOLIO_ERROR_INVALID);
    assert_non_null(strstr(error->message, "writing \"fvaddr\" to "));
    assert_non_null(strstr(error->message, "/kdamonds/0/contexts/0/operations: Invalid"));
    ledger_is_full = TRUE;
    stage->way->klass->close(stage->way);
    assert_false(apply_one(stage, &second));
    ledger_is_full = FALSE;
    assert_folio_error(second, FOLIO_ERROR_BUSY);
    assert_int_equal(fake_damon_count_kdamonds(stage->fake), 0);
}

static void
test_busy(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);
    g_autofree char *dir = folio_damon_dir(fake_damon_sys_root(stage->fake));
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) busy = NULL;

    fake_damon_set_busy(stage->fake, 5);
    if (!apply_one(stage, &error))
        assert_no_error(error);
    stage->way->klass->close(stage->way);
    fake_damon_set_busy(stage->fake, 3);
    assert_false(folio_damon_write_pool(dir, 1, 3, NULL, &busy));
    assert_folio_error(busy, FOLIO_ERROR_BUSY);
    assert_int_equal(fake_damon_count_kdamonds(stage->fake), 0);
}

/* The process */

static void
kill_process(gpointer data)
{
    stage_kill(data);
}

static void
assert_ended(DamonStage *stage)
{
    g_autoptr(GError) error = NULL;

    assert_false(apply_one(stage, &error));
    assert_folio_error(error, FOLIO_ERROR_NOT_FOUND);
    assert_non_null(strstr(error->message, "has ended"));
    assert_int_equal(fake_damon_count_on(stage->fake), 0);
    assert_int_equal(fake_damon_count_configured(stage->fake), 0);
}

static void
test_process_ended(void **state)
{
    g_autoptr(DamonStage) before = stage_new(FAKE_DAMON_PATCHED);

    stage_kill(before);
    assert_ended(before);
    assert_int_equal(fake_damon_count_writes(before->fake), 0);
}

/* The kdamond may have taken the process that has the PID now: not a pass is waited for. */
static void
test_process_ends_at_on(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);

    fake_damon_set_slow(stage->fake, G_MAXUINT);
    fake_damon_on_command(stage->fake, "on", kill_process, stage);
    assert_ended(stage);
    assert_int_equal(fake_damon_count_runs(stage->fake), 1);
}

/* The pass comes to its end, but what it did cannot be told. */
static void
test_process_ends_with_pass(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);

    fake_damon_on_command(stage->fake, "update_schemes_stats", kill_process, stage);
    assert_ended(stage);
    assert_int_equal(fake_damon_count_runs(stage->fake), 1);
}

static void *
kill_soon(void *data)
{
    DamonStage *stage = data;

    g_usleep(100000);
    stage_kill(stage);
    fake_damon_set_ending(stage->fake, TRUE);
    return NULL;
}

static void
test_process_ends_in_pass(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);
    g_autoptr(GError) alone = NULL;
    pthread_t thread;

    /* A kdamond that ends though the process has not is an error, but another. */
    fake_damon_set_ending(stage->fake, TRUE);
    assert_false(apply_one(stage, &alone));
    assert_folio_error(alone, FOLIO_ERROR_FAILED);
    assert_non_null(strstr(alone->message, "the kdamond has ended"));
    fake_damon_set_ending(stage->fake, FALSE);
    fake_damon_set_slow(stage->fake, G_MAXUINT);
    assert_int_equal(pthread_create(&thread, NULL, kill_soon, stage), 0);
    assert_ended(stage);
    pthread_join(thread, NULL);
}

/* Cancelling */

static void *
cancel_soon(void *data)
{
    g_usleep(100000);
    g_cancellable_cancel(data);
    return NULL;
}

static void
test_cancel(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    g_autoptr(GCancellable) second = g_cancellable_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) busy = NULL;
    g_autoptr(GError) later = NULL;
    const gint64 begin = g_get_monotonic_time();
    pthread_t thread;

    fake_damon_set_slow(stage->fake, G_MAXUINT);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, cancellable), 0);
    assert_false(stage_apply(stage, FOLIO_ACT_SPLIT, 0, 3, cancellable, &error));
    pthread_join(thread, NULL);
    assert_true(g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED));
    assert_int_equal(fake_damon_count_on(stage->fake), 0);
    assert_int_equal(fake_damon_count_configured(stage->fake), 0);

    fake_damon_set_busy(stage->fake, 20);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, second), 0);
    assert_false(stage_apply(stage, FOLIO_ACT_SPLIT, 0, 3, second, &busy));
    pthread_join(thread, NULL);
    assert_true(g_error_matches(busy, G_IO_ERROR, G_IO_ERROR_CANCELLED));
    assert_int_equal(fake_damon_count_configured(stage->fake), 0);
    fake_damon_set_busy(stage->fake, 0);
    fake_damon_set_slow(stage->fake, 0);
    assert_true(apply_one(stage, &later));
    assert_true(g_get_monotonic_time() - begin < 30 * G_TIME_SPAN_SECOND);
}

/* foliod is killed, and another one starts */

static void *
apply_for_ever(void *data)
{
    DamonStage *stage = data;

    apply_one(stage, NULL);
    return NULL;
}

static FolioWay *
second_way(const DamonStage *stage)
{
    return folio_damon_way_new(fake_damon_sys_root(stage->fake), fake_damon_proc_root(stage->fake),
                               stage_ledger());
}

/* The first way stands for a foliod that is gone, in the middle of a run: the second one ends that.
 */
static void
test_left_on(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);
    FolioWay *dead = stage->way;
    pthread_t thread;

    fake_damon_set_slow(stage->fake, G_MAXUINT);
    assert_int_equal(pthread_create(&thread, NULL, apply_for_ever, stage), 0);
    while (fake_damon_count_on(stage->fake) == 0)
        g_usleep(1000);
    stage->way = second_way(stage);
    stage->way->klass->close(stage->way);
    assert_int_equal(fake_damon_count_on(stage->fake), 0);
    assert_int_equal(fake_damon_count_kdamonds(stage->fake), 0);
    assert_null(ledger_path);
    pthread_join(thread, NULL);
    dead->klass->free(dead);
}

static void
test_left_idle(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);
    g_autoptr(GError) error = NULL;
    FolioWay *dead = stage->way;
    char *reason = NULL;

    assert_true(apply_one(stage, &error));
    stage->way = second_way(stage);
    assert_true(stage_probe(stage, FOLIO_ACT_SPLIT, 0, &reason));
    assert_true(apply_one(stage, &error));
    assert_int_equal(fake_damon_count_kdamonds(stage->fake), 4);
    assert_non_null(ledger_path);
    dead->klass->free(dead);
}

/* Kdamonds that another program has made since are not what stands in the ledger. */
static void
test_left_to_others(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);
    g_autoptr(GError) error = NULL;
    g_autofree char *reason = NULL;
    FolioWay *dead = stage->way;

    assert_true(apply_one(stage, &error));
    stage->way = second_way(stage);
    fake_damon_add_program(stage->fake, 4, TRUE);
    assert_false(stage_probe(stage, FOLIO_ACT_SPLIT, 0, &reason));
    assert_null(ledger_path);
    stage->way->klass->close(stage->way);
    assert_int_equal(fake_damon_count_on(stage->fake), 1);
    assert_int_equal(fake_damon_count_violations(stage->fake), 0);
    dead->klass->free(dead);
    fake_damon_remove_program(stage->fake);
}

/* Several at a time */

#define N_THREADS 8
#define N_APPLIES 10

static void *
apply_many(void *data)
{
    for (guint i = 0; i < N_APPLIES; i++) {
        if (!stage_apply(data, FOLIO_ACT_SPLIT, 0, 3, NULL, NULL))
            return NULL;
    }
    return data;
}

static void
test_threads(void **state)
{
    g_autoptr(DamonStage) stage = stage_new(FAKE_DAMON_PATCHED);
    pthread_t threads[N_THREADS];
    gboolean used[4] = { FALSE };

    for (guint i = 0; i < N_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, apply_many, stage), 0);
    for (guint i = 0; i < N_THREADS; i++) {
        void *done;

        pthread_join(threads[i], &done);
        assert_non_null(done);
    }
    assert_int_equal(fake_damon_count_runs(stage->fake), N_THREADS * N_APPLIES);
    for (guint i = 0; i < N_THREADS * N_APPLIES; i++)
        used[fake_damon_get_run(stage->fake, i)->slot] = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(used); i++)
        assert_true(used[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_write),
        cmocka_unit_test(test_each_write_of_probe),
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_busy),
        cmocka_unit_test(test_process_ended),
        cmocka_unit_test(test_process_ends_at_on),
        cmocka_unit_test(test_process_ends_in_pass),
        cmocka_unit_test(test_process_ends_with_pass),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_left_on),
        cmocka_unit_test(test_left_idle),
        cmocka_unit_test(test_left_to_others),
        cmocka_unit_test(test_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
