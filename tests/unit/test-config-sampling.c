/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config: what the keys of [Sampling] take, and what they do not. */
#include "cmocka-all.h"
#include "config.h"

#include <glib/gstdio.h>

static FolioConfig *
load_line(const char *key, const char *value, GPtrArray *errors)
{
    g_autofree char *dir = g_dir_make_tmp("foliod-config.XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "foliod.conf", NULL);
    g_autofree char *absent = g_build_filename(dir, "absent", NULL);
    g_autofree char *text = g_strdup_printf("[Sampling]\n%s=%s\n", key, value);
    FolioConfig *config;

    assert_true(g_file_set_contents(path, text, -1, NULL));
    config = folio_config_load(absent, dir, errors);
    g_unlink(path);
    g_rmdir(dir);
    return config;
}

static FolioConfig *
load_well(const char *key, const char *value)
{
    g_autoptr(GPtrArray) errors = folio_config_errors_new();
    FolioConfig *config = load_line(key, value, errors);

    assert_int_equal(errors->len, 0);
    return config;
}

static void
test_refused(void **state)
{
    static const struct {
        const char *key;
        const char *value;
        const char *part; /* of what is said */
    } cases[] = {
        { "Source", "ibs", "allowed are auto, spe, perf, none" },
        { "SampleBy", "cpu", "allowed are auto, process, host" },
        { "PerfEvent", "faults", "neither minor-faults nor TYPE:CONFIG" },
        { "PerfEvent", "11", "neither minor-faults nor TYPE:CONFIG" },
        { "PerfEvent", "4294967296:1", "neither" },
        { "PerfEvent", "1:0x", "neither" },
        { "PerfEvent", "1:2:3", "neither" },
        { "CpuShare", "1", "allowed are 0.01% to 100%" },
        { "CpuShare", "0%", "allowed are 0.01% to 100%" },
        { "CpuShare", "101%", "allowed are 0.01% to 100%" },
        { "CpuShare", "nan%", "allowed are 0.01% to 100%" },
        { "EpochSeconds", "0", "allowed are 0.1 to 600" },
        { "EpochSeconds", "601", "allowed are 0.1 to 600" },
        { "EpochSeconds", "5s", "allowed are 0.1 to 600" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GPtrArray) errors = folio_config_errors_new();
        g_autoptr(FolioConfig) config = load_line(cases[i].key, cases[i].value, errors);
        g_autoptr(FolioConfig) defaults = load_well(cases[i].key, "");
        const FolioConfigError *error;

        assert_int_equal(errors->len, 1);
        error = g_ptr_array_index(errors, 0);
        assert_int_equal(error->line, 2);
        assert_string_equal(error->key, cases[i].key);
        if (strstr(error->text, cases[i].part) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error->text, cases[i].part);
        assert_true(folio_sampling_config_equal(&config->sampling, &defaults->sampling));
    }
}

static void
test_values(void **state)
{
    g_autoptr(FolioConfig) none = load_well("Source", "");
    g_autoptr(FolioConfig) event = load_well("PerfEvent", "11:0x1F00");
    g_autoptr(FolioConfig) share = load_well("CpuShare", "2.5%");
    g_autoptr(FolioConfig) epoch = load_well("EpochSeconds", "0.2");

    assert_int_equal(none->sampling.source, FOLIO_SOURCE_AUTO);
    assert_int_equal(none->sampling.sample_by, FOLIO_SAMPLE_BY_AUTO);
    assert_true(none->sampling.minor_faults);
    assert_int_equal(none->sampling.epoch_msec, 5000);
    assert_int_equal(none->sampling.cpu_share * 10000 + 0.5, 100);
    assert_false(event->sampling.minor_faults);
    assert_int_equal(event->sampling.event_type, 11);
    assert_int_equal(event->sampling.event_config, 0x1f00);
    assert_int_equal(share->sampling.cpu_share * 10000 + 0.5, 250);
    assert_int_equal(epoch->sampling.epoch_msec, 200);
}

/* Each changes something. */
static void
test_taken(void **state)
{
    static const char *const lines[][2] = {
        { "Source", "spe" },        { "Source", "perf" },      { "Source", "none" },
        { "PerfEvent", "11:0x1f" }, { "PerfEvent", "10:0" },   { "PerfEvent", "10:1" },
        { "SampleBy", "host" },     { "SampleBy", "process" }, { "SampleBy", "host" },
        { "CpuShare", "0.01%" },    { "CpuShare", "100%" },    { "EpochSeconds", "0.1" },
        { "EpochSeconds", "600" },
    };
    g_autoptr(FolioConfig) before = load_well("Source", "auto");

    for (gsize i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(FolioConfig) config = load_well(lines[i][0], lines[i][1]);

        assert_false(folio_sampling_config_equal(&config->sampling, &before->sampling));
        folio_config_free(g_steal_pointer(&before));
        before = folio_config_copy(config);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_taken),
    };

    return cmocka_run_group_tests_name("config-sampling", tests, NULL, NULL);
}
