/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod-qemu between the real libvirt and the real QEMU: the guest's RAM is aligned and wholly
 * mapped by PMDs, and nothing else differs from a guest without it. */
#include "guests.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define GUEST_MIB   64
#define GUEST_BYTES (GUEST_MIB * 1024 * 1024ULL)
#define BLOCK_BYTES (2 * 1024 * 1024ULL)

/* How often something that must not be aligned is tried until it is not. */
#define CHANCES 4

/* Shared: what is written to a private mapping is no longer on the tmpfs. */
#define BACKING "<source type='file'/><access mode='shared'/><allocation mode='immediate'/>"

static virConnectPtr connect;
static char *launcher; /* the link of QEMU's name in the build directory */

static int
set_up(void **state)
{
    assert_non_null(g_getenv("FOLIOD_SANDBOX"));
    assert_non_null(g_getenv("FOLIOD_BUILD"));
    launcher =
        g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "launch", "qemu-system-x86_64", NULL);
    assert_true(g_file_test(launcher, G_FILE_TEST_IS_EXECUTABLE));
    connect = folio_test_connect("qemu:///system");
    return 0;
}

static int
tear_down(void **state)
{
    virConnectClose(connect);
    g_free(launcher);
    return 0;
}

/* What a failed case left running. */
static int
destroy_guest(void **state)
{
    virDomainPtr domain = virDomainLookupByName(connect, "launched");

    if (domain != NULL)
        folio_test_guest_destroy(domain);
    return 0;
}

static virDomainPtr
start(const char *emulator)
{
    const FolioTestGuest guest = { .name = "launched",
                                   .uuid = "6695eb01-f6a4-8304-79aa-97f2502e193f",
                                   .emulator = emulator,
                                   .backing = BACKING,
                                   .mib = GUEST_MIB };

    return folio_test_guest_start(connect, &guest);
}

static char *
read_proc(pid_t pid, const char *name, gsize *length)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/%s", pid, name);
    g_autoptr(GError) error = NULL;
    char *text = NULL;

    g_file_get_contents(path, &text, length, &error);
    assert_no_error(error);
    return text;
}

typedef struct {
    guint64 start, size, rss, pmd_mapped; /* bytes; 0 when there is no such mapping */
} Mapping;

/* The first mapping of a process whose file's path holds that text. */
static void
find_mapping(pid_t pid, const char *path, Mapping *mapping)
{
    g_autofree char *smaps = read_proc(pid, "smaps", NULL);
    g_auto(GStrv) lines = g_strsplit(smaps, "\n", -1);

    memset(mapping, 0, sizeof *mapping);
    for (char **line = lines; *line != NULL; line++) {
        guint64 kib = 0;

        if (mapping->size == 0 && strstr(*line, path) != NULL)
            mapping->start = g_ascii_strtoull(*line, NULL, 16);
        if (mapping->start == 0)
            continue;
        if (sscanf(*line, "Size: %" G_GUINT64_FORMAT " kB", &kib) == 1)
            mapping->size = kib * 1024;
        else if (sscanf(*line, "Rss: %" G_GUINT64_FORMAT " kB", &kib) == 1)
            mapping->rss = kib * 1024;
        else if (sscanf(*line, "ShmemPmdMapped: %" G_GUINT64_FORMAT " kB", &kib) == 1)
            mapping->pmd_mapped = kib * 1024;
        else if (g_str_has_prefix(*line, "VmFlags:"))
            break;
    }
}

static void
test_all_ram_is_huge(void **state)
{
    virDomainPtr domain = start(launcher);
    Mapping ram;

    find_mapping(folio_test_guest_pid("launched"), g_getenv("FOLIOD_GUEST_RAM"), &ram);
    assert_true(ram.start != 0 && ram.start % BLOCK_BYTES == 0);
    assert_true(ram.size == GUEST_BYTES);
    assert_true(ram.rss == GUEST_BYTES);
    assert_true(ram.pmd_mapped == ram.rss);
    folio_test_guest_destroy(domain);
}

/* What the launcher is for; should QEMU align one day, this says so. One address in 512 is aligned
 * by chance. */
static void
test_without_launcher_none_is(void **state)
{
    Mapping ram = { 0 };

    for (guint i = 0; i < CHANCES && ram.start % BLOCK_BYTES == 0; i++) {
        virDomainPtr domain = start(FOLIO_TEST_QEMU);

        find_mapping(folio_test_guest_pid("launched"), g_getenv("FOLIOD_GUEST_RAM"), &ram);
        folio_test_guest_destroy(domain);
    }
    assert_true(ram.start % BLOCK_BYTES != 0);
    assert_true(ram.rss == GUEST_BYTES);
    assert_true(ram.pmd_mapped == 0);
}

static char *
substitute(char *text, const char *pattern, const char *replacement)
{
    g_autoptr(GRegex) regex = g_regex_new(pattern, 0, 0, NULL);
    g_autofree char *before = text;

    return g_regex_replace(regex, before, -1, 0, replacement, 0, NULL);
}

/* The arguments of a guest, one a line, without what differs from one start to the next. */
static char *
command_line_of(const char *emulator)
{
    virDomainPtr domain = start(emulator);
    gsize length = 0;
    char *text = read_proc(folio_test_guest_pid("launched"), "cmdline", &length);

    for (gsize i = 0; i + 1 < length; i++)
        text[i] = text[i] != '\0' ? text[i] : '\n';
    text = substitute(text, "\\d+-launched", "N-launched");
    text = substitute(text, "fd=\\d+", "fd=N");
    folio_test_guest_destroy(domain);
    return text;
}

static void
test_command_line_is_the_same(void **state)
{
    g_autofree char *plain = command_line_of(FOLIO_TEST_QEMU);
    g_autofree char *launched = command_line_of(launcher);
    g_auto(GStrv) parts = g_strsplit(launched, "\"align\":2097152,", -1);
    g_autofree char *without = g_strjoinv("", parts);

    assert_int_equal(g_strv_length(parts), 2);
    assert_string_equal(without, plain);
}

static char *
capabilities_of(const char *emulator)
{
    char *xml = virConnectGetDomainCapabilities(connect, emulator, NULL, NULL, "qemu", 0);
    g_auto(GStrv) parts = NULL;
    char *without_path;

    if (xml == NULL)
        fail_msg("%s: %s", emulator, virGetLastErrorMessage());
    parts = g_strsplit(xml, emulator, -1);
    assert_int_equal(g_strv_length(parts), 2);
    without_path = g_strjoinv("EMULATOR", parts);
    free(xml);
    return without_path;
}

static void
test_probing_works_through_it(void **state)
{
    g_autofree char *plain = capabilities_of(FOLIO_TEST_QEMU);
    g_autofree char *launched = capabilities_of(launcher);

    assert_string_equal(launched, plain);
    assert_non_null(strstr(plain, "<machine>"));
}

/* A guest with that inside <qemu:commandline>; NULL with libvirt's last error when it does not
 * start.
 */
static virDomainPtr
start_with(const char *command_line)
{
    const FolioTestGuest guest = { .name = "launched", .emulator = launcher, .mib = 16 };
    g_autofree char *plain = folio_test_guest_xml(&guest);
    g_autofree char *xml = NULL;

    assert_true(g_str_has_prefix(plain, "<domain ") && g_str_has_suffix(plain, "</domain>"));
    plain[strlen(plain) - strlen("</domain>")] = '\0';
    xml = g_strdup_printf("<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' %s"
                          "<qemu:commandline>%s</qemu:commandline></domain>",
                          plain + strlen("<domain "), command_line);
    return virDomainCreateXML(connect, xml, 0);
}

/* The value of a line of /proc/PID/status; NULL when there is none of that name. */
static char *
status_value(pid_t pid, const char *name)
{
    g_autofree char *status = read_proc(pid, "status", NULL);
    g_auto(GStrv) lines = g_strsplit(status, "\n", -1);

    for (char **line = lines; *line != NULL; line++) {
        if (g_str_has_prefix(*line, name))
            return g_strdup(g_strchug(*line + strlen(name)));
    }
    return NULL;
}

/* Neither the variable nor the argument reaches QEMU. */
static void
assert_no_trace(pid_t pid)
{
    const char *const files[] = { "environ", "cmdline" };

    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        gsize length = 0;
        g_autofree char *text = read_proc(pid, files[i], &length);

        assert_true(length > 0);
        assert_null(memmem(text, length, "FOLIOD_QEMU_THP", strlen("FOLIOD_QEMU_THP")));
        assert_null(memmem(text, length, "-foliod", strlen("-foliod")));
        assert_null(memmem(text, length, "thp=", strlen("thp=")));
    }
}

static void
assert_thp(const char *command_line, const char *enabled)
{
    virDomainPtr domain = start_with(command_line);
    g_autofree char *value = NULL;
    pid_t pid;

    if (domain == NULL)
        fail_msg("%s: %s", command_line, virGetLastErrorMessage());
    pid = folio_test_guest_pid("launched");
    value = status_value(pid, "THP_enabled:");
    assert_non_null(value);
    assert_string_equal(value, enabled);
    assert_no_trace(pid);
    folio_test_guest_destroy(domain);
}

static void
test_thp_off(void **state)
{
    assert_thp("<qemu:arg value='-no-user-config'/>", "1");
    assert_thp("<qemu:env name='FOLIOD_QEMU_THP' value='off'/>", "0");
    assert_thp("<qemu:arg value='-foliod'/><qemu:arg value='thp=off'/>", "0");
}

/* Where the kernel lacks it, the guest starts all the same, with the plain flag unset, and its log
 * says so. Where it has it, the log says nothing. */
static void
test_khugepaged_off(void **state)
{
    const char *log_path = "/var/log/libvirt/qemu/launched.log";
    g_autofree char *supported = status_value(getpid(), "THP_khugepaged:");
    g_autofree char *log = NULL;

    remove(log_path);
    assert_thp("<qemu:env name='FOLIOD_QEMU_THP' value='khugepaged-off'/>", "1");
    assert_true(g_file_get_contents(log_path, &log, NULL, NULL));
    if (supported != NULL)
        assert_null(strstr(log, "foliod-qemu: "));
    else
        assert_non_null(strstr(log, "\nfoliod-qemu: thp=khugepaged-off: "));
}

static void
test_unknown_thp_stops_the_start(void **state)
{
    virDomainPtr domain = start_with("<qemu:arg value='-foliod'/><qemu:arg value='thp=never'/>");

    assert_null(domain);
    assert_non_null(strstr(virGetLastErrorMessage(), "foliod-qemu: -foliod thp=: \"never\""));
}

/* Runs arguments to their end and returns the exit status; *errors is what they said. */
static int
run(const char *const *arguments, char **errors)
{
    g_autoptr(GError) error = NULL;
    int status = 0;

    g_spawn_sync(NULL, (char **) arguments, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL, NULL,
                 errors, &status, &error);
    assert_no_error(error);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A QEMU without a machine, with one more argument pair; it is ready when this returns. */
static pid_t
start_bare(const char *program, const char *option, const char *value)
{
    g_autofree char *pid_file = g_build_filename(g_getenv("FOLIOD_SANDBOX"), "bare.pid", NULL);
    g_autofree char *text = NULL;
    g_autofree char *errors = NULL;
    const char *const arguments[] = { program,    "-machine", "none",     "-S",     "-nodefaults",
                                      "-display", "none",     "-pidfile", pid_file, "-daemonize",
                                      option,     value,      NULL };

    if (run(arguments, &errors) != 0)
        fail_msg("%s: %s", program, errors);
    assert_true(g_file_get_contents(pid_file, &text, NULL, NULL));
    assert_int_equal(remove(pid_file), 0);
    return (pid_t) g_ascii_strtoll(text, NULL, 10);
}

/* Whether the RAM object is aligned, each time that a QEMU starts; its description is before, the
 * path of a file in directory, and after. */
static gboolean
is_aligned(const char *option, const char *before, const char *directory, const char *after)
{
    g_autofree char *file = g_build_filename(directory, "launched-object", NULL);
    g_autofree char *value = g_strconcat(before, file, after, NULL);
    gboolean aligned = TRUE;

    for (guint i = 0; i < CHANCES && aligned; i++) {
        pid_t pid = start_bare(launcher, option, value);
        Mapping mapping;

        find_mapping(pid, file, &mapping);
        folio_test_kill(pid);
        remove(file);
        assert_true(mapping.size == 4 * 1024 * 1024);
        aligned = mapping.start % BLOCK_BYTES == 0;
    }
    return aligned;
}

static void
test_forms_of_objects(void **state)
{
    const char *ram = g_getenv("FOLIOD_GUEST_RAM");
    g_autofree char *other = g_build_filename(g_getenv("FOLIOD_SANDBOX"), "ramfs", NULL);
    const char *const keys = "memory-backend-file,id=a,size=4M,mem-path=";
    const char *const json =
        "{\"qom-type\":\"memory-backend-file\",\"id\":\"a\",\"size\":4194304,\"mem-path\":\"";

    assert_true(is_aligned("-object", keys, ram, ""));
    assert_true(is_aligned("--object", keys, ram, ",share=on,"));
    assert_true(is_aligned("-object", json, ram, "\"}"));
    /* Its own alignment is kept, and so is that of other file systems. */
    assert_false(is_aligned("-object", keys, ram, ",align=4k"));

    assert_int_equal(mkdir(other, 0755), 0);
    assert_int_equal(mount("ramfs", other, "ramfs", 0, NULL), 0);
    assert_false(is_aligned("-object", keys, other, ""));
    assert_false(is_aligned("-object", json, other, "\"}"));
    assert_int_equal(umount(other), 0);
}

/* Its open files, a line each, without the numbers of sockets and the like. */
static char *
descriptors_of(pid_t pid)
{
    g_autofree char *directory = g_strdup_printf("/proc/%d/fd", pid);
    g_autoptr(GString) out = g_string_new(NULL);

    for (int fd = 0; fd < 1024; fd++) {
        g_autofree char *path = g_strdup_printf("%s/%d", directory, fd);
        g_autofree char *target = g_file_read_link(path, NULL);

        if (target != NULL)
            g_string_append_printf(out, "%d %s\n", fd, target);
    }
    return substitute(g_strdup(out->str), "\\[\\d+\\]", "[]");
}

static void
test_leaves_nothing_behind(void **state)
{
    const char *const lines[] = { "SigBlk:", "SigIgn:", "SigCgt:", "CapEff:", "NoNewPrivs:" };
    pid_t plain = start_bare(FOLIO_TEST_QEMU, "-name", "a");
    pid_t launched = start_bare(launcher, "-name", "a");
    g_autofree char *plain_files = descriptors_of(plain);
    g_autofree char *launched_files = descriptors_of(launched);

    assert_true(*plain_files != '\0');
    assert_string_equal(launched_files, plain_files);
    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autofree char *expected = status_value(plain, lines[i]);
        g_autofree char *value = status_value(launched, lines[i]);

        assert_non_null(expected);
        assert_string_equal(value, expected);
    }
    folio_test_kill(plain);
    folio_test_kill(launched);
}

static void
test_no_such_qemu(void **state)
{
    g_autofree char *link = g_build_filename(g_getenv("FOLIOD_SANDBOX"), "qemu-system-none", NULL);
    g_autofree char *errors = NULL;
    g_autofree char *by_own_name = NULL;
    g_autofree char *own_errors = NULL;
    const char *const arguments[] = { link, "-version", NULL };
    const char *own_arguments[] = { NULL, "-version", NULL };

    assert_int_equal(symlink(launcher, link), 0);
    assert_int_equal(run(arguments, &errors), 127);
    assert_non_null(strstr(errors, "\"qemu-system-none\""));

    by_own_name = g_build_filename(g_getenv("FOLIOD_BUILD"), "agent/launch/foliod-qemu", NULL);
    own_arguments[0] = by_own_name;
    assert_int_equal(run(own_arguments, &own_errors), 127);
    assert_non_null(strstr(own_errors, "\"foliod-qemu\""));
}

/* Put in QEMU's own place, it does not take itself for QEMU and run for ever. */
static void
test_never_itself(void **state)
{
    const char *const arguments[] = { FOLIO_TEST_QEMU, "-version", NULL };
    g_autofree char *errors = NULL;
    int status;

    assert_int_equal(mount(launcher, FOLIO_TEST_QEMU, NULL, MS_BIND, NULL), 0);
    status = run(arguments, &errors);
    assert_int_equal(umount(FOLIO_TEST_QEMU), 0);
    assert_int_equal(status, 127);
    assert_non_null(strstr(errors, "no QEMU of the name"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_all_ram_is_huge, destroy_guest),
        cmocka_unit_test_teardown(test_without_launcher_none_is, destroy_guest),
        cmocka_unit_test_teardown(test_command_line_is_the_same, destroy_guest),
        cmocka_unit_test(test_probing_works_through_it),
        cmocka_unit_test_teardown(test_thp_off, destroy_guest),
        cmocka_unit_test_teardown(test_khugepaged_off, destroy_guest),
        cmocka_unit_test_teardown(test_unknown_thp_stops_the_start, destroy_guest),
        cmocka_unit_test(test_forms_of_objects),
        cmocka_unit_test(test_leaves_nothing_behind),
        cmocka_unit_test(test_no_such_qemu),
        cmocka_unit_test(test_never_itself),
    };

    return cmocka_run_group_tests_name("launcher", tests, set_up, tear_down);
}
