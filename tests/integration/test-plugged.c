/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory that is plugged in while the guest runs: it does not pass the launcher, and foliod sees
 * it, measures it and says why it cannot be served. */
#include "base/reason.h"
#include "guests.h"
#include "integration/ctl-run.h"
#include "integration/figures.h"

#include <libvirt/virterror.h>
#include <string.h>

#define MIB      (1024 * 1024ULL)
#define MAIN_MIB 64
#define DIMM_MIB 128

/* How often it is tried until chance has not aligned the DIMM. */
#define CHANCES 4

static const char one_cell[] = "<cell id='0' cpus='0' memory='64' unit='MiB'/>";
static const char dimm_xml[] =
    "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>";

typedef struct {
    virConnectPtr connect;
    Daemon *daemon;
    virDomainPtr domain;
    char *path; /* of its object */
} Fixture;

static guint64
ram_bytes(const Fixture *fixture)
{
    return daemon_guest_bytes(fixture->daemon, fixture->path, "RamBytes");
}

static GVariant *
list_ram(const Fixture *fixture)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply =
        daemon_call(fixture->daemon, fixture->path, FOLIOD_GUEST, "ListRam", NULL, &error);

    assert_no_error(error);
    return g_variant_get_child_value(reply, 1);
}

static guint64
number_of(GVariant *block, const char *key)
{
    guint64 value;

    assert_true(g_variant_lookup(block, key, "t", &value));
    return value;
}

static void
assert_text(GVariant *block, const char *key, const char *expected)
{
    const char *text;

    assert_true(g_variant_lookup(block, key, "&s", &text));
    assert_string_equal(text, expected);
}

/* Through the launcher, with room for a DIMM. */
static void
start(Fixture *fixture)
{
    g_autofree char *launcher =
        g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "launch", "qemu-system-x86_64", NULL);
    const FolioTestGuest guest = { .name = "plugged",
                                   .emulator = launcher,
                                   .backing = FOLIO_TEST_ON_TMPFS,
                                   .numa = one_cell,
                                   .mib = MAIN_MIB,
                                   .max_mib = 512 };

    fixture->domain = folio_test_guest_start(fixture->connect, &guest);
    fixture->path = daemon_wait_state(fixture->daemon, "plugged", "located");
    assert_int_equal(ram_bytes(fixture), MAIN_MIB * MIB);
}

static void
stop(Fixture *fixture)
{
    folio_test_guest_destroy(g_steal_pointer(&fixture->domain));
    daemon_wait_gone(fixture->daemon, "plugged");
    g_clear_pointer(&fixture->path, g_free);
}

/* Adds the DIMM and waits until foliod knows it. Gives its block. */
static GVariant *
plug(const Fixture *fixture)
{
    const guint64 expected = (MAIN_MIB + DIMM_MIB) * MIB;
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    g_autoptr(GVariant) blocks = NULL;

    if (virDomainAttachDeviceFlags(fixture->domain, dimm_xml, VIR_DOMAIN_AFFECT_LIVE) != 0)
        fail_msg("DIMM: %s", virGetLastErrorMessage());
    while (ram_bytes(fixture) != expected && before_deadline(deadline))
        ;
    assert_int_equal(ram_bytes(fixture), expected);
    blocks = list_ram(fixture);
    assert_int_equal(g_variant_n_children(blocks), 2);
    return g_variant_get_child_value(blocks, 1);
}

static GVariant *
plug_misaligned(Fixture *fixture)
{
    for (guint i = 0; i < CHANCES; i++) {
        GVariant *dimm = NULL;

        if (fixture->domain != NULL)
            stop(fixture);
        start(fixture);
        dimm = plug(fixture);
        if (number_of(dimm, "alignment") < 2 * MIB)
            return dimm;
        g_variant_unref(dimm);
    }
    fail_msg("a DIMM that is plugged in was aligned %d times", CHANCES);
    return NULL;
}

/* The guest's own RAM is served, the DIMM is not, and that is said with what helps. */
static void
check_blocks(const Fixture *fixture, GVariant *dimm)
{
    g_autoptr(GVariant) blocks = list_ram(fixture);
    g_autoptr(GVariant) cell = g_variant_get_child_value(blocks, 0);
    g_autofree char *state = daemon_guest_text(fixture->daemon, fixture->path, "State");

    assert_string_equal(state, "located");
    assert_text(cell, "id", "cell0");
    assert_text(cell, "reason", "none");
    assert_int_equal(number_of(cell, "bytes"), MAIN_MIB * MIB);
    assert_int_equal(number_of(cell, "huge-bytes"), MAIN_MIB * MIB);
    assert_text(dimm, "id", "dimm0");
    assert_text(dimm, "kind", "dimm");
    assert_text(dimm, "backing", "file");
    assert_text(dimm, "reason", "misaligned");
    assert_text(dimm, "reason-text", folio_reason_text(FOLIO_REASON_MISALIGNED));
    assert_text(dimm, "remedy", folio_reason_remedy(FOLIO_REASON_MISALIGNED));
    assert_int_equal(number_of(dimm, "bytes"), DIMM_MIB * MIB);
    assert_int_equal(number_of(dimm, "huge-bytes"), 0);
}

/* The launcher is there already: only what to do about the DIMM is said. */
static void
check_doctor(void)
{
    g_autoptr(CtlRun) run = ctl_run((const char *[]){ "--json", "doctor", "plugged", NULL });
    g_autoptr(JsonParser) parser = ctl_run_parse(run);
    JsonArray *checks = json_object_get_array_member(ctl_root(parser), "checks");
    guint n_alignment = 0;

    assert_int_equal(run->status, 1);
    for (guint i = 0; i < json_array_get_length(checks); i++) {
        JsonObject *check = json_array_get_object_element(checks, i);

        if (!g_str_equal(json_object_get_string_member(check, "check"), "alignment"))
            continue;
        n_alignment++;
        assert_string_equal(json_object_get_string_member(check, "result"), "fail");
        assert_non_null(strstr(json_object_get_string_member(check, "text"), "RAM block dimm0 "));
        assert_string_equal(json_object_get_string_member(check, "remedy"), FOLIO_REMEDY_PLUGGED);
    }
    assert_int_equal(n_alignment, 1);
}

static void
check_show(void)
{
    g_autoptr(CtlRun) run = ctl_run((const char *[]){ "show", "plugged", NULL });
    g_autofree char *said =
        g_strdup_printf("\ndimm0: %s. %s\n", folio_reason_text(FOLIO_REASON_MISALIGNED),
                        folio_reason_remedy(FOLIO_REASON_MISALIGNED));

    assert_int_equal(run->status, 0);
    assert_non_null(strstr(run->output, said));
}

static void
test_dimm(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GVariant) dimm = plug_misaligned(fixture);
    g_autofree char *suspended = NULL;
    g_autoptr(GVariant) ram = NULL;
    const char *scan;
    Figures figures;

    check_blocks(fixture, dimm);
    check_doctor();
    check_show();
    assert_int_equal(virDomainSuspend(fixture->domain), 0);
    suspended = daemon_wait_reason(fixture->daemon, "plugged", "suspended");
    ram = daemon_call(fixture->daemon, fixture->path, FOLIOD_GUEST, "ListRam", NULL, NULL);
    assert_non_null(ram);
    g_variant_get_child(ram, 0, "&s", &scan);
    figures_check(fixture->daemon, fixture->path, scan, &figures);
    assert_int_equal(figures.size, (MAIN_MIB + DIMM_MIB) * MIB);
    assert_int_equal(figures.huge, MAIN_MIB * MIB);
    stop(fixture);
}

static int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    *state = fixture;
    fixture->connect = folio_test_connect(g_getenv("LIBVIRT_DEFAULT_URI"));
    fixture->daemon = daemon_new();
    daemon_start(fixture->daemon, NULL, NULL);
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    if (fixture->domain != NULL)
        folio_test_guest_destroy(fixture->domain);
    daemon_stop(fixture->daemon);
    daemon_free(fixture->daemon);
    virConnectClose(fixture->connect);
    g_free(fixture->path);
    g_free(fixture);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dimm),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
