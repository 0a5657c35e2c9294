/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is told of a job: a manager and its subscribers in this process, on the real bus with the
 * real polkitd, and jobs that the test makes up, since no job begins without a guest that can be
 * served. */
#include "bus/subscribers.h"

#include "base/error.h"
#include "integration/bus-fixture.h"
#include "integration/listener.h"
#include "virt/connection.h"

typedef struct {
    BusFixture *bus; /* for its users and rules */
    FolioManager *manager;
    FolioBouncer *bouncer;
    FolioJobs *jobs;
    FolioSubscribers *subscribers;
    Listener *plain, *blinkered, *silent;
} Fixture;

static void
on_job(const FolioJob *job, gpointer user_data)
{
}

static GVariant *
describe(FolioManager *manager, FolioJobs *jobs, FolioGuest *guest)
{
    return g_variant_new_parsed("@a{sv} {'Known': <true>}");
}

static void
tell(Fixture *fixture, guint id, const char *uuid, const char *name, FolioJobState state)
{
    const FolioJob job = { .id = id,
                           .uuid = uuid,
                           .name = name,
                           .kind = FOLIO_ACT_SPLIT,
                           .state = state,
                           .done = 3,
                           .total = 8,
                           .error = state == FOLIO_JOB_FAILED ? "the kernel says no" : "" };

    folio_subscribers_tell_job(fixture->subscribers, &job);
}

static void
subscribe(Fixture *fixture, const Listener *listener)
{
    const char *name = g_dbus_connection_get_unique_name(listener->connection);

    assert_true(folio_subscribers_add(fixture->subscribers, name, NULL));
}

static void
unsubscribe(Fixture *fixture, const Listener *listener)
{
    folio_subscribers_remove(fixture->subscribers,
                             g_dbus_connection_get_unique_name(listener->connection));
}

static void
test_who_sees_the_guest_is_told(void **state)
{
    Fixture *fixture = *state;

    subscribe(fixture, fixture->plain);
    subscribe(fixture, fixture->blinkered);
    /* Before polkit has said who may see whom: it waits, and of several the last is told. */
    tell(fixture, 7, SECRET_UUID, SECRET_NAME, FOLIO_JOB_RUNNING);
    tell(fixture, 7, SECRET_UUID, SECRET_NAME, FOLIO_JOB_DONE);
    listener_expect(fixture->plain, "/org/foliod1 JobChanged", "(7, 'done', 3, 8, '')");
    listener_refuse(fixture->plain, "(7, 'running'");
    /* Afterwards. */
    tell(fixture, 8, SECRET_UUID, SECRET_NAME, FOLIO_JOB_RUNNING);
    tell(fixture, 8, SECRET_UUID, SECRET_NAME, FOLIO_JOB_FAILED);
    tell(fixture, 9, ALPHA_UUID, ALPHA_NAME, FOLIO_JOB_CANCELLED);
    listener_expect(fixture->plain, "(8, 'running', 3, 8, '')");
    listener_expect(fixture->plain, "(8, 'failed', 3, 8, 'the kernel says no')");
    listener_expect(fixture->plain, "(9, 'cancelled', 3, 8, '')");
    listener_expect(fixture->blinkered, "(9, 'cancelled', 3, 8, '')");
    listener_refuse(fixture->blinkered, "(7,");
    listener_refuse(fixture->blinkered, "(8,");
    listener_refuse(fixture->silent, "JobChanged");
    /* A guest that is not there. */
    tell(fixture, 10, ABSENT_UUID, ABSENT_NAME, FOLIO_JOB_DONE);
    tell(fixture, 11, ALPHA_UUID, ALPHA_NAME, FOLIO_JOB_DONE);
    listener_expect(fixture->plain, "(11, ");
    listener_refuse(fixture->plain, "(10, ");
    unsubscribe(fixture, fixture->plain);
    unsubscribe(fixture, fixture->blinkered);
}

/* None of these is on the bus; that, the bus says when the main loop runs. */
static void
test_subscribers_are_bounded(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < FOLIO_SUBSCRIBERS_MAX; i++) {
        g_autofree char *name = g_strdup_printf(":9.%u", i);

        assert_true(folio_subscribers_add(fixture->subscribers, name, NULL));
    }
    assert_true(folio_subscribers_add(fixture->subscribers, ":9.0", NULL)); /* it has its place */
    assert_false(folio_subscribers_add(fixture->subscribers, ":10.0", &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    folio_subscribers_remove(fixture->subscribers, ":9.1");
    assert_true(folio_subscribers_add(fixture->subscribers, ":10.0", NULL));
}

static void
on_ready(FolioManager *manager, gboolean *ready)
{
    *ready = TRUE;
}

static FolioManager *
start_manager(const Daemon *daemon)
{
    g_autofree char *uri = g_strdup_printf("test://%s/host.xml", daemon->directory);
    g_autofree char *state_dir = g_build_filename(daemon->directory, "in-process", NULL);
    const FolioManagerOptions options = { .connect = uri,
                                          .vendor_dir = state_dir,
                                          .conf_dir = state_dir,
                                          .state_dir = state_dir,
                                          .proc_root = "/proc",
                                          .sys_root = "/sys" };
    FolioManager *manager = folio_manager_new(&options);
    gboolean ready = FALSE;

    g_signal_connect(manager, "ready", G_CALLBACK(on_ready), &ready);
    folio_manager_start(manager);
    while (!ready)
        g_main_context_iteration(NULL, TRUE);
    g_signal_handlers_disconnect_by_data(manager, &ready);
    return manager;
}

static int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    *state = fixture;
    folio_connection_init_libvirt();
    fixture->bus = bus_fixture_new_test_driver(0);
    fixture->manager = start_manager(fixture->bus->daemon);
    fixture->bouncer = folio_bouncer_new(fixture->bus->daemon->bus);
    fixture->jobs = folio_jobs_new(
        folio_acting_get_turns(folio_manager_get_acting(fixture->manager)), on_job, NULL);
    fixture->subscribers = folio_subscribers_new(fixture->bus->daemon->bus, fixture->manager,
                                                 fixture->bouncer, fixture->jobs, describe);
    fixture->plain = listener_new(fixture->bus->users[USER_PLAIN]);
    fixture->blinkered = listener_new(fixture->bus->users[USER_BLINKERED]);
    fixture->silent = listener_new(fixture->bus->users[USER_ALLOWED]);
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    if (fixture->subscribers == NULL)
        return 0;
    listener_free(fixture->plain);
    listener_free(fixture->blinkered);
    listener_free(fixture->silent);
    folio_subscribers_stop(fixture->subscribers);
    folio_subscribers_unref(fixture->subscribers);
    folio_jobs_unref(fixture->jobs);
    folio_bouncer_unref(fixture->bouncer);
    folio_manager_stop(fixture->manager);
    g_object_unref(fixture->manager);
    bus_fixture_free(fixture->bus);
    g_free(fixture);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_sees_the_guest_is_told),
        cmocka_unit_test(test_subscribers_are_bounded),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
