/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What polkit has answered a moment ago, so that a caller who asks for one thing after the other
 * does not keep it, and thereby all others, busy with the same question. Only plain answers to
 * whether a sender may look (org.foliod1.view) are kept, for FOLIO_ANSWER_USEC, and none longer
 * than until polkit says that something has changed. Pure. */
#pragma once

#include <glib.h>

/* Long enough for the calls of one "folioctl list", too short for anybody to notice. */
#define FOLIO_ANSWER_USEC (G_USEC_PER_SEC / 2)

/* Kept at a time; some 200 bytes each. */
#define FOLIO_ANSWERS_MAX 4096

typedef struct _FolioAnswers FolioAnswers;

FolioAnswers *folio_answers_new(void);

void folio_answers_free(FolioAnswers *answers);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioAnswers, folio_answers_free)

/* guest_name and guest_uuid are NULL when it was about no guest. now: usec, monotonic. */
void folio_answers_keep(FolioAnswers *answers, const char *sender, const char *guest_name,
                        const char *guest_uuid, gboolean may, gint64 now);

/* TRUE: that was asked so lately that *may still holds. */
gboolean folio_answers_find(FolioAnswers *answers, const char *sender, const char *guest_name,
                            const char *guest_uuid, gint64 now, gboolean *may);

void folio_answers_forget(FolioAnswers *answers);
