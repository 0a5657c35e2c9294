/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Actions over the bus: foliod's service in this process, with real guests and the real polkitd,
 * above an actuator that does as the test says. */
#include "bus/arguments.h"
#include "bus/service.h"
#include "fake-actuator.h"
#include "guests.h"
#include "integration/bus-fixture.h"
#include "integration/listener.h"
#include "manager.h"

#include <stdio.h>

#define SPLIT_8 "(uint64 4, uint64 8, uint32 4, @a{sv} {})"

typedef struct {
    BusFixture *bus; /* for its users; its foliod has left the stage */
    virConnectPtr libvirt;
    virDomainPtr alpha, secret;
    FolioManager *manager;
    FolioService *service;
    FakeActuator fake;
    Listener *plain, *blinkered;
} Fixture;

static void
on_answer(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Answer **answer = user_data;

    *answer = caller_send_finish(source, result);
}

/* The service is in this process: its main loop has to run. */
static Answer *
ask(GDBusConnection *user, const char *guest, const char *method, const char *arguments)
{
    g_autofree char *path = guest != NULL ? guest_path(guest) : g_strdup(FOLIOD_PATH);
    Answer *answer = NULL;

    caller_send(user, path, guest != NULL ? FOLIOD_GUEST : FOLIOD_MANAGER, method, arguments,
                G_DBUS_CALL_FLAGS_NONE, on_answer, &answer);
    folio_test_wait_until(answer != NULL);
    return answer;
}

static void
expect(Fixture *fixture, User user, const char *guest, const char *method, const char *arguments,
       AnswerKind kind, const char *text)
{
    g_autoptr(Answer) answer = ask(fixture->bus->users[user], guest, method, arguments);

    if (answer->kind != kind || strstr(answer->text, text) == NULL)
        fail_msg("%s by user %u: %d \"%s\", not %d \"%s\"", method, user, (int) answer->kind,
                 answer->text, (int) kind, text);
}

static void
expect_property(Fixture *fixture, const char *path, const char *property, const char *value)
{
    g_autofree char *arguments = g_strdup_printf("('" FOLIOD_GUEST "', '%s')", property);
    Answer *answer = NULL;

    caller_send(fixture->bus->users[USER_ROOT], path, PROPERTIES_INTERFACE, "Get", arguments,
                G_DBUS_CALL_FLAGS_NONE, on_answer, &answer);
    folio_test_wait_until(answer != NULL);
    assert_non_null(strstr(answer->text, value));
    answer_free(answer);
}

static guint
split(Fixture *fixture, GDBusConnection *user, const char *guest)
{
    g_autoptr(Answer) answer = ask(user, guest, "Split", SPLIT_8);
    guint job = 0;

    if (answer->kind != ANSWER_OK)
        fail_msg("Split: %s", answer->text);
    assert_int_equal(sscanf(answer->text, "(uint32 %u,)", &job), 1);
    return job;
}

static gboolean
is_located(Fixture *fixture, const char *uuid)
{
    FolioGuest *guest = folio_manager_find_uuid(fixture->manager, uuid);

    return guest != NULL && folio_guest_get_state(guest) == FOLIO_GUEST_LOCATED;
}

static FakeRun *
last_run(Fixture *fixture)
{
    return fixture->fake.runs->pdata[fixture->fake.runs->len - 1];
}

static void
end(Fixture *fixture, FolioActOutcome outcome)
{
    fake_actuator_end(&fixture->fake, outcome, outcome == FOLIO_ACT_FAILED ? "no room" : "");
}

static FolioBlockRange
first_range(Fixture *fixture)
{
    return g_array_index(last_run(fixture)->request->ranges, FolioBlockRange, 0);
}

static void
subscribe(Fixture *fixture, Listener *listener)
{
    g_autoptr(Answer) answer = ask(listener->connection, NULL, "Subscribe", NULL);

    assert_int_equal(answer->kind, ANSWER_OK);
}

static void
test_job_is_told_of(void **state)
{
    Fixture *fixture = *state;
    const FolioGuestRam *ram =
        folio_guest_get_ram(folio_manager_find_uuid(fixture->manager, SECRET_UUID));
    const FolioRamBlock *block = ram->blocks->pdata[0];
    g_autofree char *running = NULL;
    g_autofree char *done = NULL;
    guint job = split(fixture, fixture->bus->users[USER_ALLOWED], SECRET_UUID);

    assert_int_equal(last_run(fixture)->request->kind, FOLIO_ACT_SPLIT);
    assert_int_equal(last_run(fixture)->request->order, 4);
    assert_int_equal(first_range(fixture).start, block->hva + 4 * FOLIO_BLOCK_BYTES);
    assert_int_equal(first_range(fixture).bytes, 8 * FOLIO_BLOCK_BYTES);
    running = g_strdup_printf("JobChanged (%u, 'running', 0, 8, '')", job);
    listener_expect(fixture->plain, running);
    fake_actuator_progress(&fixture->fake, 8, 8);
    end(fixture, FOLIO_ACT_DONE);
    done = g_strdup_printf("JobChanged (%u, 'done', 8, 8, '')", job);
    listener_expect(fixture->plain, done);
    listener_expect(fixture->plain, "'JobsDone': <uint64 1>");
    listener_refuse(fixture->blinkered, "JobChanged");
}

/* What an actuator has to know. */
static void
test_request_is_whole(void **state)
{
    Fixture *fixture = *state;
    FolioGuest *guest = folio_manager_find_uuid(fixture->manager, ALPHA_UUID);
    const FolioGuestRam *ram = folio_guest_get_ram(guest);
    const FolioActRequest *request;

    split(fixture, fixture->bus->users[USER_ALLOWED], ALPHA_UUID);
    request = last_run(fixture)->request;
    assert_string_equal(request->uuid, ALPHA_UUID);
    assert_string_equal(request->name, ALPHA_NAME);
    assert_string_equal(request->by, "uid 1"); /* "daemon" */
    assert_ptr_equal(request->process, folio_guest_get_process(guest));
    assert_int_equal(request->ram->bytes, ram->bytes);
    assert_int_equal(request->khugepaged, FOLIO_KHUGEPAGED_AUTO);
    assert_false(request->may_inject); /* it is in mode observe */
    assert_false(request->forced);
    end(fixture, FOLIO_ACT_DONE);

    expect(fixture, USER_ROOT, ALPHA_UUID, "SetMode", "('adaptive',)", ANSWER_OK, "");
    expect(fixture, USER_ROOT, ALPHA_UUID, "Split",
           "(uint64 0, uint64 1, uint32 0, {'force': <true>})", ANSWER_OK, "");
    request = last_run(fixture)->request;
    assert_string_equal(request->by, "uid 0");
    assert_true(request->may_inject);
    assert_true(request->forced);
    end(fixture, FOLIO_ACT_DONE);
    expect(fixture, USER_ROOT, ALPHA_UUID, "SetMode", "('default',)", ANSWER_OK, "");
}

static void
expect_range(Fixture *fixture, guint index, guint64 first, guint64 n)
{
    const FolioActRequest *request = last_run(fixture)->request;
    const FolioBlockRange range = g_array_index(request->ranges, FolioBlockRange, index);
    const FolioRamBlock *block = request->ram->blocks->pdata[0];

    assert_int_equal(range.start, block->hva + first * FOLIO_BLOCK_BYTES);
    assert_int_equal(range.bytes, n * FOLIO_BLOCK_BYTES);
}

static void
test_several_ranges(void **state)
{
    Fixture *fixture = *state;

    expect(fixture, USER_ROOT, ALPHA_UUID, "Split",
           "(uint64 4, uint64 2, uint32 0, {'more': <[(uint64 30, uint64 2), (uint64 0, uint64 1),"
           " (uint64 6, uint64 1), (uint64 5, uint64 1)]>})",
           ANSWER_OK, "");
    assert_int_equal(last_run(fixture)->request->ranges->len, 3);
    expect_range(fixture, 0, 0, 1);
    expect_range(fixture, 1, 4, 3);
    expect_range(fixture, 2, 30, 2);
    end(fixture, FOLIO_ACT_DONE);
    listener_expect(fixture->plain, "'done', 0, 6, '')");

    expect(fixture, USER_ROOT, ALPHA_UUID, "Collapse",
           "(uint64 0, uint64 0, uint32 9, {'all': <true>})", ANSWER_OK, "");
    assert_int_equal(last_run(fixture)->request->ranges->len, 1);
    expect_range(fixture, 0, 0, 32);
    end(fixture, FOLIO_ACT_DONE);
}

/* So many ranges, of one block each, in arguments of Split. */
static char *
split_of_ranges(guint n)
{
    GString *text = g_string_new("(uint64 0, uint64 1, uint32 0, {'more': <[(uint64 0, uint64 1)");

    for (guint i = 1; i < n; i++)
        g_string_append_printf(text, ", (%u, 1)", i % 32);
    g_string_append(text, "]>})");
    return g_string_free(text, FALSE);
}

static void
test_many_ranges(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *most = split_of_ranges(FOLIO_RANGES_MAX);
    g_autofree char *too_many = split_of_ranges(FOLIO_RANGES_MAX + 1);

    expect(fixture, USER_ROOT, ALPHA_UUID, "Split", most, ANSWER_OK, "");
    assert_int_equal(first_range(fixture).bytes, 32 * FOLIO_BLOCK_BYTES);
    end(fixture, FOLIO_ACT_DONE);
    expect(fixture, USER_ROOT, ALPHA_UUID, "Split", too_many, ANSWER_INVALID,
           "65537 ranges, and 65536 are the most");
}

/* A caller can have the daemon keep many ranges for it once only. */
static void
test_large_call_is_alone(void **state)
{
    Fixture *fixture = *state;
    GDBusConnection *root = fixture->bus->users[USER_ROOT];
    g_autofree char *path = guest_path(ALPHA_UUID);
    g_autofree char *arguments = split_of_ranges(1000);
    g_autoptr(Answer) first = NULL;
    g_autoptr(Answer) second = NULL;

    caller_send(root, path, FOLIOD_GUEST, "Split", arguments, G_DBUS_CALL_FLAGS_NONE, on_answer,
                &first);
    caller_send(root, path, FOLIOD_GUEST, "Split", arguments, G_DBUS_CALL_FLAGS_NONE, on_answer,
                &second);
    folio_test_wait_until(first != NULL && second != NULL);
    assert_int_equal(first->kind, ANSWER_OK);
    assert_int_equal(second->kind, ANSWER_BUSY);
    assert_non_null(strstr(second->text, "when no other of your calls"));
    end(fixture, FOLIO_ACT_DONE);
}

static void
test_get_job(void **state)
{
    static const char *const told[] = {
        "'state': <'done'>",
        "'guest': <'" SECRET_UUID "'>",
        "'kind': <'split'>",
        "'order': <uint32 4>",
        "'by': <'uid 0'>",
        "'way': <'fake'>",
        "'blocks': <{'done': uint64 5, 'already': 1, 'partly': 0, 'left': 2, 'absent': 0, "
        "'gone': 0}>",
        "'left': <{'unsaid': uint64 0, 'busy': 2, 'no-memory': 0, 'refused': 0}>",
    };
    Fixture *fixture = *state;
    guint job = split(fixture, fixture->bus->users[USER_ROOT], SECRET_UUID);
    g_autofree char *arguments = g_strdup_printf("(uint32 %u,)", job);

    expect(fixture, USER_PLAIN, NULL, "GetJob", arguments, ANSWER_OK, "'state': <'running'>");
    fixture->fake.report.outcomes[FOLIO_OUTCOME_DONE] = 5;
    fixture->fake.report.outcomes[FOLIO_OUTCOME_ALREADY] = 1;
    fixture->fake.report.outcomes[FOLIO_OUTCOME_LEFT] = 2;
    fixture->fake.report.left[FOLIO_LEFT_BUSY] = 2;
    fixture->fake.report.way = "fake";
    expect(fixture, USER_PLAIN, NULL, "GetJob", arguments, ANSWER_OK, "'way': <''>");
    end(fixture, FOLIO_ACT_DONE);
    fixture->fake.report = (FolioActReport){ 0 };

    for (gsize i = 0; i < G_N_ELEMENTS(told); i++)
        expect(fixture, USER_PLAIN, NULL, "GetJob", arguments, ANSWER_OK, told[i]);
    expect(fixture, USER_BLINKERED, NULL, "GetJob", arguments, ANSWER_NOT_FOUND, "no such job");
    expect(fixture, USER_BLIND, NULL, "GetJob", arguments, ANSWER_NOT_FOUND, "no such job");
    expect(fixture, USER_ROOT, NULL, "GetJob", "(uint32 999,)", ANSWER_NOT_FOUND, "no such job");
}

static void
test_one_a_guest(void **state)
{
    Fixture *fixture = *state;
    GDBusConnection *root = fixture->bus->users[USER_ROOT];
    guint first = split(fixture, root, ALPHA_UUID);
    g_autofree char *text = g_strdup_printf("job %u (split) is under way", first);

    expect(fixture, USER_ROOT, ALPHA_UUID, "Collapse", "(uint64 0, uint64 1, uint32 9, @a{sv} {})",
           ANSWER_BUSY, text);
    expect(fixture, USER_ROOT, ALPHA_UUID, "Restore", "(@a{sv} {},)", ANSWER_BUSY, text);
    assert_int_equal(split(fixture, root, SECRET_UUID), first + 1);
    end(fixture, FOLIO_ACT_FAILED);
    listener_expect(fixture->plain, "'failed', 0, 8, 'no room')");
    expect(fixture, USER_ROOT, ALPHA_UUID, "Restore", "(@a{sv} {},)", ANSWER_OK, "");
    assert_int_equal(last_run(fixture)->request->kind, FOLIO_ACT_RESTORE);
    assert_int_equal(first_range(fixture).bytes, 32 * FOLIO_BLOCK_BYTES);
    /* It is in mode observe; what was changed can be taken back in any. */
    assert_true(last_run(fixture)->request->may_inject);
    end(fixture, FOLIO_ACT_DONE);
    end(fixture, FOLIO_ACT_DONE);
}

/* Who may cancel it, and what the others are told. */
static void
test_cancel(void **state)
{
    Fixture *fixture = *state;
    guint job = split(fixture, fixture->bus->users[USER_ROOT], SECRET_UUID);
    g_autofree char *arguments = g_strdup_printf("(uint32 %u,)", job);
    g_autofree char *told = g_strdup_printf("JobChanged (%u, 'cancelled', 3, 8, '')", job);

    expect(fixture, USER_PLAIN, NULL, "CancelJob", arguments, ANSWER_NOT_PERMITTED,
           "org.foliod1.act");
    expect(fixture, USER_BLINKERED, NULL, "CancelJob", arguments, ANSWER_NOT_FOUND, "no such job");
    expect(fixture, USER_BLINKERED, NULL, "CancelJob", "(uint32 999,)", ANSWER_NOT_FOUND,
           "no such job");
    expect(fixture, USER_BLIND, NULL, "CancelJob", arguments, ANSWER_NOT_FOUND, "no such job");
    expect(fixture, USER_ROOT, NULL, "CancelJob", "(uint32 0,)", ANSWER_NOT_FOUND, "no such job");
    assert_int_equal(fixture->fake.n_cancelled, 0);
    expect(fixture, USER_ALLOWED, NULL, "CancelJob", arguments, ANSWER_OK, "");
    assert_int_equal(fixture->fake.n_cancelled, 1);
    fake_actuator_progress(&fixture->fake, 3, 8);
    end(fixture, FOLIO_ACT_CANCELLED);
    listener_expect(fixture->plain, told);
    expect(fixture, USER_ROOT, NULL, "CancelJob", arguments, ANSWER_NOT_FOUND, "no such job");
    fixture->fake.n_cancelled = 0;
}

static void
test_job_outlives_its_caller(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GDBusConnection) caller = caller_connect(0);
    guint job = split(fixture, caller, ALPHA_UUID);
    g_autofree char *told = g_strdup_printf("JobChanged (%u, 'done', 0, 8, '')", job);

    caller_vanish(caller, fixture->bus->daemon->bus);
    folio_test_wait_msec(300);
    assert_int_equal(fixture->fake.n_cancelled, 0);
    assert_int_equal(fixture->fake.runs->len, 1);
    end(fixture, FOLIO_ACT_DONE);
    listener_expect(fixture->plain, told);
    listener_expect(fixture->blinkered, told);
}

/* Each is refused before anything begins, and named. */
static void
test_hostile_arguments(void **state)
{
    static const struct {
        const char *method;
        const char *arguments;
        const char *named;
    } cases[] = {
        { "Split", "(uint64 32, uint64 1, uint32 0, @a{sv} {})", "first_block: " },
        { "Split", "(uint64 18446744073709551615, uint64 1, uint32 0, @a{sv} {})",
          "first_block: " },
        { "Split", "(uint64 1, uint64 18446744073709551615, uint32 0, @a{sv} {})", "blocks: " },
        { "Split", "(uint64 31, uint64 2, uint32 0, @a{sv} {})", "blocks: " },
        { "Split", "(uint64 0, uint64 0, uint32 0, @a{sv} {})", "blocks: " },
        { "Split", "(uint64 0, uint64 1, uint32 9, @a{sv} {})", "order: " },
        { "Split", "(uint64 0, uint64 1, uint32 4294967295, @a{sv} {})", "order: " },
        { "Split", "(uint64 0, uint64 1, uint32 0, {'force': <1>})", "options: \"force\"" },
        { "Split", "(uint64 0, uint64 1, uint32 0, {'more': <[(uint64 1, uint64 1), (32, 1)]>})",
          "options: \"more\": range 2: first_block: 32" },
        { "Split", "(uint64 0, uint64 1, uint32 0, {'all': <true>})", "options: \"all\"" },
        { "Split", "(uint64 0, uint64 0, uint32 0, {'all': <false>})", "blocks: 0" },
        { "Split",
          "(uint64 0, uint64 0, uint32 0, {'all': <true>, 'more': <[(uint64 1, uint64 1)]>})",
          "options: \"all\"" },
        { "Collapse", "(uint64 0, uint64 1, uint32 9, {'force': <true>})", "options: \"force\"" },
        { "Collapse", "(uint64 0, uint64 1, uint32 0, @a{sv} {})", "order: " },
        { "Collapse", "(uint64 0, uint64 33, uint32 9, @a{sv} {})", "blocks: " },
        { "Restore", "({'restore': <true>},)", "options: \"restore\"" },
        { "SetMode", "('Off',)", "mode: \"Off\"" },
    };
    Fixture *fixture = *state;
    guint before = fixture->fake.n_started;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        expect(fixture, USER_ROOT, ALPHA_UUID, cases[i].method, cases[i].arguments, ANSWER_INVALID,
               cases[i].named);
    expect(fixture, USER_ROOT, NULL, "Pause", "({'restore': <'yes'>},)", ANSWER_INVALID,
           "options: \"restore\"");
    assert_false(folio_manager_get_paused(fixture->manager));
    assert_int_equal(fixture->fake.n_started, before);
}

/* The kill switch: what runs is cancelled, and then every guest is given back what it had. */
static void
test_pause_and_restore(void **state)
{
    Fixture *fixture = *state;
    guint job = split(fixture, fixture->bus->users[USER_ROOT], ALPHA_UUID);
    g_autofree char *told = g_strdup_printf("JobChanged (%u, 'cancelled'", job);

    expect(fixture, USER_ALLOWED, NULL, "Pause", "({'restore': <true>},)", ANSWER_OK, "");
    listener_expect(fixture->blinkered, "'Paused': <true>");
    listener_expect(fixture->plain, "aaaaaaaa_0000", "'State': <'paused'>");
    /* That of the other guest has begun at once. */
    assert_int_equal(fixture->fake.runs->len, 2);
    assert_int_equal(last_run(fixture)->request->kind, FOLIO_ACT_RESTORE);
    end(fixture, FOLIO_ACT_CANCELLED);
    listener_expect(fixture->plain, told);
    assert_int_equal(fixture->fake.runs->len, 2);
    assert_int_equal(last_run(fixture)->request->kind, FOLIO_ACT_RESTORE);
    end(fixture, FOLIO_ACT_DONE);
    end(fixture, FOLIO_ACT_DONE);

    expect(fixture, USER_ROOT, ALPHA_UUID, "Split", SPLIT_8, ANSWER_BUSY, "foliod is paused");
    expect(fixture, USER_ROOT, ALPHA_UUID, "Restore", "(@a{sv} {},)", ANSWER_OK, "");
    end(fixture, FOLIO_ACT_DONE);
    expect(fixture, USER_ROOT, NULL, "Resume", NULL, ANSWER_OK, "");
    listener_expect(fixture->plain, "'State': <'located'>");
    fixture->fake.n_cancelled = 0;
}

/* The job ends with its guest, and that is told before the guest is gone. */
static void
test_guest_that_goes(void **state)
{
    Fixture *fixture = *state;
    guint job = split(fixture, fixture->bus->users[USER_ROOT], SECRET_UUID);
    g_autofree char *told =
        g_strdup_printf("JobChanged (%u, 'failed', 0, 8, 'the guest does not run any more')", job);

    folio_test_guest_destroy(g_steal_pointer(&fixture->secret));
    listener_expect(fixture->plain, told);
    listener_expect(fixture->plain, "{}, ['Name', 'Uuid'");
    assert_int_equal(fixture->fake.n_cancelled, 1);
    end(fixture, FOLIO_ACT_CANCELLED);
    listener_refuse(fixture->blinkered, "5ec2e700");
}

/* Where an actuator can do what a mode is for, that mode is in force. */
static void
test_mode_in_force(void **state)
{
    static const char *const modes[] = { "off", "observe", "split", "collapse", "adaptive" };
    Fixture *fixture = *state;
    g_autofree char *path = guest_path(ALPHA_UUID);

    for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
        g_autofree char *mode = g_strdup_printf("('%s',)", modes[i]);

        expect(fixture, USER_ROOT, ALPHA_UUID, "SetMode", mode, ANSWER_OK, "");
        expect_property(fixture, path, "ModeInForce", modes[i]);
    }
    fixture->fake.cannot = "out of order";
    expect_property(fixture, path, "ModeInForce", "observe");
    fixture->fake.cannot = NULL;
    expect(fixture, USER_ROOT, ALPHA_UUID, "SetMode", "('default',)", ANSWER_OK, "");
    folio_test_wait_until(is_located(fixture, ALPHA_UUID));
}

static int
clear_what_was_heard(void **state)
{
    Fixture *fixture = *state;

    listener_clear(fixture->plain);
    return 0;
}

static void
on_acquired(gpointer user_data)
{
    *(gboolean *) user_data = TRUE;
}

static void
on_lost(const char *why, gpointer user_data)
{
    fail_msg("the service ended: %s", why);
}

static void
start_service(Fixture *fixture)
{
    static const FolioServiceEvents events = { .acquired = on_acquired, .lost = on_lost };
    g_autofree char *dir = g_build_filename(fixture->bus->daemon->directory, "in-process", NULL);
    const FolioManagerOptions options = { .connect = "qemu:///system",
                                          .vendor_dir = dir,
                                          .conf_dir = dir,
                                          .state_dir = dir,
                                          .proc_root = "/proc",
                                          .sys_root = "/sys" };
    static const char *const only[] = { "fake", NULL };
    gboolean acquired = FALSE;

    fixture->manager = folio_manager_new(&options);
    fixture->fake.actuator.klass = &fake_class;
    fixture->fake.any_order = TRUE;
    fixture->fake.runs = g_ptr_array_new();
    folio_actuators_add(folio_acting_get_actuators(folio_manager_get_acting(fixture->manager)),
                        &fixture->fake.actuator);
    fixture->service = folio_service_new(fixture->manager);
    folio_service_start(fixture->service, &events, &acquired);
    folio_manager_start(fixture->manager);
    /* Not by what this host may have. */
    folio_actuators_choose(folio_acting_get_actuators(folio_manager_get_acting(fixture->manager)),
                           only);
    folio_test_wait_until(acquired && is_located(fixture, ALPHA_UUID) &&
                          is_located(fixture, SECRET_UUID));
}

static int
set_up(void **state)
{
    g_autofree char *launcher =
        g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "launch", "qemu-system-x86_64", NULL);
    FolioTestGuest guest = { .emulator = launcher, .backing = FOLIO_TEST_ON_TMPFS, .mib = 64 };
    Fixture *fixture = g_new0(Fixture, 1);

    *state = fixture;
    fixture->libvirt = folio_test_connect("qemu:///system");
    guest.name = ALPHA_NAME;
    guest.uuid = ALPHA_UUID;
    fixture->alpha = folio_test_guest_start(fixture->libvirt, &guest);
    guest.name = SECRET_NAME;
    guest.uuid = SECRET_UUID;
    fixture->secret = folio_test_guest_start(fixture->libvirt, &guest);
    folio_connection_init_libvirt();
    fixture->bus = bus_fixture_new_test_driver(0);
    daemon_stop(fixture->bus->daemon);
    start_service(fixture);
    fixture->plain = listener_new(fixture->bus->users[USER_PLAIN]);
    fixture->blinkered = listener_new(fixture->bus->users[USER_BLINKERED]);
    subscribe(fixture, fixture->plain);
    subscribe(fixture, fixture->blinkered);
    listener_expect(fixture->plain, SECRET_NAME, "'located'");
    listener_expect(fixture->plain, ALPHA_NAME, "'located'");
    listener_expect(
        fixture->plain, "('damon', false, 'Actuators= in foliod.conf leaves it out')",
        "('fake', true, 'taken to split to order 0, split to orders 1 to 8, collapse')");
    listener_expect(fixture->blinkered, ALPHA_NAME, "'located'");
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    listener_free(fixture->plain);
    listener_free(fixture->blinkered);
    folio_service_free(fixture->service);
    folio_manager_stop(fixture->manager);
    g_object_unref(fixture->manager);
    g_ptr_array_unref(fixture->fake.runs);
    folio_test_guest_destroy(fixture->alpha);
    virConnectClose(fixture->libvirt);
    bus_fixture_free(fixture->bus);
    g_free(fixture);
    return 0;
}

#define act_test(test) cmocka_unit_test_setup(test, clear_what_was_heard)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        act_test(test_job_is_told_of),
        act_test(test_request_is_whole),
        act_test(test_several_ranges),
        act_test(test_many_ranges),
        act_test(test_large_call_is_alone),
        act_test(test_get_job),
        act_test(test_one_a_guest),
        act_test(test_cancel),
        act_test(test_job_outlives_its_caller),
        act_test(test_hostile_arguments),
        act_test(test_mode_in_force),
        act_test(test_pause_and_restore),
        act_test(test_guest_that_goes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
