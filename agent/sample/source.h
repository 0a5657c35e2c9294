/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a source of samples looks like to the sampler: Arm SPE, any perf event that carries physical
 * addresses, or smaps. A source observes one QEMU process, or the whole host, by a session. */
#pragma once

#include "memory/guest-ram.h"
#include "memory/process.h"

#include <glib.h>

typedef enum {
    FOLIO_SAMPLE_STORE = 1 << 0,
    FOLIO_SAMPLE_GUEST = 1 << 1, /* the access was made by guest code */
    FOLIO_SAMPLE_TLB_WALK = 1 << 2,
    FOLIO_SAMPLE_HAS_LATENCY = 1 << 3, /* total_latency is set */
    FOLIO_SAMPLE_TRANSLATED = 1 << 4,  /* translation_latency is set */
} FolioSampleFlags;

/* One sampled access. */
typedef struct {
    guint64 pa;                  /* bytes, host physical, of the access */
    guint32 flags;               /* FolioSampleFlags */
    guint16 total_latency;       /* cycles */
    guint16 translation_latency; /* cycles */
} FolioSample;

/* Takes a batch; called in the sampling thread, must neither block nor allocate. */
typedef void (*FolioSampleSink)(const FolioSample *samples, gsize n, gpointer user_data);

/* What a session has seen. Monotonic since it was opened, but for the last three. Guest code is
 * seen when guest_samples grows; "host side only" is what samples without guest_samples mean. */
typedef struct {
    guint64 samples;       /* handed to the sink */
    guint64 guest_samples; /* of these, known to be made by guest code */
    guint64 without_pa;    /* records that had no usable physical address */
    guint64 lost;          /* records that the kernel had no room for, which it says only when it
                            * writes the next one: samples, or with SPE the accounts of an AUX
                            * buffer, whose samples are not lost with it */
    guint64 throttled;     /* times that the kernel paused an event that was too frequent */
    guint64 truncated;     /* AUX buffers that filled up (SPE) */
    guint64 partial;       /* AUX buffers with a gap in them */
    guint64 collisions;    /* AUX buffers in which samples collided */
    guint64 damaged;       /* AUX buffers of which any of the three is true */
    guint64 garbage;       /* bytes that could not be decoded */
    guint64 restarts;      /* times that a stopped event was enabled again */
    guint64 cpu_nsec;      /* thread time spent in draining, the sink's included */
    guint64 threads;       /* threads (whole host: CPUs) that are sampled now */
    guint64 unsampled;     /* those that should be and are not: follow says why */
    guint64 period;        /* in force, after what the hardware allows */
} FolioSourceCounters;

/* A stretch of guest RAM that may be worth splitting if somebody knew how it is used. */
typedef struct {
    guint64 start;   /* bytes, in the address space of the process */
    guint64 bytes;   /* length */
    guint64 huge;    /* bytes of it that PMDs map; == bytes when it is known where they are */
    guint ram_block; /* index into FolioGuestRam.blocks */
} FolioHugeRange;

typedef struct _FolioSourceSession FolioSourceSession;
typedef struct _FolioSource FolioSource;

/* A source. All functions may block shortly and are called from one thread at a time. */
typedef struct {
    const char *name;  /* "spe", "perf", "smaps" */
    gboolean evidence; /* its samples count as accesses; FALSE: it only nominates huge ranges */

    /* Starts to observe the process, or the host when source->whole_host (process is NULL then).
     * The session is disabled. NULL with an error when that is impossible; EBUSY is BUSY with a
     * text that says who may hold the unit. No thread is left out silently: if one cannot be
     * sampled, it fails. */
    FolioSourceSession *(*open)(FolioSource *source, const FolioProcess *process, GError **error);

    /* Hands over what came since the last call. FALSE: the session is dead (its process ended,
     * NOT_FOUND); what was left has been handed over. Does not allocate. */
    gboolean (*drain)(FolioSourceSession *session, FolioSampleSink sink, gpointer user_data,
                      GError **error);

    /* As drain, but only of what fills up: of many threads or CPUs a few. For when get_fd says so.
     * NULL: there is no difference. */
    gboolean (*drain_ready)(FolioSourceSession *session, FolioSampleSink sink, gpointer user_data,
                            GError **error);

    /* Follows the threads of the process (or the CPUs of the host) as they come and go. FALSE:
     * the process ended (NOT_FOUND), or some could not be opened: those are counters.unsampled
     * until a later call succeeds; the others are sampled. */
    gboolean (*follow)(FolioSourceSession *session, GError **error);

    void (*enable)(FolioSourceSession *session, gboolean enabled);

    /* One sample for each so many events; what the hardware cannot do becomes the nearest that it
     * can. */
    void (*set_period)(FolioSourceSession *session, guint64 period);

    void (*get_counters)(FolioSourceSession *session, FolioSourceCounters *counters);

    /* To be polled: readable when it is time to drain because something fills up. -1: drain by the
     * clock only. */
    int (*get_fd)(FolioSourceSession *session);

    /* Appends FolioHugeRange, the PMD-mapped ranges of the RAM. NULL in sources of evidence. They
     * are candidates only: that a range is mapped by PMDs says nothing about its use. */
    gboolean (*nominate)(FolioSourceSession *session, const FolioGuestRam *ram, GArray *ranges,
                         GError **error);

    void (*close)(FolioSourceSession *session);

    /* Frees the source; its sessions are closed. */
    void (*free)(FolioSource *source);
} FolioSourceClass;

/* Each kind of source embeds this as its first member. */
struct _FolioSource {
    const FolioSourceClass *klass;
    gboolean whole_host; /* one session for all guests: samples of everything come, by CPU */
};

struct _FolioSourceSession {
    FolioSource *source;
};
