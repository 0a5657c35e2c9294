/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* foliod-inject on some process, and killed on the way. */
#pragma once

#include "act/inject.h"

#include <glib.h>

/* Path of this build's; to be freed. */
char *injected_program(void);

/* A process that is there, by its PID. Fails the test when it is not. */
FolioProcess *injected_hold(pid_t pid);

/* "usual" or "no-huge-pages", whichever it is not now. */
FolioThp injected_other(const FolioProcess *process);

/* The state of a thread (field State of status) and its tracer. */
char injected_state(pid_t pid, pid_t tid, pid_t *tracer);

/* Runs it on a process until its step at, where it is killed. TRUE when it was; *step, to be freed,
 * then says which that was. Fails the test when it ended in any other way than well. */
gboolean injected_kill_at(const FolioProcess *process, FolioThp thp, guint at, char **step);
