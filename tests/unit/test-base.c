/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base: errors, escaping, reasons, and reading files through the seam. */
#include "base/error.h"
#include "base/file-io.h"
#include "base/format.h"
#include "base/log.h"
#include "base/reason.h"
#include "cmocka-all.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <unistd.h>

static void
test_errors_cross_the_bus(void **state)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) back = NULL;
    g_autofree char *name = NULL;

    folio_set_error_errno(&error, EBUSY, "%s", "/sys/x");
    assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_BUSY));
    assert_true(g_str_has_prefix(error->message, "/sys/x: "));
    name = g_dbus_error_encode_gerror(error);
    assert_string_equal(name, "org.foliod1.Error.Busy");
    back = g_dbus_error_new_for_dbus_error("org.foliod1.Error.NotFound", "text");
    assert_true(g_error_matches(back, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND));
}

static void
test_escape(void **state)
{
    g_autofree char *forged = folio_escape("a\nfoliod: all is well");
    g_autofree char *bytes = folio_escape("\xff\xc3(ok)\x7f");
    g_autofree char *utf8 = folio_escape("Gäste 一");

    assert_string_equal(forged, "a\\x0afoliod: all is well");
    assert_string_equal(bytes, "\\xff\\xc3(ok)\\x7f");
    assert_string_equal(utf8, "Gäste 一");
}

static void
test_bracketed_word(void **state)
{
    static const struct {
        const char *text;
        const char *word;
    } cases[] = {
        { "always [madvise] never", "madvise" },
        { "always [within_size] advise", "within_size" },
        { "[none] integrity confidentiality\n", "none" },
        { "always defer+madvise [never]", "never" },
        { "[]", "" },
        { "", "" },
        { NULL, "" },
        { "always never", "" },
        { "always [never", "" },
        { "always] [never", "" },
        /* No word at all. */
        { "[not one word]", "" },
        { "[a[b]", "" },
        { "[\033[1m]", "" },
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *word = folio_bracketed_word(cases[i].text);

        assert_string_equal(word, cases[i].word);
    }
}

static void
test_reasons_are_complete(void **state)
{
    for (int i = 0; i <= FOLIO_REASON_LAST; i++) {
        FolioReason back;

        assert_non_null(folio_reason_token((FolioReason) i));
        assert_true(*folio_reason_text((FolioReason) i) != '\0');
        assert_non_null(folio_reason_remedy((FolioReason) i));
        assert_true(folio_reason_from_token(folio_reason_token((FolioReason) i), &back));
        assert_int_equal(back, i);
    }
    assert_false(folio_reason_from_token("no-such-reason", &(FolioReason){ 0 }));
}

static void
test_read_limits(void **state)
{
    g_autofree char *path = g_strdup("/tmp/foliod-test.XXXXXX");
    g_autofree char *big = g_strnfill(100000, 'x');
    g_autofree char *whole = NULL;
    g_autofree char *none = NULL;
    g_autoptr(GError) error = NULL;
    gsize length = 0;
    int fd = g_mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, big, 100000), 100000);
    close(fd);

    whole = folio_file_read(AT_FDCWD, path, 100000, &length, &error);
    assert_no_error(error);
    assert_int_equal(length, 100000);
    assert_string_equal(whole, big);

    none = folio_file_read(AT_FDCWD, path, 99999, &length, &error);
    assert_null(none);
    assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_INVALID));
    assert_non_null(strstr(error->message, path));
    g_unlink(path);
}

static int interrupted;

static ssize_t
read_interrupted_then_failing(int fd, void *buffer, size_t size)
{
    errno = interrupted++ == 0 ? EINTR : EIO;
    return -1;
}

static int
open_real(int dir_fd, const char *path, int flags)
{
    return openat(dir_fd, path, flags);
}

static void
test_read_fault(void **state)
{
    const FolioFileCalls calls = { .openat = open_real, .read = read_interrupted_then_failing };
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    folio_file_set_calls(&calls);
    text = folio_file_read(AT_FDCWD, "/dev/null", 10, NULL, &error);
    folio_file_set_calls(NULL);
    assert_null(text);
    assert_int_equal(interrupted, 2);
    assert_true(g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_FAILED));
    assert_true(g_str_has_prefix(error->message, "/dev/null: "));
}

static int
refuse_mkdir(const char *path, mode_t mode)
{
    errno = EACCES;
    return -1;
}

static int
refuse_rmdir(const char *path)
{
    errno = EBUSY;
    return -1;
}

static void
test_directories(void **state)
{
    const FolioFileCalls calls = { .mkdir = refuse_mkdir, .rmdir = refuse_rmdir };
    g_autofree char *parent = g_dir_make_tmp("foliod-test.XXXXXX", NULL);
    g_autofree char *path = g_build_filename(parent, "made", NULL);
    g_autoptr(GError) no_make = NULL;
    g_autoptr(GError) no_remove = NULL;

    for (guint i = 0; i < 2; i++)
        assert_true(folio_file_make_dir(path, NULL));
    assert_true(g_file_test(path, G_FILE_TEST_IS_DIR));
    for (guint i = 0; i < 2; i++)
        assert_true(folio_file_remove_dir(path, NULL));
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_rmdir(parent);

    folio_file_set_calls(&calls);
    assert_false(folio_file_make_dir(path, &no_make));
    assert_false(folio_file_remove_dir(path, &no_remove));
    folio_file_set_calls(NULL);
    assert_true(g_error_matches(no_make, FOLIO_ERROR, FOLIO_ERROR_NOT_PERMITTED));
    assert_true(g_error_matches(no_remove, FOLIO_ERROR, FOLIO_ERROR_BUSY));
    assert_true(g_str_has_prefix(no_make->message, path));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_cross_the_bus), cmocka_unit_test(test_escape),
        cmocka_unit_test(test_reasons_are_complete), cmocka_unit_test(test_read_limits),
        cmocka_unit_test(test_read_fault),           cmocka_unit_test(test_bracketed_word),
        cmocka_unit_test(test_directories),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
