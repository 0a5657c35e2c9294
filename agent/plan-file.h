/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The text of a plan's file: what a plan remembers of a guest's blocks (policy/plan.h). Pure.
 *
 * Lines as in the ledger (act/ledger-file.h), with a checksum in the last one:
 *
 *     foliod-plan 1 guest UUID
 *     boot BOOT-ID
 *     process PID START-TIME
 *     blocks N LAYOUT
 *     acted ACTION SINCE DOUBLINGS FIRST+COUNT FIRST ...    any number of these
 *     decision RESULT ACTION CAUSE VERDICT BLOCK ORDER HELD SEEN FOOTPRINT IN-USE REACH CONFIDENCE
 *         COST-BEFORE COST-NOW DOUBLINGS WINDOW USEC        on one line; likewise, the oldest first
 *     sha256 DIGEST
 *
 * Blocks that are at rest are in none of the lines. Fractions are in thousandths. */
#pragma once

#include "memory/guest-ram.h"
#include "memory/process.h"
#include "policy/plan.h"

/* Which run of a guest it is of, and what its blocks mean. */
typedef struct {
    char *uuid, *boot; /* lower case */
    pid_t pid;
    guint64 start_time; /* as folio_process_get_start_time */
    guint n_blocks;     /* at most FOLIO_LEDGER_MAX_BLOCKS */
    char *layout;       /* of folio_plan_file_layout() */
} FolioPlanOwner;

typedef struct {
    FolioPlanOwner owner;
    GArray *marks;     /* FolioPlanMark, ascending */
    GArray *decisions; /* FolioPlanDecision, the oldest first */
} FolioPlanRecord;

FolioPlanRecord *folio_plan_record_new(void);
void folio_plan_record_free(FolioPlanRecord *record);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioPlanRecord, folio_plan_record_free)

/* Another one for any RAM whose blocks are not the same memory. To be freed. */
char *folio_plan_file_layout(const FolioGuestRam *ram);

gboolean folio_plan_owner_equals(const FolioPlanOwner *a, const FolioPlanOwner *b);

/* To be freed with g_string_free; may be longer than FOLIO_LEDGER_MAX_BYTES, which the caller sees
 * to. */
GString *folio_plan_file_print(const FolioPlanRecord *record);

/* INVALID, saying what is wrong and in which line, when it is not exactly such a text. */
FolioPlanRecord *folio_plan_file_parse(const char *text, gsize length, GError **error);
