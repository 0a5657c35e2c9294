/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Preloaded into foliod-inject: kills it at its step FOLIOD_KILL_AT, the first of which is 1. Steps
 * are before and after each ptrace call, and after each look at a thread that has stopped. It says
 * which one on standard error, with how often registers were written before: so that a step has the
 * same name whatever the thread did before. */
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
static int writes;

static const char *
name_of(enum __ptrace_request request)
{
    switch ((int) request) {
    case PTRACE_SEIZE:
        return "SEIZE";
    case PTRACE_INTERRUPT:
        return "INTERRUPT";
    case PTRACE_SYSCALL:
        return "SYSCALL";
    case PTRACE_GET_SYSCALL_INFO:
        return "GET_SYSCALL_INFO";
    case PTRACE_GETREGSET:
        return "GETREGSET";
    case PTRACE_SETREGSET:
        return "SETREGSET";
    case PTRACE_POKEUSER:
        return "POKEUSER";
    case PTRACE_DETACH:
        return "DETACH";
    default:
        return "another request";
    }
}

static void
step(const char *when, const char *what)
{
    const char *at = getenv("FOLIOD_KILL_AT");
    char text[80];
    int length;

    if (at == NULL || ++steps != atoi(at))
        return;
    length = snprintf(text, sizeof text, "%s %s, %d writes\n", when, what, writes);
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
    step("before", name_of(request));
    result = next(request, tid, address, data);
    if (request == PTRACE_SETREGSET || request == PTRACE_POKEUSER)
        writes++;
    step("after", name_of(request));
    return result;
}

int
waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    const Waitid next = (Waitid) dlsym(RTLD_NEXT, "waitid");
    const int result = next(type, id, info, options);

    if (result == 0 && info->si_pid != 0)
        step("after", info->si_status == (SIGTRAP | 0x80) ? "a stop at a call" : "another stop");
    return result;
}
