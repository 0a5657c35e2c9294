/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of a plan's file, and what is refused. */
#include "cmocka-all.h"
#include "plan-file.h"

#include "act/ledger-lines.h"
#include "base/error.h"

#define UUID "0f5e3a1c-7b2d-4c6e-9a8f-00112233aabb"
#define BOOT "11111111-2222-4333-8444-555555555555"
#define RUN  "foliod-plan 1 guest " UUID "\nboot " BOOT "\nprocess 4711 99\n"
#define HEAD RUN "blocks 600 abc\n"

#define DECISION \
    "decision left split sparse sparse 17 0 3 4 5 6500 9250 970 1500 2250 2 12 1700000000000000\n"

static FolioPlanRecord *
parse(const char *body, GError **error)
{
    GString *text = g_string_new(body);
    FolioPlanRecord *record;

    folio_lines_seal(text);
    record = folio_plan_file_parse(text->str, text->len, error);
    g_string_free(text, TRUE);
    return record;
}

static void
add_mark(FolioPlanRecord *record, guint block, guint since, FolioPlanAction action, guint doublings)
{
    const FolioPlanMark mark = { block, since, action, doublings };

    g_array_append_val(record->marks, mark);
}

static FolioPlanRecord *
record_of_everything(void)
{
    FolioPlanRecord *record = folio_plan_record_new();
    const FolioPlanDecision decision = { .step = { .block = 17,
                                                   .action = FOLIO_PLAN_SPLIT,
                                                   .cause = FOLIO_PLAN_CAUSE_SPARSE,
                                                   .verdict = FOLIO_VERDICT_SPARSE,
                                                   .held = 3,
                                                   .seen = 4,
                                                   .footprint = 5,
                                                   .in_use = 6.5f,
                                                   .reach = 9.25f,
                                                   .confidence = 0.97,
                                                   .cost_before = 1.5f,
                                                   .cost_now = 2.25f,
                                                   .doublings = 2 },
                                         .window = 12,
                                         .usec = G_GINT64_CONSTANT(1700000000000000),
                                         .result = FOLIO_PLAN_LEFT };

    record->owner = (FolioPlanOwner){
        g_strdup(UUID), g_strdup(BOOT), 4711, 99, 600, g_strdup("abc"),
    };
    add_mark(record, 0, 5, FOLIO_PLAN_SPLIT, 0);
    add_mark(record, 1, 5, FOLIO_PLAN_SPLIT, 0);
    add_mark(record, 2, 5, FOLIO_PLAN_COLLAPSE, 6);
    add_mark(record, 3, 5, FOLIO_PLAN_SPLIT, 0);
    add_mark(record, 4, FOLIO_PLAN_SINCE_MAX, FOLIO_PLAN_NOTHING, 1);
    add_mark(record, 599, 5, FOLIO_PLAN_SPLIT, 0);
    g_array_append_val(record->decisions, decision);
    return record;
}

#define EVERYTHING                     \
    HEAD "acted nothing 681 1 4\n"     \
         "acted split 5 0 0+2 3 599\n" \
         "acted collapse 5 6 2\n" DECISION

static void
test_text(void **state)
{
    g_autoptr(FolioPlanRecord) record = record_of_everything();
    GString *text = folio_plan_file_print(record);
    GString *expected = g_string_new(EVERYTHING);

    folio_lines_seal(expected);
    assert_string_equal(text->str, expected->str);
    g_string_free(text, TRUE);
    g_string_free(expected, TRUE);
}

static void
test_round_trip(void **state)
{
    g_autoptr(FolioPlanRecord) record = record_of_everything();
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioPlanRecord) parsed = parse(EVERYTHING, &error);
    const FolioPlanDecision *before = &g_array_index(record->decisions, FolioPlanDecision, 0);
    const FolioPlanDecision *after;

    assert_no_error(error);
    assert_true(folio_plan_owner_equals(&record->owner, &parsed->owner));
    assert_int_equal(parsed->marks->len, record->marks->len);
    assert_memory_equal(parsed->marks->data, record->marks->data,
                        record->marks->len * sizeof(FolioPlanMark));
    assert_int_equal(parsed->decisions->len, 1);
    after = &g_array_index(parsed->decisions, FolioPlanDecision, 0);
    assert_int_equal(after->step.block, before->step.block);
    assert_int_equal(after->step.seen, before->step.seen);
    assert_memory_equal(&after->step.in_use, &before->step.in_use, sizeof(float));
    assert_memory_equal(&after->step.confidence, &before->step.confidence, sizeof(double));
    assert_int_equal(after->result, before->result);
    assert_int_equal(after->usec, before->usec);
}

/* A file that is cut off, or of which one bit is another. */
static void
test_damaged(void **state)
{
    g_autoptr(FolioPlanRecord) record = record_of_everything();
    GString *text = folio_plan_file_print(record);

    for (gsize i = 0; i < text->len; i++) {
        for (guint bit = 0; bit < 8; bit++) {
            g_autoptr(GError) error = NULL;

            text->str[i] ^= (char) (1u << bit);
            assert_null(folio_plan_file_parse(text->str, text->len, &error));
            assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_INVALID));
            text->str[i] ^= (char) (1u << bit);
        }
        assert_null(folio_plan_file_parse(text->str, i, NULL));
    }
    g_string_free(text, TRUE);
}

/* Sealed, and yet none. */
static void
test_refused(void **state)
{
    static const char *const bodies[] = {
        "",
        "foliod-plan 2 guest " UUID "\nboot " BOOT "\nprocess 4711 99\nblocks 600 abc\n",
        "foliod-plan 1 guest ../etc\nboot " BOOT "\nprocess 4711 99\nblocks 600 abc\n",
        "foliod-plan 1 guest " UUID "\nboot x\nprocess 4711 99\nblocks 600 abc\n",
        "foliod-plan 1 guest " UUID "\nboot " BOOT "\nprocess x 99\nblocks 600 abc\n",
        RUN,
        RUN "blocks 600\n",
        RUN "blocks 600 abc def\n",
        RUN "blocks 8388609 abc\n",
        RUN "blocks 0 abc\nacted split 5 0 0\n",
        RUN "blocks 0 abc\n" DECISION,
        HEAD "acted split 5 0\n",
        HEAD "acted restore 5 0 1\n",
        HEAD "acted split 682 0 1\n",
        HEAD "acted split 5 7 1\n",
        HEAD "acted split 5 0 600\n",
        HEAD "acted split 5 0 599+2\n",
        HEAD "acted split 5 0 1+0\n",
        HEAD "acted split 5 0 -1\n",
        HEAD "acted split 5 0 1 1\n",
        HEAD "acted split 5 0 0+600\nacted split 6 0 3\n",
        HEAD "acted split 5 0 3\nacted collapse 5 0 3\n",
        HEAD DECISION "acted split 5 0 1\n",
        HEAD "decision left split sparse sparse 600 0 3 4 5 6500 9250 970 1500 2250 2 12 1\n",
        HEAD "decision left split sparse sparse 17 0 3 4 5 6500 9250 970 1500 2250 2 12\n",
        HEAD "decision left split sparse sparse 17 0 3 4 5 6500 9250 970 1500 2250 2 12 1 1\n",
        HEAD "decision left split sparse 17 0 3 4 5 6500 9250 970 1500 2250 2 12 1\n",
        HEAD "other\n",
        EVERYTHING "\n",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(bodies); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(FolioPlanRecord) record = parse(bodies[i], &error);

        if (record != NULL)
            fail_msg("taken: %s", bodies[i]);
        assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_INVALID));
    }
}

static void
test_too_many_decisions(void **state)
{
    g_autoptr(GString) text = g_string_new(HEAD);

    for (guint i = 0; i < FOLIO_PLAN_DECISIONS; i++)
        g_string_append(text, DECISION);
    folio_plan_record_free(parse(text->str, NULL));
    g_string_append(text, DECISION);
    assert_null(parse(text->str, NULL));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_too_many_decisions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
