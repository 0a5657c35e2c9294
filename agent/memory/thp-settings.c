/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the settings of the host make khugepaged do. */
#include "memory/thp-settings.h"

#include "base/file-io.h"
#include "base/format.h"

#define THP "kernel/mm/transparent_hugepage/"

static char *
read_choice(const char *sys_root, const char *path)
{
    g_autofree char *text = folio_file_read_value(sys_root, path);

    return folio_bracketed_word(text);
}

/* As hugepage_pmd_enabled() of mm/khugepaged.c decides whether the thread runs, over its versions:
 * the plain setting, that of 2 MiB anonymous pages (6.8), and that of 2 MiB shmem pages (6.13). */
gboolean
folio_thp_khugepaged_runs(const char *sys_root)
{
    static const char *const anon_on[] = { "always", "madvise", NULL };
    static const char *const shmem_on[] = { "always", "within_size", "advise", NULL };
    static const char *const shmem_off[] = { "", "never", "deny", NULL };
    g_autofree char *enabled = read_choice(sys_root, THP "enabled");
    g_autofree char *enabled_2m = read_choice(sys_root, THP "hugepages-2048kB/enabled");
    g_autofree char *shmem = read_choice(sys_root, THP "shmem_enabled");
    g_autofree char *shmem_2m = read_choice(sys_root, THP "hugepages-2048kB/shmem_enabled");

    if (g_strv_contains(anon_on, enabled) || g_strv_contains(anon_on, enabled_2m))
        return TRUE;
    if (g_str_equal(shmem, "deny"))
        return FALSE;
    return g_strv_contains(shmem_on, shmem_2m) ||
           (g_str_equal(shmem_2m, "inherit") && !g_strv_contains(shmem_off, shmem));
}
