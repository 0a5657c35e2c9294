/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each precondition as a check: pass, warn or fail, what was seen, and the exact remedy. A fail
 * means that guests, or this guest, cannot be served; a warn that something is slower, not known,
 * or would be in the way of acting on them.
 *
 * The tokens are stable, and come in this order. Of the host:
 *   page-size        base pages are 4 KiB
 *   thp              the kernel has transparent huge pages
 *   tmpfs-huge       shmem_enabled leaves tmpfs its huge pages
 *   khugepaged       khugepaged does not run, or can be kept away from a guest
 *   khugepaged-flag  it can be kept away from a guest by the kernel
 *   damon            DAMON is there, and free
 *   damon-actions    DAMON can split and collapse
 *   pagemap-scan     PAGEMAP_SCAN is there
 *   debugfs-split    debugfs has split_huge_pages
 *   spe              there is an Arm SPE PMU
 *   kpti             page-table isolation does not keep SPE off
 *   lockdown         the kernel is not locked down
 *   yama             Yama lets a running QEMU be changed
 *   capabilities     this process has those that it needs
 *   perf             a perf event can be opened
 * Of a guest; those marked * come once for each RAM block that is not well:
 *   guest-state      the reason of its state
 *   alignment *      its RAM lies at multiples of 2 MiB
 *   tmpfs *          its RAM lies on a tmpfs with huge pages
 *   backing *        its RAM is files
 *   vfio             no device is passed through
 *   locked           its RAM is not locked
 *   huge-coverage    how much of its RAM huge pages map
 *   emulator-cache   libvirt's cached capabilities are not older than QEMU
 *   hints            what its metadata ask for is understood, and allowed
 */
#pragma once

#include "host/features.h"
#include "memory/guest-ram.h"

#include <glib.h>

typedef enum { FOLIO_CHECK_PASS, FOLIO_CHECK_WARN, FOLIO_CHECK_FAIL } FolioCheckResult;

typedef struct {
    const char *check; /* stable token, such as "page-size" */
    FolioCheckResult result;
    char *text;   /* what was seen, one line; no addresses */
    char *remedy; /* an exact command or setting, one line; "" when it passed, and only then */
} FolioCheck;

/* What the doctor is told of one guest. All borrowed. */
typedef struct {
    const char *name;
    FolioReason reason; /* of the guest's state */
    const char *reason_text;
    const char *emulator; /* from its XML; "" unknown */
    const char *exe;      /* /proc/PID/exe of its process; "" unknown */
    guint n_vfio;
    gboolean locked;          /* <locked/> */
    const char *hint_error;   /* what of its metadata was refused, and why; "" nothing */
    const char *hint_capped;  /* what they asked for in vain, and why; "" nothing */
    const FolioGuestRam *ram; /* NULL: not located */
} FolioDoctorGuest;

/* Checks of the host: FolioCheck, freed with the array. */
GPtrArray *folio_doctor_check_host(const FolioFeatures *features);

/* Checks of one guest, appended to checks. Reads the ctimes of emulator and QEMU (stale emulator
 * capabilities), hence blocking. */
void folio_doctor_check_guest(const FolioDoctorGuest *guest, GPtrArray *checks);

const char *folio_check_result_token(FolioCheckResult result);
