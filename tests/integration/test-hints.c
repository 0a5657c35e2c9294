/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What metadata ask for, with the real libvirt: each way of virsh to write them, who else has a
 * say, and what nobody should write. */
#include "ctl-run.h"
#include "metadata.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <libvirt/virterror.h>
#include <sys/stat.h>

#define NAME "web"
#define UUID "6d3ad0d2-4f0b-4d6e-8f0b-8ad1f4f1c001"

#define NOVA(specs)                                                                           \
    "<nova:instance xmlns:nova='http://openstack.org/xmlns/libvirt/nova/1.1'>"                \
    "<nova:package version='31.0.0'/><nova:name>web</nova:name>"                              \
    "<nova:flavor name='m1.large' id='1'><nova:memory>64</nova:memory><nova:extraSpecs>"      \
    "<nova:extraSpec name='hw:mem_page_size'>any</nova:extraSpec>" specs "</nova:extraSpecs>" \
    "</nova:flavor></nova:instance>"

#define POLICY(attributes) "<foliod:policy xmlns:foliod='" POLICY_URI "' " attributes "/>"

/* By this alone nothing can be split, whatever else the host has. */
#define ACTING "\n[Acting]\nActuators=madvise-collapse\n"

static int
set_up(void **state)
{
    *state = fixture_new(ACTING);
    return 0;
}

/* Reloads with that in foliod.conf, and in the guest's file (NULL: there is none). */
static void
reconfigure(const Fixture *fixture, const char *text, const char *drop_in)
{
    g_autofree char *dir = g_build_filename(fixture->daemon->conf_dir, "guests.d", NULL);
    g_autofree char *path = g_build_filename(dir, UUID ".conf", NULL);
    g_autofree char *whole = g_strconcat(text, ACTING, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) reply = NULL;

    daemon_configure(fixture->daemon, whole);
    assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
    if (drop_in != NULL)
        assert_true(g_file_set_contents(path, drop_in, -1, NULL));
    else
        g_remove(path);
    reply = daemon_call(fixture->daemon, FOLIOD_PATH, FOLIOD_MANAGER, "Reload", NULL, &error);
    assert_no_error(error);
    daemon_expect(fixture->daemon, "READY=1");
}

static int
tear_down(void **state)
{
    reconfigure(*state, "", NULL);
    return metadata_remove_guests(state);
}

static void
test_nothing_said(void **state)
{
    g_autofree char *path = metadata_start(*state, NAME, UUID, NULL);

    metadata_assert(*state, path, "Mode", "observe");
    metadata_assert(*state, path, "ModeSource", "default");
    metadata_assert(*state, path, "Policy", "mode=observe (default)");
    metadata_assert(*state, path, "HintError", "");
    metadata_assert(*state, path, "HintCapped", "");
}

static void
test_live(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, NULL);

    metadata_set(NAME, "--live", "<policy mode='adaptive' max-rate='64M' split-order='2'/>");
    metadata_wait(fixture, path, "Policy",
                  "mode=adaptive (metadata), split-order=2 (metadata), max-rate=64M (metadata)");
    metadata_assert(fixture, path, "Mode", "adaptive");
    metadata_assert(fixture, path, "ModeSource", "metadata");
    /* Nothing here can split, and that is what is said. */
    metadata_wait(fixture, path, "ModeInForce", "collapse");
    metadata_assert(fixture, path, "State", "located");
    metadata_wait(fixture, path, "Reason", "no-actuator");
    assert_int_equal(daemon_guest_bytes(fixture->daemon, path, "MaxRate"), 64 << 20);
    daemon_expect_log(fixture->daemon, "web: mode=adaptive (metadata)");

    /* It is not in the stored definition. */
    metadata_restart(fixture, NAME);
    metadata_wait(fixture, path, "Policy", "mode=observe (default)");
}

static void
test_off_and_on(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, NULL);

    metadata_set(NAME, "--live", "<policy mode='off'/>");
    metadata_wait(fixture, path, "Reason", "mode-off");
    metadata_assert(fixture, path, "ModeInForce", "off");
    assert_int_equal(daemon_guest_bytes(fixture->daemon, path, "RamBytes"), 0);
    metadata_set(NAME, "--live", "<policy mode='observe'/>");
    metadata_wait(fixture, path, "State", "located");
    metadata_wait(fixture, path, "Reason", "mode-observe");
}

/* A running guest keeps what it has; the next start takes the new. */
static void
test_config(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, NULL);

    metadata_set(NAME, "--live", "<policy mode='split'/>");
    metadata_wait(fixture, path, "Mode", "split");
    metadata_set(NAME, "--config", "<policy mode='collapse'/>");
    folio_test_wait_msec(2500);
    metadata_assert(fixture, path, "Mode", "split");
    metadata_restart(fixture, NAME);
    metadata_wait(fixture, path, "Mode", "collapse");
    metadata_assert(fixture, path, "ModeSource", "metadata");
}

/* The default of virsh: live on a running guest, lost with it. */
static void
test_current(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, POLICY("mode='split'"));

    metadata_assert(fixture, path, "Mode", "split");
    metadata_set(NAME, "--current", "<policy mode='collapse'/>");
    metadata_wait(fixture, path, "Mode", "collapse");
    metadata_restart(fixture, NAME);
    metadata_wait(fixture, path, "Mode", "split");
}

static void
test_edit(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, POLICY("mode='split'"));
    g_autofree char *editor = g_build_filename(fixture->daemon->directory, "editor", NULL);
    g_autofree char *output = NULL;

    assert_true(g_file_set_contents(
        editor, "#!/bin/sh\nexec sed -i 's/mode=\"split\"/mode=\"collapse\"/' \"$1\"\n", -1, NULL));
    assert_return_code(g_chmod(editor, 0755), errno);
    assert_true(g_setenv("EDITOR", editor, TRUE));
    output = metadata_virsh(WORDS("edit", NAME));
    g_unsetenv("EDITOR");
    assert_non_null(strstr(output, "XML configuration edited"));

    folio_test_wait_msec(2500);
    metadata_assert(fixture, path, "Mode", "split");
    metadata_restart(fixture, NAME);
    metadata_wait(fixture, path, "Mode", "collapse");
}

static void
test_remove(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, POLICY("mode='split'"));

    g_free(metadata_virsh(
        WORDS("metadata", NAME, "--uri", POLICY_URI, "--live", "--config", "--remove")));
    metadata_wait(fixture, path, "Policy", "mode=observe (default)");
    metadata_restart(fixture, NAME);
    metadata_wait(fixture, path, "Policy", "mode=observe (default)");
}

/* A foliod that starts later finds the live element, not the stored one. */
static void
test_restart_of_foliod(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, POLICY("mode='split'"));

    metadata_set(NAME, "--live", "<policy mode='collapse'/>");
    metadata_wait(fixture, path, "Mode", "collapse");
    daemon_stop(fixture->daemon);
    daemon_start(fixture->daemon, NULL, NULL);
    g_free(daemon_wait_state(fixture->daemon, NAME, "located"));
    metadata_assert(fixture, path, "Mode", "collapse");
}

/* Refused whole, kept as it was, and said everywhere. */
static void
test_bad_hint(void **state)
{
    static const char why[] = "max-rate=\"lots\" is not allowed; allowed are bytes per second";
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, NULL);
    g_autofree char *error = NULL;
    g_autoptr(CtlRun) show = NULL;
    g_autoptr(CtlRun) doctor = NULL;

    metadata_set(NAME, "--live", "<policy mode='split'/>");
    metadata_wait(fixture, path, "Mode", "split");
    metadata_set(NAME, "--live", "<policy mode='collapse' max-rate='lots'/>");
    daemon_expect_log(fixture->daemon, why);
    metadata_assert(fixture, path, "Policy", "mode=split (metadata)");
    error = daemon_guest_text(fixture->daemon, path, "HintError");
    assert_true(g_str_has_prefix(error, "metadata: "));
    assert_holds(error, why);

    show = ctl_run(WORDS("show", NAME));
    assert_holds(show->output, "mode           split; in force: observe\n");
    assert_holds(show->output, "policy         mode=split (metadata)\n");
    assert_holds(show->output, "hints refused  metadata: max-rate=\"lots\"");
    doctor = ctl_run(WORDS("doctor", NAME));
    assert_holds(doctor->output, why);

    metadata_set(NAME, "--live", "<policy mode='collapse'/>");
    metadata_wait(fixture, path, "Policy", "mode=collapse (metadata)");
    metadata_assert(fixture, path, "HintError", "");
}

/* There is nothing that could be kept. */
static void
test_bad_hint_at_the_start(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, POLICY("speed='1'"));
    g_autofree char *error = daemon_guest_text(fixture->daemon, path, "HintError");

    metadata_assert(fixture, path, "Policy", "mode=observe (default)");
    assert_holds(error, "metadata: speed=\"1\" means nothing");
}

static void
test_ceiling(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, POLICY("mode='adaptive'"));
    g_autoptr(CtlRun) show = NULL;

    metadata_assert(fixture, path, "Mode", "adaptive");
    reconfigure(fixture, "[Guests]\nHintCeiling=split\nMaxRate=64M\n", NULL);
    metadata_assert(fixture, path, "Mode", "split");
    metadata_assert(fixture, path, "ModeSource", "metadata");
    metadata_assert(fixture, path, "HintCapped",
                    "mode=adaptive (metadata) is capped to split by HintCeiling=split");
    metadata_set(NAME, "--live", "<policy mode='observe' max-rate='1G'/>");
    metadata_wait(fixture, path, "HintCapped",
                  "max-rate=1G (metadata) is capped to 64M by MaxRate=64M");
    show = ctl_run(WORDS("show", NAME));
    assert_holds(show->output, "hints capped   max-rate=1G (metadata) is capped to 64M");
}

static void
test_sources(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path =
        metadata_start(fixture, NAME, UUID,
                       NOVA("<nova:extraSpec name='foliod:mode'>collapse</nova:extraSpec>"
                            "<nova:extraSpec name='foliod:sparse-below'>40</nova:extraSpec>"));

    metadata_assert(fixture, path, "Policy", "mode=collapse (nova), sparse-below=40 (nova)");
    reconfigure(fixture, "[Guests]\nMode=off\n",
                "[Guest]\nMode=split\nSplitOrder=3\nSparseBelow=9\n");
    metadata_assert(fixture, path, "Policy",
                    "mode=collapse (nova), split-order=3 (drop-in), sparse-below=40 (nova)");
    metadata_set(NAME, "--live", "<policy mode='adaptive'/>");
    metadata_wait(fixture, path, "Mode", "adaptive");
    metadata_assert(fixture, path, "ModeSource", "metadata");
    g_free(metadata_virsh(WORDS("metadata", NAME, "--uri", POLICY_URI, "--live", "--remove")));
    metadata_wait(fixture, path, "Mode", "collapse");
    g_free(
        metadata_virsh(WORDS("metadata", NAME, "--uri",
                             "http://openstack.org/xmlns/libvirt/nova/1.1", "--live", "--remove")));
    /* Nobody listens for nova: it is read when the guest is looked at. */
    g_free(metadata_virsh(WORDS("suspend", NAME)));
    metadata_wait(fixture, path, "Policy",
                  "mode=split (drop-in), split-order=3 (drop-in), sparse-below=9 (drop-in)");
    reconfigure(fixture, "[Guests]\nMode=off\n", NULL);
    metadata_assert(fixture, path, "Policy", "mode=off (default)");
}

/* A reload with a bad file changes nothing. */
static void
test_drop_in_with_an_error(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, NULL);
    g_autofree char *bad = g_build_filename(fixture->daemon->conf_dir, "guests.d", "x.conf", NULL);
    g_autoptr(GError) error = NULL;

    reconfigure(fixture, "", "[Guest]\nMode=split\n");
    metadata_assert(fixture, path, "Policy", "mode=split (drop-in)");
    assert_true(g_file_set_contents(bad, "[Guest]\nMode=off\n", -1, NULL));
    assert_null(daemon_call(fixture->daemon, FOLIOD_PATH, FOLIOD_MANAGER, "Reload", NULL, &error));
    assert_holds(error->message, "is not named UUID.conf");
    daemon_expect(fixture->daemon, "READY=1");
    metadata_assert(fixture, path, "Policy", "mode=split (drop-in)");
    g_remove(bad);
}

/* Hostile content */

static void
set_by_api(const Fixture *fixture, const char *element)
{
    virDomainPtr domain = virDomainLookupByName(fixture->connect, NAME);

    assert_non_null(domain);
    if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, element, "foliod", POLICY_URI,
                             VIR_DOMAIN_AFFECT_LIVE) != 0)
        print_message("libvirt itself refuses: %s\n", virGetLastErrorMessage());
    virDomainFree(domain);
}

/* <policy><a><a>...</a></a></policy>, so deep. */
static char *
deep(guint depth)
{
    GString *text = g_string_new("<policy>");

    for (guint i = 0; i < depth; i++)
        g_string_append(text, "<a>");
    for (guint i = 0; i < depth; i++)
        g_string_append(text, "</a>");
    g_string_append(text, "</policy>");
    return g_string_free(text, FALSE);
}

static void
assert_still_served(const Fixture *fixture, const char *path, const char *error)
{
    gint64 deadline = deadline_after(PATIENCE_SECONDS);
    g_autofree char *seen = NULL;

    do {
        g_free(seen);
        seen = daemon_guest_text(fixture->daemon, path, "HintError");
    } while (strstr(seen, error) == NULL && before_deadline(deadline));
    assert_holds(seen, error);
    metadata_assert(fixture, path, "Policy", "mode=split (metadata)");
    /* A look at all of the guest comes to the same. */
    g_free(metadata_virsh(WORDS("suspend", NAME)));
    metadata_wait(fixture, path, "Reason", "suspended");
    g_free(metadata_virsh(WORDS("resume", NAME)));
    metadata_wait(fixture, path, "Reason", "no-actuator");
    metadata_assert(fixture, path, "State", "located");
}

static void
test_hostile(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, NULL);
    g_autofree char *filler = g_strnfill(2 << 20, ' ');
    g_autofree char *long_one = g_strdup_printf("<policy mode='off'>%s</policy>", filler);
    g_autofree char *nested = deep(10);
    g_autofree char *deeply_nested = deep(250); /* as deep as libvirt takes it */

    metadata_set(NAME, "--live", "<policy mode='split'/>");
    metadata_wait(fixture, path, "Mode", "split");

    set_by_api(fixture, long_one);
    assert_still_served(fixture, path, "bytes; more than 4096 are not looked at");
    set_by_api(fixture, nested);
    assert_still_served(fixture, path, "<a>");
    set_by_api(fixture, deeply_nested);
    assert_still_served(fixture, path, "bytes; more than 4096 are not looked at");
    set_by_api(fixture, "<policy mode='off' xmlns:f='urn:f' f:mode='off'/>");
    assert_still_served(fixture, path, "another namespace, mode");
    set_by_api(fixture, "<policy mode='&#27;[2J'/>");
    assert_still_served(fixture, path, "another namespace, mode"); /* libvirt refused that one */
    set_by_api(fixture, "<politik mode='off'/>");
    assert_still_served(fixture, path, "no <policy>");
    set_by_api(fixture, "<!DOCTYPE policy [<!ENTITY m 'off'>]><policy mode='&m;'/>");
    set_by_api(fixture, "<policy xmlns='urn:of-somebody-else' mode='off'/>");
    folio_test_wait_msec(2500);
    metadata_assert(fixture, path, "State", "located");
}

/* Others may write what they like, even something that looks like ours. */
static void
test_other_namespace(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path =
        metadata_start(fixture, NAME, UUID,
                       "<x:policy xmlns:x='https://foliod.org/xmlns/policy/2' mode='off'/>"
                       "<y:policy xmlns:y='urn:y' mode='off'>" POLICY_URI "</y:policy>");

    metadata_assert(fixture, path, "Policy", "mode=observe (default)");
    metadata_assert(fixture, path, "HintError", "");
}

/* CPU time of foliod so far, in seconds. */
static double
cpu_seconds(const Fixture *fixture)
{
    g_autofree char *tasks = g_strdup_printf("/proc/%d/task", fixture->daemon->pid);
    g_autoptr(GDir) dir = g_dir_open(tasks, 0, NULL);
    double seconds = 0;
    const char *task;

    assert_non_null(dir);
    while ((task = g_dir_read_name(dir)) != NULL) {
        g_autofree char *file = g_build_filename(tasks, task, "schedstat", NULL);
        g_autofree char *text = NULL;

        if (g_file_get_contents(file, &text, NULL, NULL))
            seconds += g_ascii_strtod(text, NULL) / 1e9;
    }
    return seconds;
}

#define STORM_SECONDS    5
#define CHANGES_A_SECOND 1000

/* So many changes a second, as evenly as sleeping allows. */
static void
make_storm(const Fixture *fixture)
{
    virDomainPtr domain = virDomainLookupByName(fixture->connect, NAME);
    gint64 start = g_get_monotonic_time();
    guint n = 0;

    for (; n < STORM_SECONDS * CHANGES_A_SECOND; n++) {
        g_autofree char *element = g_strdup_printf("<policy max-rate='%uK'/>", n + 1);
        gint64 due = start + (gint64) n * G_USEC_PER_SEC / CHANGES_A_SECOND;
        gint64 now = g_get_monotonic_time();

        if (due > now)
            g_usleep((gulong) (due - now));
        assert_int_equal(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, element,
                                              "foliod", POLICY_URI, VIR_DOMAIN_AFFECT_LIVE),
                         0);
    }
    virDomainFree(domain);
}

static void
test_storm(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = metadata_start(fixture, NAME, UUID, NULL);
    double cpu = cpu_seconds(fixture);
    gint64 start = g_get_monotonic_time();
    g_autofree char *log = NULL;
    g_auto(GStrv) told = NULL;
    double seconds, share;

    make_storm(fixture);
    seconds = (double) (g_get_monotonic_time() - start) / G_USEC_PER_SEC;
    share = (cpu_seconds(fixture) - cpu) / seconds;
    metadata_wait(fixture, path, "Policy", "mode=observe (default), max-rate=5000K (metadata)");
    log = daemon_log(fixture->daemon);
    told = g_strsplit(log, "mode=observe (default), max-rate=", -1);
    print_message("%d changes in %.1f s took %.1f %% of a core, and %u readings\n",
                  STORM_SECONDS * CHANGES_A_SECOND, seconds, share * 100, g_strv_length(told) - 1);
    assert_in_range(g_strv_length(told) - 1, 2, (guint) seconds + 3);
    assert_true(share < 0.25);
}

int
main(void)
{
#define hints_test(test) cmocka_unit_test_teardown(test, tear_down)
    const struct CMUnitTest tests[] = {
        hints_test(test_nothing_said),
        hints_test(test_live),
        hints_test(test_off_and_on),
        hints_test(test_config),
        hints_test(test_current),
        hints_test(test_edit),
        hints_test(test_remove),
        hints_test(test_restart_of_foliod),
        hints_test(test_bad_hint),
        hints_test(test_bad_hint_at_the_start),
        hints_test(test_ceiling),
        hints_test(test_sources),
        hints_test(test_drop_in_with_an_error),
        hints_test(test_hostile),
        hints_test(test_other_namespace),
        hints_test(test_storm),
    };

    return cmocka_run_group_tests(tests, set_up, fixture_tear_down);
}
