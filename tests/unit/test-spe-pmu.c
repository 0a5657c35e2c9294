/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SPE units as sysfs describes them, in a fake /sys. */
#include "base/error.h"
#include "cmocka-all.h"
#include "sample/cpu-list.h"
#include "sample/spe-origin.h"
#include "sample/spe-pmu.h"
#include "sample/spe-source.h"

#include <glib/gstdio.h>

typedef struct {
    const char *file;
    const char *text; /* NULL: not there */
} File;

/* As Linux 6.12 on a Kunpeng 920. */
static const File kunpeng[] = {
    { "type", "9\n" },
    { "cpumask", "0-63\n" },
    { "caps/arch_inst", "0\n" },
    { "caps/count_size", "12\n" },
    { "caps/ernd", "0\n" },
    { "caps/min_interval", "1024\n" },
    { "format/ts_enable", "config:0\n" },
    { "format/pa_enable", "config:1\n" },
    { "format/pct_enable", "config:2\n" },
    { "format/jitter", "config:16\n" },
    { "format/branch_filter", "config:32\n" },
    { "format/load_filter", "config:33\n" },
    { "format/store_filter", "config:34\n" },
    { "format/event_filter", "config1:0-63\n" },
    { "format/min_latency", "config2:0-11\n" },
};

static int
set_up(void **state)
{
    *state = g_dir_make_tmp("foliod-test.XXXXXX", NULL);
    return *state != NULL ? 0 : -1;
}

static void
remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name = NULL;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        remove_tree(child);
    }
    assert_int_equal(g_remove(path), 0);
}

static int
tear_down(void **state)
{
    remove_tree(*state);
    g_free(*state);
    return 0;
}

static void
write_file(const char *root, const char *pmu, const char *file, const char *text)
{
    g_autofree char *path = g_build_filename(root, "bus/event_source/devices", pmu, file, NULL);
    g_autofree char *dir = g_path_get_dirname(path);
    g_autoptr(GError) error = NULL;

    assert_int_equal(g_mkdir_with_parents(dir, 0700), 0);
    g_remove(path);
    if (text != NULL)
        g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0600, &error);
    assert_no_error(error);
}

static void
write_pmu(const char *root, const char *pmu)
{
    for (guint i = 0; i < G_N_ELEMENTS(kunpeng); i++)
        write_file(root, pmu, kunpeng[i].file, kunpeng[i].text);
}

static void
test_kunpeng(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) pmus = NULL;
    const FolioSpePmu *pmu = NULL;
    struct perf_event_attr attr;

    write_pmu(*state, "arm_spe_0");
    write_file(*state, "software", "type", "1\n");
    pmus = folio_spe_pmu_read_all(*state, &error);
    assert_no_error(error);
    assert_int_equal(pmus->len, 1);
    pmu = g_ptr_array_index(pmus, 0);
    assert_string_equal(pmu->name, "arm_spe_0");
    assert_int_equal(pmu->type, 9);
    assert_int_equal(pmu->cpus->len, 64);
    assert_int_equal(pmu->min_interval, 1024);

    folio_spe_pmu_attr(pmu, TRUE, &attr);
    assert_int_equal(attr.type, 9);
    assert_int_equal(attr.config, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 16 | 1ULL << 33 | 1ULL << 34);
    assert_int_equal(attr.config1, 0);
    assert_int_equal(attr.config2, 0);
    assert_int_equal(attr.freq, 0);
    assert_int_equal(attr.exclude_guest + attr.exclude_host + attr.exclude_hv + attr.exclude_idle +
                         attr.exclude_kernel + attr.exclude_user + attr.inherit,
                     0);
    folio_spe_pmu_attr(pmu, FALSE, &attr);
    assert_int_equal(attr.config, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 16);
}

/* The bits are where the files say, not where they are today. */
static void
test_other_places(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) pmus = NULL;
    struct perf_event_attr attr;

    write_pmu(*state, "arm_spe_0");
    write_file(*state, "arm_spe_0", "format/pa_enable", "config2:63");
    write_file(*state, "arm_spe_0", "format/ts_enable", "config1:7");
    write_file(*state, "arm_spe_0", "format/jitter", "config2:5,9");
    write_file(*state, "arm_spe_0", "format/pct_enable", NULL);
    write_file(*state, "arm_spe_0", "format/store_filter", NULL);
    pmus = folio_spe_pmu_read_all(*state, &error);
    assert_no_error(error);
    folio_spe_pmu_attr(g_ptr_array_index(pmus, 0), TRUE, &attr);
    assert_int_equal(attr.config, 1ULL << 33);
    assert_int_equal(attr.config1, 1 << 7);
    assert_int_equal(attr.config2, 1 << 5 | 1ULL << 63);
}

static void
test_two_kinds_of_cpu(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) pmus = NULL;

    write_pmu(*state, "arm_spe_1");
    write_file(*state, "arm_spe_1", "cpumask", "4-7\n");
    write_pmu(*state, "arm_spe_0");
    write_file(*state, "arm_spe_0", "cpumask", "0-3\n");
    pmus = folio_spe_pmu_read_all(*state, &error);
    assert_no_error(error);
    assert_int_equal(pmus->len, 2);
    for (guint i = 0; i < 2; i++) {
        const FolioSpePmu *pmu = g_ptr_array_index(pmus, i);

        assert_int_equal(pmu->cpus->len, 4);
        assert_int_equal(g_array_index(pmu->cpus, guint, 0), 4 * i);
    }
}

static void
assert_refused(const char *root, gint code, const char *mention)
{
    g_autoptr(GError) error = NULL;

    assert_null(folio_spe_pmu_read_all(root, &error));
    assert_folio_error(error, code);
    if (strstr(error->message, mention) == NULL)
        fail_msg("\"%s\" does not mention %s", error->message, mention);
}

static void
test_no_unit(void **state)
{
    assert_refused(*state, FOLIO_ERROR_UNSUPPORTED, "kpti");
    write_file(*state, "cpu", "type", "4\n");
    assert_refused(*state, FOLIO_ERROR_UNSUPPORTED, "arm_spe_");
}

static void
test_broken_files(void **state)
{
    static const struct {
        File file;
        gint code;
    } cases[] = {
        { { "format/pa_enable", NULL }, FOLIO_ERROR_UNSUPPORTED },
        { { "format/pa_enable", "" }, FOLIO_ERROR_INVALID },
        { { "format/pa_enable", "config:64" }, FOLIO_ERROR_INVALID },
        { { "format/pa_enable", "config3:1" }, FOLIO_ERROR_INVALID },
        { { "format/jitter", "config:2-1" }, FOLIO_ERROR_INVALID },
        { { "caps/min_interval", NULL }, FOLIO_ERROR_NOT_FOUND },
        { { "caps/min_interval", "-1" }, FOLIO_ERROR_INVALID },
        { { "type", "nine" }, FOLIO_ERROR_INVALID },
        { { "type", "4294967296" }, FOLIO_ERROR_INVALID },
        { { "cpumask", "0-" }, FOLIO_ERROR_INVALID },
        { { "cpumask", NULL }, FOLIO_ERROR_NOT_FOUND },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        write_pmu(*state, "arm_spe_0");
        write_file(*state, "arm_spe_0", cases[i].file.file, cases[i].file.text);
        assert_refused(*state, cases[i].code, cases[i].file.file);
    }
}

static void
test_format_parse(void **state)
{
    static const struct {
        const char *text;
        guint word;
        guint64 bits;
    } good[] = {
        { "config:0", 0, 1 },
        { "config1:0-63\n", 1, G_MAXUINT64 },
        { "config2:0-11", 2, 0xfff },
        { "config:63", 0, 1ULL << 63 },
        { "config:0-7,32-35", 0, 0xf000000ffULL },
    };
    static const char *const bad[] = { "",           "config",    "config:",   "config:a",
                                       "config:1,",  "config:,1", "config:-1", "config:1-",
                                       "config:1:2", "Config:1",  "config3:1", "config:63-64",
                                       "config:5,3" };

    for (guint i = 0; i < G_N_ELEMENTS(good); i++) {
        FolioPmuFormat format = { 0 };
        g_autoptr(GError) error = NULL;

        assert_true(folio_pmu_format_parse(good[i].text, &format, &error));
        assert_int_equal(format.word, good[i].word);
        assert_int_equal(format.bits, good[i].bits);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        FolioPmuFormat format = { 2, 4 };
        g_autoptr(GError) error = NULL;

        if (folio_pmu_format_parse(bad[i], &format, &error))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_folio_error(error, FOLIO_ERROR_INVALID);
        assert_int_equal(format.bits, 4);
    }
}

static void
test_format_set(void **state)
{
    const FolioPmuFormat scattered = { 0, 0xf0000000fULL };
    const FolioPmuFormat whole = { 1, G_MAXUINT64 };
    const FolioPmuFormat none = { 2, 0 };
    struct perf_event_attr attr = { .config = 0xff0 };

    assert_true(folio_pmu_format_set(&scattered, 0xa5, &attr));
    assert_int_equal(attr.config, 0xa00000ff5ULL);
    assert_true(folio_pmu_format_set(&scattered, 0x5a, &attr));
    assert_int_equal(attr.config, 0x500000ffaULL);
    assert_false(folio_pmu_format_set(&scattered, 0x100, &attr));
    assert_int_equal(attr.config, 0x500000ffaULL);
    assert_true(folio_pmu_format_set(&whole, G_MAXUINT64, &attr));
    assert_int_equal(attr.config1, G_MAXUINT64);
    assert_false(folio_pmu_format_set(&none, 1, &attr));
}

static void
test_cpu_lists(void **state)
{
    static const char *const bad[] = { "-",   "1-",    "-1",  "1,,2",    "1,",
                                       "2,1", "1-1-1", "0x1", "0-65536", "99999999999999999999",
                                       "1 2" };
    g_autoptr(GArray) some = folio_cpu_list_parse("0-2,8,10-11\n", NULL);
    g_autoptr(GArray) none = folio_cpu_list_parse("\n", NULL);

    assert_int_equal(some->len, 6);
    assert_int_equal(g_array_index(some, guint, 3), 8);
    assert_true(folio_cpu_list_has(some, 11));
    assert_false(folio_cpu_list_has(some, 9));
    assert_int_equal(none->len, 0);
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;

        if (folio_cpu_list_parse(bad[i], &error) != NULL)
            fail_msg("\"%s\" was taken", bad[i]);
        assert_folio_error(error, FOLIO_ERROR_INVALID);
    }
}

/* Whose code a record is of: (present, exception level) against what is known of the host. */
static void
test_origin(void **state)
{
    enum {
        PC = 1 << FOLIO_SPE_PC,
        EL1 = 1 << FOLIO_SPE_CONTEXT_EL1,
        EL2 = 1 << FOLIO_SPE_CONTEXT_EL2,
    };
    static const struct {
        guint32 present;
        guint8 el;
        gboolean proves, guest_on_vhe;
    } cases[] = {
        { PC, 0, FALSE, FALSE },      /* a program of the host, or of a guest */
        { PC, 1, FALSE, TRUE },       /* the guest's kernel */
        { PC, 2, TRUE, FALSE },       /* the host's kernel */
        { PC, 3, FALSE, FALSE },      /* firmware */
        { PC | EL1, 0, FALSE, TRUE }, /* a guest's program */
        { PC | EL2, 0, TRUE, FALSE }, /* a program of the host */
        { PC | EL1 | EL2, 0, TRUE, TRUE },
        { PC | EL1 | EL2, 1, TRUE, TRUE },
        { EL1, 0, FALSE, TRUE }, /* no PC, so no level */
        { 0, 1, FALSE, FALSE },  /* what pc_el says without a PC means nothing */
        { 0, 2, FALSE, FALSE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const FolioSpeRecord record = { .present = cases[i].present, .pc_el = cases[i].el };

        assert_int_equal(folio_spe_record_proves_vhe(&record), cases[i].proves);
        assert_int_equal(folio_spe_record_is_guest(&record, TRUE), cases[i].guest_on_vhe);
        /* On a host whose kernel runs at EL1 that is the host's kernel. */
        assert_false(folio_spe_record_is_guest(&record, FALSE));
    }
}

/* This machine may have a unit or none: the fake one cannot be opened either way, for its type is
 * that of no unit. */
static void
test_source_of_a_unit_that_is_not_there(void **state)
{
    const FolioSpeSourceOptions options = {
        .sys_root = *state, .period = 65536, .aux_bytes = 1 << 20, .whole_host = TRUE
    };
    g_autoptr(GError) error = NULL;
    FolioSource *source = NULL;

    assert_null(folio_spe_source_new(&options, &error));
    assert_folio_error(error, FOLIO_ERROR_UNSUPPORTED);
    g_clear_error(&error);

    write_pmu(*state, "arm_spe_0");
    write_file(*state, "arm_spe_0", "type", "4000000000\n");
    write_file(*state, "../../../devices/system/cpu", "online", "0\n");
    source = folio_spe_source_new(&options, &error);
    assert_no_error(error);
    assert_string_equal(source->klass->name, "spe");
    assert_true(source->klass->evidence);
    assert_null(source->klass->open(source, NULL, &error));
    assert_folio_error(error, FOLIO_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error->message, "arm_spe_0"));
    source->klass->free(source);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kunpeng, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two_kinds_of_cpu, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_unit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_broken_files, set_up, tear_down),
        cmocka_unit_test(test_format_parse),
        cmocka_unit_test(test_format_set),
        cmocka_unit_test(test_cpu_lists),
        cmocka_unit_test(test_origin),
        cmocka_unit_test_setup_teardown(test_source_of_a_unit_that_is_not_there, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
