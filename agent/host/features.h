/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What this kernel and machine offer, found by probing files and calls, never by versions. */
#pragma once

#include <glib.h>

typedef enum {
    FOLIO_LOCKDOWN_NONE, /* or no lockdown in this kernel */
    FOLIO_LOCKDOWN_INTEGRITY,
    FOLIO_LOCKDOWN_CONFIDENTIALITY,
} FolioLockdown;

/* What looking alone cannot always tell. */
typedef enum {
    FOLIO_ANSWER_UNKNOWN,
    FOLIO_ANSWER_NO,
    FOLIO_ANSWER_YES,
} FolioAnswer;

typedef struct {
    const char *proc_root; /* "/proc" */
    const char *sys_root;  /* "/sys" */
    const char *machine;   /* as uname -m says it; NULL: this machine's */
} FolioHostPaths;

typedef struct {
    char *kernel;      /* uname -r */
    char *machine;     /* uname -m */
    guint64 page_size; /* bytes */
    char *thp_enabled; /* the bracketed word of .../transparent_hugepage/enabled; "" when absent */
    char *thp_enabled_2m;  /* likewise of .../hugepages-2048kB/enabled (Linux 6.8 and later) */
    char *shmem_enabled;   /* likewise of .../shmem_enabled */
    gboolean pagemap_scan; /* PAGEMAP_SCAN ioctl */
    gboolean damon;        /* /sys/kernel/mm/damon/admin */
    gint64 damon_kdamonds; /* nr_kdamonds now; -1 unknown */
    gint64 damon_running;  /* kdamonds whose state is "on"; -1 unknown */
    char *damon_module; /* a kernel module that runs DAMON for itself: "damon_reclaim"; "" none */
    FolioAnswer damon_target_order; /* schemes have the file target_order; unknown where there is no
                                       scheme */
    gboolean damon_result;          /* the tracepoint damon:damos_result, in tracefs */
    gboolean khugepaged_flag;       /* THP_khugepaged line in /proc/self/status */
    gboolean khugepaged_backoff;    /* khugepaged/split_backoff_millisecs */
    gboolean khugepaged_active;     /* by its settings it may act on guest RAM */
    gboolean debugfs_split;         /* debug/split_huge_pages */
    char *spe_pmu;                  /* "arm_spe_0", "" when there is none */
    gboolean perf_usable; /* a perf event can be opened at all (libperf); FALSE without libperf */
    char *perf_error;     /* why not; "" */
    int perf_paranoid;    /* kernel.perf_event_paranoid; -100 unknown */
    FolioAnswer kpti; /* page-table isolation, which keeps SPE off; NO where it does not matter */
    FolioLockdown lockdown;
    int yama;             /* ptrace_scope; -1 when there is no Yama */
    guint64 capabilities; /* CapEff of this process */
} FolioFeatures;

/* Blocking (a few dozen small files, nothing is written): call it in a task. Never fails; what
 * cannot be read is absent. */
FolioFeatures *folio_features_probe(const FolioHostPaths *paths);

FolioFeatures *folio_features_copy(const FolioFeatures *features);

void folio_features_free(FolioFeatures *features);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioFeatures, folio_features_free)

/* Tokens of what is there, for the Features property, in this order: "thp", "pagemap-scan",
 * "damon", "damon-target-order", "damon-result", "khugepaged-flag", "khugepaged-backoff",
 * "debugfs-split", "spe", "perf". NULL-terminated. */
char **folio_features_list(const FolioFeatures *features);
