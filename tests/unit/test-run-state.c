/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an administrator has set: kept, written as a whole, and never misread. */
#include "run-state.h"

#include "base/error.h"
#include "cmocka-all.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define UUID  "0f5e3a1c-7b2d-4c6e-9a8f-00112233aabb"
#define OTHER "0f5e3a1c-7b2d-4c6e-9a8f-00112233aabc"

typedef struct {
    char *root;
    char *directory; /* made when it is first needed */
    char *file;
} Fixture;

static int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    *state = fixture;
    /* In memory, as /run is. */
    fixture->root = g_mkdtemp(g_strdup("/dev/shm/foliod-run-state.XXXXXX"));
    fixture->directory = g_build_filename(fixture->root, "run", NULL);
    fixture->file = g_build_filename(fixture->directory, "administrator", NULL);
    return fixture->root != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    g_remove(fixture->file);
    g_rmdir(fixture->directory);
    g_rmdir(fixture->root);
    g_free(fixture->root);
    g_free(fixture->directory);
    g_free(fixture->file);
    g_free(fixture);
    return 0;
}

/* How a change went. */
typedef struct {
    gboolean over;
    GError *error;
} Outcome;

static void
on_done(const GError *error, gpointer user_data)
{
    Outcome *outcome = user_data;

    outcome->over = TRUE;
    outcome->error = error != NULL ? g_error_copy(error) : NULL;
}

static gboolean
wait_for(Outcome *outcome, GError **error)
{
    while (!outcome->over)
        g_main_context_iteration(NULL, TRUE);
    if (outcome->error == NULL)
        return TRUE;
    g_propagate_error(error, outcome->error);
    return FALSE;
}

static gboolean
set_paused(FolioRunState *run_state, gboolean paused, GError **error)
{
    Outcome outcome = { 0 };

    folio_run_state_set_paused(run_state, paused, on_done, &outcome);
    return wait_for(&outcome, error);
}

static gboolean
set_mode(FolioRunState *run_state, const char *uuid, const FolioMode *mode, GError **error)
{
    Outcome outcome = { 0 };

    folio_run_state_set_mode(run_state, uuid, mode, on_done, &outcome);
    return wait_for(&outcome, error);
}

static void
assert_mode(const FolioRunState *run_state, const char *uuid, FolioMode expected)
{
    FolioMode mode = FOLIO_MODE_OFF;

    assert_true(folio_run_state_get_mode(run_state, uuid, &mode));
    assert_int_equal(mode, expected);
}

static void
test_nothing_there(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(FolioRunState) run_state = folio_run_state_load(fixture->directory);
    FolioMode mode;

    assert_false(folio_run_state_get_paused(run_state));
    assert_false(folio_run_state_get_mode(run_state, UUID, &mode));
    assert_false(g_file_test(fixture->directory, G_FILE_TEST_EXISTS));
}

static void
test_is_kept(void **state)
{
    const FolioMode split = FOLIO_MODE_SPLIT;
    const FolioMode off = FOLIO_MODE_OFF;
    Fixture *fixture = *state;
    g_autoptr(FolioRunState) first = folio_run_state_load(fixture->directory);
    g_autoptr(FolioRunState) second = NULL;
    g_autoptr(FolioRunState) third = NULL;
    struct stat info;
    FolioMode mode;

    assert_true(set_paused(first, TRUE, NULL));
    assert_true(set_mode(first, UUID, &split, NULL));
    assert_true(set_mode(first, OTHER, &off, NULL));
    assert_return_code(stat(fixture->file, &info), errno);
    assert_int_equal(info.st_mode & 0777, 0600);

    second = folio_run_state_load(fixture->directory);
    assert_true(folio_run_state_get_paused(second));
    assert_mode(second, UUID, FOLIO_MODE_SPLIT);
    assert_mode(second, OTHER, FOLIO_MODE_OFF);
    assert_true(set_mode(second, UUID, NULL, NULL));
    assert_true(set_paused(second, FALSE, NULL));

    third = folio_run_state_load(fixture->directory);
    assert_false(folio_run_state_get_paused(third));
    assert_false(folio_run_state_get_mode(third, UUID, &mode));
    assert_mode(third, OTHER, FOLIO_MODE_OFF);
}

/* What cannot be understood is a pause, as a whole; the next change mends it. */
static void
test_bad_files(void **state)
{
    static const char *const texts[] = {
        "[Host]\nPaused=perhaps\n",
        "[Host]\nResumed=true\n",
        "[Modes]\nx=split\n",
        "[Modes]\n" UUID "=sideways\n",
        "[Modes]\n" UUID "=split\n" UUID "=off\n",
        "[Other]\nA=1\n",
        "no group\n",
        "[Modes]\n" UUID "=split\n\xff\n",
    };
    Fixture *fixture = *state;

    assert_return_code(g_mkdir(fixture->directory, 0700), errno);
    for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(FolioRunState) run_state = NULL;
        g_autoptr(FolioRunState) mended = NULL;
        FolioMode mode;

        assert_true(g_file_set_contents(fixture->file, texts[i], -1, NULL));
        run_state = folio_run_state_load(fixture->directory);
        if (!folio_run_state_get_paused(run_state))
            fail_msg("no pause: %s", texts[i]);
        assert_false(folio_run_state_get_mode(run_state, UUID, &mode));
        assert_true(set_paused(run_state, FALSE, NULL));
        mended = folio_run_state_load(fixture->directory);
        assert_false(folio_run_state_get_paused(mended));
    }
}

static void
test_file_of_anybody_is_not_believed(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(FolioRunState) run_state = NULL;
    FolioMode mode;

    assert_return_code(g_mkdir(fixture->directory, 0700), errno);
    assert_true(g_file_set_contents(fixture->file, "[Modes]\n" UUID "=split\n", -1, NULL));
    assert_return_code(chmod(fixture->file, 0666), errno);
    run_state = folio_run_state_load(fixture->directory);
    assert_true(folio_run_state_get_paused(run_state));
    assert_false(folio_run_state_get_mode(run_state, UUID, &mode));
}

/* A directory stands where the file should be: nothing can be written, and nothing changes. */
static void
test_what_cannot_be_written_is_not_set(void **state)
{
    const FolioMode split = FOLIO_MODE_SPLIT;
    Fixture *fixture = *state;
    g_autoptr(FolioRunState) run_state = folio_run_state_load(fixture->directory);
    g_autofree char *inside = g_build_filename(fixture->file, "x", NULL);
    g_autoptr(GError) first = NULL;
    g_autoptr(GError) second = NULL;
    FolioMode mode;

    assert_return_code(g_mkdir_with_parents(inside, 0700), errno);
    assert_false(set_paused(run_state, TRUE, &first));
    assert_folio_error(first, FOLIO_ERROR_FAILED);
    assert_non_null(strstr(first->message, fixture->file));
    assert_false(folio_run_state_get_paused(run_state));
    assert_false(set_mode(run_state, UUID, &split, &second));
    assert_false(folio_run_state_get_mode(run_state, UUID, &mode));
    assert_return_code(g_rmdir(inside), errno);
    assert_return_code(g_rmdir(fixture->file), errno);
}

static void
test_modes_are_bounded(void **state)
{
    const FolioMode off = FOLIO_MODE_OFF;
    Fixture *fixture = *state;
    g_autoptr(FolioRunState) run_state = folio_run_state_load(fixture->directory);
    g_autoptr(FolioRunState) again = NULL;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < FOLIO_RUN_STATE_MODES_MAX; i++) {
        g_autofree char *uuid = g_strdup_printf("00000000-0000-4000-8000-%012x", i);

        assert_true(set_mode(run_state, uuid, &off, NULL));
    }
    assert_false(set_mode(run_state, UUID, &off, &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    /* As many can be read again. */
    again = folio_run_state_load(fixture->directory);
    assert_false(folio_run_state_get_paused(again));
    assert_mode(again, "00000000-0000-4000-8000-0000000003ff", FOLIO_MODE_OFF);
}

/* Nothing holds before it is written down, and changes come one after the other. */
static void
test_changes_keep_their_order(void **state)
{
    const FolioMode split = FOLIO_MODE_SPLIT;
    Fixture *fixture = *state;
    FolioRunState *run_state = folio_run_state_load(fixture->directory);
    g_autoptr(FolioRunState) after = NULL;
    Outcome outcomes[4] = { 0 };

    folio_run_state_set_paused(run_state, TRUE, on_done, &outcomes[0]);
    folio_run_state_set_mode(run_state, UUID, &split, on_done, &outcomes[1]);
    folio_run_state_set_paused(run_state, FALSE, on_done, &outcomes[2]);
    folio_run_state_set_mode(run_state, UUID, NULL, on_done, &outcomes[3]);
    assert_false(folio_run_state_get_paused(run_state));
    for (guint i = 0; i < G_N_ELEMENTS(outcomes); i++) {
        FolioMode mode;

        assert_true(wait_for(&outcomes[i], NULL));
        assert_int_equal(folio_run_state_get_paused(run_state), i < 2);
        assert_int_equal(folio_run_state_get_mode(run_state, UUID, &mode), i == 1 || i == 2);
        for (guint later = i + 1; later < G_N_ELEMENTS(outcomes); later++)
            assert_false(outcomes[later].over);
    }
    /* What was asked for is still written when nobody wants to know any more. */
    outcomes[0].over = FALSE;
    folio_run_state_set_paused(run_state, TRUE, on_done, &outcomes[0]);
    folio_run_state_free(run_state);
    assert_true(wait_for(&outcomes[0], NULL));
    after = folio_run_state_load(fixture->directory);
    assert_true(folio_run_state_get_paused(after));
}

#define state_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        state_test(test_nothing_there),
        state_test(test_is_kept),
        state_test(test_bad_files),
        state_test(test_file_of_anybody_is_not_believed),
        state_test(test_what_cannot_be_written_is_not_set),
        state_test(test_modes_are_bounded),
        state_test(test_changes_keep_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
