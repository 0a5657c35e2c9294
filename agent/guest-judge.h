/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From what a look found to a guest's state and its reason. Pure. */
#pragma once

#include "config.h"
#include "guest-look.h"
#include "sample/sampler.h"

typedef enum {
    FOLIO_GUEST_DISCOVERED, /* libvirt says that it runs; its process and RAM are not known (yet) */
    FOLIO_GUEST_LOCATED,    /* process and RAM are known and could be served */
    FOLIO_GUEST_SAMPLING,   /* its accesses are sampled; no verdicts yet */
    FOLIO_GUEST_DECIDING,   /* they are, and there are verdicts on blocks */
    FOLIO_GUEST_INELIGIBLE, /* known, and cannot be served: see the reason */
    FOLIO_GUEST_LEAVING,    /* its process has ended; libvirt has not said so yet */
    FOLIO_GUEST_PAUSED,     /* could be served, and foliod is paused */
    FOLIO_GUEST_ACTING,     /* its memory is being split or collapsed, by whosever wish */
} FolioGuestState;

typedef struct {
    FolioGuestState state;
    FolioReason reason;
} FolioStanding;

/* What acting on a guest meets with. */
typedef struct {
    gboolean can_act;           /* something on this host can do what its mode is for */
    gboolean khugepaged_undoes; /* it cannot be kept away, and would undo splits */
} FolioProspect;

/* look is NULL before the first one has ended. A guest of which any RAM block can be served is
 * located: the blocks that cannot say so by their own reasons. */
FolioStanding folio_guest_judge(const FolioLook *look, FolioMode mode, gboolean suspended,
                                const FolioSamplingFigures *sampling,
                                const FolioProspect *prospect);

/* While foliod is paused: a guest that could be served is held, any other stands as it does. */
FolioStanding folio_guest_judge_paused(FolioStanding standing);

/* While something is done to it. */
FolioStanding folio_guest_judge_acting(FolioStanding standing);

/* Of what sampling saw: "guest" when some of it is known to be of guest code, "host-only" when
 * none is, "none" when there is nothing. */
const char *folio_guest_coverage(const FolioSamplingFigures *sampling);

/* What verdicts on its blocks wait for, in words: "evidence short: 12 of 24 quiet windows, 3 of 100
 * dense blocks". "" when nothing does, or when nothing is sampled (the reason says why). */
char *folio_guest_waits(const FolioSamplingFigures *sampling);

const char *folio_guest_state_token(FolioGuestState state);
