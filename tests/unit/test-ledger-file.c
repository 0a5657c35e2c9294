/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of the ledger's files, and what is refused. */
#include "ledger-fixture.h"

#include "act/ledger-lines.h"

#define UUID "0f5e3a1c-7b2d-4c6e-9a8f-00112233aabb"
#define BOOT "11111111-2222-4333-8444-555555555555"
#define HEAD                                     \
    "foliod-ledger 1 guest " UUID "\nboot " BOOT \
    "\nprocess 4711 99\nthp 1 1 0\ncounters 1 2 3 4 5\n"

static FolioLedgerRecord *
parse(const char *body, GError **error)
{
    GString *text = g_string_new(body);
    FolioLedgerRecord *record;

    folio_lines_seal(text);
    record = folio_ledger_file_parse_guest(text->str, text->len, error);
    g_string_free(text, TRUE);
    return record;
}

/* Without the last line. */
static char *
print_body(const FolioLedgerRecord *record)
{
    GString *text = folio_ledger_file_print_guest(record);
    char *seal = g_strrstr(text->str, "sha256 ");

    assert_non_null(seal);
    assert_int_equal(strlen(seal), strlen("sha256 \n") + 64);
    *seal = '\0';
    return g_string_free(text, FALSE);
}

static FolioLedgerRecord *
record_of_everything(void)
{
    FolioLedgerRecord *record = folio_ledger_record_new(UUID, BOOT, 4711, 99);
    FolioLedgerRam *ram = folio_ledger_record_add_ram(record, "ram", 11, 600 * BLOCK);
    FolioLedgerAction action = { 100, 160, FOLIO_ACT_SPLIT, 4, 256, 250, NULL };

    record->thp = (FolioLedgerThp){ TRUE, TRUE, FALSE };
    record->counters = (FolioLedgerCounters){ 1, 2, 3, 4, 5, 0 };
    ram->states[0] = ram->states[1] = ram->states[599] = FOLIO_LEDGER_SPLIT | 0;
    ram->states[2] = ram->states[4] = FOLIO_LEDGER_SPLIT | 4;
    ram->states[3] = FOLIO_LEDGER_SPLIT | FOLIO_LEDGER_BEGUN | 4;
    ram->states[5] = FOLIO_LEDGER_PERHAPS | 4;
    ram->states[6] = FOLIO_LEDGER_BEGUN | 4;
    ram->states[7] = FOLIO_LEDGER_BEGUN | FOLIO_ORDER_HUGE;
    folio_ledger_record_add_ram(record, "a b\n%\xc3\xa4", 12, 8 * BLOCK + 4096);
    action.by = g_strdup("uid 1000");
    g_array_append_val(record->actions, action);
    action.kind = FOLIO_ACT_RESTORE;
    action.by = g_strdup("");
    g_array_append_val(record->actions, action);
    return record;
}

#define EVERYTHING                                     \
    HEAD "ram 11 1258291200 ram\n"                     \
         "split 0 0+2 599\n"                           \
         "split 4 2 4\n"                               \
         "perhaps 4 3 5+2\n"                           \
         "perhaps 9 7\n"                               \
         "ram 12 16781312 a%20b%0A%25%C3%A4\n"         \
         "action split 4 100 160 256 250 uid%201000\n" \
         "action restore 4 100 160 256 250 \n"

static void
test_text(void **state)
{
    g_autoptr(FolioLedgerRecord) record = record_of_everything();
    g_autofree char *body = print_body(record);

    assert_string_equal(body, EVERYTHING);
}

static void
test_read(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(FolioLedgerRecord) record = parse(EVERYTHING, &error);
    g_autofree char *again = NULL;
    const FolioLedgerRam *ram;

    assert_no_error(error);
    again = print_body(record);
    assert_string_equal(again, EVERYTHING);
    assert_string_equal(record->uuid, UUID);
    assert_string_equal(record->boot, BOOT);
    assert_int_equal(record->pid, 4711);
    assert_int_equal(record->start_time, 99);
    assert_true(record->thp.changed && record->thp.khugepaged_before);
    assert_false(record->thp.enabled_before);
    assert_int_equal(record->counters.recollapsed, 5);
    assert_int_equal(record->rams->len, 2);
    ram = record->rams->pdata[0];
    assert_int_equal(ram->states[599], FOLIO_LEDGER_SPLIT);
    assert_int_equal(ram->states[2], FOLIO_LEDGER_SPLIT | 4);
    /* What was under way is not known any more. */
    assert_int_equal(ram->states[3], FOLIO_LEDGER_PERHAPS | 4);
    assert_int_equal(ram->states[7], FOLIO_LEDGER_PERHAPS | FOLIO_ORDER_HUGE);
    assert_int_equal(ram->states[8], 0);
    assert_int_equal(folio_ledger_record_count(record), 9);
    ram = record->rams->pdata[1];
    assert_string_equal(ram->id, "a b\n%\xc3\xa4");
    assert_int_equal(ram->n_blocks, 8);
    assert_string_equal(g_array_index(record->actions, FolioLedgerAction, 0).by, "uid 1000");
}

static void
test_refused(void **state)
{
    static const char *const bodies[] = {
        "",
        "\n",
        "foliod-ledger 1 guest " UUID "\n",
        "foliod-ledger 2 guest " UUID "\nboot " BOOT
        "\nprocess 1 1\nthp 0 0 0\ncounters 0 0 0 0 0\n",
        "foliod-ledger 1 guest ../x\nboot " BOOT "\nprocess 1 1\nthp 0 0 0\ncounters 0 0 0 0 0\n",
        "foliod-ledger 1 guest " UUID "\nboot here\nprocess 1 1\nthp 0 0 0\ncounters 0 0 0 0 0\n",
        "foliod-ledger 1 guest " UUID "\nboot " BOOT
        "\nprocess 2147483648 1\nthp 0 0 0\ncounters 0 "
        "0 0 0 0\n",
        "foliod-ledger 1 guest " UUID "\nboot " BOOT
        "\nprocess 1 1\nthp 0 0 2\ncounters 0 0 0 0 0\n",
        "foliod-ledger 1 guest " UUID "\nboot " BOOT "\nprocess 1 1\nthp 0 0 0\ncounters 0 0 0 0\n",
        "foliod-ledger 1 guest " UUID "\nboot " BOOT
        "\nprocess 1 1\nthp 0 0 0\ncounters 18446744073709551616 0 0 0 0\n",
        HEAD "split 0 1\n",
        HEAD "ram 11 2097152\n",
        HEAD "ram 11 2097152 a%00b\n",
        HEAD "ram 11 2097152 a%zz\n",
        HEAD "ram 11 2097152 a b\n",
        HEAD "ram 11 17592186044416 ram\nram 12 2097152 x\n", /* 16 TiB and one block */
        HEAD "ram 11 20971520 ram\nsplit 0\n",
        HEAD "ram 11 20971520 ram\nsplit 0 \n",
        HEAD "ram 11 20971520 ram\nsplit 9 1\n",
        HEAD "ram 11 20971520 ram\nperhaps 10 1\n",
        HEAD "ram 11 20971520 ram\nsplit 0 10\n",
        HEAD "ram 11 20971520 ram\nsplit 0 9+2\n",
        HEAD "ram 11 20971520 ram\nsplit 0 1+0\n",
        HEAD "ram 11 20971520 ram\nsplit 0 1+18446744073709551615\n",
        HEAD "ram 11 20971520 ram\nsplit 0 -1\n",
        HEAD "ram 11 20971520 ram\nsplit 0 1 1\n",
        HEAD "ram 11 20971520 ram\nsplit 0 1\nperhaps 4 0+3\n",
        HEAD "ram 11 4096 ram\nsplit 0 0\n",
        HEAD "action fold 0 0 0 0 0 x\n",
        HEAD "action split 10 0 0 0 0 x\n",
        HEAD "action split 0 0 0 0 0 x y\n",
        HEAD "action split 0 0 9223372036854775808 0 0 x\n",
        HEAD "action split 0 0 0 0 0 x\nram 11 2097152 ram\n",
        HEAD "anything\n",
        HEAD "no end",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(bodies); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(FolioLedgerRecord) record = parse(bodies[i], &error);

        if (record != NULL)
            fail_msg("taken: %s", bodies[i]);
        assert_folio_error(error, FOLIO_ERROR_INVALID);
    }
}

/* No file that is cut off or changed anywhere is believed. */
static void
test_checksum(void **state)
{
    g_autoptr(FolioLedgerRecord) record = record_of_everything();
    GString *text = folio_ledger_file_print_guest(record);

    for (gsize i = 0; i < text->len; i++)
        assert_null(folio_ledger_file_parse_guest(text->str, i, NULL));
    for (gsize i = 0; i < text->len; i++) {
        for (guint bit = 0; bit < 8; bit++) {
            text->str[i] ^= (char) (1 << bit);
            assert_null(folio_ledger_file_parse_guest(text->str, text->len, NULL));
            text->str[i] ^= (char) (1 << bit);
        }
    }
    g_string_append(text, "\n");
    assert_null(folio_ledger_file_parse_guest(text->str, text->len, NULL));
    g_string_free(text, TRUE);
}

static void
test_bounds(void **state)
{
    GString *text = g_string_new(HEAD);
    g_autofree char *long_name = g_strnfill(FOLIO_LEDGER_MAX_STRING + 1, 'x');
    g_autofree char *name = g_strdup_printf(HEAD "ram 1 2097152 %s\n", long_name);

    for (guint i = 0; i <= FOLIO_LEDGER_ACTIONS; i++)
        g_string_append(text, "action split 0 1 1 1 1 x\n");
    assert_null(parse(text->str, NULL));
    g_string_truncate(text, strlen(HEAD));
    for (guint i = 0; i <= FOLIO_LEDGER_MAX_RAMS; i++)
        g_string_append_printf(text, "ram %u 2097152 x\n", i);
    assert_null(parse(text->str, NULL));
    assert_null(parse(name, NULL));
    while (text->len <= FOLIO_LEDGER_MAX_BYTES)
        g_string_append(text, "action split 0 1 1 1 1 x\n");
    assert_null(parse(text->str, NULL));
    g_string_free(text, TRUE);
}

/* The largest guest of the design, at its worst, is within bounds and quick. */
static void
test_one_tebibyte(void **state)
{
    const guint n = 512 * 1024;
    g_autoptr(FolioLedgerRecord) record = folio_ledger_record_new(UUID, BOOT, 4711, 99);
    FolioLedgerRam *ram = folio_ledger_record_add_ram(record, "ram", 11, n * BLOCK);
    g_autoptr(FolioLedgerRecord) again = NULL;
    g_autoptr(GError) error = NULL;
    gint64 start = g_get_monotonic_time(), printed;
    GString *text;

    for (guint i = 0; i < n; i += 2)
        ram->states[i] = FOLIO_LEDGER_SPLIT | (i % 9);
    text = folio_ledger_file_print_guest(record);
    printed = g_get_monotonic_time();
    again = folio_ledger_file_parse_guest(text->str, text->len, &error);
    print_message("1 TiB, every second block split: %zu KiB, printed in %d ms, read in %d ms\n",
                  text->len / 1024, (int) (printed - start) / 1000,
                  (int) (g_get_monotonic_time() - printed) / 1000);
    assert_no_error(error);
    assert_true(text->len < 2 * 1024 * 1024);
    assert_memory_equal(((FolioLedgerRam *) again->rams->pdata[0])->states, ram->states, n);
    g_string_free(text, TRUE);
}

static GPtrArray *
parse_host(const char *body)
{
    GString *text = g_string_new(body);
    g_autofree char *boot = NULL;
    GPtrArray *knobs;

    folio_lines_seal(text);
    knobs = folio_ledger_file_parse_host(text->str, text->len, &boot, NULL);
    if (knobs != NULL)
        assert_string_equal(boot, BOOT);
    g_string_free(text, TRUE);
    return knobs;
}

static void
test_host(void **state)
{
    static const char *const refused[] = {
        "foliod-ledger 1 host\n",
        "foliod-ledger 1 hosts\nboot " BOOT "\n",
        "foliod-ledger 1 guest " UUID "\nboot " BOOT "\n",
        "foliod-ledger 1 host\nboot " BOOT "\nknob relative a b\n",
        "foliod-ledger 1 host\nboot " BOOT "\nknob /a b c d\n",
        "foliod-ledger 1 host\nboot " BOOT "\nknob /a %zz c\n",
        "foliod-ledger 1 host\nboot " BOOT "\nknobs /a b c\n",
    };
    g_autoptr(GPtrArray) knobs =
        parse_host("foliod-ledger 1 host\nboot " BOOT "\nknob %2Fsys%2Fa 0 10%0A\nknob /b  1\n");
    const FolioLedgerKnob *knob;
    GString *text;

    assert_non_null(knobs);
    assert_int_equal(knobs->len, 2);
    knob = knobs->pdata[0];
    assert_string_equal(knob->path, "/sys/a");
    assert_string_equal(knob->original, "0");
    assert_string_equal(knob->ours, "10\n");
    knob = knobs->pdata[1];
    assert_string_equal(knob->original, "");
    text = folio_ledger_file_print_host(BOOT, knobs);
    assert_true(g_str_has_prefix(text->str, "foliod-ledger 1 host\nboot " BOOT
                                            "\nknob %2Fsys%2Fa 0 10%0A\nknob %2Fb  1\nsha256 "));
    g_string_free(text, TRUE);
    for (gsize i = 0; i < G_N_ELEMENTS(refused); i++) {
        if (parse_host(refused[i]) != NULL)
            fail_msg("taken: %s", refused[i]);
    }
}

/* What becomes of a block: its state before, what is done, the outcome, its state afterwards. */
static void
test_outcomes(void **state)
{
    enum { WHOLE = 0, SPLIT4 = FOLIO_LEDGER_SPLIT | 4, MAY4 = FOLIO_LEDGER_PERHAPS | 4 };
    static const struct {
        guint8 before;
        FolioActKind kind;
        FolioOutcome outcome;
        guint8 after;
    } rows[] = {
        { WHOLE, FOLIO_ACT_SPLIT, FOLIO_OUTCOME_DONE, FOLIO_LEDGER_SPLIT | 0 },
        { WHOLE, FOLIO_ACT_SPLIT, FOLIO_OUTCOME_PARTLY, FOLIO_LEDGER_SPLIT | 0 },
        { WHOLE, FOLIO_ACT_SPLIT, FOLIO_OUTCOME_ALREADY, WHOLE },
        { WHOLE, FOLIO_ACT_SPLIT, FOLIO_OUTCOME_LEFT, WHOLE },
        { WHOLE, FOLIO_ACT_SPLIT, FOLIO_OUTCOME_ABSENT, WHOLE },
        { WHOLE, FOLIO_ACT_SPLIT, FOLIO_OUTCOME_GONE, FOLIO_LEDGER_PERHAPS | 0 },
        { SPLIT4, FOLIO_ACT_SPLIT, FOLIO_OUTCOME_DONE, FOLIO_LEDGER_SPLIT | 0 },
        { SPLIT4, FOLIO_ACT_SPLIT, FOLIO_OUTCOME_LEFT, SPLIT4 },
        { SPLIT4, FOLIO_ACT_SPLIT, FOLIO_OUTCOME_ALREADY, SPLIT4 },
        { MAY4, FOLIO_ACT_SPLIT, FOLIO_OUTCOME_LEFT, MAY4 },
        { WHOLE, FOLIO_ACT_COLLAPSE, FOLIO_OUTCOME_DONE, WHOLE },
        { WHOLE, FOLIO_ACT_COLLAPSE, FOLIO_OUTCOME_GONE, WHOLE },
        { WHOLE, FOLIO_ACT_COLLAPSE, FOLIO_OUTCOME_LEFT, WHOLE },
        { SPLIT4, FOLIO_ACT_COLLAPSE, FOLIO_OUTCOME_DONE, WHOLE },
        { SPLIT4, FOLIO_ACT_RESTORE, FOLIO_OUTCOME_DONE, WHOLE },
        { SPLIT4, FOLIO_ACT_RESTORE, FOLIO_OUTCOME_ALREADY, WHOLE },
        { SPLIT4, FOLIO_ACT_RESTORE, FOLIO_OUTCOME_ABSENT, WHOLE },
        { SPLIT4, FOLIO_ACT_RESTORE, FOLIO_OUTCOME_LEFT, SPLIT4 },
        { SPLIT4, FOLIO_ACT_RESTORE, FOLIO_OUTCOME_PARTLY, SPLIT4 },
        { SPLIT4, FOLIO_ACT_RESTORE, FOLIO_OUTCOME_GONE, MAY4 },
        { MAY4, FOLIO_ACT_RESTORE, FOLIO_OUTCOME_LEFT, MAY4 },
        { MAY4, FOLIO_ACT_RESTORE, FOLIO_OUTCOME_DONE, WHOLE },
    };
    g_autoptr(FolioGuestRam) guest_ram = fixture_ram(1, 0);
    const FolioBlockRange range = range_of(0, 1);

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FolioLedgerRecord) record = folio_ledger_record_new(UUID, BOOT, 4711, 99);
        FolioLedgerRam *ram = folio_ledger_record_add_ram(record, "ram", 11, RAM_BLOCKS * BLOCK);
        FolioActRequest request =
            request_of(rows[i].kind, rows[i].kind == FOLIO_ACT_SPLIT ? 0 : 9, guest_ram);

        ram->states[0] = rows[i].before;
        assert_true(folio_ledger_record_begin(record, &request, &range, 1, 1, NULL));
        assert_int_equal(folio_ledger_record_count(record), 1);
        assert_true(
            folio_ledger_record_end(record, &request, &range, 1, &rows[i].outcome, 1, NULL));
        if (ram->states[0] != rows[i].after)
            fail_msg("row %zu: 0x%x", i, ram->states[0]);
    }
}

/* One run is one action, however many chunks it has; no more than the last ones are kept. */
static void
test_actions(void **state)
{
    g_autoptr(FolioGuestRam) guest_ram = fixture_ram(1, 0);
    g_autoptr(FolioLedgerRecord) record = folio_ledger_record_new(UUID, BOOT, 4711, 99);
    FolioActRequest request = request_of(FOLIO_ACT_SPLIT, 0, guest_ram);
    const FolioBlockRange range = range_of(0, 2);
    const FolioOutcome outcomes[] = { FOLIO_OUTCOME_DONE, FOLIO_OUTCOME_LEFT };
    const FolioLedgerAction *action;

    for (guint i = 0; i < 5; i++) {
        assert_true(folio_ledger_record_begin(record, &request, &range, 1, 1000 + 50 * i, NULL));
        assert_true(
            folio_ledger_record_end(record, &request, &range, 1, outcomes, 1001 + 50 * i, NULL));
    }
    assert_int_equal(record->actions->len, 1);
    action = &g_array_index(record->actions, FolioLedgerAction, 0);
    assert_int_equal(action->first, 1000);
    assert_int_equal(action->last, 1201);
    assert_int_equal(action->blocks, 10);
    assert_int_equal(action->done, 5);
    for (guint i = 0; i < 2 * FOLIO_LEDGER_ACTIONS; i++)
        assert_true(folio_ledger_record_begin(record, &request, &range, 1, 2000 + 61 * i, NULL));
    assert_int_equal(record->actions->len, FOLIO_LEDGER_ACTIONS);
    action = &g_array_index(record->actions, FolioLedgerAction, FOLIO_LEDGER_ACTIONS - 1);
    assert_int_equal(action->first, 2000 + 61 * (2 * FOLIO_LEDGER_ACTIONS - 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),    cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_checksum),
        cmocka_unit_test(test_bounds),  cmocka_unit_test(test_one_tebibyte),
        cmocka_unit_test(test_host),    cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_actions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
