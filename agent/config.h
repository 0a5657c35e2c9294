/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration: foliod.conf of FOLIO_CONF_DIR, or where there is none that of
 * FOLIO_VENDOR_DIR; then the drop-ins foliod.conf.d/NAME.conf of both directories, by name, of two
 * with the same name that in FOLIO_CONF_DIR only. The last word wins. A file that is empty or a
 * link to /dev/null only takes the place of the vendor's, and so does one with an error. Then, of
 * single guests, guests.d/UUID.conf of FOLIO_CONF_DIR. */
#pragma once

#include "base/reason.h"
#include "hint-set.h"
#include "memory/guest-ram.h"

#include <glib.h>

typedef enum {
    FOLIO_SOURCE_AUTO, /* SPE where there is a unit, else none */
    FOLIO_SOURCE_SPE,
    FOLIO_SOURCE_PERF, /* the event of PerfEvent= */
    FOLIO_SOURCE_NONE,
} FolioSourceChoice;

typedef enum {
    FOLIO_SAMPLE_BY_AUTO, /* by process until guests have very many threads */
    FOLIO_SAMPLE_BY_PROCESS,
    FOLIO_SAMPLE_BY_HOST,
} FolioSampleBy;

/* [Sampling] */
typedef struct {
    FolioSourceChoice source; /* Source=auto|spe|perf|none */
    FolioSampleBy sample_by;  /* SampleBy=auto|process|host */
    gboolean minor_faults;    /* PerfEvent=minor-faults; else TYPE:CONFIG: */
    guint32 event_type;       /* of perf_event_attr */
    guint64 event_config;
    double cpu_share; /* CpuShare=1%, of one core: 0.0001 to 1 */
    guint epoch_msec; /* EpochSeconds=5: 100 to 600,000 */
} FolioSamplingConfig;

/* MaxTrackedSplit=, at most: the blocks of 8 TiB. */
#define FOLIO_MAX_TRACKED_SPLIT (1u << 22)

/* [Acting] */
typedef struct {
    gboolean inject;  /* Inject=yes|no: may a QEMU that runs be made to change its setting? */
    char **actuators; /* Actuators=, names of actuators, the first choice first */
    gboolean restore_on_stop; /* RestoreOnStop=no|yes */
    guint64 host_max_rate;    /* HostMaxRate=1G, bytes per second */
    double act_share;         /* ActShare=5%, of one core: 0.0001 to 1 */
    guint max_tracked_split;  /* MaxTrackedSplit=65536: 0 to FOLIO_MAX_TRACKED_SPLIT */
} FolioActingConfig;

/* Immutable once loaded. */
typedef struct {
    char *connect;       /* [Libvirt] Connect=, a libvirt URI */
    char *run_directory; /* [Libvirt] RunDirectory=, "" : derived from the URI */
    FolioScan scan;      /* [Guests] Scan=auto|pagemap-scan|smaps */
    /* [Guests] Mode=, SplitOrder=, SparseBelow=, MaxRate=, Khugepaged=: all of them, for a guest of
     * which nothing else is said; all but the mode are bounds of hints too. */
    FolioHints guest_defaults;
    FolioMode hint_ceiling;    /* [Guests] HintCeiling=observe|split|collapse|adaptive */
    gboolean status_metadata;  /* [Guests] StatusMetadata=no|yes */
    gboolean heat_in_metadata; /* [Guests] HeatInMetadata=no|yes */
    GHashTable *guest_hints;   /* guests.d/UUID.conf: char *uuid -> FolioHints * */
    FolioSamplingConfig sampling;
    FolioActingConfig acting;
    GPtrArray *files; /* char *: the files that were read, in order */
} FolioConfig;

typedef struct {
    char *file;
    guint line; /* from 1; 0 when the file as a whole is meant */
    char *key;  /* "" when no key is meant */
    char *text; /* "FILE:LINE: KEY: what is wrong and what is allowed" */
} FolioConfigError;

/* Loads everything. vendor_dir and conf_dir are the two directories above (tests pass their own).
 * Always returns a configuration: a file with an error is left out whole, and each of its errors is
 * appended to errors (FolioConfigError, a GPtrArray that frees them). It is the caller who decides:
 * at start the daemon runs without a bad file and says so; a reload with any error is refused. */
FolioConfig *folio_config_load(const char *vendor_dir, const char *conf_dir, GPtrArray *errors);

GPtrArray *folio_config_errors_new(void);

/* Their texts, to be freed with g_strfreev. */
char **folio_config_errors_to_strv(const GPtrArray *errors);

FolioConfig *folio_config_copy(const FolioConfig *config);

void folio_config_free(FolioConfig *config);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioConfig, folio_config_free)

/* RunDirectory=, or without it the place where the libvirt of that URI keeps NAME.pid:
 * /run/libvirt/qemu for a system URI, $XDG_RUNTIME_DIR/libvirt/qemu/run for a session URI,
 * DIR/run/qemu for ...?root=DIR. */
char *folio_config_dup_run_directory(const FolioConfig *config, const char *uri);

gboolean folio_sampling_config_equal(const FolioSamplingConfig *a, const FolioSamplingConfig *b);
