/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor: what it says of which host. */
#include "doctor-checks.h"
#include "host/perf-probe.h"

#include <linux/capability.h>

#define BIT64(bit) (1ULL << (bit))
#define CAPS_NEEDED                                                            \
    (BIT64(CAP_SYS_PTRACE) | BIT64(CAP_DAC_READ_SEARCH) | BIT64(CAP_PERFMON) | \
     BIT64(CAP_SYS_ADMIN) | BIT64(CAP_SYS_NICE))

static const char *const host_checks[] = {
    "page-size", "thp",           "tmpfs-huge",   "khugepaged",    "khugepaged-flag",
    "damon",     "damon-actions", "pagemap-scan", "debugfs-split", "spe",
    "kpti",      "lockdown",      "yama",         "capabilities",  "perf",
};

/* A host on which nothing is missing; each test spoils something. */
static FolioFeatures *
good_host(void)
{
    FolioFeatures *features = g_new0(FolioFeatures, 1);

    features->kernel = g_strdup("6.12.0-foliod");
    features->machine = g_strdup("aarch64");
    features->page_size = 4096;
    features->thp_enabled = g_strdup("madvise");
    features->thp_enabled_2m = g_strdup("inherit");
    features->shmem_enabled = g_strdup("never");
    features->pagemap_scan = TRUE;
    features->damon = TRUE;
    features->damon_module = g_strdup("");
    features->damon_target_order = FOLIO_ANSWER_YES;
    features->khugepaged_flag = TRUE;
    features->khugepaged_backoff = TRUE;
    features->khugepaged_active = TRUE;
    features->debugfs_split = TRUE;
    features->spe_pmu = g_strdup("arm_spe_0");
    features->perf_usable = TRUE;
    features->perf_error = g_strdup("");
    features->perf_paranoid = 2;
    features->kpti = FOLIO_ANSWER_NO;
    features->yama = 1;
    features->capabilities = CAPS_NEEDED;
    return features;
}

static GPtrArray *
check_host(const FolioFeatures *features)
{
    GPtrArray *checks = folio_doctor_check_host(features);

    assert_tokens(checks, host_checks, G_N_ELEMENTS(host_checks));
    assert_sound(checks);
    return checks;
}

static void
assert_host(const FolioFeatures *features, const char *token, FolioCheckResult result,
            const char *text_part, const char *remedy_part)
{
    g_autoptr(GPtrArray) checks = check_host(features);

    assert_check(checks, token, result, text_part, remedy_part);
}

static void
test_good_host(void **state)
{
    g_autoptr(FolioFeatures) features = good_host();
    g_autoptr(GPtrArray) checks = check_host(features);

    for (guint i = 0; i < checks->len; i++) {
        const FolioCheck *check = g_ptr_array_index(checks, i);

        if (check->result != FOLIO_CHECK_PASS)
            fail_msg("%s: %s", check->check, check->text);
    }
}

/* Nothing is there, nothing is known. */
static void
test_bare_host(void **state)
{
    const FolioHostPaths paths = { "/nonexistent/proc", "/nonexistent/sys", "aarch64" };
    g_autoptr(FolioFeatures) features = folio_features_probe(&paths);
    g_autoptr(GPtrArray) checks = check_host(features);

    assert_check(checks, "thp", FOLIO_CHECK_FAIL, "no transparent huge pages", "CONFIG_");
    assert_check(checks, "tmpfs-huge", FOLIO_CHECK_FAIL, "no huge pages", "CONFIG_SHMEM");
    assert_check(checks, "khugepaged", FOLIO_CHECK_PASS, "does not run", "");
    assert_check(checks, "khugepaged-flag", FOLIO_CHECK_PASS, "not needed here", "");
    assert_check(checks, "damon", FOLIO_CHECK_WARN, "no DAMON", "CONFIG_DAMON_SYSFS");
    assert_check(checks, "damon-actions", FOLIO_CHECK_WARN, "there is none", "patches");
    assert_check(checks, "pagemap-scan", FOLIO_CHECK_WARN, "smaps", "6.7");
    assert_check(checks, "debugfs-split", FOLIO_CHECK_WARN, "split_huge_pages", "mount -t debugfs");
    assert_check(checks, "spe", FOLIO_CHECK_WARN, "no Arm SPE PMU", "modprobe arm_spe_pmu");
    assert_check(checks, "kpti", FOLIO_CHECK_WARN, "may keep SPE off", "dmesg | grep");
    assert_check(checks, "yama", FOLIO_CHECK_PASS, "no Yama", "");
    assert_check(checks, "capabilities", FOLIO_CHECK_FAIL, "CAP_SYS_PTRACE (", "systemctl start");
}

static void
test_page_size(void **state)
{
    g_autoptr(FolioFeatures) features = good_host();

    features->page_size = 65536;
    assert_host(features, "page-size", FOLIO_CHECK_FAIL, "64 KiB", "4 KiB");
}

static void
test_shmem_enabled(void **state)
{
    g_autoptr(FolioFeatures) features = good_host();

    replace(&features->shmem_enabled, "deny");
    assert_host(features, "tmpfs-huge", FOLIO_CHECK_FAIL, "deny", "echo never > /sys/kernel/mm");
    replace(&features->shmem_enabled, "force");
    assert_host(features, "tmpfs-huge", FOLIO_CHECK_WARN, "force", "echo never > /sys/kernel/mm");
    replace(&features->shmem_enabled, "advise");
    assert_host(features, "tmpfs-huge", FOLIO_CHECK_PASS, "advise", "");
}

static void
test_khugepaged(void **state)
{
    g_autoptr(FolioFeatures) features = good_host();

    features->khugepaged_backoff = FALSE;
    assert_host(features, "khugepaged", FOLIO_CHECK_PASS, "kept away", "");
    assert_host(features, "khugepaged-flag", FOLIO_CHECK_WARN, "vhost-user", "patches");
    features->khugepaged_flag = FALSE;
    assert_host(features, "khugepaged-flag", FOLIO_CHECK_WARN, "THP_khugepaged", "patches");
    assert_host(features, "khugepaged", FOLIO_CHECK_WARN, "forced", "Khugepaged=strict");
    assert_host(features, "khugepaged", FOLIO_CHECK_WARN, "collapse again",
                "run: echo never > /sys/kernel/mm/transparent_hugepage/enabled (");
    /* Each setting that keeps it going has its own command. */
    replace(&features->thp_enabled_2m, "always");
    assert_host(features, "khugepaged", FOLIO_CHECK_WARN, "collapse again",
                "/enabled; echo inherit > "
                "/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/enabled (");
    replace(&features->thp_enabled, "never");
    replace(&features->thp_enabled_2m, "inherit");
    assert_host(features, "khugepaged", FOLIO_CHECK_WARN, "collapse again",
                "run: echo inherit > "
                "/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/shmem_enabled; echo never");
    features->khugepaged_active = FALSE;
    assert_host(features, "khugepaged", FOLIO_CHECK_PASS, "does not run", "");
    assert_host(features, "khugepaged-flag", FOLIO_CHECK_PASS, "not needed here", "");
}

static void
test_damon(void **state)
{
    g_autoptr(FolioFeatures) features = good_host();

    features->damon_kdamonds = 3;
    assert_host(features, "damon", FOLIO_CHECK_PASS, "free", "");
    features->damon_running = 2;
    assert_host(features, "damon", FOLIO_CHECK_WARN, "2 of 3", "damo, etmem");
    features->damon_running = -1;
    assert_host(features, "damon", FOLIO_CHECK_WARN, "cannot be read", "as root");
    replace(&features->damon_module, "damon_reclaim");
    assert_host(features, "damon", FOLIO_CHECK_WARN, "damon_reclaim",
                "echo N > /sys/module/damon_reclaim/parameters/enabled");
}

static void
test_damon_actions(void **state)
{
    g_autoptr(FolioFeatures) features = good_host();

    features->damon_target_order = FOLIO_ANSWER_UNKNOWN;
    assert_host(features, "damon-actions", FOLIO_CHECK_PASS, "carries foliod's patches", "");
    /* Each of the marks tells. */
    features->khugepaged_flag = features->khugepaged_backoff = FALSE;
    features->damon_result = TRUE;
    assert_host(features, "damon-actions", FOLIO_CHECK_PASS, "carries foliod's patches", "");
    features->damon_result = FALSE;
    assert_host(features, "damon-actions", FOLIO_CHECK_WARN, "cannot be seen", "patches");
    features->damon_target_order = FOLIO_ANSWER_NO;
    assert_host(features, "damon-actions", FOLIO_CHECK_WARN, "no target_order", "patches");
}

static void
test_lockdown_and_debugfs(void **state)
{
    g_autoptr(FolioFeatures) features = good_host();

    features->lockdown = FOLIO_LOCKDOWN_INTEGRITY;
    features->debugfs_split = FALSE;
    assert_host(features, "lockdown", FOLIO_CHECK_PASS, "not in the way", "");
    assert_host(features, "debugfs-split", FOLIO_CHECK_PASS, "not needed here", "");
    features->damon_target_order = FOLIO_ANSWER_NO;
    assert_host(features, "lockdown", FOLIO_CHECK_WARN, "(integrity)", "Secure Boot");
    features->lockdown = FOLIO_LOCKDOWN_CONFIDENTIALITY;
    assert_host(features, "lockdown", FOLIO_CHECK_WARN, "(confidentiality)", "Secure Boot");
}

static void
test_spe_and_kpti(void **state)
{
    g_autoptr(FolioFeatures) features = good_host();

    replace(&features->spe_pmu, "");
    features->kpti = FOLIO_ANSWER_YES;
    assert_host(features, "kpti", FOLIO_CHECK_WARN, "is on", "kpti=off");
    replace(&features->machine, "x86_64");
    assert_host(features, "kpti", FOLIO_CHECK_PASS, "not needed here", "");
    assert_host(features, "spe", FOLIO_CHECK_WARN, "x86_64", "Arm host");
}

static void
test_yama(void **state)
{
    g_autoptr(FolioFeatures) features = good_host();

    features->yama = 2;
    assert_host(features, "yama", FOLIO_CHECK_PASS, "2", "");
    features->yama = 3;
    assert_host(features, "yama", FOLIO_CHECK_WARN, "3", "foliod-qemu");
}

static void
test_capabilities(void **state)
{
    g_autoptr(FolioFeatures) features = good_host();
    g_autoptr(GPtrArray) checks = NULL;

    features->capabilities = CAPS_NEEDED & ~BIT64(CAP_PERFMON);
    checks = check_host(features);
    assert_check(checks, "capabilities", FOLIO_CHECK_WARN, "CAP_PERFMON", "unit file");
    assert_null(strstr(find_nth(checks, "capabilities", 0)->text, "CAP_SYS_PTRACE"));
    features->capabilities = CAPS_NEEDED & ~BIT64(CAP_SYS_ADMIN);
    assert_host(features, "capabilities", FOLIO_CHECK_WARN, "CAP_SYS_ADMIN (host frame",
                "unit file");
    features->capabilities = CAPS_NEEDED & ~BIT64(CAP_SYS_NICE);
    assert_host(features, "capabilities", FOLIO_CHECK_WARN, "CAP_SYS_NICE (MADV_COLLAPSE",
                "unit file");
    features->capabilities = CAPS_NEEDED & ~BIT64(CAP_SYS_PTRACE);
    assert_host(features, "capabilities", FOLIO_CHECK_FAIL, "CAP_SYS_PTRACE", "unit file");
    features->capabilities = CAPS_NEEDED & ~BIT64(CAP_DAC_READ_SEARCH);
    assert_host(features, "capabilities", FOLIO_CHECK_FAIL, "CAP_DAC_READ_SEARCH", "unit file");
}

static void
test_perf(void **state)
{
    g_autoptr(FolioFeatures) features = good_host();

    features->perf_usable = FALSE;
    replace(&features->perf_error, FOLIO_PERF_NOT_BUILT);
    assert_host(features, "perf", FOLIO_CHECK_WARN, "built without libperf", "-Dlibperf=");
    replace(&features->perf_error, "perf_event_open: Permission denied");
    assert_host(features, "perf", FOLIO_CHECK_WARN, "denied (kernel.perf_event_paranoid is 2)",
                "CAP_PERFMON");
}

static void
test_result_tokens(void **state)
{
    assert_string_equal(folio_check_result_token(FOLIO_CHECK_PASS), "pass");
    assert_string_equal(folio_check_result_token(FOLIO_CHECK_WARN), "warn");
    assert_string_equal(folio_check_result_token(FOLIO_CHECK_FAIL), "fail");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_host),     cmocka_unit_test(test_bare_host),
        cmocka_unit_test(test_page_size),     cmocka_unit_test(test_shmem_enabled),
        cmocka_unit_test(test_khugepaged),    cmocka_unit_test(test_damon),
        cmocka_unit_test(test_damon_actions), cmocka_unit_test(test_lockdown_and_debugfs),
        cmocka_unit_test(test_spe_and_kpti),  cmocka_unit_test(test_yama),
        cmocka_unit_test(test_capabilities),  cmocka_unit_test(test_perf),
        cmocka_unit_test(test_result_tokens),
    };

    return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
