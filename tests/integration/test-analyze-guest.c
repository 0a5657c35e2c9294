/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folioctl analyze --guest on a real guest: which of a recording's frames are its RAM, and where.
 */
#include "analyze-run.h"
#include "guests.h"

#include <glib/gstdio.h>

#define GUEST       "analysed guest"
#define BLOCK_BYTES (2u << 20)
#define PAGE_BYTES  4096u
#define RAM_MIB     16

/* Where the guest's RAM starts in its process: the mapping of its size. */
static guint64
find_ram(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/maps", pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;
    guint64 found = 0;

    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        char *rest = NULL;
        guint64 start = g_ascii_strtoull(*line, &rest, 16);
        guint64 end = *rest == '-' ? g_ascii_strtoull(rest + 1, NULL, 16) : start;

        if (end - start == (guint64) RAM_MIB << 20 && strstr(*line, "rw-s") != NULL)
            found = start;
    }
    assert_true(found != 0);
    return found;
}

/* Two sub-pages of the first whole block of the RAM, and all of the one behind it. */
static guint64
write_recording(const char *path, pid_t pid)
{
    guint64 ram = find_ram(pid);
    guint64 block = (ram + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
    PerfWriter *writer = recording_begin();
    guint64 pages[1024];
    Trace trace;

    for (guint i = 0; i < G_N_ELEMENTS(pages); i++)
        pages[i] = physical_address(pid, block + (guint64) i * PAGE_BYTES);
    trace_begin(&trace);
    for (guint i = 0; i < 20000; i++) {
        trace_access(&trace, pages[i % 2 * 5] | 8);
        trace_access(&trace, pages[512 + i * 37 % 512]);
    }
    trace_access(&trace, G_GUINT64_CONSTANT(1) << 54); /* nobody's */
    trace_end(&trace, writer);
    recording_save(writer, path);
    return block;
}

static void
test_guest(void **state)
{
    const FolioTestGuest guest = { .name = GUEST, .backing = FOLIO_TEST_ON_TMPFS, .mib = RAM_MIB };
    virConnectPtr connect = folio_test_connect("qemu:///system");
    virDomainPtr domain = folio_test_guest_start(connect, &guest);
    pid_t pid = folio_test_guest_pid(GUEST);
    g_autofree char *dir = g_dir_make_tmp("analyze-guest.XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "perf.data", NULL);
    g_autofree char *expected = NULL;
    g_auto(Result) result = { 0 };
    guint64 block = write_recording(path, pid);

    expected =
        g_strdup_printf("sparse 0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER
                        "x\ndense 0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER "x\n",
                        block, block + BLOCK_BYTES, block + BLOCK_BYTES, block + 2 * BLOCK_BYTES);
    /* In 26 windows the guest becomes known. */
    run_analyze(&result, path, "--guest", GUEST, "--window=1.5ms", NULL);
    assert_string_equal(result.out, expected);
    assert_int_equal(result.status, 0);
    assert_contains(result.err, "40000 of 40001 samples are of its memory, in 2 blocks");

    folio_test_guest_destroy(domain);
    run_analyze(&result, path, "--guest", GUEST, NULL);
    assert_string_equal(result.out, "");
    assert_int_equal(result.status, 1);
    virConnectClose(connect);
    g_remove(path);
    g_rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_guest) };

    return cmocka_run_group_tests_name("analyze-guest", tests, NULL, NULL);
}
