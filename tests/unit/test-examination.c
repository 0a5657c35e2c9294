/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* examination: what the doctor says of the daemon itself. */
#include "doctor-checks.h"
#include "examination.h"
#include "fake-actuator.h"

static const char *const no_errors[] = { NULL };

static GPtrArray *
examine(const FolioActuators *actuators, const char *connection_error, const char *const *errors)
{
    const FolioExaminationHost host = {
        .proc_root = "/nonexistent/proc",
        .sys_root = "/nonexistent/sys",
        .uri = "test:///default",
        .connection_error = connection_error,
        .config_errors = errors,
        .actuators = actuators,
    };
    g_autoptr(FolioExamination) examination = folio_examination_new(&host, NULL);
    GPtrArray *checks = folio_examination_run(examination);

    assert_sound(checks);
    return checks;
}

static void
test_configuration_and_libvirt(void **state)
{
    static const char *const errors[] = { "a.conf:1: A", "b.conf:2: B", NULL };
    g_autoptr(FolioActuators) actuators = folio_actuators_new();
    g_autoptr(GPtrArray) well = examine(actuators, "", no_errors);
    g_autoptr(GPtrArray) bad = examine(actuators, "no socket", errors);

    assert_check(well, "configuration", FOLIO_CHECK_PASS, "every file", "");
    assert_check(well, "libvirt", FOLIO_CHECK_PASS, "test:///default answers", "");
    assert_check(bad, "configuration", FOLIO_CHECK_FAIL, "a.conf:1: A", "reload foliod");
    assert_string_equal(find_nth(bad, "configuration", 1)->text, "b.conf:2: B");
    assert_check(bad, "libvirt", FOLIO_CHECK_FAIL, "no socket", "Connect=");
}

/* What can do a thing is named; where nothing can, each says why. */
static void
test_actuators(void **state)
{
    FakeActuator first = { .actuator.klass = &fake_class, .cannot = "DAMON is somebody else's" };
    FakeActuator second = { .actuator.klass = &fake_class, .order = 0 };
    g_autoptr(FolioActuators) actuators = folio_actuators_new();
    g_autoptr(GPtrArray) checks = NULL;

    folio_actuators_add(actuators, &first.actuator);
    folio_actuators_add(actuators, &second.actuator);
    checks = examine(actuators, "", no_errors);
    assert_check(checks, "split", FOLIO_CHECK_PASS, "fake splits huge pages", "");
    assert_check(checks, "collapse", FOLIO_CHECK_WARN,
                 "fake: DAMON is somebody else's; fake: not that order", "Actuators=");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_configuration_and_libvirt),
        cmocka_unit_test(test_actuators),
    };

    return cmocka_run_group_tests_name("examination", tests, NULL, NULL);
}
