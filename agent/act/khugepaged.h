/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Keeping khugepaged from undoing splits: by the flag of the guest's process, by the hold that
 * DAMON's splits put on a file, or because khugepaged does nothing on this host anyway. All of it
 * blocks: for threads of tasks. */
#pragma once

#include "act/inject.h"
#include "act/ledger.h"
#include "hint-set.h"

/* How khugepaged stands to a guest. */
typedef enum {
    FOLIO_KEEPER_FREE, /* it would undo splits */
    FOLIO_KEEPER_IDLE, /* by the settings of the host it collapses nothing of guests */
    FOLIO_KEEPER_FLAG, /* the process has the flag (and the file a hold, where the kernel has it) */
    FOLIO_KEEPER_STRICT, /* the process may not have huge pages at all, but for a moment when
                            foliod collapses */
} FolioKeeper;

/* "free", "idle", "flag", "strict". */
const char *folio_keeper_token(FolioKeeper keeper);

typedef struct _FolioKhugepagedControl FolioKhugepagedControl;

/* inject_program may be NULL: never inject. The ledger is borrowed. */
FolioKhugepagedControl *folio_khugepaged_new(const char *sys_root, const char *inject_program,
                                             FolioLedger *ledger);
void folio_khugepaged_free(FolioKhugepagedControl *control);

/* As it is, whoever made it so; changes nothing. FREE when the process has ended. */
FolioKeeper folio_khugepaged_look(FolioKhugepagedControl *control, const FolioProcess *process);

/* Does what the handling allows to keep khugepaged away from the guest before it is split, and says
 * how it stands then. FREE, with *reason one sentence without a full stop (to be freed), which says
 * why and what to do, when it would undo splits; nothing is changed then. Otherwise *reason is
 * NULL.
 *
 * keep: nothing is done. auto: QEMU is given the flag, and the hold is set. strict: QEMU may have
 * no huge pages, from when nine tenths of the RAM are there; until then as auto. None of them takes
 * away what the guest was started with. */
FolioKeeper folio_khugepaged_keep_away(FolioKhugepagedControl *control,
                                       const FolioActRequest *request, FolioLedgerGuest *guest,
                                       char **reason);

/* Would that keep it away, as far as can be told without doing it? strict may have to wait all the
 * same. */
gboolean folio_khugepaged_could_keep_away(FolioKhugepagedControl *control,
                                          const FolioProcess *process, FolioKhugepaged khugepaged,
                                          gboolean may_inject);

/* Around a collapse of a guest that is treated strictly; nothing for others. */
gboolean folio_khugepaged_before_collapse(FolioKhugepagedControl *control,
                                          const FolioActRequest *request, FolioLedgerGuest *guest,
                                          GError **error);
gboolean folio_khugepaged_after_collapse(FolioKhugepagedControl *control,
                                         const FolioActRequest *request, FolioLedgerGuest *guest,
                                         GError **error);

/* The guest's process as it was before, which is injected as well: UNSUPPORTED where the request
 * does not allow that; and once no guest has anything split, the knob of the hold as it was. */
gboolean folio_khugepaged_give_back(FolioKhugepagedControl *control, const FolioActRequest *request,
                                    FolioLedgerGuest *guest, GError **error);

/* The last part of that alone, for when a guest with something split has ended. */
gboolean folio_khugepaged_release_hold(FolioKhugepagedControl *control, GError **error);

/* How long a hold lasts, and so before what time the splits of a file have to be renewed:
 * milliseconds; 0 when this kernel has none or it is not set. */
guint folio_khugepaged_hold_msec(FolioKhugepagedControl *control);
