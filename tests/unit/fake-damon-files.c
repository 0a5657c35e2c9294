/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of a fake DAMON. */
#include "fake-damon-files.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define HUGE_ORDER 9

/* Of the one fake that there is. */
static FakeDamonLayout layout;

void
fake_damon_must(gboolean done, const char *what)
{
    if (!done)
        g_error("fake DAMON: %s: %s", what, g_strerror(errno));
}

void
fake_damon_make_file(const char *text, const char *format, ...)
{
    g_autofree char *path = NULL;
    g_autofree char *dir = NULL;
    g_autofree char *fresh = NULL;
    g_autofree char *line = g_strconcat(text, "\n", NULL);
    va_list args;

    va_start(args, format);
    path = g_strdup_vprintf(format, args);
    va_end(args);
    dir = g_path_get_dirname(path);
    fresh = g_strconcat(path, ".new", NULL);
    fake_damon_must(g_mkdir_with_parents(dir, 0700) == 0, dir);
    /* Readers see the old text or the new one; nothing is flushed to any disk. */
    fake_damon_must(g_file_set_contents_full(fresh, line, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL),
                    fresh);
    fake_damon_must(g_rename(fresh, path) == 0, path);
}

void
fake_damon_remove_tree(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        fake_damon_remove_tree(child);
    }
    if (dir != NULL)
        g_dir_close(dir);
    g_remove(path);
}

char *
fake_damon_read(const char *format, ...)
{
    g_autofree char *path = NULL;
    char *text = NULL;
    va_list args;

    va_start(args, format);
    path = g_strdup_vprintf(format, args);
    va_end(args);
    if (!g_file_get_contents(path, &text, NULL, NULL))
        return g_strdup("");
    return g_strchomp(text);
}

guint64
fake_damon_to_number(char *text)
{
    const guint64 number = g_ascii_strtoull(text, NULL, 10);

    g_free(text);
    return number;
}

void
fake_damon_set_layout(FakeDamonLayout new_layout)
{
    layout = new_layout;
}

gboolean
fake_damon_is_patched(void)
{
    return layout >= FAKE_DAMON_PATCHED && layout != FAKE_DAMON_COLLAPSE;
}

gboolean
fake_damon_has_limit(void)
{
    return layout >= FAKE_DAMON_PATCHED && layout != FAKE_DAMON_NO_LIMIT;
}

static void
make_files(const char *dir, const char *const *files)
{
    for (guint i = 0; files[i] != NULL; i += 2)
        fake_damon_make_file(files[i + 1], "%s/%s", dir, files[i]);
}

void
fake_damon_make_kdamond(const char *dir)
{
    static const char *const files[] = { "state", "off", "pid", "-1", "contexts/nr_contexts",
                                         "0",     NULL };

    make_files(dir, files);
}

static void
make_context(const char *dir)
{
    static const char *const files[] = {
        "avail_operations",
        "vaddr\nfvaddr\npaddr",
        "operations",
        "vaddr",
        "monitoring_attrs/intervals/sample_us",
        "5000",
        "monitoring_attrs/intervals/aggr_us",
        "100000",
        "monitoring_attrs/intervals/update_us",
        "60000000",
        "monitoring_attrs/nr_regions/min",
        "10",
        "monitoring_attrs/nr_regions/max",
        "1000",
        "targets/nr_targets",
        "0",
        "schemes/nr_schemes",
        "0",
        NULL,
    };

    make_files(dir, files);
}

static void
make_target(const char *dir)
{
    static const char *const files[] = { "pid_target", "0", "regions/nr_regions", "0", NULL };

    make_files(dir, files);
}

static void
make_region(const char *dir)
{
    static const char *const files[] = { "start", "0", "end", "0", NULL };

    make_files(dir, files);
}

static void
make_scheme(const char *dir)
{
    static const char *const files[] = {
        "action", "stat", "apply_interval_us", "0", NULL,
    };
    static const char *const patterns[] = { "sz", "nr_accesses", "age" };
    static const char *const stats[] = { "nr_tried", "sz_tried", "nr_applied", "sz_applied",
                                         "qt_exceeds" };

    make_files(dir, files);
    for (guint i = 0; i < G_N_ELEMENTS(patterns); i++) {
        fake_damon_make_file("0", "%s/access_pattern/%s/min", dir, patterns[i]);
        fake_damon_make_file("0", "%s/access_pattern/%s/max", dir, patterns[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(stats); i++)
        fake_damon_make_file("0", "%s/stats/%s", dir, stats[i]);
    if (fake_damon_has_limit()) {
        fake_damon_make_file("0", "%s/stats/nr_snapshots", dir);
        fake_damon_make_file("0", "%s/stats/max_nr_snapshots", dir);
    }
    if (fake_damon_is_patched())
        fake_damon_make_file("0", "%s/target_order", dir);
    if (layout != FAKE_DAMON_6_1)
        fake_damon_make_file("0", "%s/filters/nr_filters", dir);
    if (layout >= FAKE_DAMON_CORE) {
        fake_damon_make_file("0", "%s/core_filters/nr_filters", dir);
        fake_damon_make_file("0", "%s/ops_filters/nr_filters", dir);
    }
}

static void
make_filter(const char *dir)
{
    static const char *const files[] = { "type", "anon",     "matching", "N", "addr_start",
                                         "0",    "addr_end", "0",        NULL };

    make_files(dir, files);
    if (layout >= FAKE_DAMON_ALLOW)
        fake_damon_make_file("N", "%s/allow", dir);
}

int
fake_damon_make_numbered(const char *path, const char *text, guint max,
                         void (*make)(const char *dir))
{
    g_autofree char *dir = g_path_get_dirname(path);
    guint64 n;

    if (!g_ascii_string_to_unsigned(text, 10, 0, max, &n, NULL))
        return EINVAL;
    for (guint i = 0;; i++) {
        g_autofree char *child = g_strdup_printf("%s/%u", dir, i);

        if (!g_file_test(child, G_FILE_TEST_IS_DIR))
            break;
        fake_damon_remove_tree(child);
    }
    for (guint i = 0; i < n; i++) {
        g_autofree char *child = g_strdup_printf("%s/%u", dir, i);

        make(child);
    }
    return 0;
}

static int
check_word(const char *text, const char *const *words)
{
    return g_strv_contains(words, text) ? 0 : EINVAL;
}

static int
check_action(const char *text)
{
    static const char *const words[] = { "willneed",   "cold", "pageout", "hugepage",
                                         "nohugepage", "stat", NULL };

    if (g_str_equal(text, "split"))
        return fake_damon_is_patched() ? 0 : EINVAL;
    if (g_str_equal(text, "collapse"))
        return layout >= FAKE_DAMON_PATCHED ? 0 : EINVAL;
    return check_word(text, words);
}

static int
check_value(const char *path, const char *text)
{
    static const char *const operations[] = { "vaddr", "fvaddr", "paddr", NULL };
    static const char *const core_types[] = { "addr", "target", NULL };
    static const char *const types[] = { "anon", "memcg", "addr", "target", NULL };
    static const char *const bools[] = { "Y", "N", NULL };
    g_autofree char *name = g_path_get_basename(path);
    guint64 number;

    if (g_str_equal(name, "operations"))
        return check_word(text, operations);
    if (g_str_equal(name, "action"))
        return check_action(text);
    if (g_str_equal(name, "type"))
        return check_word(text, strstr(path, "core_filters") != NULL ? core_types : types);
    if (g_str_equal(name, "matching") || g_str_equal(name, "allow"))
        return check_word(text, bools);
    if (strstr(path, "/stats/") != NULL && !g_str_equal(name, "max_nr_snapshots"))
        return EIO;
    return g_ascii_string_to_unsigned(
               text, 10, 0, g_str_equal(name, "target_order") ? 10 : G_MAXUINT64, &number, NULL)
               ? 0
               : EINVAL;
}

int
fake_damon_store(const char *path, const char *text)
{
    static const struct {
        const char *name;
        guint max;
        void (*make)(const char *dir);
    } numbered[] = {
        { "nr_contexts", 1, make_context },   { "nr_targets", 100, make_target },
        { "nr_regions", 10000, make_region }, { "nr_schemes", 100, make_scheme },
        { "nr_filters", 100, make_filter },
    };
    g_autofree char *name = g_path_get_basename(path);
    int error = -1;

    for (guint i = 0; i < G_N_ELEMENTS(numbered) && error < 0; i++) {
        if (g_str_equal(name, numbered[i].name))
            error = fake_damon_make_numbered(path, text, numbered[i].max, numbered[i].make);
    }
    if (error < 0)
        error = check_value(path, text);
    if (error == 0)
        fake_damon_make_file(text, "%s", path);
    return error;
}

void
fake_damon_free_run(gpointer data)
{
    FakeDamonRun *run = data;

    g_free(run->action);
    g_array_unref(run->ranges);
    g_free(run);
}

static GArray *
read_ranges(const char *target)
{
    const guint64 n = fake_damon_read_number("%s/regions/nr_regions", target);
    GArray *ranges = g_array_new(FALSE, FALSE, sizeof(FolioBlockRange));

    for (guint i = 0; i < n; i++) {
        const guint64 start = fake_damon_read_number("%s/regions/%u/start", target, i);
        const FolioBlockRange range = {
            start, fake_damon_read_number("%s/regions/%u/end", target, i) - start
        };

        g_array_append_val(ranges, range);
    }
    return ranges;
}

static void
read_filter(FakeDamonRun *run, const char *scheme)
{
    static const char *const dirs[] = { "filters", "core_filters" };

    for (guint i = 0; i < G_N_ELEMENTS(dirs); i++) {
        g_autofree char *dir = g_strdup_printf("%s/%s/0", scheme, dirs[i]);
        g_autofree char *type = fake_damon_read("%s/type", dir);
        g_autofree char *matching = fake_damon_read("%s/matching", dir);
        g_autofree char *allow = fake_damon_read("%s/allow", dir);

        if (!g_str_equal(type, "addr") || !g_str_equal(matching, "Y") || !g_str_equal(allow, "Y"))
            continue;
        run->has_filter = TRUE;
        run->filter_start = fake_damon_read_number("%s/addr_start", dir);
        run->filter_end = fake_damon_read_number("%s/addr_end", dir);
    }
}

FakeDamonRun *
fake_damon_read_run(const char *dir, guint number)
{
    g_autofree char *context = g_strdup_printf("%s/%u/contexts/0", dir, number);
    g_autofree char *target = g_strdup_printf("%s/targets/0", context);
    g_autofree char *scheme = g_strdup_printf("%s/schemes/0", context);
    FakeDamonRun *run = g_new0(FakeDamonRun, 1);

    run->slot = number;
    run->pid = (pid_t) fake_damon_read_number("%s/pid_target", target);
    run->action = fake_damon_read("%s/action", scheme);
    run->order = (guint) fake_damon_read_number("%s/target_order", scheme);
    run->min_regions =
        (guint) fake_damon_read_number("%s/monitoring_attrs/nr_regions/min", context);
    run->max_regions =
        (guint) fake_damon_read_number("%s/monitoring_attrs/nr_regions/max", context);
    run->max_snapshots = (guint) fake_damon_read_number("%s/stats/max_nr_snapshots", scheme);
    run->ranges = read_ranges(target);
    read_filter(run, scheme);
    return run;
}

/* damon_sysfs_set_regions() */
static gboolean
are_ranges_valid(const GArray *ranges)
{
    const FolioBlockRange *range = (const FolioBlockRange *) (const void *) ranges->data;

    for (guint i = 0; i < ranges->len; i++) {
        if ((gint64) range[i].bytes < 0)
            return FALSE;
        if (i > 0 && range[i - 1].start + range[i - 1].bytes > range[i].start)
            return FALSE;
    }
    return TRUE;
}

/* As damon_set_attrs() and the checks of the schemes in kernel/patches. */
gboolean
fake_damon_is_run_valid(const char *dir, const FakeDamonRun *run)
{
    g_autofree char *context = g_strdup_printf("%s/%u/contexts/0", dir, run->slot);
    g_autofree char *operations = fake_damon_read("%s/operations", context);
    const guint64 sample =
        fake_damon_read_number("%s/monitoring_attrs/intervals/sample_us", context);
    const guint64 aggregation =
        fake_damon_read_number("%s/monitoring_attrs/intervals/aggr_us", context);

    if (sample == 0 || sample > aggregation || run->min_regions < 3 ||
        run->min_regions > run->max_regions || !g_str_equal(operations, "fvaddr"))
        return FALSE;
    if (run->pid <= 0 || kill(run->pid, 0) != 0 || !are_ranges_valid(run->ranges))
        return FALSE;
    if (g_str_equal(run->action, "split"))
        return run->order < HUGE_ORDER;
    return !g_str_equal(run->action, "collapse") || run->order == HUGE_ORDER || run->order == 0;
}
