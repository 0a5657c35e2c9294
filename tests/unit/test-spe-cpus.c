/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spe-source on CPUs that somebody else holds, and that go and come. */
#include "event-holder.h"
#include "spe-fixture.h"

/* Whoever has events open on this machine is named: three of them at most, so perhaps not ours. */
static void
test_busy(void **state)
{
    Fixture *fixture = *state;
    const pid_t holder = start_holder();
    g_autoptr(GError) error = NULL;

    fake_refused_cpu = 2;
    write_pmu(fixture, "arm_spe_0", "0-3\n");
    open_session(fixture, &error);
    assert_null(fixture->session);
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    assert_non_null(strstr(error->message, "; perf events are open in "));
    end_holder(holder);
    assert_int_equal(fake_rings->len, 0);
}

/* Two kinds of CPU, one of them without a unit; then CPUs go and come. */
static void
test_cpus(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    guint64 seen = 0;

    write_pmu(fixture, "arm_spe_0", "0-1\n");
    write_pmu(fixture, "arm_spe_1", "3\n");
    open_session(fixture, &error);
    assert_no_error(error);
    assert_int_equal(fake_rings->len, 3);
    for (guint i = 0; i < 3; i++) {
        seen |= 1ULL << fake_ring(i)->cpu;
        assert_string_equal(fake_ring(i)->event.what,
                            fake_ring(i)->cpu == 3 ? "arm_spe_1" : "arm_spe_0");
    }
    assert_int_equal(seen, 1 | 2 | 8);
    assert_int_equal(counters_of(fixture).threads, 3);
    assert_int_equal(counters_of(fixture).unsampled, 0);

    write_file(fixture, "devices/system/cpu/online", "0,2-3\n");
    assert_true(fixture->source->klass->follow(fixture->session, &error));
    assert_int_equal(counters_of(fixture).threads, 2);
    drain(fixture);
    assert_int_equal(fake_rings->len, 2);

    write_file(fixture, "devices/system/cpu/online", "0-3\n");
    fake_refused_cpu = 1;
    assert_false(fixture->source->klass->follow(fixture->session, &error));
    assert_folio_error(error, FOLIO_ERROR_BUSY);
    assert_int_equal(counters_of(fixture).threads, 2);
    assert_int_equal(counters_of(fixture).unsampled, 1);
    fake_refused_cpu = -1;
    g_clear_error(&error);
    assert_true(fixture->source->klass->follow(fixture->session, &error));
    assert_int_equal(counters_of(fixture).threads, 3);
}

static guint
count_dead(void)
{
    guint n = 0;

    for (guint i = 0; i < fake_rings->len; i++)
        n += fake_ring(i)->dead;
    return n;
}

/* A CPU goes and comes back before anybody looks: its event is opened anew, what it had written is
 * read, the others stay. */
static void
test_cpu_blinks(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GError) error = NULL;
    FolioPerfRing *others[CPUS - 1];

    start(fixture);
    assert_true(fixture->source->klass->follow(fixture->session, &error));
    for (guint i = 1; i < CPUS; i++)
        others[i - 1] = fake_ring(i);
    fake_ring(0)->dead = TRUE;
    fake_write(fake_ring(0), "", 0, PERF_AUX_FLAG_COLLISION);
    assert_true(fixture->source->klass->follow(fixture->session, &error));
    assert_int_equal(fake_rings->len, CPUS + 1);
    drain(fixture);
    assert_int_equal(counters_of(fixture).collisions, 1);
    assert_int_equal(fake_rings->len, CPUS);
    assert_int_equal(counters_of(fixture).threads, CPUS);
    assert_int_equal(count_dead(), 0);
    assert_true(fake_ring(CPUS - 1)->on);
    assert_int_equal(fake_ring(CPUS - 1)->cpu, 0);
    for (guint i = 1; i < CPUS; i++)
        assert_ptr_equal(fake_ring(i - 1), others[i - 1]);

    /* One that is off on purpose is not dead. */
    fixture->source->klass->enable(fixture->session, FALSE);
    fake_ring(0)->dead = TRUE;
    assert_true(fixture->source->klass->follow(fixture->session, &error));
    assert_true(fixture->source->klass->follow(fixture->session, &error));
    assert_int_equal(fake_rings->len, CPUS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        with_host(test_busy),
        with_host(test_cpus),
        with_host(test_cpu_blinks),
    };

    return cmocka_run_group_tests_name("spe-cpus", tests, NULL, NULL);
}
