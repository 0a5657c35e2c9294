/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config: what the keys of [Acting] take, and what they do not. */
#include "cmocka-all.h"
#include "config.h"

#include <glib/gstdio.h>

static FolioConfig *
load_text(const char *text, GPtrArray *errors)
{
    g_autofree char *dir = g_dir_make_tmp("foliod-config.XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "foliod.conf", NULL);
    g_autofree char *absent = g_build_filename(dir, "absent", NULL);
    FolioConfig *config;

    assert_true(g_file_set_contents(path, text, -1, NULL));
    config = folio_config_load(absent, dir, errors);
    g_unlink(path);
    g_rmdir(dir);
    return config;
}

static void
assert_acting(const char *text, const char *actuators, gboolean inject, gboolean restore_on_stop)
{
    g_autoptr(GPtrArray) errors = folio_config_errors_new();
    g_autoptr(FolioConfig) loaded = load_text(text, errors);
    g_autoptr(FolioConfig) config = folio_config_copy(loaded);
    g_autofree char *joined = g_strjoinv(" ", config->acting.actuators);

    assert_int_equal(errors->len, 0);
    assert_string_equal(joined, actuators);
    assert_int_equal(config->acting.inject, inject);
    assert_int_equal(config->acting.restore_on_stop, restore_on_stop);
}

#define ALL "damon debugfs-split madvise-collapse"

static void
test_taken(void **state)
{
    assert_acting("", ALL, TRUE, FALSE);
    assert_acting("[Acting]\nInject=\nActuators=\nRestoreOnStop=\n", ALL, TRUE, FALSE);
    assert_acting("[Acting]\nActuators=madvise-collapse   damon\n", "madvise-collapse damon", TRUE,
                  FALSE);
    assert_acting("[Acting]\nActuators=debugfs-split\nInject=no\nRestoreOnStop=yes\n",
                  "debugfs-split", FALSE, TRUE);
    assert_acting("[Acting]\nInject=yes\nRestoreOnStop=no\n", ALL, TRUE, FALSE);
}

static void
assert_budget(const char *text, guint64 host_max_rate, double act_share)
{
    g_autoptr(GPtrArray) errors = folio_config_errors_new();
    g_autoptr(FolioConfig) loaded = load_text(text, errors);
    g_autoptr(FolioConfig) config = folio_config_copy(loaded);

    assert_int_equal(errors->len, 0);
    assert_int_equal(config->acting.host_max_rate, host_max_rate);
    assert_true(config->acting.act_share > act_share - 1e-9 &&
                config->acting.act_share < act_share + 1e-9);
}

static void
test_budget(void **state)
{
    assert_budget("", G_GUINT64_CONSTANT(1) << 30, 0.05);
    assert_budget("[Acting]\nHostMaxRate=\nActShare=\n", G_GUINT64_CONSTANT(1) << 30, 0.05);
    assert_budget("[Acting]\nHostMaxRate=64M\nActShare=0.5%\n", 64 << 20, 0.005);
}

static guint
load_max_tracked(const char *text)
{
    g_autoptr(GPtrArray) errors = folio_config_errors_new();
    g_autoptr(FolioConfig) config = load_text(text, errors);

    assert_int_equal(errors->len, 0);
    return config->acting.max_tracked_split;
}

static void
test_max_tracked(void **state)
{
    assert_int_equal(load_max_tracked(""), 65536);
    assert_int_equal(load_max_tracked("[Acting]\nMaxTrackedSplit=\n"), 65536);
    assert_int_equal(load_max_tracked("[Acting]\nMaxTrackedSplit=0\n"), 0);
    assert_int_equal(load_max_tracked("[Acting]\nMaxTrackedSplit=4194304\n"), 4194304);
}

static void
test_refused(void **state)
{
    static const struct {
        const char *line;
        const char *part; /* of what is said */
    } cases[] = {
        { "Actuators=damon etmem",
          "Actuators: \"etmem\" is not allowed; allowed are damon, debugfs-split, "
          "madvise-collapse" },
        { "Actuators=damon,debugfs-split", "\"damon,debugfs-split\" is not allowed" },
        { "Actuators=Damon", "\"Damon\" is not allowed" },
        { "Actuators=damon debugfs-split damon", "Actuators: \"damon\" comes twice" },
        { "Inject=true", "Inject: \"true\" is not allowed; allowed are no, yes" },
        { "RestoreOnStop=always", "RestoreOnStop: \"always\" is not allowed" },
        { "Injection=no",
          "those of [Acting] are Actuators, Inject, RestoreOnStop, HostMaxRate, ActShare, "
          "MaxTrackedSplit" },
        { "HostMaxRate=fast", "HostMaxRate: \"fast\" is not allowed; allowed are " },
        { "MaxTrackedSplit=4194305",
          "MaxTrackedSplit: \"4194305\" is no number of blocks; allowed are 0 to 4194304" },
        { "MaxTrackedSplit=-1", "\"-1\" is no number of blocks" },
        { "MaxTrackedSplit=64K", "\"64K\" is no number of blocks" },
        { "ActShare=0%", "ActShare: \"0%\" is no share of one core; allowed are 0.01% to 100%" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strdup_printf("[Acting]\n%s\n", cases[i].line);
        g_autoptr(GPtrArray) errors = folio_config_errors_new();
        g_autoptr(FolioConfig) config = load_text(text, errors);
        const FolioConfigError *error;

        assert_int_equal(errors->len, 1);
        error = g_ptr_array_index(errors, 0);
        assert_int_equal(error->line, 2);
        if (strstr(error->text, cases[i].part) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error->text, cases[i].part);
        assert_true(config->acting.inject);
        assert_int_equal(g_strv_length(config->acting.actuators), 3);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_max_tracked),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests_name("config-acting", tests, NULL, NULL);
}
