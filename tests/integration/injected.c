/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod-inject on some process, and killed on the way. */
#include "injected.h"

#include "cmocka-all.h"

#include <signal.h>
#include <sys/wait.h>

char *
injected_program(void)
{
    assert_non_null(g_getenv("FOLIOD_BUILD"));
    return g_build_filename(g_getenv("FOLIOD_BUILD"), "agent", "inject", "foliod-inject", NULL);
}

FolioProcess *
injected_hold(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid);
    g_autofree char *text = NULL;
    g_auto(GStrv) fields = NULL;
    g_autoptr(GError) error = NULL;
    FolioProcess *process;

    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    fields = g_strsplit(strrchr(text, ')') + 2, " ", -1);
    process = folio_process_hold("/proc", pid, g_ascii_strtoull(fields[22 - 3], NULL, 10), &error);
    assert_no_error(error);
    return process;
}

FolioThp
injected_other(const FolioProcess *process)
{
    g_autoptr(GError) error = NULL;
    FolioThpStatus status;

    folio_thp_read_status(process, &status, &error);
    assert_no_error(error);
    return status.enabled ? FOLIO_THP_NO_HUGE_PAGES : FOLIO_THP_AS_USUAL;
}

char
injected_state(pid_t pid, pid_t tid, pid_t *tracer)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/task/%d/status", pid, tid);
    g_autofree char *text = NULL;

    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    *tracer =
        (pid_t) g_ascii_strtoll(strstr(text, "\nTracerPid:") + strlen("\nTracerPid:"), NULL, 10);
    return strstr(text, "\nState:\t")[strlen("\nState:\t")];
}

gboolean
injected_kill_at(const FolioProcess *process, FolioThp thp, guint at, char **step)
{
    g_autofree char *program = injected_program();
    g_autofree char *pid = g_strdup_printf("%d", folio_process_get_pid(process));
    g_autofree char *start_time =
        g_strdup_printf("%" G_GUINT64_FORMAT, folio_process_get_start_time(process));
    g_autofree char *kill_at = g_strdup_printf("FOLIOD_KILL_AT=%u", at);
    g_autofree char *preload = g_strdup_printf(
        "LD_PRELOAD=%s/tests/integration/libinject-killer.so", g_getenv("FOLIOD_BUILD"));
    const char *const argv[] = { program, pid, start_time, folio_thp_token(thp), NULL };
    const char *const environment[] = { kill_at, preload,
                                        /* Should it be built so: before its runtime is ours. */
                                        "ASAN_OPTIONS=verify_asan_link_order=0", NULL };
    g_autofree char *output = NULL;
    g_autofree char *errors = NULL;
    g_autoptr(GError) error = NULL;
    int status = 0;

    g_spawn_sync(NULL, (char **) argv, (char **) environment, 0, NULL, NULL, &output, &errors,
                 &status, &error);
    assert_no_error(error);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && *errors != '\0') {
        *step = g_steal_pointer(&errors);
        return TRUE;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("status %#x: %s", (guint) status, errors);
    return FALSE;
}
