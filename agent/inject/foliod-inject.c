/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod-inject PID START-TIME WORD: has a running QEMU change its own transparent-huge-page
 * setting, which the kernel lets nobody else do. A program of its own, that lives for milliseconds:
 * it stops a thread of QEMU meanwhile, and whatever becomes of it, QEMU goes on. */
#include "base/log.h"
#include "inject/arguments.h"
#include "inject/change.h"
#include "inject/exit-status.h"

#include <signal.h>
#include <stdio.h>

/* Nothing but SIGKILL ends it halfway. SIGCHLD says that a thread has stopped: blocked it is kept
 * until it is asked for, unless it was inherited as ignored. */
static void
block_signals(void)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    signal(SIGCHLD, SIG_DFL);
}

static int
complain(const GError *error)
{
    g_autofree char *escaped = folio_escape(error->message);

    fprintf(stderr, "foliod-inject: %s\n", escaped);
    return FOLIO_INJECT_EXIT_ERROR + error->code;
}

static gboolean
inject(const FolioInjectArguments *arguments, FolioChange *change, GError **error)
{
    g_autoptr(FolioProcess) process =
        folio_process_hold("/proc", arguments->pid, arguments->start_time, error);
    FolioThpStatus status;

    if (process == NULL || !folio_thp_read_status(process, &status, error))
        return FALSE;
    /* On any other kernel the bit may come to mean something else. */
    if (arguments->thp == FOLIO_THP_NO_KHUGEPAGED && !status.knows_khugepaged) {
        g_set_error(error, FOLIO_ERROR, FOLIO_ERROR_UNSUPPORTED,
                    "this kernel cannot stop khugepaged for one process");
        return FALSE;
    }
    if (folio_thp_is(&status, arguments->thp)) {
        *change = (FolioChange){ 0 };
        return TRUE;
    }
    if (folio_change(process, arguments->thp, change, error))
        return TRUE;
    g_prefix_error(error, "PID %d: ", arguments->pid);
    return FALSE;
}

int
main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    FolioInjectArguments arguments;
    FolioChange change;

    block_signals();
    if (!folio_inject_parse_arguments((const char *const *) argv + MIN(argc, 1), &arguments,
                                      &error) ||
        !inject(&arguments, &change, &error))
        return complain(error);
    printf("done stop_usec=%" G_GUINT64_FORMAT " attempts=%u\n", change.stop_usec, change.attempts);
    return 0;
}
