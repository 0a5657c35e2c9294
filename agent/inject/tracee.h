/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread of another process that is traced: its stops, and how long it stands still. */
#pragma once

#include <glib.h>
#include <sys/types.h>

typedef enum {
    FOLIO_STOP_ENTRY,    /* it is about to make a system call of this architecture */
    FOLIO_STOP_EXIT,     /* the call has been made */
    FOLIO_STOP_ATTENDED, /* by folio_tracee_interrupt */
    FOLIO_STOP_SIGNAL,   /* it is to get a signal, and gets it when it goes on */
    FOLIO_STOP_GROUP,    /* SIGSTOP and the like have stopped the whole process */
    FOLIO_STOP_OTHER,    /* at a system call of another architecture */
    FOLIO_STOP_NOT_YET,  /* it runs */
    FOLIO_STOP_ENDED,
} FolioStop;

typedef struct {
    pid_t tid;
    int signal;         /* of a FOLIO_STOP_SIGNAL; otherwise 0 */
    guint64 number;     /* of the call, at its entry */
    guint64 pc, sp;     /* there */
    gint64 result;      /* of the call, at its exit: negative is an errno */
    gint64 still_since; /* monotonic, usec; 0 while it runs */
    guint64 still_usec; /* before that */
} FolioTracee;

/* Becomes its tracer; it runs on. BUSY when it has another, UNSUPPORTED when Yama forbids it,
 * NOT_PERMITTED, NOT_FOUND. */
gboolean folio_tracee_seize(FolioTracee *tracee, pid_t tid, GError **error);

/* Has it stop soon. From now on it counts as standing still. */
void folio_tracee_interrupt(FolioTracee *tracee);

/* Its next stop, until that monotonic time (usec). */
FolioStop folio_tracee_wait(FolioTracee *tracee, gint64 until);

/* To its next system call, or out of one, from a stop. It gets the signal that it was to get. While
 * it does so by itself it does not stand still. */
void folio_tracee_go_on(FolioTracee *tracee, gboolean by_itself);

/* From a stop: lets go of it, as folio_tracee_go_on. */
void folio_tracee_detach(FolioTracee *tracee);

/* How long it stood still until now, all stops together. */
guint64 folio_tracee_get_still_usec(const FolioTracee *tracee);
