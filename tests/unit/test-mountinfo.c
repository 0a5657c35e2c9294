/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parser of mountinfo. */
#include "cmocka-all.h"
#include "memory/mountinfo.h"

static const char mountinfo[] =
    "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro\n"
    "71 43 0:43 / /tmp/a\\040b/ram rw,relatime - tmpfs foliod-guest-ram rw,mode=755,huge=always\n"
    "72 43 0:44 / /x rw master:1 propagate_from:2 unbindable - tmpfs  rw,huge=within_size\n"
    "73 43 0:45 / /y rw - fuse.odd\\011type src\\040x rw,name=a\\134b\\054\\400\\9\n"
    "74 43 0:46 / /no-separator rw tmpfs none rw\n"
    "75 43 0:47 / /short rw - tmpfs\n"
    "garbage\n"
    "\n"
    "76 43 0:48 / /twice rw - tmpfs first rw\n"
    "77 43 0:48 / /bind rw - tmpfs first rw\n"
    "78 43 0:49 / /last rw - hugetlbfs hugetlbfs rw,pagesize=2M";

static gboolean
find(guint32 major, guint32 minor, char **fs_type, char **fs_options)
{
    return folio_mountinfo_find(mountinfo, strlen(mountinfo), major, minor, fs_type, fs_options);
}

static void
assert_mount(guint32 minor, const char *type, const char *options)
{
    g_autofree char *fs_type = NULL;
    g_autofree char *fs_options = NULL;

    assert_true(find(0, minor, &fs_type, &fs_options));
    assert_string_equal(fs_type, type);
    assert_string_equal(fs_options, options);
}

static void
test_find(void **state)
{
    assert_mount(43, "tmpfs", "rw,mode=755,huge=always");
    assert_mount(44, "tmpfs", "rw,huge=within_size");
    assert_mount(45, "fuse.odd\ttype", "rw,name=a\\b,\\400\\9");
    assert_mount(48, "tmpfs", "rw");
    assert_mount(49, "hugetlbfs", "rw,pagesize=2M");
}

static void
test_not_found(void **state)
{
    static const guint32 devices[][2] = { { 0, 4 },  { 0, 46 },  { 0, 47 }, { 254, 43 },
                                          { 0, 50 }, { 254, 1 }, { 43, 0 }, { 0, 0 } };

    for (guint i = 0; i < G_N_ELEMENTS(devices); i++) {
        char *untouched = NULL;

        assert_false(find(devices[i][0], devices[i][1], &untouched, &untouched));
        assert_null(untouched);
    }
    assert_false(folio_mountinfo_find("", 0, 0, 43, NULL, NULL));
}

/* Wherever the text ends, nothing behind it is looked at. */
static void
test_truncated(void **state)
{
    for (gsize length = 1; length < sizeof(mountinfo); length++) {
        g_autofree char *cut = g_memdup2(mountinfo, length); /* so that ASan sees an overrun */
        g_autofree char *fs_type = NULL;
        g_autofree char *fs_options = NULL;

        if (folio_mountinfo_find(cut, length, 0, 43, &fs_type, &fs_options))
            assert_true(g_str_has_prefix("rw,mode=755,huge=always", fs_options));
    }
}

static void
test_option(void **state)
{
    static const char options[] = "rw,mode=755,huge_x=1,xhuge=2,huge=always,huge=never,size=";
    g_autofree char *huge = folio_mount_option(options, "huge");
    g_autofree char *size = folio_mount_option(options, "size");
    g_autofree char *flag = folio_mount_option(options, "rw");

    assert_string_equal(huge, "always");
    assert_string_equal(size, "");
    assert_null(flag);
    assert_null(folio_mount_option("", "huge"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_option),
    };

    return cmocka_run_group_tests_name("mountinfo", tests, NULL, NULL);
}
