/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* read-maps: a text that was torn while it was written is read again, but not for ever. */
#include "base/error.h"
#include "fake-proc.h"
#include "memory/read-maps.h"

/* The second VMA came while the first went: they overlap. */
static const char torn[] = "1000-9000 rw-p 00000000 00:00 0 \n"
                           "5000-8000 rw-p 00000000 00:00 0 \n";
static const char whole[] = "5000-8000 rw-p 00000000 00:00 0 \n";

static guint n_torn;
static guint n_opened;

static int
open_torn_at_first(int dir_fd, const char *path, int flags)
{
    if (!g_str_equal(path, "maps"))
        return openat(dir_fd, path, flags);
    return openat(dir_fd, n_opened++ < n_torn ? "maps-torn" : "maps", flags);
}

/* Reads maps, of which so many texts are torn. */
static FolioMaps *
read_after(guint torn_texts, GError **error)
{
    const FolioFileCalls calls = { .openat = open_torn_at_first, .getlk = fake_getlk };
    g_autoptr(FakeHost) host = fake_host_new(getpid());
    g_autofree char *path = g_strdup_printf("%s/%d", host->proc_root, host->pid);
    int proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    FolioMaps *maps = NULL;

    assert_true(proc_fd >= 0);
    fake_proc_write(host, "maps", whole, -1);
    fake_proc_write(host, "maps-torn", torn, -1);
    n_torn = torn_texts;
    n_opened = 0;
    folio_file_set_calls(&calls);
    maps = folio_read_maps_at(proc_fd, FALSE, error);
    folio_file_set_calls(NULL);
    close(proc_fd);
    return maps;
}

static void
test_torn_text_is_read_again(void **state)
{
    for (guint n = 0; n < 8; n++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(FolioMaps) maps = read_after(n, &error);

        assert_no_error(error);
        assert_int_equal(n_opened, n + 1);
        assert_int_equal(maps->vmas->len, 1);
        assert_int_equal(g_array_index(maps->vmas, FolioVma, 0).start, 0x5000);
    }
}

static void
test_not_for_ever(void **state)
{
    g_autoptr(GError) error = NULL;

    assert_null(read_after(G_MAXUINT, &error));
    assert_folio_error(error, FOLIO_ERROR_INVALID);
    assert_non_null(strstr(error->message, "maps: line 2"));
    assert_int_equal(n_opened, 8);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_torn_text_is_read_again),
        cmocka_unit_test(test_not_for_ever),
    };

    return cmocka_run_group_tests_name("read-maps", tests, NULL, NULL);
}
