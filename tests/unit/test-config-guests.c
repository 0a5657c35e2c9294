/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the configuration says of guests: of all, and of single ones by UUID. */
#include "cmocka-all.h"
#include "config.h"

#include <glib/gstdio.h>

#define UUID  "f5aa2dc0-da87-4632-9203-688fd4fff062"
#define OTHER "0f5e3a1c-7b2d-4c6e-9a8f-00112233aabb"

typedef struct {
    char *root;
    char *guests; /* ROOT/guests.d */
    GPtrArray *errors;
} Fixture;

static int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    fixture->root = g_dir_make_tmp("foliod-guests.XXXXXX", NULL);
    fixture->guests = g_build_filename(fixture->root, "guests.d", NULL);
    fixture->errors = folio_config_errors_new();
    *state = fixture;
    return g_mkdir(fixture->guests, 0755);
}

static void
remove_all(const char *directory)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(directory, name, NULL);

        g_remove(path);
    }
    g_rmdir(directory);
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    remove_all(fixture->guests);
    remove_all(fixture->root);
    g_ptr_array_unref(fixture->errors);
    g_free(fixture->root);
    g_free(fixture->guests);
    g_free(fixture);
    return 0;
}

static void
write_file(const char *directory, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(directory, name, NULL);

    assert_true(g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
}

static FolioConfig *
load(Fixture *fixture)
{
    g_ptr_array_set_size(fixture->errors, 0);
    return folio_config_load("/nonexistent", fixture->root, fixture->errors);
}

static void
assert_error(const Fixture *fixture, guint i, const char *words)
{
    const FolioConfigError *error;

    assert_true(i < fixture->errors->len);
    error = fixture->errors->pdata[i];
    if (strstr(error->text, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, error->text);
}

static void
test_defaults(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(FolioConfig) config = load(fixture);
    const FolioHints *all = &config->guest_defaults;

    assert_int_equal(fixture->errors->len, 0);
    assert_int_equal(all->set, (1u << FOLIO_N_HINTS) - 1);
    assert_int_equal(all->mode, FOLIO_MODE_OBSERVE);
    assert_int_equal(all->split_order, 0);
    assert_int_equal(all->sparse_below, 512);
    assert_int_equal(all->max_rate, 256 << 20);
    assert_int_equal(all->khugepaged, FOLIO_KHUGEPAGED_AUTO);
    assert_int_equal(config->hint_ceiling, FOLIO_MODE_ADAPTIVE);
    assert_false(config->status_metadata);
    assert_false(config->heat_in_metadata);
    assert_int_equal(g_hash_table_size(config->guest_hints), 0);
}

static void
test_of_all_guests(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(FolioConfig) config = NULL;

    write_file(fixture->root, "foliod.conf",
               "[Guests]\nMode=adaptive\nSplitOrder=4\nSparseBelow=51\nMaxRate=1G\n"
               "Khugepaged=keep\nHintCeiling=split\nStatusMetadata=yes\nHeatInMetadata=yes\n");
    config = load(fixture);
    assert_int_equal(fixture->errors->len, 0);
    assert_int_equal(config->guest_defaults.mode, FOLIO_MODE_ADAPTIVE);
    assert_int_equal(config->guest_defaults.split_order, 4);
    assert_int_equal(config->guest_defaults.sparse_below, 51);
    assert_int_equal(config->guest_defaults.max_rate, 1 << 30);
    assert_int_equal(config->guest_defaults.khugepaged, FOLIO_KHUGEPAGED_KEEP);
    assert_int_equal(config->hint_ceiling, FOLIO_MODE_SPLIT);
    assert_true(config->status_metadata);
    assert_true(config->heat_in_metadata);
}

static void
test_of_one_guest(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(FolioConfig) config = NULL;
    const FolioHints *hints;

    write_file(fixture->guests, UUID ".conf", "# why\n[Guest]\nMode=split\nSplitOrder=\n");
    write_file(fixture->guests, "0F5E3A1C-7B2D-4C6E-9A8F-00112233AABB.conf",
               "[Guest]\nMaxRate=1M\nKhugepaged=strict\nSparseBelow=9\nSplitOrder=3\n");
    write_file(fixture->guests, "notes.txt", "not looked at");
    config = load(fixture);
    assert_int_equal(fixture->errors->len, 0);
    assert_int_equal(g_hash_table_size(config->guest_hints), 2);
    hints = g_hash_table_lookup(config->guest_hints, UUID);
    assert_non_null(hints);
    assert_int_equal(hints->set, 1u << FOLIO_HINT_MODE);
    assert_int_equal(hints->mode, FOLIO_MODE_SPLIT);
    hints = g_hash_table_lookup(config->guest_hints, OTHER);
    assert_non_null(hints);
    assert_false(folio_hints_has(hints, FOLIO_HINT_MODE));
    assert_int_equal(hints->max_rate, 1 << 20);
    assert_int_equal(hints->split_order, 3);
    assert_int_equal(hints->khugepaged, FOLIO_KHUGEPAGED_STRICT);
}

static void
test_bad_files(void **state)
{
    static const struct {
        const char *name;
        const char *text;
        const char *words;
    } cases[] = {
        { UUID ".conf", "[Guest]\nMode=fast\n",
          UUID ".conf:2: Mode: \"fast\" is not allowed; allowed are off, observe, split" },
        { UUID ".conf", "[Guest]\nMode=off\nSpeed=1\n",
          ":3: Speed: unknown key; those of [Guest] are Mode, SplitOrder" },
        { UUID ".conf", "[Guests]\nMode=off\n", ":1: unknown group [Guests]; known is [Guest]" },
        { UUID ".conf", "[Guest]\nMode=off\nMode=split\n", "already set" },
        { UUID ".conf", "Mode=off\n", "syntax error" },
        { "web.conf", "[Guest]\nMode=off\n", "web.conf: is not named UUID.conf" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        Fixture *fixture = *state;
        g_autofree char *path = g_build_filename(fixture->guests, cases[i].name, NULL);
        g_autoptr(FolioConfig) config = NULL;

        write_file(fixture->guests, cases[i].name, cases[i].text);
        config = load(fixture);
        assert_int_equal(fixture->errors->len, 1);
        assert_error(fixture, 0, cases[i].words);
        assert_int_equal(g_hash_table_size(config->guest_hints), 0);
        g_remove(path);
    }
}

/* Two files of the same guest, and one that everybody may write. */
static void
test_which_file_counts(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = g_build_filename(fixture->guests, UUID ".conf", NULL);
    g_autoptr(FolioConfig) two = NULL;
    g_autoptr(FolioConfig) open = NULL;

    write_file(fixture->guests, UUID ".conf", "[Guest]\nMode=split\n");
    write_file(fixture->guests, "F5AA2DC0-da87-4632-9203-688fd4fff062.conf", "[Guest]\nMode=off\n");
    two = load(fixture);
    assert_int_equal(fixture->errors->len, 1);
    assert_error(fixture, 0, "is the second file of this guest");
    assert_int_equal(g_hash_table_size(two->guest_hints), 1);

    remove_all(fixture->guests);
    assert_int_equal(g_mkdir(fixture->guests, 0755), 0);
    write_file(fixture->guests, UUID ".conf", "[Guest]\nMode=split\n");
    assert_int_equal(g_chmod(path, 0666), 0);
    open = load(fixture);
    assert_int_equal(fixture->errors->len, 1);
    assert_error(fixture, 0, "everybody may write it");
    assert_int_equal(g_hash_table_size(open->guest_hints), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_defaults, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_all_guests, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_one_guest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_which_file_counts, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("config-guests", tests, NULL, NULL);
}
