/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl as people and scripts use it: what it prints and the status it exits with, against a
 * real foliod with two real guests, one that is served and one, of a hostile name, that is not. */
#include "base/reason.h"
#include "guests.h"
#include "integration/ctl-run.h"
#include "integration/daemon.h"

#include <string.h>

#define MIB (1024 * 1024ULL)

#define SERVED_NAME "served"
#define SERVED_UUID "5e12ed00-0000-4000-8000-000000000001"
/* In a name libvirt takes all that XML may hold but newline and slash: here CSI, which starts an
 * escape sequence, a carriage return, NEL, a line separator, and a right-to-left override. */
#define HOSTILE_NAME \
    "evil\xc2\x9b"   \
    "31m\r\xc2\x85\u2028\u202ex"
#define HOSTILE_SHOWN "evil\\xc2\\x9b31m\\x0d\\xc2\\x85\\xe2\\x80\\xa8\\xe2\\x80\\xaex"
#define HOSTILE_UUID  "bad0bad0-0000-4000-8000-000000000002"

typedef struct {
    virConnectPtr connect;
    Daemon *daemon;
    virDomainPtr served;
    virDomainPtr hostile;
} Fixture;

/* The line that starts so, without its end. */
static char *
line_of(const char *text, const char *start)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (gsize i = 0; lines[i] != NULL; i++) {
        if (g_str_has_prefix(lines[i], start))
            return g_strdup(lines[i]);
    }
    fail_msg("no line starts with \"%s\": %s", start, text);
    return NULL;
}

static void
assert_line(const char *text, const char *start, const char *part)
{
    g_autofree char *line = line_of(text, start);

    assert_holds(line, part);
}

static void
assert_number(JsonObject *object, const char *member, guint64 expected)
{
    assert_true(json_object_has_member(object, member));
    assert_int_equal(json_object_get_int_member(object, member), expected);
}

static void
assert_string(JsonObject *object, const char *member, const char *expected)
{
    assert_true(json_object_has_member(object, member));
    assert_string_equal(json_object_get_string_member(object, member), expected);
}

static void
assert_guest(JsonObject *guest, const char *name, const char *state, guint64 ram, guint64 huge)
{
    assert_string(guest, "name", name);
    assert_string(guest, "state", state);
    assert_number(guest, "ram_bytes", ram);
    assert_number(guest, "present_bytes", ram);
    assert_number(guest, "huge_bytes", huge);
    assert_number(guest, "swapped_bytes", 0);
}

static void
assert_served(JsonObject *guest)
{
    assert_string(guest, "uuid", SERVED_UUID);
    assert_number(guest, "pid", (guint64) folio_test_guest_pid(SERVED_NAME));
    assert_guest(guest, SERVED_NAME, "located", 64 * MIB, 64 * MIB);
    assert_number(guest, "nominated_ranges", 1);
    assert_number(guest, "nominated_bytes", 64 * MIB);
    assert_true(json_object_get_null_member(guest, "sparse_bytes"));
    assert_string(guest, "reason", "mode-observe");
}

static void
assert_hostile(JsonObject *guest)
{
    assert_string(guest, "uuid", HOSTILE_UUID);
    assert_guest(guest, HOSTILE_NAME, "ineligible", 32 * MIB, 0);
    assert_true(json_object_get_null_member(guest, "nominated_bytes"));
    assert_string(guest, "reason", "misaligned");
    assert_string(guest, "remedy", folio_reason_remedy(FOLIO_REASON_MISALIGNED));
}

static void
test_status(void **state)
{
    g_autofree char *text = ctl_print(WORDS("status"));
    g_autoptr(JsonParser) parser = ctl_json(WORDS("status", "--json"));
    JsonObject *root = ctl_root(parser);
    JsonObject *states = json_object_get_object_member(root, "guests_by_state");
    JsonArray *not_located = json_object_get_array_member(root, "not_located");

    assert_line(text, "libvirt ", "qemu:///system, connected");
    assert_line(text, "guests ", " 2: 1 located, 1 ineligible");
    assert_line(text, "RAM ", " 96 MiB, 96 MiB present, 64 MiB huge (66%)");
    assert_line(text, "samples ", "none are taken");
    assert_line(text, "nominated ", "1 range, 64 MiB huge, not judged");
    assert_line(text, "configuration ", "no errors");
    assert_line(text, HOSTILE_SHOWN "  ineligible  ", folio_reason_text(FOLIO_REASON_MISALIGNED));
    assert_line(text, HOSTILE_SHOWN "  ineligible  ", folio_reason_remedy(FOLIO_REASON_MISALIGNED));
    assert_null(strstr(text, "\n" SERVED_NAME));

    assert_true(json_object_get_boolean_member(root, "connected"));
    assert_number(states, "located", 1);
    assert_number(states, "ineligible", 1);
    assert_number(root, "ram_bytes", 96 * MIB);
    assert_number(root, "present_bytes", 96 * MIB);
    assert_number(root, "huge_bytes", 64 * MIB);
    assert_number(root, "swapped_bytes", 0);
    assert_number(root, "nominated_bytes", 64 * MIB);
    assert_string(root, "sampled_by", "none");
    assert_int_equal(json_array_get_length(not_located), 1);
    assert_hostile(json_array_get_object_element(not_located, 0));
}

static void
test_metrics(void **state)
{
    g_autofree char *text = ctl_print(WORDS("metrics"));
    g_autofree char *complaint = ctl_complain(WORDS("--json", "metrics"), 2);

    assert_holds(text, "\nfoliod_connected 1\n");
    assert_holds(text, "\nfoliod_guest_ram_bytes{uuid=\"" SERVED_UUID "\"} ");
    assert_holds(text, "name=\"" SERVED_NAME "\"");
    assert_holds(text, "name=\"evil");
    assert_holds(complaint, "not JSON");
}

static void
test_list(void **state)
{
    g_autofree char *text = ctl_print(WORDS("list"));
    g_autofree char *served = line_of(text, SERVED_NAME "  ");
    g_autofree char *hostile = line_of(text, HOSTILE_SHOWN "  ");
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(JsonParser) parser = ctl_json(WORDS("--json", "list"));
    JsonArray *guests = json_object_get_array_member(ctl_root(parser), "guests");
    guint served_at;

    /* A header, a line a guest, and the end of the last. */
    assert_int_equal(g_strv_length(lines), 4);
    assert_true(g_str_has_prefix(text, "NAME  "));
    assert_holds(served, "  " SERVED_UUID "  located     64 MiB   64 MiB  100%  ");
    assert_true(g_str_has_suffix(served, "  -     64 MiB  mode-observe"));
    assert_holds(hostile, "  " HOSTILE_UUID "  ineligible  32 MiB   32 MiB    0%  ");
    assert_true(g_str_has_suffix(hostile, "  -          -  misaligned"));

    assert_int_equal(json_array_get_length(guests), 2);
    served_at =
        g_str_equal(json_object_get_string_member(json_array_get_object_element(guests, 0), "name"),
                    SERVED_NAME)
            ? 0
            : 1;
    assert_served(json_array_get_object_element(guests, served_at));
    assert_hostile(json_array_get_object_element(guests, 1 - served_at));
}

static void
test_show(void **state)
{
    g_autofree char *text = ctl_print(WORDS("show", SERVED_NAME));
    g_autofree char *by_uuid = ctl_print(WORDS("show", SERVED_UUID));
    g_autofree char *pid = g_strdup_printf("%d", folio_test_guest_pid(SERVED_NAME));
    g_autoptr(JsonParser) parser = ctl_json(WORDS("show", "--json", SERVED_UUID));
    JsonArray *blocks = json_object_get_array_member(ctl_root(parser), "ram");
    JsonObject *block;

    assert_string_equal(text, by_uuid);
    assert_line(text, "name ", SERVED_NAME);
    assert_line(text, "uuid ", SERVED_UUID);
    assert_line(text, "state ", "located");
    assert_line(text, "reason ", "mode-observe: ");
    assert_line(text, "process ", pid);
    assert_line(text, "samples ", "none are taken");
    assert_line(text, "nominated ", "1 range, 64 MiB huge, not judged");
    assert_line(text, "RAM     ", " 64 MiB, 64 MiB present, 64 MiB huge (100%)");
    assert_line(text, "ram  file ", " 64 MiB   64 MiB  64 MiB  100%  always  none");
    assert_holds(text, g_getenv("FOLIOD_GUEST_RAM"));

    assert_served(json_object_get_object_member(ctl_root(parser), "guest"));
    assert_int_equal(json_array_get_length(blocks), 1);
    block = json_array_get_object_element(blocks, 0);
    assert_string(block, "id", "ram");
    assert_string(block, "reason", "none");
    assert_string(block, "huge", "always");
    assert_number(block, "bytes", 64 * MIB);
    assert_number(block, "present", 64 * MIB);
    assert_number(block, "huge_bytes", 64 * MIB);
    assert_int_equal(json_object_get_int_member(block, "hva") % (gint64) (2 * MIB), 0);
}

static void
test_hostile_name(void **state)
{
    /* ctl_run looks for what must not be there. */
    g_autofree char *text = ctl_print(WORDS("show", HOSTILE_NAME));
    g_autoptr(JsonParser) parser = ctl_json(WORDS("show", "--json", HOSTILE_NAME));
    g_autofree char *unknown = ctl_complain(WORDS("show", "no\033[31m\u2028" HOSTILE_NAME), 1);
    g_autofree char *verb = ctl_complain(WORDS("\033[31mlist"), 2);
    g_autoptr(CtlRun) run = ctl_run_on_terminal(WORDS("list"), NULL);

    assert_line(text, "name ", HOSTILE_SHOWN);
    assert_hostile(json_object_get_object_member(ctl_root(parser), "guest"));
    assert_holds(unknown, "no\\x1b[31m\\xe2\\x80\\xa8" HOSTILE_SHOWN ": no such guest");
    assert_holds(verb, "\\x1b[31mlist");
    /* A terminal gets colours, and the name as everywhere. */
    assert_holds(run->output, HOSTILE_SHOWN);
    assert_null(strstr(run->output, "\xc2\x9b"));
}

/* A check of that name, result and remedy among those of the doctor's JSON. */
static void
assert_check(JsonObject *root, const char *name, const char *result, const char *remedy)
{
    JsonArray *checks = json_object_get_array_member(root, "checks");

    for (guint i = 0; i < json_array_get_length(checks); i++) {
        JsonObject *check = json_array_get_object_element(checks, i);

        if (!g_str_equal(json_object_get_string_member(check, "check"), name))
            continue;
        assert_string(check, "result", result);
        assert_string(check, "remedy", remedy);
        return;
    }
    fail_msg("the doctor does not check %s", name);
}

/* Text and JSON agree, and the status is that of the checks. guest may be NULL. Gives the JSON. */
static JsonParser *
run_doctor(const char *guest, char **text)
{
    g_autoptr(CtlRun) plain = ctl_run(WORDS("doctor", guest));
    g_autoptr(CtlRun) json = ctl_run(WORDS("--json", "doctor", guest));
    JsonParser *parser = ctl_run_parse(json);
    JsonObject *root = ctl_root(parser);
    gint64 pass = json_object_get_int_member(root, "pass");
    gint64 warn = json_object_get_int_member(root, "warn");
    gint64 fail = json_object_get_int_member(root, "fail");
    JsonArray *checks = json_object_get_array_member(root, "checks");
    g_autofree char *summary =
        g_strdup_printf("\n%u checks: %" G_GINT64_FORMAT " pass, %" G_GINT64_FORMAT
                        " warn, %" G_GINT64_FORMAT " fail\n",
                        json_array_get_length(checks), pass, warn, fail);

    assert_int_equal(pass + warn + fail, json_array_get_length(checks));
    assert_string_equal(plain->complaint, "");
    assert_string_equal(json->complaint, "");
    assert_true(g_str_has_suffix(plain->output, summary));
    assert_int_equal(plain->status, fail > 0 ? 1 : 0);
    assert_int_equal(json->status, plain->status);
    *text = g_strdup(plain->output);
    return parser;
}

static void
test_doctor(void **state)
{
    static const char *const own[] = { "guest-state", "alignment", "tmpfs",        "backing",
                                       "vfio",        "locked",    "huge-coverage" };
    g_autofree char *host_text = NULL;
    g_autofree char *served_text = NULL;
    g_autofree char *hostile_text = NULL;
    g_autoptr(JsonParser) host = run_doctor(NULL, &host_text);
    g_autoptr(JsonParser) served = run_doctor(SERVED_NAME, &served_text);
    g_autoptr(JsonParser) hostile = run_doctor(HOSTILE_UUID, &hostile_text);
    const char *remedy = folio_reason_remedy(FOLIO_REASON_MISALIGNED);

    assert_true(json_object_get_null_member(ctl_root(host), "guest"));
    assert_check(ctl_root(host), "libvirt", "pass", "");
    assert_null(strstr(host_text, "alignment"));

    assert_string(ctl_root(served), "guest", SERVED_UUID);
    for (gsize i = 0; i < G_N_ELEMENTS(own); i++)
        assert_check(ctl_root(served), own[i], "pass", "");
    assert_int_equal(json_object_get_int_member(ctl_root(served), "fail"),
                     json_object_get_int_member(ctl_root(host), "fail"));
    assert_holds(served_text, "pass  alignment  ");

    assert_string(ctl_root(hostile), "guest", HOSTILE_UUID);
    assert_true(json_object_get_int_member(ctl_root(hostile), "fail") > 0);
    assert_check(ctl_root(hostile), "guest-state", "fail", remedy);
    assert_check(ctl_root(hostile), "alignment", "fail", remedy);
    assert_holds(hostile_text, "\nfail  alignment  ");
    assert_holds(hostile_text, remedy);
}

static void
test_unknown_guest(void **state)
{
    static const char *const verbs[] = { "show", "doctor" };
    static const char *const guests[] = { "nobody", "00000000-0000-4000-8000-00000000dead" };

    for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++) {
        for (gsize j = 0; j < G_N_ELEMENTS(guests); j++) {
            g_autofree char *text = ctl_complain(WORDS(verbs[i], guests[j]), 1);
            g_autofree char *json = ctl_complain(WORDS(verbs[i], guests[j], "--json"), 1);

            assert_holds(text, guests[j]);
            assert_holds(text, "no such guest");
            assert_string_equal(json, text);
        }
    }
}

static void
test_reload(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *done = ctl_print(WORDS("reload"));
    g_autofree char *file = g_build_filename(fixture->daemon->conf_dir, "foliod.conf", NULL);
    g_autofree char *scan_error = g_strdup_printf("%s:3: Scan: \"perhaps\" ", file);
    g_autofree char *key_error = g_strdup_printf("%s:4: Nonsense: unknown key", file);
    g_autofree char *text = NULL;
    g_autofree char *json = NULL;
    g_autofree char *status = NULL;
    g_autofree char *after = NULL;
    g_autoptr(JsonParser) bad = NULL;
    g_autoptr(JsonParser) good = NULL;
    JsonArray *errors;

    assert_holds(done, "read again");
    daemon_configure(fixture->daemon, "# comment\n[Guests]\nScan=perhaps\nNonsense=1\n");
    text = ctl_complain(WORDS("reload"), 1);
    json = ctl_complain(WORDS("reload", "--json"), 1);
    assert_holds(text, scan_error);
    assert_holds(text, key_error);
    assert_string_equal(json, text);

    status = ctl_print(WORDS("status"));
    assert_line(status, "configuration ", scan_error);
    assert_holds(status, key_error);
    bad = ctl_json(WORDS("status", "--json"));
    errors = json_object_get_array_member(ctl_root(bad), "config_errors");
    assert_int_equal(json_array_get_length(errors), 2);
    assert_holds(json_array_get_string_element(errors, 0), scan_error);

    daemon_configure(fixture->daemon, "[Guests]\nScan=auto\n");
    good = ctl_json(WORDS("reload", "--json"));
    assert_true(json_object_get_boolean_member(ctl_root(good), "reloaded"));
    after = ctl_print(WORDS("status"));
    assert_line(after, "configuration ", "no errors");
}

static void
test_wrong_usage(void **state)
{
    const char *const *const calls[] = {
        WORDS("frobnicate"),      WORDS("show"),
        WORDS("list", "extra"),   WORDS("doctor", "a", "b"),
        WORDS("--nonsense"),      WORDS("reload", "now"),
        WORDS("status", "--all"), WORDS("--json"),
        WORDS("analyze"),         WORDS("show", "not UTF-8: \xff")
    };
    const char *const nothing[] = { NULL, NULL };
    g_autofree char *unspoken = ctl_complain(nothing, 2);

    assert_holds(unspoken, "which verb?");
    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autofree char *text = ctl_complain(calls[i], 2);

        assert_holds(text, "\nfolioctl: see folioctl --help\n");
    }
}

/* An ordinary user may look at the totals, and neither at addresses nor change anything. */
static void
test_ordinary_user(void **state)
{
    g_autoptr(CtlRun) reload = ctl_run_as_nobody(WORDS("reload"));
    g_autoptr(CtlRun) list = ctl_run_as_nobody(WORDS("list"));
    g_autoptr(CtlRun) show = ctl_run_as_nobody(WORDS("show", SERVED_NAME));
    g_autoptr(CtlRun) json = ctl_run_as_nobody(WORDS("show", SERVED_NAME, "--json"));
    g_autofree char *list_of_root = ctl_print(WORDS("list"));
    g_autoptr(JsonParser) parser = ctl_run_parse(json);

    assert_int_equal(reload->status, 4);
    assert_string_equal(reload->output, "");
    assert_holds(reload->complaint, "org.foliod1.manage");

    assert_int_equal(list->status, 0);
    assert_string_equal(list->output, list_of_root);

    assert_int_equal(show->status, 0);
    assert_string_equal(show->complaint, "");
    assert_line(show->output, "RAM ", " 64 MiB, 64 MiB present, 64 MiB huge (100%)");
    assert_line(show->output, "Its RAM block by block ", "org.foliod1.heat");
    assert_null(strstr(show->output, "ADDRESSES"));
    assert_null(strstr(show->output, g_getenv("FOLIOD_GUEST_RAM")));

    assert_int_equal(json->status, 0);
    assert_served(json_object_get_object_member(ctl_root(parser), "guest"));
    assert_true(json_object_get_null_member(ctl_root(parser), "ram"));
    assert_true(json_object_get_null_member(ctl_root(parser), "scan"));
}

/* ctl_run has seen that there is none without a terminal. */
static void
test_colour(void **state)
{
    g_autoptr(CtlRun) coloured = ctl_run_on_terminal(WORDS("list"), NULL);
    g_autoptr(CtlRun) refused = ctl_run_on_terminal(WORDS("list"), "NO_COLOR=1");
    g_autoptr(CtlRun) dumb = ctl_run_on_terminal(WORDS("list"), "TERM=dumb");
    g_autoptr(CtlRun) json = ctl_run_on_terminal(WORDS("list", "--json"), NULL);

    assert_holds(coloured->output, "\033[1mNAME\033[0m");
    assert_holds(coloured->output, "\033[32mlocated\033[0m");
    assert_holds(refused->output, "located");
    assert_null(strchr(refused->output, '\033'));
    assert_null(strchr(dumb->output, '\033'));
    assert_null(strchr(json->output, '\033'));
}

static void
test_without_daemon(void **state)
{
    static const char *const calls[][2] = {
        { "status" }, { "list" }, { "show", SERVED_NAME }, { "doctor" }, { "reload" },
    };
    Fixture *fixture = *state;

    daemon_stop(fixture->daemon);
    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autofree char *text = ctl_complain(WORDS(calls[i][0], calls[i][1]), 3);
        g_autofree char *json = ctl_complain(WORDS("--json", calls[i][0], calls[i][1]), 3);

        assert_string_equal(text, "folioctl: foliod is not running\n");
        assert_string_equal(json, text);
    }
    daemon_start(fixture->daemon, NULL, NULL);
}

static int
set_up(void **state)
{
    g_autofree char *launcher =
        g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "launch", "qemu-system-x86_64", NULL);
    const FolioTestGuest served = { .name = SERVED_NAME,
                                    .uuid = SERVED_UUID,
                                    .emulator = launcher,
                                    .backing = FOLIO_TEST_ON_TMPFS,
                                    .mib = 64 };
    static const FolioTestGuest hostile = {
        .name = HOSTILE_NAME, .uuid = HOSTILE_UUID, .backing = FOLIO_TEST_ON_TMPFS, .mib = 32
    };
    Fixture *fixture = g_new0(Fixture, 1);

    *state = fixture;
    fixture->connect = folio_test_connect(g_getenv("LIBVIRT_DEFAULT_URI"));
    fixture->served = folio_test_guest_start(fixture->connect, &served);
    fixture->hostile = folio_test_guest_start(fixture->connect, &hostile);
    fixture->daemon = daemon_new();
    daemon_start(fixture->daemon, NULL, NULL);
    g_free(daemon_wait_state(fixture->daemon, SERVED_NAME, "located"));
    g_free(daemon_wait_state(fixture->daemon, HOSTILE_NAME, "ineligible"));
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    folio_test_guest_destroy(fixture->served);
    folio_test_guest_destroy(fixture->hostile);
    if (fixture->daemon->pid != 0)
        daemon_stop(fixture->daemon);
    daemon_free(fixture->daemon);
    virConnectClose(fixture->connect);
    g_free(fixture);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),        cmocka_unit_test(test_metrics),
        cmocka_unit_test(test_list),          cmocka_unit_test(test_show),
        cmocka_unit_test(test_hostile_name),  cmocka_unit_test(test_doctor),
        cmocka_unit_test(test_unknown_guest), cmocka_unit_test(test_reload),
        cmocka_unit_test(test_wrong_usage),   cmocka_unit_test(test_ordinary_user),
        cmocka_unit_test(test_colour),        cmocka_unit_test(test_without_daemon),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
