/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl --json monitor, a whole object on each line; and the call of folioctl on another host.
 */
#include "ctl/json-event.h"

#include "cmocka-all.h"
#include "ctl/remote.h"

#include <json-glib/json-glib.h>

/* The object on the line, which is the only one. */
static JsonObject *
parse(JsonParser *parser, char *text)
{
    g_autofree char *owned = text;
    g_autoptr(GError) error = NULL;
    JsonObject *root;

    assert_true(g_str_has_suffix(owned, "}\n"));
    assert_int_equal(strchr(owned, '\n') - owned, strlen(owned) - 1);
    json_parser_load_from_data(parser, owned, -1, &error);
    assert_no_error(error);
    root = json_node_get_object(json_parser_get_root(parser));
    assert_int_equal(json_object_get_int_member(root, "version"), 1);
    assert_string_equal(json_object_get_string_member(root, "time"), "2030-01-02T03:04:05Z");
    return root;
}

static void
assert_string(JsonObject *object, const char *member, const char *expected)
{
    assert_true(json_object_has_member(object, member));
    assert_string_equal(json_object_get_string_member(object, member), expected);
}

static void
test_events(void **state)
{
    static const char hostile[] = "evil\n\xc2\x9b\"\u2028";
    g_autoptr(GDateTime) when = g_date_time_new_utc(2030, 1, 2, 3, 4, 5);
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GVariant) changed = g_variant_ref_sink(g_variant_new_parsed(
        "{'ReasonText': <%s>, 'Pid': <uint32 7>, 'RamBytes': <uint64 1099511627776>, "
        "'Suspended': <true>, 'Sources': <[('spe', false, 'none')]>}",
        hostile));
    JsonObject *root = parse(parser, folio_json_event_guest(when, "u-1", hostile, changed));
    JsonObject *inside = json_object_get_object_member(root, "changed");

    assert_string(root, "event", "guest");
    assert_string(root, "uuid", "u-1");
    assert_string(root, "name", hostile);
    assert_string(inside, "reason_text", hostile);
    assert_int_equal(json_object_get_int_member(inside, "pid"), 7);
    assert_true(json_object_get_int_member(inside, "ram_bytes") == G_GINT64_CONSTANT(1) << 40);
    assert_true(json_object_get_boolean_member(inside, "suspended"));
    assert_int_equal(json_array_get_length(json_object_get_array_member(inside, "sources")), 1);

    root = parse(parser, folio_json_event_host(when, changed));
    assert_string(root, "event", "host");
    assert_true(json_object_has_member(root, "changed"));
    root = parse(parser, folio_json_event_gone(when, "u-1", hostile));
    assert_string(root, "event", "gone");
    assert_string(root, "name", hostile);
    root = parse(parser, folio_json_event_job(when, 7, "failed", 3, 8, "no"));
    assert_string(root, "event", "job");
    assert_string(root, "state", "failed");
    assert_string(root, "error", "no");
    assert_int_equal(json_object_get_int_member(root, "job"), 7);
    assert_int_equal(json_object_get_int_member(root, "done"), 3);
    assert_int_equal(json_object_get_int_member(root, "total"), 8);
    root = parse(parser, folio_json_event_ended(when));
    assert_string(root, "event", "ended");
}

/* What ssh gives to a shell there comes out as the same words. */
static void
test_remote_command(void **state)
{
    static const struct {
        const char *words[8];
        const char *command;
    } cases[] = {
        { { "-H", "host", "list" }, "folioctl 'list'" },
        { { "--host", "host", "show", "a b" }, "folioctl 'show' 'a b'" },
        { { "--host=host", "--json", "status" }, "folioctl '--json' 'status'" },
        { { "show", "x; rm -rf $HOME `id`", "-Hhost" }, "folioctl 'show' 'x; rm -rf $HOME `id`'" },
        { { "show", "it's", "-H", "host" }, "folioctl 'show' 'it'\\''s'" },
        { { "-H", "host", "show", "--", "-Hx" }, "folioctl 'show' '--' '-Hx'" },
        { { "list", "-H" }, "folioctl 'list'" },
        { { NULL }, "folioctl" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *command = folio_remote_command(cases[i].words);

        assert_string_equal(command, cases[i].command);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_remote_command),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
