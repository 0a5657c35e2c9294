/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks of the host, from what was probed. Pure. */
#include "host/doctor-check.h"
#include "host/perf-probe.h"

#include <linux/capability.h>

#define THP "/sys/kernel/mm/transparent_hugepage/"

#define SERIES "a kernel with foliod's patches (README: The host kernel)"

static void
check_page_size(const FolioFeatures *features, GPtrArray *checks)
{
    if (features->page_size == 4096)
        folio_checks_pass(checks, "page-size", "base pages are 4 KiB");
    else
        folio_checks_object(checks, FOLIO_CHECK_FAIL, "page-size",
                            "Boot a kernel with 4 KiB base pages (CONFIG_ARM64_4K_PAGES=y).",
                            "base pages are %" G_GUINT64_FORMAT " KiB; foliod serves 4 KiB only",
                            features->page_size / 1024);
}

static void
check_thp(const FolioFeatures *features, GPtrArray *checks)
{
    if (*features->thp_enabled != '\0')
        folio_checks_pass(checks, "thp",
                          "transparent_hugepage/enabled is %s (guest RAM on a tmpfs does not "
                          "depend on it)",
                          features->thp_enabled);
    else
        folio_checks_object(checks, FOLIO_CHECK_FAIL, "thp",
                            "Boot a kernel built with CONFIG_TRANSPARENT_HUGEPAGE=y.",
                            "this kernel has no transparent huge pages");
}

static void
check_tmpfs_huge(const FolioFeatures *features, GPtrArray *checks)
{
    const char *word = features->shmem_enabled;

    if (*word == '\0')
        folio_checks_object(checks, FOLIO_CHECK_FAIL, "tmpfs-huge",
                            "Boot a kernel built with CONFIG_SHMEM=y and "
                            "CONFIG_TRANSPARENT_HUGEPAGE=y.",
                            "this kernel has no huge pages on tmpfs");
    else if (g_str_equal(word, "deny"))
        folio_checks_object(checks, FOLIO_CHECK_FAIL, "tmpfs-huge",
                            "Run: echo never > " THP "shmem_enabled",
                            "shmem_enabled is deny: no tmpfs gets huge pages, whatever its huge= "
                            "says");
    else if (g_str_equal(word, "force"))
        folio_checks_object(checks, FOLIO_CHECK_WARN, "tmpfs-huge",
                            "Run: echo never > " THP "shmem_enabled",
                            "shmem_enabled is force: every tmpfs gets huge pages, also /tmp and "
                            "/dev/shm, whatever its huge= says");
    else
        folio_checks_pass(checks, "tmpfs-huge",
                          "shmem_enabled is %s: each tmpfs follows its own huge=", word);
}

static gboolean
is_on(const char *word)
{
    return g_str_equal(word, "always") || g_str_equal(word, "madvise");
}

/* The settings that keep khugepaged going, as commands that end it. */
static char *
commands_that_stop_khugepaged(const FolioFeatures *features)
{
    g_autoptr(GPtrArray) commands = g_ptr_array_new();

    if (is_on(features->thp_enabled))
        g_ptr_array_add(commands, (gpointer) "echo never > " THP "enabled");
    if (is_on(features->thp_enabled_2m))
        g_ptr_array_add(commands, (gpointer) "echo inherit > " THP "hugepages-2048kB/enabled");
    if (commands->len == 0) {
        g_ptr_array_add(commands,
                        (gpointer) "echo inherit > " THP "hugepages-2048kB/shmem_enabled");
        g_ptr_array_add(commands, (gpointer) "echo never > " THP "shmem_enabled");
    }
    g_ptr_array_add(commands, NULL);
    return g_strjoinv("; ", (char **) commands->pdata);
}

static void
check_khugepaged(const FolioFeatures *features, GPtrArray *checks)
{
    g_autofree char *commands = NULL;
    g_autofree char *remedy = NULL;

    if (!features->khugepaged_active) {
        folio_checks_pass(checks, "khugepaged", "khugepaged does not run: nothing undoes a split");
        return;
    }
    if (features->khugepaged_flag) {
        folio_checks_pass(checks, "khugepaged",
                          "khugepaged runs, and can be kept away from a guest (Khugepaged=auto)");
        return;
    }
    commands = commands_that_stop_khugepaged(features);
    remedy = g_strdup_printf("On a host kept for guests run: %s (a tmpfs with huge=always keeps "
                             "its huge pages, anonymous memory gets none). Otherwise boot " SERIES
                             ", or set "
                             "Khugepaged=strict in foliod.conf.",
                             commands);
    folio_checks_object(checks, FOLIO_CHECK_WARN, "khugepaged", remedy,
                        "khugepaged runs: it would collapse again what is split, so nothing is "
                        "split unless it is forced");
}

static void
check_khugepaged_flag(const FolioFeatures *features, GPtrArray *checks)
{
    if (features->khugepaged_flag && features->khugepaged_backoff)
        folio_checks_pass(checks, "khugepaged-flag",
                          "the kernel can keep khugepaged away from a guest, and from a split "
                          "block for a while");
    else if (!features->khugepaged_active)
        folio_checks_pass(checks, "khugepaged-flag", "not needed here: khugepaged does not run");
    else if (features->khugepaged_flag)
        folio_checks_object(checks, FOLIO_CHECK_WARN, "khugepaged-flag", "Boot " SERIES ", whole.",
                            "the kernel can keep khugepaged away from a guest, but not from other "
                            "processes that map its RAM (vhost-user, virtiofsd)");
    else
        folio_checks_object(checks, FOLIO_CHECK_WARN, "khugepaged-flag",
                            "Boot " SERIES ", or do as above.",
                            "this kernel cannot keep khugepaged away from a single guest (no "
                            "THP_khugepaged in /proc/self/status)");
}

static void
check_damon(const FolioFeatures *features, GPtrArray *checks)
{
    g_autofree char *remedy = NULL;

    if (!features->damon) {
        folio_checks_object(checks, FOLIO_CHECK_WARN, "damon",
                            "Boot a kernel built with CONFIG_DAMON_VADDR=y and "
                            "CONFIG_DAMON_SYSFS=y, such as Debian's 6.12 from backports.",
                            "this kernel has no DAMON in sysfs");
    } else if (*features->damon_module != '\0') {
        remedy = g_strdup_printf("Run: echo N > /sys/module/%s/parameters/enabled",
                                 features->damon_module);
        folio_checks_object(checks, FOLIO_CHECK_WARN, "damon", remedy,
                            "DAMON is taken: the kernel module %s runs it for itself",
                            features->damon_module);
    } else if (features->damon_kdamonds < 0 || features->damon_running < 0) {
        folio_checks_object(checks, FOLIO_CHECK_WARN, "damon",
                            "Run foliod as root, from its unit file; then ask again.",
                            "who uses DAMON cannot be read below "
                            "/sys/kernel/mm/damon/admin/kdamonds");
    } else if (features->damon_running > 0) {
        folio_checks_object(checks, FOLIO_CHECK_WARN, "damon",
                            "End what started it (damo, etmem or a script of this host), unless "
                            "foliod splits or collapses just now. foliod leaves what is not its "
                            "own alone.",
                            "DAMON is in use: %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                            " kdamonds are at work",
                            features->damon_running, features->damon_kdamonds);
    } else {
        folio_checks_pass(checks, "damon", "DAMON is there, and free");
    }
}

static void
check_damon_actions(const FolioFeatures *features, GPtrArray *checks)
{
    gboolean marked =
        features->damon_result || features->khugepaged_flag || features->khugepaged_backoff;

    if (features->damon && features->damon_target_order == FOLIO_ANSWER_YES)
        folio_checks_pass(checks, "damon-actions", "DAMON's schemes have a target_order");
    else if (features->damon && features->damon_target_order == FOLIO_ANSWER_UNKNOWN && marked)
        folio_checks_pass(checks, "damon-actions",
                          "the kernel carries foliod's patches; target_order shows with the first "
                          "scheme");
    else if (features->damon && features->damon_target_order == FOLIO_ANSWER_UNKNOWN)
        folio_checks_object(checks, FOLIO_CHECK_WARN, "damon-actions", "Boot " SERIES ".",
                            "whether DAMON can split and collapse cannot be seen without making a "
                            "scheme; nothing else marks a patched kernel");
    else
        folio_checks_object(checks, FOLIO_CHECK_WARN, "damon-actions", "Boot " SERIES ".",
                            "this kernel's DAMON cannot split (%s), so foliod uses debugfs and "
                            "MADV_COLLAPSE",
                            features->damon ? "its schemes have no target_order" : "there is none");
}

static void
check_pagemap_scan(const FolioFeatures *features, GPtrArray *checks)
{
    if (features->pagemap_scan)
        folio_checks_pass(checks, "pagemap-scan", "PAGEMAP_SCAN measures guest RAM");
    else
        folio_checks_object(checks, FOLIO_CHECK_WARN, "pagemap-scan",
                            "Boot Linux 6.7 or newer; the figures are the same without.",
                            "no PAGEMAP_SCAN: guest RAM is measured by smaps, which takes longer");
}

static void
check_debugfs_split(const FolioFeatures *features, GPtrArray *checks)
{
    if (features->debugfs_split)
        folio_checks_pass(checks, "debugfs-split", "debugfs has split_huge_pages");
    else if (features->damon_target_order == FOLIO_ANSWER_YES)
        folio_checks_pass(checks, "debugfs-split", "not needed here: DAMON can split");
    else
        folio_checks_object(checks, FOLIO_CHECK_WARN, "debugfs-split",
                            "Run: mount -t debugfs debugfs /sys/kernel/debug. If it is mounted: "
                            "boot a kernel built with CONFIG_DEBUG_FS=y.",
                            "no split_huge_pages in /sys/kernel/debug, by which a kernel without "
                            "foliod's patches splits");
}

static void
check_spe(const FolioFeatures *features, GPtrArray *checks)
{
    if (*features->spe_pmu != '\0')
        folio_checks_pass(checks, "spe", "the Arm SPE PMU %s is there", features->spe_pmu);
    else if (g_str_equal(features->machine, "aarch64"))
        folio_checks_object(checks, FOLIO_CHECK_WARN, "spe",
                            "Run: modprobe arm_spe_pmu. If no arm_spe_0 appears in "
                            "/sys/bus/event_source/devices: see kpti, and enable SPE in the "
                            "firmware.",
                            "no Arm SPE PMU: accesses cannot be sampled");
    else
        folio_checks_object(checks, FOLIO_CHECK_WARN, "spe",
                            "To sample accesses use an Arm host with SPE, such as Kunpeng 920.",
                            "a machine of type %s has no Arm SPE: accesses cannot be sampled",
                            features->machine);
}

static void
check_kpti(const FolioFeatures *features, GPtrArray *checks)
{
    if (!g_str_equal(features->machine, "aarch64"))
        folio_checks_pass(checks, "kpti", "not needed here: it matters to Arm SPE only");
    else if (features->kpti == FOLIO_ANSWER_NO)
        folio_checks_pass(checks, "kpti", "kernel page-table isolation does not keep SPE off");
    else if (features->kpti == FOLIO_ANSWER_YES)
        folio_checks_object(checks, FOLIO_CHECK_WARN, "kpti",
                            "Add kpti=off to the kernel's command line and boot, after a look at "
                            "/sys/devices/system/cpu/vulnerabilities/meltdown: a CPU that is "
                            "affected loses its protection.",
                            "kernel page-table isolation is on: the SPE driver does not start");
    else
        folio_checks_object(checks, FOLIO_CHECK_WARN, "kpti",
                            "Run: dmesg | grep -i 'page table isolation'. If it is on: add "
                            "kpti=off to the kernel's command line and boot.",
                            "kernel page-table isolation may keep SPE off; sysfs does not say "
                            "whether it is on");
}

static void
check_lockdown(const FolioFeatures *features, GPtrArray *checks)
{
    if (features->lockdown == FOLIO_LOCKDOWN_NONE)
        folio_checks_pass(checks, "lockdown", "the kernel is not locked down");
    else if (features->damon_target_order == FOLIO_ANSWER_YES)
        folio_checks_pass(checks, "lockdown",
                          "the kernel is locked down; not in the way, since DAMON can split");
    else
        folio_checks_object(checks, FOLIO_CHECK_WARN, "lockdown",
                            "Boot " SERIES ", whose DAMON needs no debugfs, or switch Secure Boot "
                            "off in the firmware.",
                            "the kernel is locked down (%s), so debugfs cannot be used to split",
                            features->lockdown == FOLIO_LOCKDOWN_INTEGRITY ? "integrity"
                                                                           : "confidentiality");
}

static void
check_yama(const FolioFeatures *features, GPtrArray *checks)
{
    if (features->yama < 0)
        folio_checks_pass(checks, "yama", "this kernel has no Yama");
    else if (features->yama < 3)
        folio_checks_pass(checks, "yama", "ptrace_scope is %d, which CAP_SYS_PTRACE overrides",
                          features->yama);
    else
        folio_checks_object(checks, FOLIO_CHECK_WARN, "yama",
                            "Start guests by foliod-qemu, named in <emulator>; or set "
                            "kernel.yama.ptrace_scope=1 below /etc/sysctl.d and boot.",
                            "ptrace_scope is %d: until the next boot no running QEMU can be "
                            "changed (looking at it is not disturbed)",
                            features->yama);
}

typedef struct {
    guint bit;
    const char *name;
    const char *purpose;
    FolioCheckResult without;
} Capability;

/* What the unit file keeps. */
static const Capability capabilities[] = {
    { CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "the maps of QEMU", FOLIO_CHECK_FAIL },
    { CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "the pagemap of QEMU", FOLIO_CHECK_FAIL },
    { CAP_PERFMON, "CAP_PERFMON", "perf events", FOLIO_CHECK_WARN },
    { CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "host frame numbers, without which samples have no block",
      FOLIO_CHECK_WARN },
    { CAP_SYS_NICE, "CAP_SYS_NICE", "MADV_COLLAPSE in QEMU", FOLIO_CHECK_WARN },
};

static void
check_capabilities(const FolioFeatures *features, GPtrArray *checks)
{
    FolioCheckResult worst = FOLIO_CHECK_PASS;
    g_autoptr(GString) missing = g_string_new(NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(capabilities); i++) {
        if ((features->capabilities & (G_GUINT64_CONSTANT(1) << capabilities[i].bit)) != 0)
            continue;
        worst = MAX(worst, capabilities[i].without);
        g_string_append_printf(missing, "%s%s (%s)", missing->len > 0 ? ", " : "",
                               capabilities[i].name, capabilities[i].purpose);
    }
    if (worst == FOLIO_CHECK_PASS)
        folio_checks_pass(checks, "capabilities",
                          "CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_PERFMON, CAP_SYS_ADMIN and "
                          "CAP_SYS_NICE are held");
    else
        folio_checks_object(checks, worst, "capabilities",
                            "Start foliod from its unit file: systemctl start foliod",
                            "missing: %s", missing->str);
}

static void
check_perf(const FolioFeatures *features, GPtrArray *checks)
{
    if (features->perf_usable)
        folio_checks_pass(checks, "perf", "perf events can be opened");
    else if (g_str_equal(features->perf_error, FOLIO_PERF_NOT_BUILT))
        folio_checks_object(checks, FOLIO_CHECK_WARN, "perf",
                            "Build foliod with -Dlibperf=system or -Dlibperf=bundled.",
                            "no perf events: %s", features->perf_error);
    else
        folio_checks_object(checks, FOLIO_CHECK_WARN, "perf",
                            "Start foliod from its unit file, which keeps CAP_PERFMON; where it "
                            "runs in a container, allow perf_event_open there.",
                            "no perf event can be opened: %s (kernel.perf_event_paranoid is %d)",
                            features->perf_error, features->perf_paranoid);
}

GPtrArray *
folio_doctor_check_host(const FolioFeatures *features)
{
    GPtrArray *checks = folio_checks_new();

    check_page_size(features, checks);
    check_thp(features, checks);
    check_tmpfs_huge(features, checks);
    check_khugepaged(features, checks);
    check_khugepaged_flag(features, checks);
    check_damon(features, checks);
    check_damon_actions(features, checks);
    check_pagemap_scan(features, checks);
    check_debugfs_split(features, checks);
    check_spe(features, checks);
    check_kpti(features, checks);
    check_lockdown(features, checks);
    check_yama(features, checks);
    check_capabilities(features, checks);
    check_perf(features, checks);
    return checks;
}
