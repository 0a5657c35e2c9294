/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parser of maps and smaps: what kernels write, and what they never would. */
#include "base/error.h"
#include "cmocka-all.h"
#include "memory/maps.h"

#include <sys/mman.h>
#include <unistd.h>

/* For 100,000 VMAs; it takes a tenth of this on a small machine. */
#ifdef __SANITIZE_ADDRESS__
#define TIME_LIMIT_USEC 5000000
#else
#define TIME_LIMIT_USEC 1000000
#endif

static FolioMaps *
parse(const char *text)
{
    g_autoptr(GError) error = NULL;
    FolioMaps *maps = folio_maps_parse(text, strlen(text), &error);

    assert_no_error(error);
    assert_non_null(maps);
    return maps;
}

static const FolioVma *
vma_at(const FolioMaps *maps, guint i)
{
    assert_true(i < maps->vmas->len);
    return &g_array_index(maps->vmas, FolioVma, i);
}

/* As QEMU 7.2 and Linux 6.18 gave them. */
static void
test_maps_of_qemu(void **state)
{
    g_autoptr(FolioMaps) maps = parse(
        "55560aa4b000-55560aa4c000 r--p 0099e000 fe:00 10977366                   "
        "/usr/bin/qemu-system-x86_64\n"
        "55661a72d000-55661b62e000 rw-p 00000000 00:00 0                          [heap]\n"
        "7f012fffe000-7f0133ffe000 rw-s 00000000 00:2b 9                          "
        "/ram/libvirt/qemu/4-numa \xc3\xa4 b/ram-node1\n"
        "7f0133ffe000-7f0133fff000 ---p 00000000 00:00 0 \n"
        "7f9473fff000-7f947bfff000 rw-s 00001000 00:01 1047                       "
        "/memfd:memory-backend-memfd (deleted)\n"
        "7f947c000000-7f947ffff000 rwxp 00000000 00:00 0\n"
        "7f9480000000-7f9480001000 rw-s 00000000 00:0e 2053                       "
        "anon_inode:kvm-vcpu:0\n"
        "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n");

    assert_int_equal(maps->vmas->len, 8);
    assert_int_equal(vma_at(maps, 0)->start, 0x55560aa4b000);
    assert_int_equal(vma_at(maps, 0)->offset, 0x99e000);
    assert_int_equal(vma_at(maps, 0)->dev_major, 0xfe);
    assert_int_equal(vma_at(maps, 0)->inode, 10977366);
    assert_int_equal(vma_at(maps, 0)->flags, FOLIO_VMA_READ);
    assert_string_equal(vma_at(maps, 1)->path, "[heap]");
    assert_string_equal(vma_at(maps, 2)->path, "/ram/libvirt/qemu/4-numa ä b/ram-node1");
    assert_int_equal(vma_at(maps, 2)->flags, FOLIO_VMA_READ | FOLIO_VMA_WRITE | FOLIO_VMA_SHARED);
    assert_int_equal(vma_at(maps, 2)->dev_minor, 0x2b);
    assert_int_equal(vma_at(maps, 2)->end - vma_at(maps, 2)->start, 64 << 20);
    assert_int_equal(vma_at(maps, 3)->flags, 0);
    assert_string_equal(vma_at(maps, 3)->path, "");
    assert_string_equal(vma_at(maps, 4)->path, "/memfd:memory-backend-memfd");
    assert_true(vma_at(maps, 4)->flags & FOLIO_VMA_DELETED);
    assert_true(vma_at(maps, 5)->flags & FOLIO_VMA_EXEC);
    assert_string_equal(vma_at(maps, 6)->path, "anon_inode:kvm-vcpu:0");
    assert_int_equal(vma_at(maps, 7)->end, G_GUINT64_CONSTANT(0xffffffffff601000));
}

static void
test_paths(void **state)
{
    static const struct {
        const char *written;
        const char *path;
        gboolean deleted;
    } cases[] = {
        { "/a b  c", "/a b  c", FALSE },
        { "/ends in a space ", "/ends in a space ", FALSE },
        { "/new\\012line\\012", "/new\nline\n", FALSE },
        { "/back\\slash\\01", "/back\\slash\\01", FALSE },
        { "/x (deleted)", "/x", TRUE },
        { "/x (deleted) (deleted)", "/x (deleted)", TRUE },
        { "/x(deleted)", "/x(deleted)", FALSE },
        { "[anon: (deleted)]", "[anon: (deleted)]", FALSE },
        { "anon_inode:x (deleted)", "anon_inode:x (deleted)", FALSE },
        { " (deleted)", "(deleted)", FALSE },
        { "/\xff\xfe\x80 not UTF-8", "/\xff\xfe\x80 not UTF-8", FALSE },
        { "/\x01\x7f\t\r", "/\x01\x7f\t\r", FALSE },
        { "7f00-8000 rw-p 0 0:0 0", "7f00-8000 rw-p 0 0:0 0", FALSE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *line =
            g_strdup_printf("1000-2000 rw-s 00000000 00:2b 9    %s\n", cases[i].written);
        g_autoptr(FolioMaps) maps = parse(line);

        assert_int_equal(maps->vmas->len, 1);
        assert_string_equal(vma_at(maps, 0)->path, cases[i].path);
        assert_int_equal((vma_at(maps, 0)->flags & FOLIO_VMA_DELETED) != 0, cases[i].deleted);
    }
}

static void
test_smaps(void **state)
{
    g_autoptr(FolioMaps) maps = parse(
        "7f3e5bfff000-7f3e63fff000 rw-s 00000000 00:2b 5                          /ram/pc.ram\n"
        "Size:             131072 kB\n"
        "KernelPageSize:        4 kB\n"
        "Rss:              131068 kB\n"
        "Pss:              131072 kB\n"
        "AnonHugePages:      2048 kB\n"
        "ShmemPmdMapped:     4096 kB\n"
        "FilePmdMapped:      6144 kB\n"
        "Shared_Hugetlb:       10 kB\n"
        "Private_Hugetlb:       1 kB\n"
        "Swap:                 12 kB\n"
        "SwapPss:             999 kB\n"
        "Locked:                8 kB\n"
        "THPeligible:           1\n"
        "ProtectionKey:         0\n"
        "A_key_of_tomorrow: ??? anything\n"
        "VmFlags: rd wr sh mr mw me ms lo dd hg \n"
        "7f3e63fff000-7f3e64000000 ---p 00000000 00:00 0 \n"
        "Rss:                   0 kB\n"
        "VmFlags: mr mw me ht pf\n"
        "7f3e64000000-7f3e64001000 ---p 00000000 00:00 0 \n"
        "VmFlags: io\n"
        "7f3e64001000-7f3e64002000 ---p 00000000 00:00 0 \n"
        "VmFlags:\n");
    const FolioVma *vma = vma_at(maps, 0);

    assert_int_equal(maps->vmas->len, 4);
    assert_int_equal(vma->rss, 131068 * 1024);
    assert_int_equal(vma->pmd_mapped, (2048 + 4096 + 6144) * 1024);
    assert_int_equal(vma->hugetlb, 11 * 1024);
    assert_int_equal(vma->swap, 12 * 1024);
    assert_int_equal(vma->locked, 8 * 1024);
    assert_int_equal(vma->kernel_page_size, 4096);
    assert_int_equal(vma->flags, FOLIO_VMA_READ | FOLIO_VMA_WRITE | FOLIO_VMA_SHARED |
                                     FOLIO_VMA_LOCKED | FOLIO_VMA_HUGEPAGE);
    assert_int_equal(vma_at(maps, 1)->flags, FOLIO_VMA_HUGETLB | FOLIO_VMA_PFNMAP);
    assert_int_equal(vma_at(maps, 1)->rss, 0);
    assert_int_equal(vma_at(maps, 2)->flags, FOLIO_VMA_PFNMAP);
    assert_int_equal(vma_at(maps, 3)->flags, 0);
}

#define GOOD "1000-2000 rw-p 00000000 00:00 0 \n"

static void
test_hostile(void **state)
{
    static const struct {
        const char *text;
        guint line;
    } cases[] = {
        { "\n", 1 },
        { GOOD "\n", 2 },
        { "nonsense\n", 1 },
        { "1000-2000\n", 1 },
        { "1000-2000 rw-p\n", 1 },
        { "1000-2000 rw-p 0 0:0\n", 1 },
        { "1000-2000 rw-p 0 0:0 \n", 1 },
        { "1000-2000 rw-p 0 0:0 x\n", 1 },
        { "1000-2000 rw-p 0 0:0 0x\n", 1 },
        { "1000-2000 rw-p 0 00 0 \n", 1 },
        { "1000-2000 rw-z 0 0:0 0 \n", 1 },
        { "1000-2000 wr-p 0 0:0 0 \n", 1 },
        { "1000-2000 rw- 0 0:0 0 \n", 1 },
        { "-2000 rw-p 0 0:0 0 \n", 1 },
        { "1000- rw-p 0 0:0 0 \n", 1 },
        { "0x1000-0x2000 rw-p 0 0:0 0 \n", 1 },
        { " 1000-2000 rw-p 0 0:0 0 \n", 1 },
        { "1000--2000 rw-p 0 0:0 0 \n", 1 },
        { "2000-1000 rw-p 0 0:0 0 \n", 1 },
        { "1000-1000 rw-p 0 0:0 0 \n", 1 },
        { "10000000000000000-20000000000000000 rw-p 0 0:0 0 \n", 1 },
        { "1000-ffffffffffffffff0 rw-p 0 0:0 0 \n", 1 },
        { "1000-2000 rw-p 10000000000000000 0:0 0 \n", 1 },
        { "1000-2000 rw-p 0 100000000:0 0 \n", 1 },
        { "1000-2000 rw-p 0 0:100000000 0 \n", 1 },
        { "1000-2000 rw-p 0 0:0 18446744073709551616 \n", 1 },
        { "1000-2000 rw-p 0 0:0 -1 \n", 1 },
        { GOOD GOOD, 2 },
        { GOOD "1fff-3000 rw-p 0 0:0 0 \n", 2 },
        { "3000-4000 rw-p 0 0:0 0 \n" GOOD, 2 },
        { "Rss: 4 kB\n" GOOD, 1 },
        { GOOD "Rss: 4 MB\n", 2 },
        { GOOD "Rss: 4\n", 2 },
        { GOOD "Rss: kB\n", 2 },
        { GOOD "Rss: -4 kB\n", 2 },
        { GOOD "Rss: 4 kB \n", 2 },
        { GOOD "Rss: 18014398509481984 kB\n", 2 },
        { GOOD "AnonHugePages: 18014398509481983 kB\nFilePmdMapped: 1 kB\n", 3 },
        { GOOD ": 4 kB\n", 2 },
        { GOOD "Rss 4 kB\n", 2 },
        { GOOD "R ss: 4 kB\n", 2 },
        { GOOD "3000-4000 rw-p 0 0:0 0", 2 },
        { "1", 1 },
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *line = g_strdup_printf("line %u: ", cases[i].line);

        if (folio_maps_parse(cases[i].text, strlen(cases[i].text), &error) != NULL)
            fail_msg("accepted: %s", cases[i].text);
        assert_folio_error(error, FOLIO_ERROR_INVALID);
        if (!g_str_has_prefix(error->message, line))
            fail_msg("%s, expected %s", error->message, line);
    }
}

static void
test_embedded_nul(void **state)
{
    static const char text[] = GOOD "2000-3000 rw-p 0 0:0 7 /a\0b\n";
    g_autoptr(GError) error = NULL;

    assert_null(folio_maps_parse(text, sizeof(text) - 1, &error));
    assert_folio_error(error, FOLIO_ERROR_INVALID);
    assert_true(g_str_has_prefix(error->message, "line 2: "));
}

/* However a text is cut off, it is refused unless the cut is behind a line. */
static void
test_truncated(void **state)
{
    static const char text[] = "1000-2000 rw-s 00000000 00:2b 5       /ram/pc.ram (deleted)\n"
                               "Rss:              131072 kB\n"
                               "VmFlags: rd wr\n"
                               "2000-3000 rw-p 00000000 00:00 0 \n";

    for (gsize length = 0; length < sizeof(text); length++) {
        g_autofree char *cut = g_memdup2(text, MAX(length, 1)); /* so that ASan sees an overrun */
        const gboolean whole = length == 0 || text[length - 1] == '\n';
        g_autoptr(GError) error = NULL;
        g_autoptr(FolioMaps) maps = folio_maps_parse(cut, length, &error);

        assert_int_equal(maps != NULL, whole && length < sizeof(text));
        if (!whole)
            assert_folio_error(error, FOLIO_ERROR_INVALID);
    }
}

/* A guest with many memory slots, files and arenas; smaps of it are over 60 MB. */
static void
test_100000_vmas(void **state)
{
    GString *text = g_string_new(NULL);
    g_autoptr(FolioMaps) maps = NULL;
    gint64 start;

    for (guint64 i = 0; i < 100000; i++)
        g_string_append_printf(text,
                               "%" G_GINT64_MODIFIER "x-%" G_GINT64_MODIFIER
                               "x rw-s 00000000 00:2b %" G_GUINT64_FORMAT
                               "                    /var/lib/ram/file %" G_GUINT64_FORMAT "\n"
                               "Size:                  4 kB\nRss:                   4 kB\n"
                               "Pss:                   4 kB\nShared_Clean:          0 kB\n"
                               "Swap:                  0 kB\nLocked:                0 kB\n"
                               "VmFlags: rd wr sh mr mw me ms \n",
                               (i + 1) * 8192, (i + 1) * 8192 + 4096, i, i);
    start = g_get_monotonic_time();
    maps = folio_maps_parse(text->str, text->len, NULL);
    start = g_get_monotonic_time() - start;
    g_string_free(text, TRUE);

    assert_non_null(maps);
    assert_int_equal(maps->vmas->len, 100000);
    assert_string_equal(vma_at(maps, 99999)->path, "/var/lib/ram/file 99999");
    assert_int_equal(vma_at(maps, 99999)->rss, 4096);
    print_message("100,000 VMAs of smaps: %" G_GINT64_FORMAT " us\n", start);
    assert_true(start < TIME_LIMIT_USEC);
}

/* The running kernel's own output parses, and holds what this process has mapped. */
static void
test_this_process(void **state)
{
    const gsize page = (gsize) sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static const char *const files[] = { "/proc/self/maps", "/proc/self/smaps" };

    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages, page, PROT_NONE), 0);
    assert_int_equal(mprotect(pages + 2 * page, page, PROT_READ), 0);
    pages[page] = 1;
    for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *text = NULL;
        g_autoptr(FolioMaps) maps = NULL;
        gsize length = 0;
        guint n_found = 0;

        assert_true(g_file_get_contents(files[i], &text, &length, NULL));
        maps = parse(text);
        for (guint j = 0; j < maps->vmas->len; j++) {
            const FolioVma *vma = vma_at(maps, j);

            if (vma->start != (gsize) pages + page)
                continue;
            n_found++;
            assert_int_equal(vma->end - vma->start, page);
            assert_int_equal(vma->flags & 0xf, FOLIO_VMA_READ | FOLIO_VMA_WRITE);
            assert_int_equal(vma->rss, i == 0 ? 0 : page);
        }
        assert_int_equal(n_found, 1);
    }
    munmap(pages, 3 * page);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maps_of_qemu), cmocka_unit_test(test_paths),
        cmocka_unit_test(test_smaps),        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_embedded_nul), cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_100000_vmas),  cmocka_unit_test(test_this_process),
    };

    return cmocka_run_group_tests_name("maps", tests, NULL, NULL);
}
