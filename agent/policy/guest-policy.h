/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is to be done with a guest, out of all that is said of it. Pure. */
#pragma once

#include "hint-set.h"

/* Who said it; of two, the later in this list counts. */
typedef enum {
    FOLIO_FROM_DEFAULT,       /* foliod.conf */
    FOLIO_FROM_DROP_IN,       /* guests.d/UUID.conf */
    FOLIO_FROM_NOVA,          /* foliod:* among the extra specs of its flavor */
    FOLIO_FROM_METADATA,      /* <policy> */
    FOLIO_FROM_ADMINISTRATOR, /* by D-Bus */
    FOLIO_N_FROM,
} FolioPolicyFrom;

/* "default", "drop-in", "nova", "metadata", "administrator". */
const char *folio_policy_from_token(FolioPolicyFrom from);

/* Said by each of them; NULL: nothing. */
typedef struct {
    const FolioHints *said[FOLIO_N_FROM]; /* the default is there, and whole */
    FolioMode ceiling;                    /* of the mode of hints */
} FolioPolicyInput;

typedef struct {
    FolioHints values;                   /* what counts: all of them are set */
    FolioPolicyFrom from[FOLIO_N_HINTS]; /* who said it */
    char *capped;                        /* what was asked for in vain, and why; "" for nothing */
} FolioGuestPolicy;

/* Nova and metadata are hints: whoever writes them need not be root. Their mode is cut down to what
 * the ceiling does too; split order, sparse threshold, rate and khugepaged may only be gentler than
 * the default: a higher order, a lower threshold and rate, keep in place of auto. None can have
 * khugepaged=strict, whatever the default. */
FolioGuestPolicy *folio_guest_policy_resolve(const FolioPolicyInput *input);

gboolean folio_guest_policy_equal(const FolioGuestPolicy *a, const FolioGuestPolicy *b);

/* Nobody but foliod.conf says anything. */
gboolean folio_guest_policy_is_default(const FolioGuestPolicy *policy);

/* "mode=split (metadata), max-rate=64M (nova)": the mode, and what else is not the default. */
char *folio_guest_policy_describe(const FolioGuestPolicy *policy);

void folio_guest_policy_free(FolioGuestPolicy *policy);

/* What of the mode can be done where memory can be split, collapsed, both, or neither. */
FolioMode folio_mode_in_force(FolioMode mode, gboolean can_split, gboolean can_collapse);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioGuestPolicy, folio_guest_policy_free)
