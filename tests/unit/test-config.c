/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config: layers, values, and what each bad file is told. */
#include "base/error.h"
#include "base/file-io.h"
#include "cmocka-all.h"
#include "config-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    char *root;
    char *vendor;
    char *conf;
    GPtrArray *errors;
} Fixture;

static int
set_up(void **state)
{
    Fixture *fixture = g_new0(Fixture, 1);

    fixture->root = g_dir_make_tmp("foliod-config.XXXXXX", NULL);
    fixture->vendor = g_build_filename(fixture->root, "usr", NULL);
    fixture->conf = g_build_filename(fixture->root, "etc", NULL);
    fixture->errors = folio_config_errors_new();
    *state = fixture;
    return fixture->root != NULL ? 0 : -1;
}

static void
remove_tree(const char *path)
{
    g_autoptr(GDir) dir =
        g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        remove_tree(child);
    }
    g_remove(path);
}

static int
tear_down(void **state)
{
    Fixture *fixture = *state;

    remove_tree(fixture->root);
    g_ptr_array_unref(fixture->errors);
    g_free(fixture->root);
    g_free(fixture->vendor);
    g_free(fixture->conf);
    g_free(fixture);
    return 0;
}

/* Makes ROOT/NAME; name is such as "etc/foliod.conf.d/10-a.conf". The result is its path. */
static char *
write_bytes(Fixture *fixture, const char *name, const char *text, gsize length)
{
    char *path = g_build_filename(fixture->root, name, NULL);
    g_autofree char *dir = g_path_get_dirname(path);

    assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
    assert_true(g_file_set_contents(path, text, (gssize) length, NULL));
    assert_int_equal(g_chmod(path, 0644), 0);
    return path;
}

static void
write_file(Fixture *fixture, const char *name, const char *text)
{
    g_free(write_bytes(fixture, name, text, strlen(text)));
}

static FolioConfig *
load(Fixture *fixture)
{
    g_ptr_array_set_size(fixture->errors, 0);
    return folio_config_load(fixture->vendor, fixture->conf, fixture->errors);
}

static void
print_errors(GPtrArray *errors)
{
    for (guint i = 0; i < errors->len; i++) {
        const FolioConfigError *error = g_ptr_array_index(errors, i);

        print_message("%s\n", error->text);
    }
}

static FolioConfig *
load_well(Fixture *fixture)
{
    FolioConfig *config = load(fixture);

    print_errors(fixture->errors);
    assert_int_equal(fixture->errors->len, 0);
    return config;
}

static void
assert_defaults(const FolioConfig *config)
{
    assert_string_equal(config->connect, "qemu:///system");
    assert_string_equal(config->run_directory, "");
    assert_int_equal(config->guest_defaults.mode, FOLIO_MODE_OBSERVE);
    assert_int_equal(config->scan, FOLIO_SCAN_AUTO);
    assert_int_equal(config->files->len, 0);
}

/* One error of the file name, at that line and key, whose text holds part, and nothing of the file
 * in force. */
static void
assert_refused(Fixture *fixture, const char *name, guint line, const char *key, const char *part)
{
    g_autoptr(FolioConfig) config = load(fixture);
    g_autofree char *path = g_build_filename(fixture->root, name, NULL);
    g_autofree char *start =
        line > 0 ? g_strdup_printf("%s:%u: %s%s", path, line, key, *key != '\0' ? ": " : "")
                 : g_strdup_printf("%s: ", path);
    const FolioConfigError *error;

    print_errors(fixture->errors);
    assert_int_equal(fixture->errors->len, 1);
    error = g_ptr_array_index(fixture->errors, 0);
    assert_string_equal(error->file, path);
    assert_int_equal(error->line, line);
    assert_string_equal(error->key, key);
    if (!g_str_has_prefix(error->text, start) || strstr(error->text, part) == NULL)
        fail_msg("\"%s\" is not \"%s ... %s\"", error->text, start, part);
    assert_defaults(config);
}

static void
test_nothing_there(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(FolioConfig) config = load_well(fixture);

    assert_defaults(config);
}

static void
test_every_key(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(FolioConfig) config = NULL;
    g_autoptr(FolioConfig) copy = NULL;

    write_file(fixture, "etc/foliod.conf",
               "# comment\r\n"
               "[Libvirt]\r\n"
               "Connect = qemu+unix:///system?socket=/tmp/a%20b/sock  \r\n"
               "RunDirectory=/run/a b\r\n"
               "\r\n"
               "[Guests]\r\n"
               "Mode=off\r\n"
               "  Scan =\tpagemap-scan");
    config = load_well(fixture);
    copy = folio_config_copy(config);
    g_clear_pointer(&config, folio_config_free);
    assert_string_equal(copy->connect, "qemu+unix:///system?socket=/tmp/a%20b/sock");
    assert_string_equal(copy->run_directory, "/run/a b");
    assert_int_equal(copy->guest_defaults.mode, FOLIO_MODE_OFF);
    assert_int_equal(copy->scan, FOLIO_SCAN_PAGEMAP);
    assert_int_equal(copy->files->len, 1);
    assert_true(g_str_has_suffix(g_ptr_array_index(copy->files, 0), "/etc/foliod.conf"));
}

/* The file that is shipped is all comments; without them, it says what is the default anyway. */
static void
test_shipped_file(void **state)
{
    static const char *const keys[] = { "\nConnect=",  "\nRunDirectory=", "\nMode=",
                                        "\nScan=",     "\nSource=",       "\nPerfEvent=",
                                        "\nCpuShare=", "\nEpochSeconds=" };
    Fixture *fixture = *state;
    g_autofree char *path =
        g_build_filename(g_getenv("FOLIOD_SOURCE"), "data", "foliod.conf", NULL);
    g_autofree char *text = NULL;
    g_autoptr(FolioConfig) config = NULL;
    g_autoptr(GRegex) comment = g_regex_new("^#([A-Z][A-Za-z]*=)", G_REGEX_MULTILINE, 0, NULL);
    g_autofree char *bare = NULL;

    assert_non_null(g_getenv("FOLIOD_SOURCE"));
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    write_file(fixture, "usr/foliod.conf", text);
    config = load_well(fixture);
    assert_int_equal(config->files->len, 1);
    g_ptr_array_set_size(config->files, 0);
    assert_defaults(config);
    g_clear_pointer(&config, folio_config_free);

    bare = g_regex_replace(comment, text, -1, 0, "\\1", 0, NULL);
    write_file(fixture, "usr/foliod.conf", bare);
    config = load_well(fixture);
    g_ptr_array_set_size(config->files, 0);
    assert_defaults(config);
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++)
        assert_non_null(strstr(bare, keys[i]));
}

static void
test_layers(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(FolioConfig) config = NULL;
    const char *const order[] = { "etc/foliod.conf", "etc/foliod.conf.d/10-a.conf",
                                  "usr/foliod.conf.d/20-b.conf", "etc/foliod.conf.d/30-c.conf" };

    write_file(fixture, "usr/foliod.conf", "[Libvirt]\nRunDirectory=/vendor-main\n");
    write_file(fixture, "etc/foliod.conf", "[Guests]\nMode=off\n[Libvirt]\nConnect=a:///\n");
    write_file(fixture, "usr/foliod.conf.d/10-a.conf", "[Libvirt]\nRunDirectory=/vendor-10\n");
    write_file(fixture, "etc/foliod.conf.d/10-a.conf", "[Libvirt]\nConnect=b:///\n");
    write_file(fixture, "usr/foliod.conf.d/20-b.conf", "[Libvirt]\nConnect=c:///\n");
    write_file(fixture, "etc/foliod.conf.d/30-c.conf", "[Guests]\nScan=smaps\nMode=\n");
    config = load_well(fixture);
    assert_string_equal(config->connect, "c:///");
    assert_string_equal(config->run_directory, ""); /* both vendor files were replaced */
    assert_int_equal(config->guest_defaults.mode,
                     FOLIO_MODE_OBSERVE); /* the empty value is the default */
    assert_int_equal(config->scan, FOLIO_SCAN_SMAPS);
    assert_int_equal(config->files->len, G_N_ELEMENTS(order));
    for (guint i = 0; i < G_N_ELEMENTS(order); i++)
        assert_true(g_str_has_suffix(g_ptr_array_index(config->files, i), order[i]));
}

static void
test_masks(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *link = g_build_filename(fixture->conf, "foliod.conf.d", "20-b.conf", NULL);
    g_autofree char *main_link = g_build_filename(fixture->conf, "foliod.conf", NULL);
    g_autoptr(FolioConfig) config = NULL;

    write_file(fixture, "usr/foliod.conf", "[Guests]\nScan=smaps\n");
    write_file(fixture, "usr/foliod.conf.d/10-a.conf", "[Guests]\nMode=off\n");
    write_file(fixture, "usr/foliod.conf.d/20-b.conf", "[Guests]\nMode=off\n");
    write_file(fixture, "etc/foliod.conf.d/10-a.conf", "");
    assert_int_equal(symlink("/dev/null", link), 0);
    assert_int_equal(symlink("/dev/null", main_link), 0);
    config = load_well(fixture);
    assert_int_equal(config->guest_defaults.mode, FOLIO_MODE_OBSERVE);
    assert_int_equal(config->scan, FOLIO_SCAN_AUTO);
}

static void
test_names_that_do_not_count(void **state)
{
    static const char *const names[] = { ".hidden.conf",    "a.conf~",  "a.conf.bak",
                                         "a.conf.dpkg-new", "#a.conf#", "README" };
    Fixture *fixture = *state;
    g_autoptr(FolioConfig) config = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *name = g_build_filename("etc/foliod.conf.d", names[i], NULL);

        write_file(fixture, name, "rubbish");
    }
    config = load_well(fixture);
    assert_defaults(config);
}

typedef struct {
    const char *text;
    guint line;
    const char *key;
    const char *part;
} BadFile;

static const BadFile bad_files[] = {
    { "[Guests]\nMode=off\n[Host]\nA=1\nB=2\n", 3, "",
      "unknown group [Host]; known are [Libvirt], [Guests], [Sampling], [Acting]" },
    { "[Guests]\nMode=off\n\nmode=off\n", 4, "mode",
      "unknown key; those of [Guests] are Mode, SplitOrder" },
    { "[Libvirt]\nMode=off\n", 2, "Mode", "those of [Libvirt] are Connect, RunDirectory" },
    { "[Guests]\nMode[de]=off\n", 2, "Mode[de]", "unknown key" },
    { "[Guests]\nMode=on\n", 2, "Mode", "\"on\" is not allowed; allowed are off, observe" },
    { "[Guests]\nMode=Off\n", 2, "Mode", "\"Off\" is not allowed" },
    { "[Guests]\nMode=off # for now\n", 2, "Mode", "is not allowed" },
    { "[Guests]\nSplitOrder=9\n", 2, "SplitOrder", "\"9\" is not allowed; allowed are 0 to 8" },
    { "[Guests]\nSparseBelow=0\n", 2, "SparseBelow", "allowed are 1 to 512" },
    { "[Guests]\nMaxRate=64\n", 2, "MaxRate", "allowed are bytes per second such as 64M" },
    { "[Guests]\nKhugepaged=Strict\n", 2, "Khugepaged", "allowed are auto, keep, strict" },
    { "[Guests]\nHintCeiling=off\n", 2, "HintCeiling",
      "allowed are observe, split, collapse, adaptive" },
    { "[Guests]\nStatusMetadata=maybe\n", 2, "StatusMetadata", "allowed are no, yes" },
    { "[Guests]\nHeatInMetadata=16K\n", 2, "HeatInMetadata", "allowed are no, yes" },
    { "[Guests]\nScan=pagemap\n", 2, "Scan", "allowed are auto, pagemap-scan, smaps" },
    { "[Guests]\nMode=off\nScan=smaps\nMode=off\n", 4, "Mode", "already set in line 2" },
    { "[Guests]\nMode=off\n[Libvirt]\n[Guests]\nMode=observe\n", 5, "Mode",
      "already set in line 2" },
    { "[Guests]\nMode=off\nnonsense\n", 3, "", "syntax error" },
    { "Mode=off\n[Guests]\n", 1, "", "syntax error" },
    { "[Guests]\n=off\n", 2, "", "syntax error" },
    { "[Guests\nMode=off\n", 1, "", "syntax error" },
    { "Mode=off\nScan=smaps\n", 1, "", "syntax error" },
    { "[Guests]\n[Lib[virt]\nConnect=x\n[Guests]\nScan=smaps\n", 2, "", "syntax error" },
    { "[Guests]\nMode=o\\ff\n", 2, "Mode", "backslash" },
    { "[Guests]\nMode=off\n\xff\xfe\n", 3, "", "not UTF-8" },
    { "[Guests]\n\nMode=\xc3\n", 3, "", "not UTF-8" },
    { "[Libvirt]\nConnect=system\n", 2, "Connect", "no libvirt URI" },
    { "[Libvirt]\nConnect=qemu:///a\\tb\n", 2, "Connect", "a control character" },
    { "[Libvirt]\nConnect=qemu+ssh://root@other/system\n", 2, "Connect", "another host" },
    { "[Libvirt]\nConnect=qemu:///sys tem\n", 2, "Connect", "holds a space" },
    { "[Libvirt]\nRunDirectory=run/libvirt\n", 2, "RunDirectory", "no absolute path" },
    { "[Libvirt]\nRunDirectory=/run\\n/x\n", 2, "RunDirectory", "control character" },
};

static void
test_bad_files(void **state)
{
    Fixture *fixture = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(bad_files); i++) {
        const BadFile *bad = &bad_files[i];

        write_file(fixture, "etc/foliod.conf.d/50-x.conf", bad->text);
        assert_refused(fixture, "etc/foliod.conf.d/50-x.conf", bad->line, bad->key, bad->part);
    }
}

/* A key with an error says all that is wrong, one by one, and a good file beside it is in force. */
static void
test_all_errors_and_the_other_files(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(FolioConfig) config = NULL;
    const FolioConfigError *error;

    write_file(fixture, "etc/foliod.conf.d/10-bad.conf",
               "[Guests]\nScan=fast\nMode=off\n[Libvirt]\nPort=1\nRunDirectory=x\n");
    write_file(fixture, "etc/foliod.conf.d/20-good.conf", "[Guests]\nScan=smaps\n");
    config = load(fixture);
    assert_int_equal(fixture->errors->len, 3);
    error = g_ptr_array_index(fixture->errors, 0);
    assert_string_equal(error->key, "Scan");
    error = g_ptr_array_index(fixture->errors, 1);
    assert_string_equal(error->key, "Port");
    assert_int_equal(error->line, 5);
    error = g_ptr_array_index(fixture->errors, 2);
    assert_string_equal(error->key, "RunDirectory");
    assert_int_equal(config->guest_defaults.mode, FOLIO_MODE_OBSERVE); /* nothing is half-applied */
    assert_int_equal(config->scan, FOLIO_SCAN_SMAPS);
    assert_int_equal(config->files->len, 1);
}

/* One that an administrator put in the place of the vendor's stays in its place when it is bad. */
static void
test_bad_file_still_masks(void **state)
{
    Fixture *fixture = *state;

    write_file(fixture, "usr/foliod.conf", "[Guests]\nMode=off\n");
    write_file(fixture, "etc/foliod.conf", "[Guests]\nMode=of\n");
    assert_refused(fixture, "etc/foliod.conf", 2, "Mode", "not allowed");
}

static void
test_nul_byte(void **state)
{
    static const char text[] = "[Guests]\nMode=off\n#\0\nScan=smaps\n";
    Fixture *fixture = *state;

    g_free(write_bytes(fixture, "etc/foliod.conf", text, sizeof text - 1));
    assert_refused(fixture, "etc/foliod.conf", 3, "", "not UTF-8 text");
}

static void
test_size_limit(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *filler = g_strnfill(FOLIO_CONFIG_MAX_BYTES, '\n');
    g_autoptr(FolioConfig) config = NULL;

    memcpy(filler, "[Guests]\nMode=off", 17);
    write_file(fixture, "etc/foliod.conf", filler);
    config = load_well(fixture);
    assert_int_equal(config->guest_defaults.mode, FOLIO_MODE_OFF);

    g_free(filler);
    filler = g_strnfill(FOLIO_CONFIG_MAX_BYTES + 1, '\n');
    memcpy(filler, "[Guests]\nMode=off", 17);
    write_file(fixture, "etc/foliod.conf", filler);
    assert_refused(fixture, "etc/foliod.conf", 0, "", "larger than 65536 bytes");
}

/* A file full of errors gives some of them, and one that says that there are more. */
static void
test_flood_of_errors(void **state)
{
    Fixture *fixture = *state;
    g_autoptr(GString) text = g_string_new("[Guests]\n");
    g_autoptr(FolioConfig) config = NULL;
    const FolioConfigError *last;

    for (int i = 0; i < 5000; i++)
        g_string_append(text, "x\n");
    write_file(fixture, "etc/foliod.conf", text->str);
    config = load(fixture);
    assert_int_equal(fixture->errors->len, 21);
    last = g_ptr_array_index(fixture->errors, 20);
    assert_int_equal(last->line, 22);
    assert_non_null(strstr(last->text, "too many errors"));
    assert_defaults(config);
    g_clear_pointer(&config, folio_config_free);

    g_string_assign(text, "[Guests]\n");
    for (int i = 0; i < 5000; i++)
        g_string_append_printf(text, "key%d=\n", i);
    write_file(fixture, "etc/foliod.conf", text->str);
    config = load(fixture);
    assert_int_equal(fixture->errors->len, 21);
    last = g_ptr_array_index(fixture->errors, 20);
    assert_int_equal(last->line, 22);
    assert_non_null(strstr(last->text, "too many errors"));
}

/* What is quoted of a file cannot forge a line or fill the journal. */
static void
test_excerpts(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *many = g_strnfill(60000, 'x');
    g_autofree char *text = g_strdup_printf("[Guests]\nMode=%s\n", many);
    g_autoptr(FolioConfig) config = NULL;
    const FolioConfigError *error;

    write_file(fixture, "etc/foliod.conf", text);
    config = load(fixture);
    error = g_ptr_array_index(fixture->errors, 0);
    assert_true(strlen(error->text) < 500);

    write_file(fixture, "etc/foliod.conf", "[Guests]\nMode=a\\nfoliod: all is well\\x1b[2J\n");
    assert_refused(fixture, "etc/foliod.conf", 2, "Mode", "backslash");
    write_file(fixture, "etc/foliod.conf", "[Guests]\nMode=a\\nfoliod: all is well\n");
    assert_refused(fixture, "etc/foliod.conf", 2, "Mode", "a\\x0afoliod");
}

static void
test_not_a_regular_file(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = g_build_filename(fixture->conf, "foliod.conf", NULL);

    assert_int_equal(g_mkdir_with_parents(path, 0755), 0);
    assert_refused(fixture, "etc/foliod.conf", 0, "", "not a regular file");
    g_rmdir(path);
    /* A reader that waited for a writer would hang here. */
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_refused(fixture, "etc/foliod.conf", 0, "", "not a regular file");
    g_unlink(path);
    assert_int_equal(symlink("/dev/zero", path), 0);
    assert_refused(fixture, "etc/foliod.conf", 0, "", "not a regular file");
    g_unlink(path);
    assert_int_equal(symlink("/nowhere/at/all", path), 0);
    assert_refused(fixture, "etc/foliod.conf", 0, "", g_strerror(ENOENT));
}

static void
test_who_may_write(void **state)
{
    Fixture *fixture = *state;
    g_autofree char *path = g_build_filename(fixture->conf, "foliod.conf", NULL);
    g_autofree char *drop_in_dir = g_build_filename(fixture->conf, "foliod.conf.d", NULL);
    g_autofree char *problem = NULL;

    write_file(fixture, "etc/foliod.conf", "[Guests]\nMode=off\n");
    assert_int_equal(g_chmod(path, 0646), 0);
    assert_refused(fixture, "etc/foliod.conf", 0, "", "everybody may write it (mode 0646)");
    g_unlink(path);

    write_file(fixture, "etc/foliod.conf.d/10-a.conf", "[Guests]\nMode=off\n");
    assert_int_equal(g_chmod(drop_in_dir, 01777), 0);
    assert_refused(fixture, "etc/foliod.conf.d", 0, "", "chmod o-w");

    assert_true(folio_config_file_is_trusted("/x", 0, 0100644, &problem));
    assert_true(folio_config_file_is_trusted("/x", geteuid(), 0100664, &problem));
    assert_null(problem);
    assert_false(folio_config_file_is_trusted("/x y", geteuid() + 1, 0100644, &problem));
    assert_non_null(strstr(problem, "chown root '/x y'"));
}

static int injected_errno;

static int
open_real(int dir_fd, const char *path, int flags)
{
    return openat(dir_fd, path, flags);
}

static int
open_failing(int dir_fd, const char *path, int flags)
{
    errno = injected_errno;
    return -1;
}

static ssize_t
read_failing(int fd, void *buffer, size_t size)
{
    errno = injected_errno;
    return -1;
}

static void
test_unreadable(void **state)
{
    const FolioFileCalls closed = { .openat = open_failing, .read = read };
    const FolioFileCalls broken = { .openat = open_real, .read = read_failing };
    Fixture *fixture = *state;

    write_file(fixture, "etc/foliod.conf", "[Guests]\nMode=off\n");
    folio_file_set_calls(&closed);
    injected_errno = EACCES;
    assert_refused(fixture, "etc/foliod.conf", 0, "", g_strerror(EACCES));
    folio_file_set_calls(&broken);
    injected_errno = EIO;
    assert_refused(fixture, "etc/foliod.conf", 0, "", g_strerror(EIO));
    folio_file_set_calls(NULL);
}

static void
test_run_directory(void **state)
{
    static const struct {
        const char *uri, *expected;
    } cases[] = {
        { "qemu:///system", "/run/libvirt/qemu" },
        { "qemu+unix:///system?socket=/tmp/s", "/run/libvirt/qemu" },
        { "qemu:///embed?root=/tmp/a%20b", "/tmp/a b/run/qemu" },
        { "qemu:///embed?x=1&root=/r", "/r/run/qemu" },
        { "test:///default", "/run/libvirt/qemu" },
        { "no uri at all", "/run/libvirt/qemu" },
    };
    Fixture *fixture = *state;
    g_autoptr(FolioConfig) config = load_well(fixture);
    g_autofree char *session = folio_config_dup_run_directory(config, "qemu:///session");
    g_autofree char *expected =
        g_build_filename(g_get_user_runtime_dir(), "libvirt", "qemu", "run", NULL);

    assert_string_equal(session, expected);
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *dir = folio_config_dup_run_directory(config, cases[i].uri);

        assert_string_equal(dir, cases[i].expected);
    }
    g_clear_pointer(&config, folio_config_free);
    write_file(fixture, "etc/foliod.conf", "[Libvirt]\nRunDirectory=/own\n");
    config = load_well(fixture);
    g_free(expected);
    expected = folio_config_dup_run_directory(config, "qemu:///session");
    assert_string_equal(expected, "/own");
}

#define config_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        config_test(test_nothing_there),
        config_test(test_every_key),
        config_test(test_shipped_file),
        config_test(test_layers),
        config_test(test_masks),
        config_test(test_names_that_do_not_count),
        config_test(test_bad_files),
        config_test(test_all_errors_and_the_other_files),
        config_test(test_bad_file_still_masks),
        config_test(test_nul_byte),
        config_test(test_size_limit),
        config_test(test_flood_of_errors),
        config_test(test_excerpts),
        config_test(test_not_a_regular_file),
        config_test(test_who_may_write),
        config_test(test_unreadable),
        config_test(test_run_directory),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
