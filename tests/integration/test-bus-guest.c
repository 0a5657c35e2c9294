/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the bus tells of a real QEMU guest, and to whom: addresses only with org.foliod1.heat. */
#include "integration/bus-fixture.h"
#include "integration/guests.h"

#include <libvirt/virterror.h>
#include <signal.h>
#include <string.h>

#define DOUBT_NAME "doubt"
#define DOUBT_UUID "d0bb7000-0000-4000-8000-00000000000d"

typedef struct {
    BusFixture *bus;
    virConnectPtr libvirt;
    virDomainPtr alpha;
} GuestFixture;

/* Every key that data/org.foliod1.xml promises, and its type. */
static const struct {
    const char *key;
    const char *type;
} keys[] = {
    { "id", "s" },          { "kind", "s" },       { "backing", "s" },      { "file", "s" },
    { "fs-type", "s" },     { "fs-options", "s" }, { "huge", "s" },         { "reason", "s" },
    { "reason-text", "s" }, { "remedy", "s" },     { "hva", "t" },          { "bytes", "t" },
    { "offset", "t" },      { "alignment", "t" },  { "present", "t" },      { "huge-bytes", "t" },
    { "swapped", "t" },     { "locked", "b" },     { "file-deleted", "b" },
};

static GVariant *
list_ram(BusFixture *bus, User user, const char *uuid, char **scan)
{
    g_autofree char *path = guest_path(uuid);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = g_dbus_connection_call_sync(
        bus->users[user], FOLIOD_NAME, path, FOLIOD_GUEST, "ListRam", NULL,
        G_VARIANT_TYPE("(saa{sv})"), G_DBUS_CALL_FLAGS_NONE, PATIENCE_SECONDS * 1000, NULL, &error);
    GVariant *blocks = NULL;

    assert_no_error(error);
    g_variant_get(reply, "(s@aa{sv})", scan, &blocks);
    return blocks;
}

static guint64
get_hva(GVariant *block)
{
    guint64 hva = 0;

    assert_true(g_variant_lookup(block, "hva", "t", &hva));
    return hva;
}

static void
test_ram_is_told_to_who_may_know(void **state)
{
    GuestFixture *fixture = *state;
    g_autofree char *scan = NULL;
    g_autoptr(GVariant) blocks = list_ram(fixture->bus, USER_ALLOWED, ALPHA_UUID, &scan);
    g_autoptr(GVariant) block = NULL;

    assert_true(g_str_equal(scan, "pagemap-scan") || g_str_equal(scan, "smaps"));
    assert_int_equal(g_variant_n_children(blocks), 1);
    block = g_variant_get_child_value(blocks, 0);
    assert_int_equal(g_variant_n_children(block), G_N_ELEMENTS(keys));
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        g_autoptr(GVariant) value =
            g_variant_lookup_value(block, keys[i].key, G_VARIANT_TYPE(keys[i].type));

        if (value == NULL)
            fail_msg("ListRam lacks %s of type %s", keys[i].key, keys[i].type);
    }
    assert_true(get_hva(block) > 0);
}

/* Totals are for whoever may see the guest; blocks are not. */
static void
test_heat_needs_its_action(void **state)
{
    static const char *const calls[][2] = {
        { "Heat", "(@a{sv} {},)" },
        { "Heat", "({'granule': <uint32 4>, 'history': <true>},)" },
        { "Explain", "(@a{sv} {},)" },
    };
    GuestFixture *fixture = *state;
    g_autofree char *path = guest_path(ALPHA_UUID);
    g_autoptr(Answer) totals =
        caller_get(fixture->bus->users[USER_PLAIN], path, FOLIOD_GUEST, "SparseBytes");
    g_autoptr(Answer) waits =
        caller_get(fixture->bus->users[USER_PLAIN], path, FOLIOD_GUEST, "Waits");

    assert_int_equal(totals->kind, ANSWER_OK);
    assert_int_equal(waits->kind, ANSWER_OK);
    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autoptr(Answer) plain = caller_ask(fixture->bus->users[USER_PLAIN], path, FOLIOD_GUEST,
                                             calls[i][0], calls[i][1]);
        g_autoptr(Answer) allowed = caller_ask(fixture->bus->users[USER_ALLOWED], path,
                                               FOLIOD_GUEST, calls[i][0], calls[i][1]);

        assert_int_equal(plain->kind, ANSWER_NOT_PERMITTED);
        assert_int_equal(allowed->kind, ANSWER_OK);
    }
}

static void
test_bad_options_are_refused(void **state)
{
    static const char *const calls[][3] = {
        { "Heat", "({'grain': <uint32 4>},)", "grain" },
        { "Heat", "({'granule': <uint32 0>},)", "granule" },
        { "Heat", "({'granule': <4>},)", "granule" },
        { "Heat", "({'first-block': <'x'>},)", "first-block" },
        { "Explain", "({'top': <uint32 65>},)", "top" },
        { "Explain", "({'block': <uint64 0>},)", "block" },
        { "Explain", "({'granule': <uint32 1>},)", "granule" },
    };
    GuestFixture *fixture = *state;
    g_autofree char *path = guest_path(ALPHA_UUID);

    for (gsize i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_autoptr(Answer) answer = caller_ask(fixture->bus->users[USER_ALLOWED], path, FOLIOD_GUEST,
                                              calls[i][0], calls[i][1]);

        if (answer->kind != ANSWER_INVALID || strstr(answer->text, calls[i][2]) == NULL)
            fail_msg("%s%s: %s", calls[i][0], calls[i][1], answer->text);
    }
}

/* The number as it may be written: hexadecimal, decimal, and its page. */
static void
expect_no_address(const char *text, guint64 address)
{
    g_autofree char *hex = g_strdup_printf("%" G_GINT64_MODIFIER "x", address);
    g_autofree char *page = g_strdup_printf("%" G_GINT64_MODIFIER "x", address >> 12);
    g_autofree char *decimal = g_strdup_printf("%" G_GUINT64_FORMAT, address);

    if (strstr(text, hex) != NULL || strstr(text, page) != NULL || strstr(text, decimal) != NULL)
        fail_msg("address %s is told: %s", hex, text);
}

static void
expect_no_hexadecimal(const char *text)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GRegex) regex =
        g_regex_new("0x[0-9a-f]{6,}|\\b[0-9a-f]*7f[0-9a-f]{9,}\\b|[0-9a-f]{8,}-[0-9a-f]{8,}",
                    G_REGEX_CASELESS, 0, &error);
    g_autoptr(GMatchInfo) match = NULL;

    assert_no_error(error);
    if (g_regex_match(regex, text, 0, &match)) {
        g_autofree char *found = g_match_info_fetch(match, 0);

        fail_msg("an address is told, %s: %s", found, text);
    }
}

static void
test_no_address_without_heat(void **state)
{
    static const char *const guests[][2] = { { ALPHA_NAME, ALPHA_UUID },
                                             { SECRET_NAME, SECRET_UUID } };
    GuestFixture *fixture = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(guests); i++) {
        g_autofree char *scan = NULL;
        g_autoptr(GVariant) blocks = list_ram(fixture->bus, USER_ROOT, guests[i][1], &scan);
        g_autofree char *plain =
            ask_everything(fixture->bus, USER_PLAIN, guests[i][0], guests[i][1]);
        g_autofree char *allowed =
            ask_everything(fixture->bus, USER_ALLOWED, guests[i][0], guests[i][1]);
        gsize n_blocks = g_variant_n_children(blocks);

        assert_true(n_blocks > 0);
        for (gsize j = 0; j < n_blocks; j++) {
            g_autoptr(GVariant) block = g_variant_get_child_value(blocks, j);
            g_autofree char *told =
                g_strdup_printf("<uint64 %" G_GUINT64_FORMAT ">", get_hva(block));

            expect_no_address(plain, get_hva(block));
            assert_non_null(strstr(allowed, told));
        }
        expect_no_hexadecimal(plain);
    }
}

/* QEMU has a second mapping that could be the guest's RAM. */
static virDomainPtr
start_in_doubt(virConnectPtr connect)
{
    static const char ns[] = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'";
    static const FolioTestGuest guest = { .name = DOUBT_NAME, .uuid = DOUBT_UUID, .mib = 16 };
    g_autofree char *plain = folio_test_guest_xml(&guest);
    /* What is between <domain and </domain>. */
    g_autofree char *inside = g_strndup(plain + strlen("<domain"),
                                        strlen(plain) - strlen("<domain") - strlen("</domain>"));
    g_autofree char *xml = g_strdup_printf(
        "<domain %s%s<qemu:commandline><qemu:arg value='-object'/>"
        "<qemu:arg value='memory-backend-ram,id=twin,size=16M'/></qemu:commandline></domain>",
        ns, inside);
    virDomainPtr domain = virDomainCreateXML(connect, xml, 0);

    if (domain == NULL)
        fail_msg("%s: %s", guest.name, virGetLastErrorMessage());
    return domain;
}

/* Why its RAM cannot be told is said without what else QEMU maps; that is for the log. */
static void
test_doubt_tells_no_mappings(void **state)
{
    GuestFixture *fixture = *state;
    BusFixture *bus = fixture->bus;
    virDomainPtr domain = start_in_doubt(fixture->libvirt);
    g_autofree char *path = daemon_wait_reason(bus->daemon, DOUBT_NAME, "ram-ambiguous");
    g_autofree char *reason = daemon_guest_text(bus->daemon, path, "ReasonText");
    g_autofree char *plain = ask_everything(bus, USER_PLAIN, DOUBT_NAME, DOUBT_UUID);

    assert_string_equal(reason, "more than one mapping of the QEMU process could be its RAM: "
                                "ram: looked for 1 anonymous mapping of 16777216 bytes, found 2");
    /* It was told to this user, by the doctor too. */
    assert_non_null(strstr(plain, reason));
    assert_non_null(strstr(plain, "guest-state"));
    expect_no_hexadecimal(plain);
    assert_null(strstr(plain, "largest"));
    assert_null(strstr(plain, " bytes of "));
    daemon_expect_log(bus->daemon, "/maps: the largest mappings are ");
    folio_test_guest_destroy(domain);
    daemon_wait_gone(bus->daemon, DOUBT_NAME);
}

static void
on_answer(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Answer **answer = user_data;

    *answer = caller_send_finish(source, result);
}

/* A guest that goes while polkit is asked about it is answered for like one that never was. */
static void
test_guest_that_goes_while_asked_about(void **state)
{
    GuestFixture *fixture = *state;
    BusFixture *bus = fixture->bus;
    g_autofree char *path = guest_path(ALPHA_UUID);
    Answer *answers[3] = { NULL };
    gint64 deadline = deadline_after(PATIENCE_SECONDS);

    freeze(bus->polkitd);
    caller_send(bus->users[USER_ROOT], path, FOLIOD_GUEST, "ListRam", NULL, G_DBUS_CALL_FLAGS_NONE,
                on_answer, &answers[0]);
    caller_send(bus->users[USER_PLAIN], path, PROPERTIES_INTERFACE, "GetAll",
                "('" FOLIOD_GUEST "',)", G_DBUS_CALL_FLAGS_NONE, on_answer, &answers[1]);
    caller_send(bus->users[USER_PLAIN], FOLIOD_PATH, FOLIOD_MANAGER, "Doctor",
                "('" ALPHA_UUID "',)", G_DBUS_CALL_FLAGS_NONE, on_answer, &answers[2]);
    folio_test_guest_destroy(g_steal_pointer(&fixture->alpha));
    daemon_expect_log(bus->daemon, ALPHA_NAME ": does not run any more");
    thaw(bus->polkitd);

    for (gsize i = 0; i < G_N_ELEMENTS(answers); i++) {
        while (answers[i] == NULL) {
            assert_true(before_deadline(deadline));
            g_main_context_iteration(NULL, FALSE);
        }
        assert_int_equal(answers[i]->kind, ANSWER_NOT_FOUND);
        answer_free(answers[i]);
    }
}

static int
go_on(void **state)
{
    GuestFixture *fixture = *state;

    kill(fixture->bus->polkitd, SIGCONT);
    return 0;
}

/* One guest on the tmpfs, one on a memfd: each has something for the doctor to say. */
static int
set_up(void **state)
{
    static const FolioTestGuest alpha = { .name = ALPHA_NAME,
                                          .uuid = ALPHA_UUID,
                                          .backing = FOLIO_TEST_ON_TMPFS };
    static const FolioTestGuest secret = { .name = SECRET_NAME,
                                           .uuid = SECRET_UUID,
                                           .backing = "<source type='memfd'/>" };
    GuestFixture *fixture = g_new0(GuestFixture, 1);
    g_autofree char *path = NULL;
    g_autofree char *other = NULL;

    *state = fixture;
    fixture->libvirt = folio_test_connect("qemu:///system");
    fixture->alpha = folio_test_guest_start(fixture->libvirt, &alpha);
    virDomainFree(folio_test_guest_start(fixture->libvirt, &secret));
    fixture->bus = bus_fixture_new("qemu:///system");
    path = daemon_wait_state(fixture->bus->daemon, ALPHA_NAME, "ineligible");
    other = daemon_wait_state(fixture->bus->daemon, SECRET_NAME, "ineligible");
    return 0;
}

static int
tear_down(void **state)
{
    GuestFixture *fixture = *state;

    if (fixture->bus == NULL)
        return 0;
    folio_test_guest_destroy(virDomainLookupByName(fixture->libvirt, SECRET_NAME));
    if (fixture->alpha != NULL)
        folio_test_guest_destroy(fixture->alpha);
    virConnectClose(fixture->libvirt);
    bus_fixture_free(fixture->bus);
    g_free(fixture);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ram_is_told_to_who_may_know),
        cmocka_unit_test(test_heat_needs_its_action),
        cmocka_unit_test(test_bad_options_are_refused),
        cmocka_unit_test(test_no_address_without_heat),
        cmocka_unit_test(test_doubt_tells_no_mappings),
        cmocka_unit_test_teardown(test_guest_that_goes_while_asked_about, go_on),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
