/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What may be said of one guest, by whomever: mode, split order, sparse threshold, rate, handling
 * of khugepaged. Names, values and what they mean are here, once for all sources. Pure. */
#pragma once

#include "mode.h"

typedef enum {
    FOLIO_HINT_MODE,
    FOLIO_HINT_SPLIT_ORDER,
    FOLIO_HINT_SPARSE_BELOW,
    FOLIO_HINT_MAX_RATE,
    FOLIO_HINT_KHUGEPAGED,
    FOLIO_N_HINTS,
} FolioHint;

/* From the gentler to the firmer. */
typedef enum {
    FOLIO_KHUGEPAGED_KEEP,   /* khugepaged is left as it is */
    FOLIO_KHUGEPAGED_AUTO,   /* it may be kept away from the guest, where the kernel can do that */
    FOLIO_KHUGEPAGED_STRICT, /* the guest's process may have no huge pages but while foliod
                                collapses; never by a hint */
} FolioKhugepaged;

/* Any of them; what is not in the set is not said. */
typedef struct {
    guint set; /* bits, 1 << FolioHint */
    FolioMode mode;
    guint split_order;  /* log2 pages of what a block is split to: 0 to 8 */
    guint sparse_below; /* sub-pages in use from which on a block is not split: 1 to 512 */
    guint64 max_rate;   /* bytes per second that may be split and collapsed */
    FolioKhugepaged khugepaged;
} FolioHints;

/* The name as an attribute, "split-order"; and as a key of a configuration file, "SplitOrder". */
const char *folio_hint_name(FolioHint hint);
const char *folio_hint_key(FolioHint hint);

/* All of them, for an error message: "mode, split-order, ..." by one of the two above. */
char *folio_hint_list(const char *(*name)(FolioHint hint));

/* FALSE: there is none of that name. */
gboolean folio_hint_from_name(const char *name, FolioHint *hint);

/* What values it takes, for an error message: "0 to 8". */
const char *folio_hint_allowed(FolioHint hint);
/* What it takes of those who need not be root, such as metadata: never khugepaged=strict. */
const char *folio_hint_allowed_to_guests(FolioHint hint);

gboolean folio_hints_has(const FolioHints *hints, FolioHint hint);

/* Reads value and adds it to the set. FALSE when it is not allowed; hints is then as it was.
 * Nothing is allowed around a value, no sign and no zero before a number. Rates are a number of up
 * to six digits with K, M, G or T behind it, powers of 1024. */
gboolean folio_hints_read(FolioHints *hints, FolioHint hint, const char *value);

/* The same of what those say who need not be root. */
gboolean folio_hints_read_of_guest(FolioHints *hints, FolioHint hint, const char *value);

/* Takes that hint from another set, in which it is. */
void folio_hints_take(FolioHints *hints, const FolioHints *from, FolioHint hint);

/* A hint that is in the set, as folio_hints_read reads it. */
char *folio_hints_print(const FolioHints *hints, FolioHint hint);

/* Whether both say the same. */
gboolean folio_hints_equal(const FolioHints *a, const FolioHints *b);

/* "keep", "auto", "strict". */
const char *folio_khugepaged_token(FolioKhugepaged khugepaged);
