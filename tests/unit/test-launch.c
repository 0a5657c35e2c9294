/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod-qemu's arguments: what is aligned, what is left alone, and the THP setting. */
#include "base/error.h"
#include "cmocka-all.h"
#include "launch/align.h"
#include "launch/thp.h"
#include "memory/thp.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* FolioOnTmpfs: everything below /ram; counts in user_data how often it was asked. */
static gboolean
below_ram(const char *path, gpointer user_data)
{
    if (user_data != NULL)
        (*(guint *) user_data)++;
    return g_str_has_prefix(path, "/ram");
}

static void
assert_aligned(const char *value, const char *expected)
{
    g_autofree char *aligned = folio_align_object(value, below_ram, NULL);

    if (aligned == NULL)
        fail_msg("left alone: %s", value);
    assert_string_equal(aligned, expected);
}

static void
assert_left_alone(const char *value)
{
    g_autofree char *aligned = folio_align_object(value, below_ram, NULL);

    if (aligned != NULL)
        fail_msg("%.200s became %.200s", value, aligned);
}

static void
test_json_of_libvirt(void **state)
{
    assert_aligned(
        "{\"qom-type\":\"memory-backend-file\",\"id\":\"pc.ram\",\"mem-path\":\"/ram/libvirt/"
        "qemu/1-a/pc.ram\",\"discard-data\":false,\"share\":true,\"x-use-canonical-path-"
        "for-ramblock-id\":false,\"prealloc\":true,\"size\":268435456}",
        "{\"align\":2097152,\"qom-type\":\"memory-backend-file\",\"id\":\"pc.ram\",\"mem-path"
        "\":\"/ram/libvirt/qemu/1-a/pc.ram\",\"discard-data\":false,\"share\":true,\"x-use-"
        "canonical-path-for-ramblock-id\":false,\"prealloc\":true,\"size\":268435456}");
    /* White space and escapes stay as they were; the path is compared as decoded. */
    assert_aligned(
        "{ \"mem-path\" : \"\\/r\\u0061m/x\\\"{y\" ,\n\t\"qom-type\":\"memory-backend-file\"} ",
        "{\"align\":2097152, \"mem-path\" : \"\\/r\\u0061m/x\\\"{y\" ,\n\t\"qom-type\":"
        "\"memory-backend-file\"} ");
}

static void
test_json_left_alone(void **state)
{
    const char *const values[] = {
        "{\"qom-type\":\"memory-backend-file\",\"mem-path\":\"/ext4/x\"}",
        "{\"qom-type\":\"memory-backend-file\",\"align\":4096,\"mem-path\":\"/ram/x\"}",
        "{\"qom-type\":\"memory-backend-file\",\"align\":null,\"mem-path\":\"/ram/x\"}",
        "{\"qom-type\":\"memory-backend-memfd\",\"mem-path\":\"/ram/x\"}",
        "{\"qom-type\":\"memory-backend-ram\",\"id\":\"/ram\"}",
        "{\"qom-type\":\"memory-backend-file\",\"id\":\"x\"}",
        "{\"mem-path\":\"/ram/x\"}",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
        assert_left_alone(values[i]);
}

static void
test_json_hostile(void **state)
{
    const char *const values[] = {
        "{",
        "{}",
        "{}}",
        "{\"qom-type\"",
        "{\"qom-type\":\"memory-backend-file\",\"mem-path\":\"/ram/x\"",
        "{\"qom-type\":\"memory-backend-file\",\"mem-path\":[\"/ram/x\"]}",
        "{\"qom-type\":\"memory-backend-file\",\"mem-path\":{\"a\":\"/ram/x\"}}",
        "{\"qom-type\":\"memory-backend-file\",\"mem-path\":1}",
        "{\"qom-type\":\"memory-backend-file\",\"mem-path\":null}",
        "{\"qom-type\":[\"memory-backend-file\"],\"mem-path\":\"/ram/x\"}",
        "{\"qom-type\":\"memory-backend-file\\u0000\",\"mem-path\":1}",
        "{\"qom-type\":\"memory-backend-file\",\"mem-path\":\"/ram/\xff\xc3\"}",
        "{\"a\":{\"qom-type\":\"memory-backend-file\",\"mem-path\":\"/ram/x\"}}",
        " {\"qom-type\":\"memory-backend-file\",\"mem-path\":\"/ram/x\"}",
        "[{\"qom-type\":\"memory-backend-file\",\"mem-path\":\"/ram/x\"}]",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
        assert_left_alone(values[i]);
}

/* As long as Linux lets one argument be, 128 KiB; a recursion by bracket would end on the stack's
 * guard page. */
static void
test_json_huge(void **state)
{
    const gsize size = 128 * 1024;
    g_autofree char *brackets = g_strnfill(size, '[');
    g_autofree char *braces = g_strnfill(size, '{');
    g_autofree char *path = g_strnfill(size, 'x');
    g_autofree char *nested = g_strdup_printf("{\"mem-path\":%s", brackets);
    g_autofree char *value =
        g_strdup_printf("{\"qom-type\":\"memory-backend-file\",\"mem-path\":\"/ram/%s\"}", path);
    g_autofree char *expected = g_strdup_printf("{\"align\":2097152,%s", value + 1);

    assert_left_alone(nested);
    assert_left_alone(braces);
    assert_aligned(value, expected);
}

static void
test_keyval(void **state)
{
    const char *const values[] = {
        "memory-backend-file,id=a,mem-path=/ram/x,size=4M",
        "memory-backend-file,mem-path=/ram/x",
        "qom-type=memory-backend-file,mem-path=/ram/x",
        "mem-path=/ram/x,qom-type=memory-backend-file,share=on",
        /* The last of equal keys wins. */
        "memory-backend-file,mem-path=/ext4/x,mem-path=/ram/x",
        "memory-backend-ram,qom-type=memory-backend-file,mem-path=/ram/x",
        /* ",," is a comma of the value; here "/ram/,align=4k" and "/ram/," */
        "memory-backend-file,mem-path=/ram/,,align=4k",
        "memory-backend-file,mem-path=/ram/,,",
        "memory-backend-file,mem-path=/ram/x,share",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++) {
        g_autofree char *expected = g_strconcat(values[i], ",align=2M", NULL);

        assert_aligned(values[i], expected);
    }
    /* A single comma at the end separates already. */
    assert_aligned("memory-backend-file,mem-path=/ram/x,",
                   "memory-backend-file,mem-path=/ram/x,align=2M");
    assert_aligned("memory-backend-file,mem-path=/ram/x,,,",
                   "memory-backend-file,mem-path=/ram/x,,,align=2M");
}

static void
test_keyval_left_alone(void **state)
{
    const char *const values[] = {
        "",
        ",",
        "=",
        ",,,,",
        "memory-backend-file",
        "memory-backend-file,",
        "memory-backend-file,help",
        "help",
        "memory-backend-file,id=a",
        "memory-backend-file,mem-path=/ext4/x",
        "memory-backend-file,mem-path=/ram/x,mem-path=/ext4/x",
        "memory-backend-file,mem-path=/ram/x,align=4k",
        "memory-backend-file,align=2M,mem-path=/ram/x",
        "memory-backend-file,mem-path=/ram/x,align",
        "memory-backend-file,,mem-path=/ram/x",
        "memory-backend-file,qom-type=memory-backend-ram,mem-path=/ram/x",
        "memory-backend-memfd,id=a,mem-path=/ram/x",
        "memory-backend-filed,mem-path=/ram/x",
        "secret,id=s,data=memory-backend-file,,mem-path=/ram/x",
        "mem-path=/ram/x",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
        assert_left_alone(values[i]);
}

static void
assert_arguments(char **got, const char *const *expected)
{
    assert_non_null(got);
    for (gsize i = 0; got[i] != NULL || expected[i] != NULL; i++) {
        assert_non_null(got[i]);
        assert_non_null(expected[i]);
        assert_string_equal(got[i], expected[i]);
    }
}

static void
test_arguments(void **state)
{
#define RAM "memory-backend-file,id=a,mem-path=/ram/x"
    const char *const given[] = {
        "-name",   "guest=\xff\n", "-object", RAM,         "--object", RAM,
        "-object", "-object",      RAM,       "-mem-path", "/ram",     "-object=" RAM,
        "",        "---object",    RAM,       "-obj",      RAM,        "-object",
        NULL
    };
    const char *const expected[] = { "-name",    "guest=\xff\n",  "-object", RAM ",align=2M",
                                     "--object", RAM ",align=2M", "-object", "-object",
                                     RAM,        "-mem-path",     "/ram",    "-object=" RAM,
                                     "",         "---object",     RAM,       "-obj",
                                     RAM,        "-object",       NULL };
    const char *const none[] = { NULL };
    guint asked = 0;
    g_auto(GStrv) got = folio_align_arguments(given, below_ram, &asked);
    g_auto(GStrv) empty = folio_align_arguments(none, below_ram, NULL);

    assert_arguments(got, expected);
    assert_int_equal(asked, 2);
    assert_arguments(empty, none);
#undef RAM
}

static void
test_many_arguments(void **state)
{
    g_autoptr(GPtrArray) given = g_ptr_array_new();
    g_auto(GStrv) got = NULL;

    for (guint i = 0; i < 100000; i++)
        g_ptr_array_add(
            given, (gpointer) (i % 2 == 0 ? "-object" : "memory-backend-file,mem-path=/ram/x"));
    g_ptr_array_add(given, NULL);
    got = folio_align_arguments((const char *const *) given->pdata, below_ram, NULL);
    assert_int_equal(g_strv_length(got), 100000);
    for (guint i = 1; i < 100000; i += 2)
        assert_string_equal(got[i], "memory-backend-file,mem-path=/ram/x,align=2M");
}

static void
test_thp_is_taken_out(void **state)
{
    const char *const given[] = { "-S",          "-foliod",  "thp=off",
                                  "-nodefaults", "--foliod", "thp=khugepaged-off",
                                  "-d",          NULL };
    const char *const expected[] = { "-S", "-nodefaults", "-d", NULL };
    const char *const plain[] = { "-S", "thp=off", "-foliodx", NULL };
    const char *const off[] = { "-foliod", "thp=off", NULL };
    g_autoptr(GError) error = NULL;
    FolioLaunchThp thp;
    g_auto(GStrv) last_wins = folio_launch_take_thp(given, NULL, &thp, &error);

    assert_no_error(error);
    assert_arguments(last_wins, expected);
    assert_int_equal(thp, FOLIO_LAUNCH_THP_KHUGEPAGED_OFF);

    {
        g_auto(GStrv) untouched = folio_launch_take_thp(plain, NULL, &thp, &error);
        g_auto(GStrv) variable = NULL;
        g_auto(GStrv) both = NULL;

        assert_arguments(untouched, plain);
        assert_int_equal(thp, FOLIO_LAUNCH_THP_KEEP);
        variable = folio_launch_take_thp(plain, "off", &thp, &error);
        assert_arguments(variable, plain);
        assert_int_equal(thp, FOLIO_LAUNCH_THP_OFF);
        both = folio_launch_take_thp(off, "khugepaged-off", &thp, &error);
        assert_int_equal(g_strv_length(both), 0);
        assert_int_equal(thp, FOLIO_LAUNCH_THP_OFF);
        assert_no_error(error);
    }
}

static void
test_thp_refused(void **state)
{
    const struct {
        const char *const arguments[4];
        const char *environment;
        const char *named;
    } cases[] = {
        { { "-foliod", NULL }, NULL, "-foliod: \"\"" },
        { { "-foliod", "thp", NULL }, NULL, "\"thp\"" },
        { { "-foliod", "thp=", NULL }, NULL, "-foliod thp=: \"\"" },
        { { "-foliod", "thp=OFF", NULL }, NULL, "\"OFF\"" },
        { { "-foliod", "thp=off ", NULL }, NULL, "\"off \"" },
        { { "-foliod", "ksm=off", NULL }, NULL, "\"ksm=off\"" },
        { { "-S", NULL }, "", "FOLIOD_QEMU_THP: \"\"" },
        { { "-S", NULL }, "never", "FOLIOD_QEMU_THP: \"never\"" },
        { { "-foliod", "thp=off", NULL }, "never", "FOLIOD_QEMU_THP" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        FolioLaunchThp thp;

        assert_null(folio_launch_take_thp(cases[i].arguments, cases[i].environment, &thp, &error));
        assert_folio_error(error, FOLIO_ERROR_INVALID);
        if (strstr(error->message, cases[i].named) == NULL)
            fail_msg("\"%s\" does not name %s", error->message, cases[i].named);
    }
}

/* In a child: what this process is set to would stay. Exits with what PR_GET_THP_DISABLE says. */
static int
thp_disabled_after(FolioLaunchThp thp, gboolean *applied)
{
    int status = 0;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        gboolean done = folio_launch_apply_thp(thp, NULL);

        _exit((done ? 0x10 : 0) | (prctl(PR_GET_THP_DISABLE, 0UL, 0UL, 0UL, 0UL) & 0xf));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    *applied = (WEXITSTATUS(status) & 0x10) != 0;
    return WEXITSTATUS(status) & 0xf;
}

static void
test_thp_is_applied(void **state)
{
    g_autofree char *text = NULL;
    FolioThpStatus status;
    gboolean applied = FALSE;

    assert_int_equal(thp_disabled_after(FOLIO_LAUNCH_THP_KEEP, &applied), 0);
    assert_true(applied);
    assert_int_equal(thp_disabled_after(FOLIO_LAUNCH_THP_OFF, &applied), 1);
    assert_true(applied);

    /* Never the plain flag in place of the one for khugepaged, whatever this kernel is. */
    assert_true(g_file_get_contents("/proc/self/status", &text, NULL, NULL));
    folio_thp_parse_status(text, &status);
    if (status.knows_khugepaged) {
        assert_int_equal(thp_disabled_after(FOLIO_LAUNCH_THP_KHUGEPAGED_OFF, &applied), 1);
        assert_true(applied);
    } else {
        assert_int_equal(thp_disabled_after(FOLIO_LAUNCH_THP_KHUGEPAGED_OFF, &applied), 0);
        assert_false(applied);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_of_libvirt),  cmocka_unit_test(test_json_left_alone),
        cmocka_unit_test(test_json_hostile),     cmocka_unit_test(test_json_huge),
        cmocka_unit_test(test_keyval),           cmocka_unit_test(test_keyval_left_alone),
        cmocka_unit_test(test_arguments),        cmocka_unit_test(test_many_arguments),
        cmocka_unit_test(test_thp_is_taken_out), cmocka_unit_test(test_thp_refused),
        cmocka_unit_test(test_thp_is_applied),
    };

    return cmocka_run_group_tests_name("launch", tests, NULL, NULL);
}
