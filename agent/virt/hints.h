/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hints in a domain's metadata: whoever may write them is not thereby root, so all of it is bounded
 * and an element with anything wrong in it counts for nothing. Pure. */
#pragma once

#include "hint-set.h"

/* The <policy> element, and the one of nova in which a flavor's extra specs are. */
#define FOLIO_POLICY_NAMESPACE "https://foliod.org/xmlns/policy/1"
#define FOLIO_NOVA_NAMESPACE   "http://openstack.org/xmlns/libvirt/nova/1.1"

/* Longer elements are refused unparsed. The longest policy has 110 bytes; nova's element describes
 * the whole instance, in 1 to 3 KiB usually. */
#define FOLIO_POLICY_MAX (4 * 1024)
#define FOLIO_NOVA_MAX   (64 * 1024)

/* Reads <policy mode="split" split-order="2" sparse-below="40" max-rate="64M" khugepaged="keep"/>;
 * each attribute may be missing. Its namespace may be FOLIO_POLICY_NAMESPACE or none at all:
 * virDomainGetMetadata takes it away. data/foliod-policy.rng accepts the same, but for the length
 * and a DTD, which only this refuses. FOLIO_ERROR_INVALID, naming what is wrong, for anything else;
 * hints is then left alone. */
gboolean folio_hints_parse_policy(const char *text, gsize length, FolioHints *hints,
                                  GError **error);

/* Reads the extra specs foliod:mode, foliod:split-order and so on of nova's element, as
 * virDomainGetMetadata returns it:
 *   <instance><flavor><extraSpecs><extraSpec name="foliod:mode">split</extraSpec>...
 * All else in it is none of ours. Errors as above. */
gboolean folio_hints_parse_nova(const char *text, gsize length, FolioHints *hints, GError **error);

/* What one of the two elements says: hints, or why it was refused (NULL: it was not). */
typedef struct {
    FolioHints hints; /* none when it was refused */
    char *error;
} FolioHintElement;

/* What both say. */
typedef struct {
    FolioHintElement policy;
    FolioHintElement nova;
} FolioDomainHints;

/* From the elements' texts; NULL: there is none. */
FolioDomainHints *folio_domain_hints_new(const char *policy, const char *nova);

FolioDomainHints *folio_domain_hints_copy(const FolioDomainHints *hints);

void folio_domain_hints_free(FolioDomainHints *hints);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioDomainHints, folio_domain_hints_free)
