/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs foliod-inject, waits for it, and looks what came of it. */
#include "act/inject.h"

#include "base/error.h"
#include "base/file-io.h"
#include "inject/exit-status.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* More than foliod-inject takes at the worst, see the limits in inject/change.c. */
#define LIMIT_MSEC 8000
/* One line. */
#define OUTPUT_MAX_BYTES 4096

typedef struct {
    pid_t pid;
    int output; /* of both its outputs */
} Helper;

static gboolean
start(Helper *helper, const char *program, const FolioProcess *process, FolioThp thp,
      GError **error)
{
    g_autofree char *pid = g_strdup_printf("%d", folio_process_get_pid(process));
    g_autofree char *start_time =
        g_strdup_printf("%" G_GUINT64_FORMAT, folio_process_get_start_time(process));
    const char *const argv[] = { program, pid, start_time, folio_thp_token(thp), NULL };
    g_autoptr(GError) cause = NULL;
    int ends[2];
    gboolean started;

    if (!g_unix_open_pipe(ends, FD_CLOEXEC, &cause)) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "%s: %s", program, cause->message);
        return FALSE;
    }
    started = g_spawn_async_with_pipes_and_fds(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                                               NULL, -1, ends[1], ends[1], NULL, NULL, 0,
                                               &helper->pid, NULL, NULL, NULL, &cause);
    close(ends[1]);
    helper->output = ends[0];
    if (started)
        return TRUE;
    close(ends[0]);
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED, "%s: %s", program, cause->message);
    return FALSE;
}

/* Until it ends or is ended. Returns its status as waitpid gives it, and what it said. */
static int
wait_for_end(const Helper *helper, char **said)
{
    const int pidfd = pidfd_open(helper->pid, 0);
    struct pollfd end = { .fd = pidfd, .events = POLLIN };
    const gint64 until = g_get_monotonic_time() + LIMIT_MSEC * 1000;
    int ready = 0;
    int status = 0;

    do {
        ready = poll(&end, 1, (int) MAX((until - g_get_monotonic_time()) / 1000, 0));
    } while (ready < 0 && errno == EINTR);
    /* It is ours and not reaped: its PID is its own. */
    if (ready <= 0)
        kill(helper->pid, SIGKILL);
    while (waitpid(helper->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pidfd >= 0)
        close(pidfd);
    *said = folio_file_read_fd(helper->output, "foliod-inject", OUTPUT_MAX_BYTES, NULL, NULL);
    close(helper->output);
    return status;
}

static void
set_helper_error(GError **error, int status, const char *said)
{
    const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    g_autofree char *text = g_strstrip(g_strdup(said != NULL ? said : ""));

    if (code >= FOLIO_INJECT_EXIT_ERROR && code <= FOLIO_INJECT_EXIT_LAST)
        g_set_error_literal(error, FOLIO_ERROR, code - FOLIO_INJECT_EXIT_ERROR, text);
    else if (WIFSIGNALED(status))
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "foliod-inject: ended by signal %d",
                    WTERMSIG(status));
    else
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED, "foliod-inject: exit status %d %s",
                    code, text);
}

gboolean
folio_inject(const char *program, const FolioProcess *process, FolioThp thp,
             FolioInjectResult *result, GError **error)
{
    g_autofree char *said = NULL;
    FolioThpStatus now;
    Helper helper;
    int status;

    *result = (FolioInjectResult){ 0 };
    if (!start(&helper, program, process, thp, error))
        return FALSE;
    status = wait_for_end(&helper, &said);
    if (said != NULL)
        sscanf(said, "done stop_usec=%u attempts=%u", &result->stop_usec, &result->attempts);
    if (!folio_thp_read_status(process, &now, error))
        return FALSE;
    /* Where the kernel does not know the word, no status shows it. */
    if (folio_thp_is(&now, thp))
        return TRUE;
    if (status != 0) {
        set_helper_error(error, status, said);
        return FALSE;
    }
    g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_FAILED,
                "PID %d: foliod-inject is done, and its THP setting is not \"%s\"",
                folio_process_get_pid(process), folio_thp_token(thp));
    return FALSE;
}
