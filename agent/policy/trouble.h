/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs that fail one after the other: when the next one may be tried, and which of them are to be
 * spoken of. Pure: it does not ask what time it is. */
#pragma once

#include <glib.h>

/* The wait doubles with each failure, from the next window up to so many: an hour at the default
 * EpochSeconds=. */
#define FOLIO_TROUBLE_WINDOWS 64u

/* One of the same reason is spoken of once in so long. */
#define FOLIO_TROUBLE_SILENT_USEC (G_GINT64_CONSTANT(3600) * G_USEC_PER_SEC)

/* Zeroed: there is none. */
typedef struct {
    guint failures; /* in a row */
    guint wait;     /* windows until the next try */
    char *reason;   /* of the last one; NULL: there is none */
    char *said;     /* the last reason that was spoken of */
    gint64 said_usec;
    guint unsaid; /* failures since then */
} FolioTrouble;

/* A run has failed. TRUE: it is to be spoken of, and *unsaid others were not since the last time.
 * now_usec is monotonic. */
gboolean folio_trouble_add(FolioTrouble *trouble, const char *reason, gint64 now_usec,
                           guint *unsaid);

/* A window has begun. */
void folio_trouble_pass(FolioTrouble *trouble);

/* Is the next try still to be waited for? */
gboolean folio_trouble_waits(const FolioTrouble *trouble);

/* There is none any more. How many failures it was of; 0: there was none. */
guint folio_trouble_end(FolioTrouble *trouble);

/* "split failed 3 times, next try in 4 windows: REASON", of what is done; NULL: there is none. */
char *folio_trouble_print(const FolioTrouble *trouble, const char *what);
