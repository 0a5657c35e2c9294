/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Running pkttyagent. */
#include "ctl/tty-agent.h"

#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MSEC 5000

/* The descriptor that it closes once it is registered (pkttyagent(1), --notify-fd). */
#define NOTIFY_FD "3"

struct _FolioTtyAgent {
    GPid pid;
};

/* Between fork and exec: it is not to outlive folioctl, however that ends. */
static void
die_with_parent(gpointer user_data)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static void
wait_for_it(int fd)
{
    struct pollfd closed = { .fd = fd, .events = POLLIN };

    poll(&closed, 1, PATIENCE_MSEC);
}

FolioTtyAgent *
folio_tty_agent_start(void)
{
    const char *const command[] = { "pkttyagent", "--notify-fd", NOTIFY_FD, NULL };
    FolioTtyAgent *agent = NULL;
    int target = 3;
    int fds[2];
    GPid pid;

    if (!g_unix_open_pipe(fds, FD_CLOEXEC, NULL))
        return NULL;
    /* Without --process its subject is its parent, which this is. Not with --fallback: polkit 122
     * does not find such an agent of a process that is in no session. */
    if (g_spawn_async_with_pipes_and_fds(
            NULL, command, NULL,
            G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDIN,
            die_with_parent, NULL, -1, -1, -1, &fds[1], &target, 1, &pid, NULL, NULL, NULL, NULL)) {
        agent = g_new0(FolioTtyAgent, 1);
        agent->pid = pid;
    }
    close(fds[1]);
    if (agent != NULL)
        wait_for_it(fds[0]);
    close(fds[0]);
    return agent;
}

void
folio_tty_agent_stop(FolioTtyAgent *agent)
{
    if (agent == NULL)
        return;
    kill(agent->pid, SIGTERM);
    waitpid(agent->pid, NULL, 0);
    g_free(agent);
}
