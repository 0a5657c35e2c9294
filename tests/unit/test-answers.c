/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers of polkit are kept for a moment, each for one sender and guest. */
#include "cmocka-all.h"

#include "bus/answers.h"

enum { NOW = 1000 };

static gboolean
knows(FolioAnswers *answers, const char *sender, const char *name, const char *uuid, gint64 now)
{
    gboolean may;

    return folio_answers_find(answers, sender, name, uuid, now, &may);
}

static void
test_kept_for_a_moment(void **state)
{
    g_autoptr(FolioAnswers) answers = folio_answers_new();
    gboolean may = FALSE;

    folio_answers_keep(answers, ":1.1", "web", "u", TRUE, NOW);
    assert_true(folio_answers_find(answers, ":1.1", "web", "u", NOW + 1, &may));
    assert_true(may);
    assert_true(knows(answers, ":1.1", "web", "u", NOW + FOLIO_ANSWER_USEC - 1));
    assert_false(knows(answers, ":1.1", "web", "u", NOW + FOLIO_ANSWER_USEC));

    folio_answers_keep(answers, ":1.1", "web", "u", FALSE, NOW + 1);
    assert_true(folio_answers_find(answers, ":1.1", "web", "u", NOW + 2, &may));
    assert_false(may);
}

static void
test_of_one_sender_and_guest(void **state)
{
    g_autoptr(FolioAnswers) answers = folio_answers_new();

    folio_answers_keep(answers, ":1.1", "web", "u", TRUE, NOW);
    assert_false(knows(answers, ":1.2", "web", "u", NOW));
    assert_false(knows(answers, ":1.1", "web2", "u", NOW));
    assert_false(knows(answers, ":1.1", "web", "v", NOW));
    assert_false(knows(answers, ":1.1", NULL, NULL, NOW));
    folio_answers_keep(answers, ":1.1", NULL, NULL, TRUE, NOW);
    assert_true(knows(answers, ":1.1", NULL, NULL, NOW));
    /* A name may hold anything. */
    folio_answers_keep(answers, ":1.3", "v web", "u", TRUE, NOW);
    assert_true(knows(answers, ":1.3", "v web", "u", NOW));
    assert_false(knows(answers, ":1.3", "web", "v", NOW));
    assert_false(knows(answers, ":1.3", "v", "u", NOW));
}

static void
test_forgotten(void **state)
{
    g_autoptr(FolioAnswers) answers = folio_answers_new();

    folio_answers_keep(answers, ":1.1", "web", "u", TRUE, NOW);
    folio_answers_forget(answers);
    assert_false(knows(answers, ":1.1", "web", "u", NOW));
}

/* When there are too many, those that are over make room, and none else. */
static void
test_bounded(void **state)
{
    g_autoptr(FolioAnswers) answers = folio_answers_new();

    for (guint i = 0; i <= FOLIO_ANSWERS_MAX; i++) {
        g_autofree char *sender = g_strdup_printf(":1.%u", i);

        folio_answers_keep(answers, sender, NULL, NULL, TRUE, NOW);
    }
    assert_true(knows(answers, ":1.0", NULL, NULL, NOW));
    assert_false(knows(answers, ":1.4096", NULL, NULL, NOW));
    folio_answers_keep(answers, ":1.4096", NULL, NULL, TRUE, NOW + FOLIO_ANSWER_USEC);
    assert_true(knows(answers, ":1.4096", NULL, NULL, NOW + FOLIO_ANSWER_USEC));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept_for_a_moment),
        cmocka_unit_test(test_of_one_sender_and_guest),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
