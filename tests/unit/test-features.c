/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* features: what is made of proc and sys trees of many kinds of host, and of trees that lie. */
#include "base/file-io.h"
#include "cmocka-all.h"
#include "host/features.h"
#include "host/perf-probe.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define THP    "sys/kernel/mm/transparent_hugepage/"
#define KDAMON "sys/kernel/mm/damon/admin/kdamonds/"

typedef struct {
    char *root;
    char *proc;
    char *sys;
    FolioHostPaths paths;
} Tree;

static int
set_up(void **state)
{
    Tree *tree = g_new0(Tree, 1);

    tree->root = g_dir_make_tmp("foliod-features.XXXXXX", NULL);
    tree->proc = g_build_filename(tree->root, "proc", NULL);
    tree->sys = g_build_filename(tree->root, "sys", NULL);
    tree->paths =
        (FolioHostPaths){ .proc_root = tree->proc, .sys_root = tree->sys, .machine = "x86_64" };
    *state = tree;
    return tree->root != NULL ? 0 : -1;
}

static void
remove_tree(const char *path)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
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
    Tree *tree = *state;

    folio_file_set_calls(NULL);
    remove_tree(tree->root);
    g_free(tree->root);
    g_free(tree->proc);
    g_free(tree->sys);
    g_free(tree);
    return 0;
}

static void
put_bytes(Tree *tree, const char *name, const char *text, gsize length)
{
    g_autofree char *path = g_build_filename(tree->root, name, NULL);
    g_autofree char *dir = g_path_get_dirname(path);

    assert_int_equal(g_mkdir_with_parents(dir, 0755), 0);
    assert_true(g_file_set_contents(path, text, (gssize) length, NULL));
}

static void
put(Tree *tree, const char *name, const char *text)
{
    put_bytes(tree, name, text, strlen(text));
}

static FolioFeatures *
probe(Tree *tree)
{
    return folio_features_probe(&tree->paths);
}

static void
assert_tokens(const FolioFeatures *features, const char *expected)
{
    g_auto(GStrv) tokens = folio_features_list(features);
    g_autoptr(GPtrArray) kept = g_ptr_array_new();
    g_autofree char *joined = NULL;

    /* Of the trees, perf does not know. */
    for (guint i = 0; tokens[i] != NULL; i++) {
        if (!g_str_equal(tokens[i], "perf"))
            g_ptr_array_add(kept, tokens[i]);
    }
    g_ptr_array_add(kept, NULL);
    joined = g_strjoinv(" ", (char **) kept->pdata);
    assert_string_equal(joined, expected);
}

/* A tree with nothing in it: everything is absent or not known, and nothing crashes. */
static void
test_nothing_there(void **state)
{
    g_autoptr(FolioFeatures) features = probe(*state);

    assert_true(*features->kernel != '\0');
    assert_int_equal(features->page_size, (guint64) sysconf(_SC_PAGESIZE));
    assert_string_equal(features->thp_enabled, "");
    assert_string_equal(features->shmem_enabled, "");
    assert_false(features->pagemap_scan);
    assert_false(features->damon);
    assert_int_equal(features->damon_kdamonds, -1);
    assert_int_equal(features->damon_running, -1);
    assert_string_equal(features->damon_module, "");
    assert_int_equal(features->damon_target_order, FOLIO_ANSWER_UNKNOWN);
    assert_false(features->khugepaged_active);
    assert_string_equal(features->spe_pmu, "");
    assert_int_equal(features->perf_paranoid, -100);
    assert_int_equal(features->kpti, FOLIO_ANSWER_NO);
    assert_int_equal(features->lockdown, FOLIO_LOCKDOWN_NONE);
    assert_int_equal(features->yama, -1);
    assert_int_equal(features->capabilities, 0);
    assert_tokens(features, "");
}

static void
test_x86_host(void **state)
{
    Tree *tree = *state;
    g_autoptr(FolioFeatures) features = NULL;
    g_autoptr(FolioFeatures) copy = NULL;

    put(tree, THP "enabled", "always [madvise] never\n");
    put(tree, THP "shmem_enabled", "always within_size advise [never] deny force\n");
    put(tree, KDAMON "nr_kdamonds", "0\n");
    put(tree, "proc/self/status", "Name:\tx\nCapEff:\t000001fffeffffff\nTHP_enabled:\t1\n");
    put(tree, "proc/sys/kernel/perf_event_paranoid", "-1\n");
    put(tree, "proc/sys/kernel/yama/ptrace_scope", "1\n");
    put(tree, "sys/kernel/debug/split_huge_pages", "");
    put(tree, "sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
    put(tree, "sys/devices/system/cpu/vulnerabilities/meltdown", "Mitigation: PTI\n");
    features = probe(tree);
    copy = folio_features_copy(features);
    g_clear_pointer(&features, folio_features_free);

    assert_string_equal(copy->thp_enabled, "madvise");
    assert_string_equal(copy->shmem_enabled, "never");
    assert_true(copy->khugepaged_active);
    assert_false(copy->khugepaged_flag);
    assert_true(copy->damon);
    assert_int_equal(copy->damon_kdamonds, 0);
    assert_int_equal(copy->damon_running, 0);
    assert_true(copy->capabilities == 0x1fffeffffffULL);
    assert_int_equal(copy->perf_paranoid, -1);
    assert_int_equal(copy->yama, 1);
    assert_true(copy->debugfs_split);
    /* PTI on x86 is in nobody's way. */
    assert_int_equal(copy->kpti, FOLIO_ANSWER_NO);
    assert_int_equal(copy->lockdown, FOLIO_LOCKDOWN_NONE);
    assert_tokens(copy, "thp damon debugfs-split");
}

static void
test_kunpeng_with_the_series(void **state)
{
    Tree *tree = *state;
    g_autoptr(FolioFeatures) features = NULL;

    tree->paths.machine = "aarch64";
    put(tree, THP "enabled", "always madvise [never]\n");
    put(tree, THP "khugepaged/split_backoff_millisecs", "0\n");
    put(tree, "proc/self/status",
        "CapEff:\t0000000000000000\nTHP_enabled:\t1\nTHP_khugepaged:\t1\n");
    put(tree, "sys/bus/event_source/devices/arm_spe_1/type", "9\n");
    put(tree, "sys/bus/event_source/devices/arm_spe_0/type", "8\n");
    put(tree, "sys/bus/event_source/devices/armv8_pmuv3_0/type", "7\n");
    put(tree, "sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n");
    put(tree, KDAMON "nr_kdamonds", "1\n");
    put(tree, KDAMON "0/state", "off\n");
    put(tree, KDAMON "0/contexts/0/schemes/nr_schemes", "1\n");
    put(tree, KDAMON "0/contexts/0/schemes/0/target_order", "0\n");
    put(tree, "sys/kernel/tracing/events/damon/damos_result/enable", "0\n");
    features = probe(tree);

    assert_string_equal(features->spe_pmu, "arm_spe_0");
    assert_int_equal(features->kpti, FOLIO_ANSWER_NO); /* or there would be no PMU */
    assert_true(features->khugepaged_flag);
    assert_true(features->khugepaged_backoff);
    assert_false(features->khugepaged_active);
    assert_int_equal(features->damon_target_order, FOLIO_ANSWER_YES);
    assert_int_equal(features->damon_running, 0);
    assert_tokens(features, "thp damon damon-target-order damon-result khugepaged-flag "
                            "khugepaged-backoff spe");
}

static FolioAnswer
kpti_of(Tree *tree, const char *meltdown, const char *command_line)
{
    g_autoptr(FolioFeatures) features = NULL;

    tree->paths.machine = "aarch64";
    put(tree, "sys/devices/system/cpu/vulnerabilities/meltdown", meltdown);
    put(tree, "proc/cmdline", command_line);
    features = probe(tree);
    return features->kpti;
}

static void
test_kpti(void **state)
{
    Tree *tree = *state;

    assert_int_equal(kpti_of(tree, "Mitigation: PTI\n", "quiet\n"), FOLIO_ANSWER_YES);
    assert_int_equal(kpti_of(tree, "Vulnerable\n", "quiet\n"), FOLIO_ANSWER_NO);
    /* KASLR may have switched it on all the same. */
    assert_int_equal(kpti_of(tree, "Not affected\n", "quiet\n"), FOLIO_ANSWER_UNKNOWN);
    assert_int_equal(kpti_of(tree, "Not affected\n", "a kpti=off b\n"), FOLIO_ANSWER_NO);
    assert_int_equal(kpti_of(tree, "Not affected\n", "kpti=0\n"), FOLIO_ANSWER_NO);
    assert_int_equal(kpti_of(tree, "Not affected\n", "kpti=No"), FOLIO_ANSWER_NO);
    assert_int_equal(kpti_of(tree, "Not affected\n", "kpti=off kpti=1"), FOLIO_ANSWER_YES);
    assert_int_equal(kpti_of(tree, "Not affected\n", "kpti=on"), FOLIO_ANSWER_YES);
    assert_int_equal(kpti_of(tree, "Not affected\n", "nokpti=off kpti="), FOLIO_ANSWER_UNKNOWN);
    assert_int_equal(kpti_of(tree, "", ""), FOLIO_ANSWER_UNKNOWN);
}

static gboolean
khugepaged_with(Tree *tree, const char *enabled, const char *enabled_2m, const char *shmem,
                const char *shmem_2m)
{
    g_autoptr(FolioFeatures) features = NULL;

    put(tree, THP "enabled", enabled);
    put(tree, THP "hugepages-2048kB/enabled", enabled_2m);
    put(tree, THP "shmem_enabled", shmem);
    put(tree, THP "hugepages-2048kB/shmem_enabled", shmem_2m);
    features = probe(tree);
    return features->khugepaged_active;
}

static void
test_khugepaged_settings(void **state)
{
    Tree *tree = *state;

    assert_false(khugepaged_with(tree, "[never]", "[inherit]", "[never]", "[inherit]"));
    assert_false(khugepaged_with(tree, "[never]", "[never]", "[advise]", "[never]"));
    assert_false(khugepaged_with(tree, "[never]", "[inherit]", "[deny]", "[always]"));
    assert_true(khugepaged_with(tree, "[always]", "[never]", "[never]", "[never]"));
    assert_true(khugepaged_with(tree, "[madvise]", "[inherit]", "[never]", "[inherit]"));
    assert_true(khugepaged_with(tree, "[never]", "[madvise]", "[never]", "[never]"));
    assert_true(khugepaged_with(tree, "[never]", "[inherit]", "[advise]", "[inherit]"));
    assert_true(khugepaged_with(tree, "[never]", "[inherit]", "[never]", "[within_size]"));
}

static void
test_damon_taken(void **state)
{
    Tree *tree = *state;
    g_autoptr(FolioFeatures) features = NULL;

    put(tree, KDAMON "nr_kdamonds", "3\n");
    put(tree, KDAMON "0/state", "off\n");
    put(tree, KDAMON "1/state", "on\n");
    put(tree, KDAMON "1/contexts/0/schemes/nr_schemes", "2\n");
    put(tree, KDAMON "1/contexts/0/schemes/0/action", "stat\n");
    put(tree, KDAMON "2/state", "on\n");
    features = probe(tree);
    assert_int_equal(features->damon_kdamonds, 3);
    assert_int_equal(features->damon_running, 2);
    assert_int_equal(features->damon_target_order, FOLIO_ANSWER_NO);
    g_clear_pointer(&features, folio_features_free);

    /* One whose state cannot be read: how many run is not known, whatever the others say. */
    put(tree, KDAMON "nr_kdamonds", "4\n");
    features = probe(tree);
    assert_int_equal(features->damon_kdamonds, 4);
    assert_int_equal(features->damon_running, -1);
    g_clear_pointer(&features, folio_features_free);

    put(tree, "sys/module/damon_reclaim/parameters/enabled", "N\n");
    put(tree, "sys/module/damon_lru_sort/parameters/enabled", "Y\n");
    features = probe(tree);
    assert_string_equal(features->damon_module, "damon_lru_sort");
}

static void
test_lockdown(void **state)
{
    static const struct {
        const char *text;
        FolioLockdown expected;
    } cases[] = {
        { "none [integrity] confidentiality\n", FOLIO_LOCKDOWN_INTEGRITY },
        { "none integrity [confidentiality]\n", FOLIO_LOCKDOWN_CONFIDENTIALITY },
        { "[none] integrity confidentiality\n", FOLIO_LOCKDOWN_NONE },
        { "none integrity confidentiality\n", FOLIO_LOCKDOWN_NONE },
        { "[integrity", FOLIO_LOCKDOWN_NONE },
        { "", FOLIO_LOCKDOWN_NONE },
    };
    Tree *tree = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(FolioFeatures) features = NULL;

        put(tree, "sys/kernel/security/lockdown", cases[i].text);
        features = probe(tree);
        assert_int_equal(features->lockdown, cases[i].expected);
    }
}

/* Every file with the same nonsense in it. */
static void
fill_with(Tree *tree, const char *text, gsize length)
{
    static const char *const names[] = {
        THP "enabled",
        THP "shmem_enabled",
        THP "hugepages-2048kB/enabled",
        THP "hugepages-2048kB/shmem_enabled",
        KDAMON "nr_kdamonds",
        KDAMON "0/state",
        KDAMON "0/contexts/0/schemes/nr_schemes",
        "proc/self/status",
        "proc/self/pagemap",
        "proc/cmdline",
        "proc/sys/kernel/perf_event_paranoid",
        "proc/sys/kernel/yama/ptrace_scope",
        "sys/module/damon_reclaim/parameters/enabled",
        "sys/kernel/security/lockdown",
        "sys/devices/system/cpu/vulnerabilities/meltdown",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        put_bytes(tree, names[i], text, length);
}

static void
assert_nothing_believed(Tree *tree)
{
    g_autoptr(FolioFeatures) features = probe(tree);

    assert_string_equal(features->thp_enabled, "");
    assert_string_equal(features->thp_enabled_2m, "");
    assert_string_equal(features->shmem_enabled, "");
    assert_false(features->khugepaged_active);
    assert_false(features->khugepaged_flag);
    assert_false(features->pagemap_scan);
    assert_int_equal(features->damon_kdamonds, -1);
    assert_int_equal(features->damon_running, -1);
    assert_int_equal(features->damon_target_order, FOLIO_ANSWER_UNKNOWN);
    assert_string_equal(features->damon_module, "");
    assert_int_equal(features->perf_paranoid, -100);
    assert_int_equal(features->yama, -1);
    assert_int_equal(features->lockdown, FOLIO_LOCKDOWN_NONE);
    assert_int_equal(features->capabilities, 0);
    assert_tokens(features, "damon"); /* its directory is there */
}

static void
test_weird_contents(void **state)
{
    static const struct {
        const char *text;
        gsize length;
    } cases[] = {
        { "", 0 },
        { "\n\n\n", 3 },
        { "\0\0\0\0", 4 },
        { "\xff\xfe[\x80]", 5 },
        { "[]", 2 },
        { "always [mad\nvise] never", 23 },
        { "[ALWAYS]", 8 },
        { "]always[", 8 },
        { "99999999999999999999999999", 26 },
        { "-2", 2 },
        { "1e3", 3 },
        { "CapEff", 6 },
        { "CapEff:\t10000000000000000\n", 26 },
        { "CapEff:\t-1\nxTHP_khugepaged:\t1", 29 },
    };
    Tree *tree = *state;

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        fill_with(tree, cases[i].text, cases[i].length);
        assert_nothing_believed(tree);
    }
}

/* No value of the kernel's is that large: what is, is not read to its end, nor believed. */
static void
test_huge_files(void **state)
{
    Tree *tree = *state;
    g_autofree char *text = g_strnfill(1024 * 1024, ' ');

    memcpy(text, "[always] 1 [integrity] Y", 24);
    fill_with(tree, text, 1024 * 1024);
    assert_nothing_believed(tree);
}

static void
test_too_many_kdamonds(void **state)
{
    Tree *tree = *state;
    g_autoptr(FolioFeatures) features = NULL;

    put(tree, KDAMON "nr_kdamonds", "2147483647\n");
    features = probe(tree);
    assert_int_equal(features->damon_kdamonds, -1);
    assert_int_equal(features->damon_running, -1);
}

/* Directories where files are expected, and the other way round. */
static void
test_wrong_kinds(void **state)
{
    Tree *tree = *state;
    g_autoptr(FolioFeatures) features = NULL;

    put(tree, THP "enabled/x", "");
    put(tree, KDAMON "nr_kdamonds/x", "");
    put(tree, "proc/self/status/x", "");
    put(tree, "proc/self/pagemap/x", "");
    put(tree, "sys/bus/event_source/devices", "arm_spe_0");
    features = probe(tree);
    assert_string_equal(features->thp_enabled, "");
    assert_int_equal(features->damon_kdamonds, -1);
    assert_string_equal(features->spe_pmu, "");
    assert_false(features->pagemap_scan);
}

static int busy_opens;

static int
open_busy_at_first(int dir_fd, const char *path, int flags)
{
    if (g_str_has_suffix(path, "/0/state") && busy_opens-- > 0) {
        errno = EBUSY;
        return -1;
    }
    /* Nothing of DAMON's, nor anything else, is opened to be written. */
    assert_int_equal(flags & O_ACCMODE, O_RDONLY);
    return openat(dir_fd, path, flags);
}

static int
ioctl_succeeding(int fd, unsigned long request, void *argument)
{
    return 0;
}

static int
ioctl_unknown(int fd, unsigned long request, void *argument)
{
    errno = ENOTTY;
    return -1;
}

static void
test_busy_damon(void **state)
{
    const FolioFileCalls calls = { .openat = open_busy_at_first,
                                   .read = read,
                                   .ioctl = ioctl_unknown };
    Tree *tree = *state;
    g_autoptr(FolioFeatures) features = NULL;

    put(tree, KDAMON "nr_kdamonds", "1\n");
    put(tree, KDAMON "0/state", "on\n");
    folio_file_set_calls(&calls);
    busy_opens = 3;
    features = probe(tree);
    assert_int_equal(features->damon_running, 1);
    g_clear_pointer(&features, folio_features_free);

    busy_opens = 1000; /* one that stays busy is given up */
    features = probe(tree);
    assert_int_equal(features->damon_running, -1);
    assert_true(busy_opens > 900);
}

static void
test_pagemap_scan(void **state)
{
    const FolioFileCalls with = { .openat = open_busy_at_first,
                                  .read = read,
                                  .ioctl = ioctl_succeeding };
    const FolioFileCalls without = { .openat = open_busy_at_first,
                                     .read = read,
                                     .ioctl = ioctl_unknown };
    Tree *tree = *state;
    g_autoptr(FolioFeatures) features = NULL;

    put(tree, "proc/self/pagemap", "");
    folio_file_set_calls(&with);
    features = probe(tree);
    assert_true(features->pagemap_scan);
    assert_tokens(features, "pagemap-scan");
    g_clear_pointer(&features, folio_features_free);
    folio_file_set_calls(&without);
    features = probe(tree);
    assert_false(features->pagemap_scan);
}

/* The real machine: whatever it is, a probe ends, and agrees with what libc says. */
static void
test_this_machine(void **state)
{
    const FolioHostPaths paths = { .proc_root = "/proc", .sys_root = "/sys" };
    g_autoptr(FolioFeatures) features = folio_features_probe(&paths);

    assert_true(features->page_size >= 4096);
    assert_true(*features->machine != '\0');
    assert_true(features->perf_usable == (*features->perf_error == '\0'));
    if (geteuid() == 0)
        assert_true(features->capabilities != 0);
}

static void
test_perf_probe(void **state)
{
    g_autoptr(GError) error = NULL;

    if (folio_perf_probe(&error))
        assert_null(error);
    else
        assert_true(g_str_equal(error->message, FOLIO_PERF_NOT_BUILT) ||
                    g_str_has_prefix(error->message, "perf_event_open: "));
}

#define tree_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        tree_test(test_nothing_there),
        tree_test(test_x86_host),
        tree_test(test_kunpeng_with_the_series),
        tree_test(test_kpti),
        tree_test(test_khugepaged_settings),
        tree_test(test_damon_taken),
        tree_test(test_lockdown),
        tree_test(test_weird_contents),
        tree_test(test_huge_files),
        tree_test(test_too_many_kdamonds),
        tree_test(test_wrong_kinds),
        tree_test(test_busy_damon),
        tree_test(test_pagemap_scan),
        cmocka_unit_test(test_this_machine),
        cmocka_unit_test(test_perf_probe),
    };

    return cmocka_run_group_tests_name("features", tests, NULL, NULL);
}
