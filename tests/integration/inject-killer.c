/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Preloaded into foliod-inject: kills it at its step FOLIOD_KILL_AT, the first of which is 1. Steps
 * are before and after each ptrace call, and after each look at a thread that has stopped. It says
 * which one on standard error. */
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

typedef long (*Ptrace)(enum __ptrace_request request, ...);
typedef int (*Waitid)(idtype_t type, id_t id, siginfo_t *info, int options);

static int steps;

static void
step(const char *when, const char *what, unsigned number)
{
    const char *at = getenv("FOLIOD_KILL_AT");
    char text[80];
    int length;

    if (at == NULL || ++steps != atoi(at))
        return;
    length = snprintf(text, sizeof text, "%s %s %#x\n", when, what, number);
    if (write(STDERR_FILENO, text, (size_t) length) == length)
        kill(getpid(), SIGKILL);
}

long
ptrace(enum __ptrace_request request, ...)
{
    const Ptrace next = (Ptrace) dlsym(RTLD_NEXT, "ptrace");
    va_list arguments;
    pid_t tid;
    void *address, *data;
    long result;

    va_start(arguments, request);
    tid = va_arg(arguments, pid_t);
    address = va_arg(arguments, void *);
    data = va_arg(arguments, void *);
    va_end(arguments);
    step("before", "ptrace", request);
    result = next(request, tid, address, data);
    step("after", "ptrace", request);
    return result;
}

int
waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    const Waitid next = (Waitid) dlsym(RTLD_NEXT, "waitid");
    const int result = next(type, id, info, options);

    if (result == 0 && info->si_pid != 0)
        step("after", "waitid", (unsigned) info->si_status);
    return result;
}
