/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Why a guest or a RAM block is in the state it is in. A reason is a stable token for programs, a
 * sentence for people, and what to do about it. */
#pragma once

#include <glib.h>

/* The remedy for a block that is misaligned although the guest has the launcher. */
#define FOLIO_REMEDY_PLUGGED                                                                 \
    "RAM that was plugged in while it ran becomes aligned when it is in the stored XML too " \
    "(virsh attach-device --config) and the guest is started again."

typedef enum {
    FOLIO_REASON_NONE,     /* all is as it should be */
    FOLIO_REASON_LOCATING, /* not looked at yet */
    /* The QEMU process was not found, or there is doubt that it is the right one. */
    FOLIO_REASON_NO_PID_FILE,
    FOLIO_REASON_BAD_PID_FILE,
    FOLIO_REASON_PROCESS_GONE,
    FOLIO_REASON_NOT_QEMU,        /* the executable is no QEMU */
    FOLIO_REASON_UUID_MISMATCH,   /* -uuid on its command line is another */
    FOLIO_REASON_VCPU_MISMATCH,   /* as many vCPU threads as libvirt says are not there */
    FOLIO_REASON_NO_ACCESS,       /* the kernel does not let us look at the process */
    FOLIO_REASON_BAD_XML,         /* libvirt's description of the guest cannot be used */
    FOLIO_REASON_NOT_QEMU_DOMAIN, /* a domain of another hypervisor */
    /* The process is known, its RAM is not. */
    FOLIO_REASON_RAM_NOT_FOUND,
    FOLIO_REASON_RAM_AMBIGUOUS,
    FOLIO_REASON_RAM_UNREADABLE, /* maps, smaps or pagemap gave an error */
    /* The RAM is known and cannot be served. */
    FOLIO_REASON_PAGE_SIZE,      /* base pages of the host are not 4 KiB */
    FOLIO_REASON_MISALIGNED,     /* address and file offset differ modulo 2 MiB */
    FOLIO_REASON_NOT_TMPFS,      /* anonymous, memfd or on another file system */
    FOLIO_REASON_PRIVATE,        /* mapped private: what is written becomes anonymous memory */
    FOLIO_REASON_HUGETLB,        /* huge pages of the fixed kind */
    FOLIO_REASON_TMPFS_NOT_HUGE, /* its tmpfs is mounted huge=never (or not at all huge) */
    FOLIO_REASON_VFIO,           /* every folio is pinned */
    FOLIO_REASON_LOCKED,         /* <locked/> or VM_LOCKED */
    /* Nothing is wrong with the guest. */
    FOLIO_REASON_SUSPENDED,
    FOLIO_REASON_PARTLY, /* some of its RAM blocks cannot be served */
    FOLIO_REASON_MODE_OFF,
    FOLIO_REASON_MODE_OBSERVE,
    FOLIO_REASON_PAUSED,            /* all of foliod is */
    FOLIO_REASON_NO_ACTUATOR,       /* its mode acts, and nothing here can */
    FOLIO_REASON_KHUGEPAGED_UNDOES, /* its mode splits, and khugepaged cannot be kept away */
    FOLIO_REASON_ON_REQUEST,        /* its mode acts, nothing is sampled: foliod waits to be told */
    /* Its RAM is served as far as it is sampled. */
    FOLIO_REASON_NO_SAMPLER,       /* the source that was asked for is not there, or fails */
    FOLIO_REASON_NO_GUEST_SAMPLES, /* what comes is of the host's own accesses only */
    FOLIO_REASON_EVIDENCE_SHORT,   /* no block has a verdict yet */
    FOLIO_REASON_LAST = FOLIO_REASON_EVIDENCE_SHORT,
} FolioReason;

/* The stable token, such as "misaligned"; NONE is "none". */
const char *folio_reason_token(FolioReason reason);

/* One sentence without a full stop, such as "guest RAM does not start at a multiple of 2 MiB". */
const char *folio_reason_text(FolioReason reason);

/* What to do about it, a sentence; "" where there is nothing to do. */
const char *folio_reason_remedy(FolioReason reason);

/* The reason of a token; FALSE when there is none of that name. */
gboolean folio_reason_from_token(const char *token, FolioReason *reason);
