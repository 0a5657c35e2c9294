/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What folioctl says of what translation costs. */
#include "ctl/cost-text.h"

#include "cmocka-all.h"

static GVariant *
parse(const char *text)
{
    return g_variant_ref_sink(g_variant_new_parsed(text));
}

static void
assert_text(const char *guest, const char *text)
{
    g_autoptr(GVariant) parsed = parse(guest);
    g_autofree char *said = folio_cost_text(parsed);

    assert_string_equal(said, text);
}

static void
test_text(void **state)
{
    assert_text("{'Windows': <uint64 0>}", "");
    assert_text("{'Windows': <uint64 3>, 'Translation': <@a{sv} {}>}",
                "not measured: the samples do not tell what it costs");
    assert_text("{'Windows': <uint64 3>, 'Translation': <{'other-walks': <0.021>,"
                " 'other-cycles': <3.04>, 'unsplit-walks': <0.02>, 'unsplit-cycles': <3.0>}>}",
                "others: 2.1% of accesses walk page tables, 3.0 cycles; the whole guest before "
                "anything was split: 2.0%, 3.0 cycles");
    assert_text("{'Windows': <uint64 3>, 'SplitNowBlocks': <uint64 7>,"
                " 'TrackedBlocks': <uint64 5>, 'Translation': <{'other-walks': <0.021>,"
                " 'other-cycles': <3.04>, 'split-walks': <0.4>, 'split-cycles': <41.26>,"
                " 'before-walks': <0.1>, 'before-cycles': <9.0>, 'after-walks': <0.5>,"
                " 'after-cycles': <42.0>}>}",
                "split blocks: 40.0% of accesses walk page tables, 41.3 cycles; others: 2.1%, "
                "3.0 cycles; those that are split, before: 10.0%, 9.0 cycles; and since: 50.0%, "
                "42.0 cycles; 5 of 7 split blocks are followed");
    assert_text("{'Windows': <uint64 3>, 'Translation': <{'other-walks': <0.021>}>}",
                "others: 2.1% of accesses walk page tables; latency is not measured, and no split "
                "undone by what it costs");
}

static void
assert_block(const char *evidence, const char *text)
{
    g_autoptr(GVariant) parsed = parse(evidence);
    g_autofree char *said = folio_cost_block_text(parsed);

    assert_string_equal(said, text);
}

static void
test_block(void **state)
{
    assert_block("@a{sv} {}", "");
    assert_block("{'before-samples': <uint32 0>}", "");
    assert_block("{'before-samples': <uint32 64>, 'before-cycles': <9.8>}",
                 "translation took 9.8 before the split (64)");
    assert_block(
        "{'before-samples': <uint32 64>, 'before-cycles': <9.8>,"
        " 'after-samples': <uint32 200>, 'after-cycles': <41.3>}",
        "translation takes 41.3 cycles an access (200 samples), 9.8 before the split (64)");
}

static JsonObject *
print(JsonParser *parser, void (*add)(JsonBuilder *, GVariant *), const char *text)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(GVariant) parsed = parse(text);
    g_autoptr(JsonNode) root = NULL;
    g_autofree char *printed = NULL;

    json_builder_begin_object(builder);
    add(builder, parsed);
    json_builder_end_object(builder);
    root = json_builder_get_root(builder);
    json_generator_set_root(generator, root);
    printed = json_generator_to_data(generator, NULL);
    assert_true(json_parser_load_from_data(parser, printed, -1, NULL));
    return json_node_get_object(json_parser_get_root(parser));
}

static void
test_json(void **state)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonObject *object;

    object = print(parser, folio_cost_add_json, "{'Translation': <@a{sv} {}>}");
    assert_true(json_object_get_null_member(object, "translation"));
    object = print(parser, folio_cost_add_json,
                   "{'Translation': <{'split-walks': <0.5>, 'other-walks': <0.25>,"
                   " 'other-cycles': <3.0>}>}");
    object = json_object_get_object_member(object, "translation");
    assert_int_equal(json_object_get_size(object), 10);
    assert_true(json_object_get_null_member(object, "split_cycles"));
    assert_int_equal((int) (100 * json_object_get_double_member(object, "other_walks")), 25);
    object = print(parser, folio_cost_add_block_json, "{'seen': <uint32 3>}");
    assert_true(json_object_get_null_member(object, "cost"));
    object = print(parser, folio_cost_add_block_json,
                   "{'before-samples': <uint32 7>, 'before-cycles': <3.0>}");
    object = json_object_get_object_member(object, "cost");
    assert_int_equal(json_object_get_int_member(object, "before_samples"), 7);
    assert_int_equal(json_object_get_int_member(object, "after_samples"), 0);
    assert_true(json_object_get_null_member(object, "after_cycles"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
