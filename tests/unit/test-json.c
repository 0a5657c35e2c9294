/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl --json: the documented shapes, what is not known, and foreign strings. */
#include "ctl/json.h"

#include "cmocka-all.h"

#include <json-glib/json-glib.h>

static GVariant *
guest_new(const char *name, const char *state, guint32 pid, guint64 ram)
{
    GVariantDict dict;

    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "Name", "s", name);
    g_variant_dict_insert(&dict, "Uuid", "s", "6695eb01-f6a4-8304-79aa-97f2502e193f");
    g_variant_dict_insert(&dict, "Pid", "u", pid);
    g_variant_dict_insert(&dict, "State", "s", state);
    g_variant_dict_insert(&dict, "Reason", "s", "none");
    g_variant_dict_insert(&dict, "ReasonText", "s", "");
    g_variant_dict_insert(&dict, "Remedy", "s", "");
    g_variant_dict_insert(&dict, "Mode", "s", "observe");
    g_variant_dict_insert(&dict, "ModeSource", "s", "metadata");
    g_variant_dict_insert(&dict, "MaxRate", "t", (guint64) 64 << 20);
    g_variant_dict_insert(&dict, "HintError", "s", "metadata: mode=\"x\"");
    g_variant_dict_insert(&dict, "Suspended", "b", TRUE);
    g_variant_dict_insert(&dict, "RamBytes", "t", ram);
    g_variant_dict_insert(&dict, "PresentBytes", "t", ram / 2);
    g_variant_dict_insert(&dict, "HugeBytes", "t", ram / 4);
    g_variant_dict_insert(&dict, "SwappedBytes", "t", (guint64) 0);
    g_variant_dict_insert(&dict, "Source", "s", pid != 0 ? "spe" : "none");
    g_variant_dict_insert(&dict, "SampledBy", "s", pid != 0 ? "host" : "none");
    g_variant_dict_insert(&dict, "Coverage", "s", pid != 0 ? "guest" : "none");
    g_variant_dict_insert(&dict, "SparseBytes", "t", ram / 8);
    g_variant_dict_insert(&dict, "Samples", "t", (guint64) pid * 1000);
    g_variant_dict_insert(&dict, "Windows", "t", (guint64) pid);
    g_variant_dict_insert(&dict, "NominatedRanges", "u", g_str_equal(state, "located") ? 3 : 0);
    g_variant_dict_insert(&dict, "NominatedBytes", "t", ram / 4);
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

/* Two guests: one served, one whose process is not known. */
static GPtrArray *
guests_new(void)
{
    GPtrArray *guests = g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);

    g_ptr_array_add(guests, guest_new("a", "deciding", 7, G_GUINT64_CONSTANT(1) << 40));
    g_ptr_array_add(guests,
                    guest_new("b\"\n\033\xc2\x9b\u2028\xf3\xa0\x80\x81", "discovered", 0, 0));
    return guests;
}

/* The root object of what was printed: one JSON text with a line feed behind. */
static JsonObject *
parse(JsonParser *parser, char *text)
{
    g_autofree char *owned = text;
    g_autoptr(GError) error = NULL;

    assert_true(g_str_has_suffix(owned, "}\n"));
    json_parser_load_from_data(parser, owned, -1, &error);
    assert_no_error(error);
    return json_node_get_object(json_parser_get_root(parser));
}

static void
assert_members(JsonObject *object, const char *const *expected)
{
    g_autoptr(GList) members = json_object_get_members(object);

    for (GList *member = members; member != NULL; member = member->next, expected++)
        assert_string_equal(member->data, *expected != NULL ? *expected : "(no more)");
    assert_null(*expected);
}

static void
test_list(void **state)
{
    static const char *const members[] = { "uuid",
                                           "name",
                                           "pid",
                                           "state",
                                           "reason",
                                           "reason_text",
                                           "remedy",
                                           "mode",
                                           "mode_in_force",
                                           "mode_source",
                                           "split_order",
                                           "sparse_below",
                                           "max_rate",
                                           "khugepaged",
                                           "hint_error",
                                           "hint_capped",
                                           "suspended",
                                           "ram_bytes",
                                           "present_bytes",
                                           "huge_bytes",
                                           "swapped_bytes",
                                           "source",
                                           "sampled_by",
                                           "coverage",
                                           "sparse_bytes",
                                           "dense_bytes",
                                           "undecided_bytes",
                                           "idle_bytes",
                                           "samples",
                                           "unmapped_samples",
                                           "lost_samples",
                                           "windows",
                                           "window_seconds",
                                           "waits",
                                           "nominated_ranges",
                                           "nominated_bytes",
                                           "split_blocks",
                                           "collapsed_blocks",
                                           "left_blocks",
                                           "partly_blocks",
                                           "split_now_blocks",
                                           "recollapsed_blocks",
                                           "keeper",
                                           "tracked_blocks",
                                           "translation",
                                           NULL };
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GPtrArray) guests = guests_new();
    JsonObject *root = parse(parser, folio_json_list(guests));
    JsonArray *array = json_object_get_array_member(root, "guests");
    JsonObject *known = json_array_get_object_element(array, 0);
    JsonObject *unknown = json_array_get_object_element(array, 1);

    assert_int_equal(json_object_get_int_member(root, "version"), 1);
    assert_int_equal(json_array_get_length(array), 2);
    assert_members(known, members);
    assert_members(unknown, members);
    assert_int_equal(json_object_get_int_member(known, "pid"), 7);
    assert_true(json_object_get_int_member(known, "ram_bytes") == G_GINT64_CONSTANT(1) << 40);
    assert_true(json_object_get_int_member(known, "huge_bytes") == G_GINT64_CONSTANT(1) << 38);
    assert_true(json_object_get_boolean_member(known, "suspended"));
    assert_string_equal(json_object_get_string_member(known, "mode_source"), "metadata");
    assert_int_equal(json_object_get_int_member(known, "max_rate"), 64 << 20);
    assert_string_equal(json_object_get_string_member(known, "hint_error"), "metadata: mode=\"x\"");
    assert_string_equal(json_object_get_string_member(known, "source"), "spe");
    assert_string_equal(json_object_get_string_member(known, "coverage"), "guest");
    assert_true(json_object_get_int_member(known, "sparse_bytes") == G_GINT64_CONSTANT(1) << 37);
    assert_int_equal(json_object_get_int_member(known, "dense_bytes"), 0);
    assert_int_equal(json_object_get_int_member(known, "samples"), 7000);
    assert_int_equal(json_object_get_int_member(known, "windows"), 7);
    assert_true(json_object_get_null_member(unknown, "sparse_bytes"));
    assert_int_equal(json_object_get_int_member(unknown, "samples"), 0);
    assert_string_equal(json_object_get_string_member(known, "sampled_by"), "host");
    assert_true(json_object_get_null_member(known, "nominated_bytes"));
    assert_true(json_object_get_null_member(unknown, "nominated_ranges"));
    assert_true(json_object_get_null_member(unknown, "pid"));
    assert_true(json_object_get_null_member(unknown, "ram_bytes"));
    assert_true(json_object_get_null_member(unknown, "present_bytes"));
    assert_string_equal(json_object_get_string_member(unknown, "name"),
                        "b\"\n\033\xc2\x9b\u2028\xf3\xa0\x80\x81");
}

static void
test_job(void **state)
{
    static const char *const members[] = { "version", "job",   "guest",  "name", "kind",
                                           "by",      "state", "error",  "way",  "order",
                                           "done",    "total", "blocks", "left", NULL };
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(JsonParser) none = json_parser_new();
    g_autoptr(GVariant) about = g_variant_ref_sink(g_variant_new_parsed(
        "{'guest': <'aa'>, 'name': <'\033x'>, 'kind': <'split'>, 'order': <uint32 4>,"
        " 'by': <'uid 0'>, 'state': <'done'>, 'done': <uint64 8>, 'total': <uint64 9>,"
        " 'error': <''>, 'way': <'damon'>, 'blocks': <{'done': uint64 6, 'left': 2}>,"
        " 'left': <{'no-memory': uint64 2}>}"));
    JsonObject *job = parse(parser, folio_json_job(7, about));
    JsonObject *blocks = json_object_get_object_member(job, "blocks");
    JsonObject *left = json_object_get_object_member(job, "left");

    assert_members(job, members);
    assert_int_equal(json_object_get_int_member(job, "job"), 7);
    assert_string_equal(json_object_get_string_member(job, "way"), "damon");
    assert_int_equal(json_object_get_int_member(job, "order"), 4);
    assert_int_equal(json_object_get_int_member(job, "done"), 8);
    assert_int_equal(json_object_get_int_member(job, "total"), 9);
    assert_int_equal(json_object_get_int_member(blocks, "done"), 6);
    assert_int_equal(json_object_get_int_member(blocks, "left"), 2);
    assert_int_equal(json_object_get_int_member(blocks, "gone"), 0);
    assert_int_equal(json_object_get_int_member(left, "no_memory"), 2);
    assert_int_equal(json_object_get_int_member(left, "busy"), 0);
    assert_true(json_object_get_null_member(parse(none, folio_json_no_job()), "job"));
}

/* What is nominated is told of guests that are located and not sampled, and of no others. */
static void
test_nominated(void **state)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GPtrArray) guests = g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);
    JsonArray *array;
    JsonObject *guest;

    g_ptr_array_add(guests, guest_new("a", "located", 0, 4096));
    g_ptr_array_add(guests, guest_new("b", "ineligible", 0, 4096));
    array = json_object_get_array_member(parse(parser, folio_json_list(guests)), "guests");
    guest = json_array_get_object_element(array, 0);
    assert_int_equal(json_object_get_int_member(guest, "nominated_ranges"), 3);
    assert_int_equal(json_object_get_int_member(guest, "nominated_bytes"), 1024);
    assert_true(json_object_get_null_member(guest, "sparse_bytes"));
    guest = json_array_get_object_element(array, 1);
    assert_true(json_object_get_null_member(guest, "nominated_ranges"));
    assert_true(json_object_get_null_member(guest, "nominated_bytes"));
}

/* What a terminal could obey is not printed as it is. */
static void
test_nothing_unprintable(void **state)
{
    g_autoptr(GPtrArray) guests = guests_new();
    g_autofree char *text = folio_json_list(guests);

    for (const char *p = text; *p != '\0'; p = g_utf8_next_char(p))
        assert_true(*p == '\n' || g_unichar_isprint(g_utf8_get_char(p)));
    assert_non_null(strstr(text, "b\\\"\\n\\u001b\\u009b\\u2028\\udb40\\udc01"));
}

static GVariant *
manager_new(gboolean by_host)
{
    const char *const features[] = { "damon", "pagemap-scan", NULL };
    const char *const none[] = { NULL };
    GVariantDict dict;

    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "Version", "s", "9.8.7");
    g_variant_dict_insert(&dict, "Uri", "s", "qemu:///system");
    g_variant_dict_insert(&dict, "Connected", "b", FALSE);
    g_variant_dict_insert(&dict, "ConnectionError", "s", "no socket");
    g_variant_dict_insert(&dict, "Features", "^as", features);
    g_variant_dict_insert_value(
        &dict, "Actuators",
        g_variant_new_parsed("[('damon', false, 'damo runs'), ('debugfs-split', true, 'taken')]"));
    g_variant_dict_insert(&dict, "ConfigErrors", "^as", none);
    g_variant_dict_insert(&dict, "Source", "s", "spe");
    g_variant_dict_insert(&dict, "SampledBy", "s", by_host ? "host" : "process");
    g_variant_dict_insert(&dict, "SamplingError", "s", "CPU 3: busy");
    g_variant_dict_insert(&dict, "SampledCpus", "u", by_host ? 127 : 0);
    g_variant_dict_insert(&dict, "HostSamples", "t", (guint64) (by_host ? 9000 : 0));
    g_variant_dict_insert(&dict, "HostUnmappedSamples", "t", (guint64) (by_host ? 800 : 0));
    g_variant_dict_insert(&dict, "HostLostSamples", "t", (guint64) (by_host ? 70 : 0));
    g_variant_dict_insert(&dict, "MaxTrackedSplit", "u", 65536);
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

static void
test_status(void **state)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GPtrArray) guests = guests_new();
    g_autoptr(GVariant) manager = manager_new(FALSE);
    g_autoptr(GVariant) by_host = manager_new(TRUE);
    JsonObject *root, *states, *actuator;

    root = parse(parser, folio_json_status(manager, guests));
    actuator = json_array_get_object_element(json_object_get_array_member(root, "actuators"), 0);
    assert_string_equal(json_object_get_string_member(actuator, "name"), "damon");
    assert_false(json_object_get_boolean_member(actuator, "usable"));
    assert_string_equal(json_object_get_string_member(actuator, "text"), "damo runs");
    states = json_object_get_object_member(root, "guests_by_state");
    assert_string_equal(json_object_get_string_member(root, "foliod_version"), "9.8.7");
    assert_false(json_object_get_boolean_member(root, "connected"));
    assert_string_equal(json_object_get_string_member(root, "connection_error"), "no socket");
    assert_int_equal(json_array_get_length(json_object_get_array_member(root, "features")), 2);
    assert_int_equal(json_array_get_length(json_object_get_array_member(root, "config_errors")), 0);
    assert_int_equal(json_object_get_int_member(states, "deciding"), 1);
    assert_int_equal(json_object_get_int_member(states, "discovered"), 1);
    assert_true(json_object_get_int_member(root, "ram_bytes") == G_GINT64_CONSTANT(1) << 40);
    assert_true(json_object_get_int_member(root, "sparse_bytes") == G_GINT64_CONSTANT(1) << 37);
    assert_int_equal(json_array_get_length(json_object_get_array_member(root, "not_located")), 1);
    assert_string_equal(json_object_get_string_member(root, "source"), "spe");
    assert_string_equal(json_object_get_string_member(root, "sampled_by"), "process");
    assert_string_equal(json_object_get_string_member(root, "sampling_error"), "CPU 3: busy");
    assert_true(json_object_get_null_member(root, "sampled_cpus"));
    assert_true(json_object_get_null_member(root, "host_samples"));
    assert_true(json_object_get_int_member(root, "nominated_bytes") == G_GINT64_CONSTANT(1) << 38);

    root = parse(parser, folio_json_status(by_host, guests));
    assert_string_equal(json_object_get_string_member(root, "sampled_by"), "host");
    assert_int_equal(json_object_get_int_member(root, "sampled_cpus"), 127);
    assert_int_equal(json_object_get_int_member(root, "host_samples"), 9000);
    assert_int_equal(json_object_get_int_member(root, "host_unmapped_samples"), 800);
    assert_int_equal(json_object_get_int_member(root, "host_lost_samples"), 70);
    assert_int_equal(json_object_get_int_member(root, "max_tracked_split"), 65536);
    assert_int_equal(json_object_get_int_member(root, "tracked_blocks"), 0);
}

static void
test_show(void **state)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GVariant) guest = guest_new("a", "located", 7, 4096);
    g_autoptr(GVariant) ram = g_variant_ref_sink(g_variant_new_parsed(
        "('pagemap-scan', [{'id': <'ram'>, 'hva': <uint64 139621048254464>, 'huge-bytes': <uint64 5>,"
        " 'file-deleted': <true>, 'fs-type': <'tmpfs'>, 'file': <7>}])"));
    JsonObject *root = parse(parser, folio_json_show(guest, ram));
    JsonObject *block = json_array_get_object_element(json_object_get_array_member(root, "ram"), 0);

    assert_string_equal(json_object_get_string_member(root, "scan"), "pagemap-scan");
    assert_string_equal(
        json_object_get_string_member(json_object_get_object_member(root, "guest"), "name"), "a");
    assert_string_equal(json_object_get_string_member(block, "id"), "ram");
    assert_true(json_object_get_int_member(block, "hva") == G_GINT64_CONSTANT(139621048254464));
    assert_int_equal(json_object_get_int_member(block, "huge_bytes"), 5);
    assert_true(json_object_get_boolean_member(block, "file_deleted"));
    assert_string_equal(json_object_get_string_member(block, "fs_type"), "tmpfs");
    /* Of another type than documented: as if it were not there. */
    assert_string_equal(json_object_get_string_member(block, "file"), "");

    root = parse(parser, folio_json_show(guest, NULL));
    assert_true(json_object_get_null_member(root, "ram"));
    assert_true(json_object_get_null_member(root, "scan"));
}

static void
test_doctor(void **state)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    g_autoptr(GVariant) checks = g_variant_ref_sink(g_variant_new_parsed(
        "[('page-size', 'pass', 'x', ''), ('kpti', 'warn', 'y', 'do'), ('tmpfs', 'fail', 'z', 'do'),"
        " ('yama', 'pass', '', '')]"));
    JsonObject *root = parse(parser, folio_json_doctor(NULL, checks));
    JsonArray *array = json_object_get_array_member(root, "checks");

    assert_true(json_object_get_null_member(root, "guest"));
    assert_int_equal(json_array_get_length(array), 4);
    assert_string_equal(
        json_object_get_string_member(json_array_get_object_element(array, 1), "remedy"), "do");
    assert_int_equal(json_object_get_int_member(root, "pass"), 2);
    assert_int_equal(json_object_get_int_member(root, "warn"), 1);
    assert_int_equal(json_object_get_int_member(root, "fail"), 1);

    root = parse(parser, folio_json_doctor("u", checks));
    assert_string_equal(json_object_get_string_member(root, "guest"), "u");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),   cmocka_unit_test(test_nothing_unprintable),
        cmocka_unit_test(test_status), cmocka_unit_test(test_show),
        cmocka_unit_test(test_doctor), cmocka_unit_test(test_nominated),
        cmocka_unit_test(test_job),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
