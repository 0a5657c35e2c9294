/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Probing kernel and machine. Everything is read, nothing is written: DAMON above all, which may be
 * somebody else's. */
#include "host/features.h"

#include "base/error.h"
#include "base/file-io.h"
#include "base/format.h"
#include "host/perf-probe.h"
#include "memory/pagemap.h"
#include "memory/thp-settings.h"

#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define DAMON_ADMIN "kernel/mm/damon/admin/kdamonds"
#define THP         "kernel/mm/transparent_hugepage/"

/* No more kdamonds than that are looked at; a host has a handful. */
#define MAX_KDAMONDS 256

/* sysfs files of DAMON answer EBUSY while another reader or writer has its lock. */
#define BUSY_RETRIES    5
#define BUSY_SLEEP_USEC 2000

/* ROOT/FORMAT, without the white space at its end; NULL when it cannot be read. */
static char *read_value(const char *root, const char *format, ...) G_GNUC_PRINTF(2, 3);

static char *
read_value(const char *root, const char *format, ...)
{
    g_autofree char *path = NULL;
    va_list args;

    va_start(args, format);
    path = g_strdup_vprintf(format, args);
    va_end(args);
    return folio_file_read_value(root, path);
}

static gboolean
exists(const char *root, const char *path)
{
    g_autofree char *full = g_build_filename(root, path, NULL);

    return g_file_test(full, G_FILE_TEST_EXISTS);
}

static gint64
parse_number(const char *text, gint64 min, gint64 max, gint64 fallback)
{
    gint64 number;

    if (text == NULL || !g_ascii_string_to_signed(text, 10, min, max, &number, NULL))
        return fallback;
    return number;
}

static char *
read_choice(const char *root, const char *path)
{
    g_autofree char *text = folio_file_read_value(root, path);

    return folio_bracketed_word(text);
}

/* The value of "KEY:" in a text such as /proc/PID/status; NULL when there is none. */
static char *
status_field(const char *text, const char *key)
{
    g_autofree char *start = g_strconcat(key, ":", NULL);
    g_auto(GStrv) lines = g_strsplit(text != NULL ? text : "", "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++) {
        if (g_str_has_prefix(lines[i], start))
            return g_strdup(g_strstrip(lines[i] + strlen(start)));
    }
    return NULL;
}

static void
probe_thp(FolioFeatures *features, const FolioHostPaths *paths)
{
    g_autofree char *status = read_value(paths->proc_root, "self/status");
    g_autofree char *flag = status_field(status, "THP_khugepaged");
    g_autofree char *effective = status_field(status, "CapEff");

    features->thp_enabled = read_choice(paths->sys_root, THP "enabled");
    features->thp_enabled_2m = read_choice(paths->sys_root, THP "hugepages-2048kB/enabled");
    features->shmem_enabled = read_choice(paths->sys_root, THP "shmem_enabled");
    features->khugepaged_flag = flag != NULL;
    features->khugepaged_backoff =
        exists(paths->sys_root, THP "khugepaged/split_backoff_millisecs");
    features->khugepaged_active = folio_thp_khugepaged_runs(paths->sys_root);
    if (effective == NULL ||
        !g_ascii_string_to_unsigned(effective, 16, 0, G_MAXUINT64, &features->capabilities, NULL))
        features->capabilities = 0;
}

static gboolean
probe_pagemap_scan(const char *proc_root)
{
    g_autofree char *path = g_build_filename(proc_root, "self/pagemap", NULL);
    int fd = folio_file_open(AT_FDCWD, path, O_RDONLY, NULL);
    gboolean can_scan;

    if (fd < 0)
        return FALSE;
    can_scan = folio_pagemap_can_scan(fd);
    close(fd);
    return can_scan;
}

/* "on", "off", or NULL when the file is not there or stays busy. */
static char *
read_kdamond_state(const char *sys_root, gint64 number)
{
    g_autofree char *path =
        g_strdup_printf("%s/" DAMON_ADMIN "/%" G_GINT64_FORMAT "/state", sys_root, number);

    for (int i = 0; i < BUSY_RETRIES; i++) {
        g_autoptr(GError) error = NULL;
        char *state = folio_file_read(AT_FDCWD, path, 64, NULL, &error);

        if (state != NULL)
            return g_strchomp(state);
        if (!g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_BUSY))
            return NULL;
        g_usleep(BUSY_SLEEP_USEC);
    }
    return NULL;
}

/* Does a scheme of this kdamond have the file target_order? One context a kdamond is all that DAMON
 * allows. */
static FolioAnswer
kdamond_has_target_order(const char *sys_root, gint64 number)
{
    g_autofree char *schemes =
        g_strdup_printf(DAMON_ADMIN "/%" G_GINT64_FORMAT "/contexts/0/schemes", number);
    g_autofree char *text = read_value(sys_root, "%s/nr_schemes", schemes);
    g_autofree char *file = NULL;

    if (parse_number(text, 1, G_MAXINT32, 0) == 0)
        return FOLIO_ANSWER_UNKNOWN;
    file = g_build_filename(schemes, "0", "target_order", NULL);
    return exists(sys_root, file) ? FOLIO_ANSWER_YES : FOLIO_ANSWER_NO;
}

/* The modules run DAMON exclusively: next to one of them no kdamond of sysfs starts. */
static char *
find_damon_module(const char *sys_root)
{
    static const char *const modules[] = { "damon_reclaim", "damon_lru_sort", "damon_stat" };

    for (gsize i = 0; i < G_N_ELEMENTS(modules); i++) {
        g_autofree char *enabled = read_value(sys_root, "module/%s/parameters/enabled", modules[i]);

        if (g_strcmp0(enabled, "Y") == 0)
            return g_strdup(modules[i]);
    }
    return g_strdup("");
}

static void
probe_damon(FolioFeatures *features, const char *sys_root)
{
    g_autofree char *count = read_value(sys_root, DAMON_ADMIN "/nr_kdamonds");

    features->damon = exists(sys_root, DAMON_ADMIN);
    features->damon_kdamonds = parse_number(count, 0, MAX_KDAMONDS, -1);
    features->damon_running = MIN(features->damon_kdamonds, 0);
    features->damon_target_order = FOLIO_ANSWER_UNKNOWN;
    features->damon_module = find_damon_module(sys_root);
    features->damon_result = exists(sys_root, "kernel/tracing/events/damon/damos_result");

    for (gint64 i = 0; i < features->damon_kdamonds; i++) {
        g_autofree char *state = read_kdamond_state(sys_root, i);

        if (state == NULL)
            features->damon_running = -1;
        else if (features->damon_running >= 0 && g_str_equal(state, "on"))
            features->damon_running++;
        if (features->damon_target_order == FOLIO_ANSWER_UNKNOWN)
            features->damon_target_order = kdamond_has_target_order(sys_root, i);
    }
}

/* The SPE PMU of the lowest name; "" when there is none. */
static char *
find_spe_pmu(const char *sys_root)
{
    g_autofree char *path = g_build_filename(sys_root, "bus/event_source/devices", NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    g_autofree char *first = NULL;
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        if (!g_str_has_prefix(name, "arm_spe_") || !g_str_is_ascii(name))
            continue;
        if (first != NULL && strcmp(first, name) <= 0)
            continue;
        g_free(first);
        first = g_strdup(name);
    }
    return first != NULL ? g_steal_pointer(&first) : g_strdup("");
}

/* The last kpti= of the kernel's command line, read as kstrtobool() reads it. */
static FolioAnswer
kpti_on_command_line(const char *proc_root)
{
    g_autofree char *text = read_value(proc_root, "cmdline");
    g_auto(GStrv) words = g_strsplit_set(text != NULL ? text : "", " \t\n", -1);
    FolioAnswer answer = FOLIO_ANSWER_UNKNOWN;

    for (guint i = 0; words[i] != NULL; i++) {
        g_autofree char *value = NULL;

        if (!g_str_has_prefix(words[i], "kpti="))
            continue;
        value = g_ascii_strdown(words[i] + strlen("kpti="), -1);
        if (strspn(value, "yt1") > 0 || g_str_has_prefix(value, "on"))
            answer = FOLIO_ANSWER_YES;
        else if (strspn(value, "nf0") > 0 || g_str_has_prefix(value, "of"))
            answer = FOLIO_ANSWER_NO;
    }
    return answer;
}

/* With KASLR an arm64 kernel isolates its page tables on CPUs without E0PD, and still says "Not
 * affected" of those that Meltdown cannot touch, such as Kunpeng 920 (arch/arm64/kernel/
 * cpufeature.c, unmap_kernel_at_el0 and cpu_show_meltdown). So only the other words prove anything.
 * The SPE driver does not probe with isolation on (drivers/perf/arm_spe_pmu.c), so a PMU does. */
static FolioAnswer
probe_kpti(const FolioFeatures *features, const FolioHostPaths *paths)
{
    g_autofree char *meltdown =
        read_value(paths->sys_root, "devices/system/cpu/vulnerabilities/meltdown");

    if (!g_str_equal(features->machine, "aarch64") || *features->spe_pmu != '\0')
        return FOLIO_ANSWER_NO;
    if (g_strcmp0(meltdown, "Mitigation: PTI") == 0)
        return FOLIO_ANSWER_YES;
    if (g_strcmp0(meltdown, "Vulnerable") == 0)
        return FOLIO_ANSWER_NO;
    return kpti_on_command_line(paths->proc_root);
}

static FolioLockdown
probe_lockdown(const char *sys_root)
{
    g_autofree char *word = read_choice(sys_root, "kernel/security/lockdown");

    if (g_str_equal(word, "confidentiality"))
        return FOLIO_LOCKDOWN_CONFIDENTIALITY;
    return g_str_equal(word, "integrity") ? FOLIO_LOCKDOWN_INTEGRITY : FOLIO_LOCKDOWN_NONE;
}

static void
probe_rights(FolioFeatures *features, const FolioHostPaths *paths)
{
    g_autofree char *paranoid = read_value(paths->proc_root, "sys/kernel/perf_event_paranoid");
    g_autofree char *yama = read_value(paths->proc_root, "sys/kernel/yama/ptrace_scope");
    g_autoptr(GError) error = NULL;

    features->lockdown = probe_lockdown(paths->sys_root);
    features->perf_paranoid = (int) parse_number(paranoid, -1, 99, -100);
    features->yama = (int) parse_number(yama, 0, 99, -1);
    features->perf_usable = folio_perf_probe(&error);
    features->perf_error = g_strdup(error != NULL ? error->message : "");
}

FolioFeatures *
folio_features_probe(const FolioHostPaths *paths)
{
    FolioFeatures *features = g_new0(FolioFeatures, 1);
    struct utsname name = { 0 };

    uname(&name);
    features->kernel = g_strdup(name.release);
    features->machine = g_strdup(paths->machine != NULL ? paths->machine : name.machine);
    features->page_size = (guint64) sysconf(_SC_PAGESIZE);
    features->pagemap_scan = probe_pagemap_scan(paths->proc_root);
    features->debugfs_split = exists(paths->sys_root, "kernel/debug/split_huge_pages");
    features->spe_pmu = find_spe_pmu(paths->sys_root);
    features->kpti = probe_kpti(features, paths);
    probe_thp(features, paths);
    probe_damon(features, paths->sys_root);
    probe_rights(features, paths);
    return features;
}

FolioFeatures *
folio_features_copy(const FolioFeatures *features)
{
    FolioFeatures *copy = g_memdup2(features, sizeof *features);

    copy->kernel = g_strdup(features->kernel);
    copy->machine = g_strdup(features->machine);
    copy->thp_enabled = g_strdup(features->thp_enabled);
    copy->thp_enabled_2m = g_strdup(features->thp_enabled_2m);
    copy->shmem_enabled = g_strdup(features->shmem_enabled);
    copy->damon_module = g_strdup(features->damon_module);
    copy->spe_pmu = g_strdup(features->spe_pmu);
    copy->perf_error = g_strdup(features->perf_error);
    return copy;
}

void
folio_features_free(FolioFeatures *features)
{
    if (features == NULL)
        return;
    g_free(features->kernel);
    g_free(features->machine);
    g_free(features->thp_enabled);
    g_free(features->thp_enabled_2m);
    g_free(features->shmem_enabled);
    g_free(features->damon_module);
    g_free(features->spe_pmu);
    g_free(features->perf_error);
    g_free(features);
}

char **
folio_features_list(const FolioFeatures *features)
{
    const struct {
        gboolean there;
        const char *token;
    } all[] = {
        { *features->thp_enabled != '\0', "thp" },
        { features->pagemap_scan, "pagemap-scan" },
        { features->damon, "damon" },
        { features->damon_target_order == FOLIO_ANSWER_YES, "damon-target-order" },
        { features->damon_result, "damon-result" },
        { features->khugepaged_flag, "khugepaged-flag" },
        { features->khugepaged_backoff, "khugepaged-backoff" },
        { features->debugfs_split, "debugfs-split" },
        { *features->spe_pmu != '\0', "spe" },
        { features->perf_usable, "perf" },
    };
    g_autoptr(GPtrArray) tokens = g_ptr_array_new();

    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        if (all[i].there)
            g_ptr_array_add(tokens, g_strdup(all[i].token));
    }
    g_ptr_array_add(tokens, NULL);
    return (char **) g_ptr_array_free(g_steal_pointer(&tokens), FALSE);
}
