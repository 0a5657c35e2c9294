/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The thread that samples: it drains the sessions of all guests, or the one of the host, maps what
 * comes to the guests' blocks, ends epochs and windows by time, and leaves figures and verdicts
 * where the main loop finds them.
 *
 * All functions are for one other thread, the main loop's, and none of them waits for more than the
 * copying of figures; folio_sampler_free waits for the thread to end. */
#pragma once

#include "heat/cost-table.h"
#include "heat/heat-history.h"
#include "heat/heat-summary.h"
#include "sample/source.h"

typedef struct {
    /* Of one core, for draining and mapping the samples of all guests. The frame maps may take half
     * as much again. Above 0, at most 1. */
    double cpu_share;
    /* Ten are a window. At 2% of a core for a million samples a second, 1% of a core and windows
     * of 50 s bring the 48 incidences a block that a verdict wants for 1 TiB of blocks. */
    guint epoch_msec;
} FolioSamplerSettings;

typedef enum {
    FOLIO_SAMPLING_OFF,      /* there is no source */
    FOLIO_SAMPLING_STARTING, /* the source is opened, or the frames are read for the first time */
    FOLIO_SAMPLING_ON,
    FOLIO_SAMPLING_PAUSED, /* by folio_sampled_pause, or it is another guest's turn */
    FOLIO_SAMPLING_FAILED, /* error says why; tried again */
    FOLIO_SAMPLING_ENDED,  /* the process has ended */
} FolioSamplingState;

#define FOLIO_SAMPLING_ERROR_BYTES 512

/* Counters are monotonic for as long as the guest is with the sampler. */
typedef struct {
    FolioSamplingState state;
    const char *source; /* "spe", "perf"; "none" */
    gboolean by_host;   /* by the one session of the host, not by one of its process */
    char error[FOLIO_SAMPLING_ERROR_BYTES]; /* UTF-8; with ON: why some threads (by_host: CPUs) are
                                             * not sampled; "" */
    guint64 samples;                        /* that fell into the guest's RAM */
    guint64 unmapped;     /* of its process, that fell elsewhere: on frames that were not known to
                           * be the guest's; the host's are the host's */
    guint64 guest_made;   /* of samples, those known to be of guest code */
    guint64 lost;         /* records, and AUX buffers with a gap, a collision or an early end; by
                           * host: of all guests together, nobody can tell whose */
    guint64 without_pa;   /* records that had no usable physical address; not by host */
    guint64 cpu_nsec;     /* of draining and mapping; by host: a share, by its samples */
    guint64 refresh_nsec; /* of the last pass over the page tables */
    guint64 period;       /* in force; 0: none */
    guint threads;        /* sampled now; by host: there are */
    guint unsampled;      /* threads that should be and are not */
    guint32 windows;      /* ended */
    guint epoch;          /* of the present window, 0 to 9 */
    guint64 window_usec;  /* length of the last window as it was; 0: none has ended */
    guint64 bytes[FOLIO_VERDICT_DENSE + 1]; /* of RAM, by verdict; all 0 before the first window */
    guint account_shown;   /* of FolioOutcomes: what the guest's account has of what verdicts of */
    guint account_quiet;   /* sparse wait for */
    FolioCostTotals costs; /* of translation, as of the last window */
} FolioSamplingFigures;

/* Of the thread as a whole. Counters are monotonic; but for the first, they and the error are of
 * the session of the host, and 0 while guests are sampled by process. */
typedef struct {
    guint threads; /* of all guests' processes, as of at most five seconds ago */
    gboolean by_host;
    FolioSamplingState state;
    char error[FOLIO_SAMPLING_ERROR_BYTES]; /* as of a guest */
    guint64 samples;                        /* all */
    guint64 guest_made;                     /* of these, known to be of guest code */
    guint64 unmapped; /* on frames that were not known to be any guest's: the host's own */
    guint64 aside;    /* in the RAM of a guest that stood still */
    guint64 lost;     /* as of a guest */
    guint64 without_pa;
    guint64 cpu_nsec; /* of draining and mapping */
    guint64 period;   /* in force; 0: none */
    guint cpus;       /* sampled now */
    guint unsampled;  /* that should be and are not */
} FolioSamplingHostFigures;

typedef struct _FolioSampler FolioSampler;

/* A guest that is sampled. */
typedef struct _FolioSampled FolioSampled;

/* Its state or its error is another, or a window has ended; in the thread-default main context of
 * whoever added the guest. */
typedef void (*FolioSampledChanged)(gpointer user_data);

/* Without a source, until it is configured. proc_root is "/proc". */
FolioSampler *folio_sampler_new(const char *proc_root);

/* All guests must have been removed. */
void folio_sampler_free(FolioSampler *sampler);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioSampler, folio_sampler_free)

/* Takes the source, of evidence; NULL: none. One of the whole host feeds all guests by one session.
 * Sessions of the one before are closed first. What is known of the blocks stays. */
void folio_sampler_configure(FolioSampler *sampler, FolioSource *source,
                             const FolioSamplerSettings *settings);

/* What may be taken for each of these blocks for pages that do not stand where their block does, by
 * the frame map's account. With what the allocator adds to it, and 256 bytes for what the block
 * costs, that is 2 KiB. */
#define FOLIO_APART_BYTES 1536u

/* So many blocks of all guests are followed at most, for what they cost (heat/cost-table.h); what
 * is beyond, as of guests' next windows, is forgotten. And there is room for so many times
 * FOLIO_APART_BYTES in the frame map; samples of other pages that stand apart are not known to be
 * of the guest, of which the guest's figures tell by their error. No limit until this is called. */
void folio_sampler_set_max_tracked(FolioSampler *sampler, guint max_tracked);

/* As of at most a second ago. */
void folio_sampler_get_host_figures(FolioSampler *sampler, FolioSamplingHostFigures *figures);

/* Has the thread done a round since the last call? Bids it do one. TRUE the first time. */
gboolean folio_sampler_has_progressed(FolioSampler *sampler);

/* FolioHeatRange of the RAM's blocks, as its heat will have them; free with g_array_unref. Pure. */
GArray *folio_sampler_make_ranges(const FolioGuestRam *ram);

/* Samples a guest from now on. Of process and ram references or copies are kept. */
FolioSampled *folio_sampler_add(FolioSampler *sampler, FolioProcess *process,
                                const FolioGuestRam *ram, FolioSampledChanged changed,
                                gpointer user_data);

/* The same of a guest that has come from another host with a summary of its heat, which is taken;
 * NULL: without one. Until a window of its own has ended it orders how page tables are read
 * (folio_frame_refresh_order). It counts for nothing else: no sample has more weight for it, and
 * neither a window nor what comes before the first one is shorter or longer. */
FolioSampled *folio_sampler_add_with(FolioSampler *sampler, FolioProcess *process,
                                     const FolioGuestRam *ram, FolioHeatSummary *brought,
                                     FolioSampledChanged changed, gpointer user_data);

/* No more of its changes is told, and its handle is gone. */
void folio_sampled_remove(FolioSampled *guest);

/* A guest whose vCPUs stand still must not be taken for an idle one: time stops for it. */
void folio_sampled_pause(FolioSampled *guest, gboolean paused);

/* How its blocks are now, for what they cost to be told apart: as of folio_cost_table_follow().
 * Takes over classes, of n blocks; of another number than the guest has they are ignored. */
void folio_sampled_follow(FolioSampled *guest, guint8 *classes, guint n);

/* As of at most a second ago. */
void folio_sampled_get_figures(FolioSampled *guest, FolioSamplingFigures *figures);

/* The heat of its blocks, those of the RAM's blocks one after the other, at the end of the last
 * window; NULL before the first. To be unreferenced. Nothing is copied. */
FolioHeatSnapshot *folio_sampled_ref_heat(FolioSampled *guest);

/* A copy of its history, of 121 KiB at most, which the thread may wait for; NULL before the first
 * window. */
FolioHeatHistory *folio_sampled_dup_history(FolioSampled *guest);
