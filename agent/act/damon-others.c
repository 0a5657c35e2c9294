/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who else uses DAMON. */
#include "act/damon-others.h"

#include "act/damon-sysfs.h"
#include "base/error.h"
#include "base/file-io.h"

#include <stdio.h>
#include <string.h>

/* PF_KTHREAD of include/linux/sched.h, in field 9 of /proc/PID/stat: a program can have any name,
 * but not this flag. */
#define KERNEL_THREAD 0x00200000u

#define STAT_MAX_BYTES 4096

/* They run DAMON exclusively: next to one of them no kdamond of sysfs can be turned on. */
static char *
find_module(const char *sys_root)
{
    static const char *const modules[] = { "damon_reclaim", "damon_lru_sort", "damon_stat" };

    for (guint i = 0; i < G_N_ELEMENTS(modules); i++) {
        g_autofree char *path = g_strdup_printf("module/%s/parameters/enabled", modules[i]);
        g_autofree char *enabled = folio_file_read_value(sys_root, path);

        if (g_strcmp0(enabled, "Y") == 0)
            return g_strdup_printf("the kernel's module %s uses DAMON", modules[i]);
    }
    return NULL;
}

static char *
find_in_sysfs(const char *dir, guint own_pool)
{
    g_autoptr(GError) error = NULL;
    guint n, n_on = 0;

    if (!folio_damon_read_pool(dir, &n, &error)) {
        const gboolean absent = g_error_matches(error, FOLIO_ERROR, FOLIO_ERROR_NOT_FOUND);

        return absent ? NULL : g_strdup(error->message);
    }
    if (n == 0 || n == own_pool)
        return NULL;
    for (guint i = 0; i < n; i++) {
        const FolioDamonSlot slot = { dir, i, FOLIO_DAMON_BUSY_TRIES };
        gboolean on;

        if (folio_damon_read_state(&slot, &on, NULL) && on)
            n_on++;
    }
    return g_strdup_printf("another program uses DAMON by %s: %u kdamonds, %u of them on", dir, n,
                           n_on);
}

char *
folio_damon_find_users(const char *sys_root, guint own_pool)
{
    g_autofree char *dir = folio_damon_dir(sys_root);
    char *module = find_module(sys_root);

    return module != NULL ? module : find_in_sysfs(dir, own_pool);
}

/* Its name when the thread is a kdamond; to be freed. */
static char *
read_kdamond(const char *proc_root, const char *pid)
{
    g_autofree char *path = g_build_filename(proc_root, pid, "stat", NULL);
    g_autofree char *stat = folio_file_read(AT_FDCWD, path, STAT_MAX_BYTES, NULL, NULL);
    char *open = stat != NULL ? strchr(stat, '(') : NULL;
    char *close = stat != NULL ? strrchr(stat, ')') : NULL;
    guint flags;

    if (open == NULL || close == NULL || !g_str_has_prefix(open, "(kdamond"))
        return NULL;
    if (sscanf(close + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 ||
        (flags & KERNEL_THREAD) == 0)
        return NULL;
    return g_strndup(open + 1, (gsize) (close - open - 1));
}

static gboolean
is_own(const char *dir, guint own_pool, const char *pid)
{
    for (guint i = 0; i < own_pool; i++) {
        const FolioDamonSlot slot = { dir, i, FOLIO_DAMON_BUSY_TRIES };
        g_autofree char *own = g_strdup_printf("%d", (int) folio_damon_read_pid(&slot));

        if (g_str_equal(own, pid))
            return TRUE;
    }
    return FALSE;
}

static char *
find_thread(const char *sys_root, const char *proc_root, guint own_pool)
{
    g_autofree char *dir = folio_damon_dir(sys_root);
    g_autoptr(GDir) proc = g_dir_open(proc_root, 0, NULL);
    const char *pid;

    while (proc != NULL && (pid = g_dir_read_name(proc)) != NULL) {
        g_autofree char *name = NULL;
        g_autofree char *still = NULL;

        if (!g_ascii_isdigit(*pid))
            continue;
        name = read_kdamond(proc_root, pid);
        if (name == NULL || is_own(dir, own_pool, pid))
            continue;
        /* One of ours may have ended since it was seen. */
        still = read_kdamond(proc_root, pid);
        if (still != NULL)
            return g_strdup_printf("%s (PID %s) uses DAMON, and is of no program or module that "
                                   "is known",
                                   still, pid);
    }
    return NULL;
}

char *
folio_damon_find_others(const char *sys_root, const char *proc_root, guint own_pool)
{
    char *user = folio_damon_find_users(sys_root, own_pool);

    return user != NULL ? user : find_thread(sys_root, proc_root, own_pool);
}
