/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a perf.data file with Arm SPE in it to a verdict on each block. Pure.
 *
 * Blocks are of physical memory (physical address / 2 MiB), or, where a frame map is given, those
 * of an address space. The recording is cut into windows of FOLIO_EPOCHS epochs by the records'
 * times; the verdicts are those of agent/heat after the last window. */
#pragma once

#include "heat/frame-map.h"
#include "heat/heat-table.h"
#include "report/block-index.h"
#include "report/record-walk.h"

#define FOLIO_BLOCK_SHIFT 21
#define FOLIO_PAGE_SHIFT  12

/* Windows of a recording whose windows were not given a length. */
#define FOLIO_ANALYSIS_WINDOWS 10

/* Limits to what a file can make us do: windows, and blocks (4 TiB, 570 MiB of tables). */
#define FOLIO_ANALYSIS_MAX_WINDOWS 10000
#define FOLIO_ANALYSIS_MAX_BLOCKS  (1u << 21)

typedef struct {
    guint64 window; /* length in ns; 0: a tenth of the recording */
    /* NULL: blocks of physical memory. Otherwise blocks as map numbers them; addresses[number] is
     * that of the block. Both must outlive the analysis. */
    const FolioFrameMap *map;
    const guint64 *addresses;
    guint n_blocks;
} FolioAnalysisOptions;

typedef enum {
    FOLIO_OPERATION_LOAD,
    FOLIO_OPERATION_STORE,
    FOLIO_OPERATION_ATOMIC, /* reads and writes */
    FOLIO_OPERATION_BRANCH,
    FOLIO_OPERATION_OTHER,
    FOLIO_OPERATION_UNKNOWN, /* of a class that the architecture has not given out, or not said */
    FOLIO_OPERATIONS
} FolioOperation;

FolioOperation folio_record_operation(const FolioSpeRecord *record);

/* "load", "store", "atomic", "branch", "other", "unknown". */
const char *folio_operation_token(FolioOperation operation);

typedef struct {
    guint64 address; /* bytes, a multiple of 2 MiB */
    guint number;    /* as the frame map has it, or in the order of first samples */
    guint64 samples;
    guint sub_pages; /* distinct ones that were sampled (in the last 256 windows at least) */
    guint windows;   /* in which it was sampled */
    /* Sub-pages in use in a window, sampled or not: the estimate of agent/heat, the mean over these
     * windows. */
    float in_use;
    float reach; /* folio_estimate_reach after the last window */
    FolioVerdict verdict;
} FolioAnalysisBlock;

typedef struct {
    guint64 records;
    guint64 samples; /* records with a physical address */
    guint64 operations[FOLIO_OPERATIONS];
    guint64 guest_records; /* certainly a guest's */
    gboolean vhe;          /* guests could be told: the host's kernel runs at EL2 */
    guint64 elsewhere;     /* samples whose frame the map does not have */
    guint64 beyond;        /* samples of more blocks than FOLIO_ANALYSIS_MAX_BLOCKS */

    guint cpus, threads;   /* that buffers are of */
    guint64 timed_records; /* with a timestamp */
    guint64 backward;      /* of these, over 1,000,000 time units before one that came earlier */
    guint64 first_time, last_time; /* of them; ns where nanoseconds is set, ticks otherwise */
    gboolean nanoseconds;
    guint64 bytes, garbage, resyncs, cut; /* as in FolioRecordWalk */

    guint windows;        /* that were judged */
    guint64 window;       /* length, as the times; 0: without times */
    guint64 tail_samples; /* behind the last whole window, which no verdict takes in */
    gboolean confirmed;   /* FALSE: a single window, whose verdicts nothing bears out */
    gboolean unknown;     /* there were too few dense blocks and windows for verdicts of sparse */
    GArray *blocks;       /* FolioAnalysisBlock, those with samples, by address */

    FolioAnalysisOptions options; /* private, as the rest */
    FolioBlockIndex *index;
} FolioAnalysis;

/* Reads the records of walk->file two or three times. Fails with FOLIO_ERROR_INVALID when the
 * windows are too many or shorter than the times can tell, with FOLIO_ERROR_UNSUPPORTED when a
 * length is given and the file does not tell nanoseconds. */
FolioAnalysis *folio_analysis_new(FolioRecordWalk *walk, const FolioAnalysisOptions *options,
                                  GError **error);

void folio_analysis_free(FolioAnalysis *analysis);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioAnalysis, folio_analysis_free)

/* The block and sub-page of a sample; FALSE when the record is none, or of no block known. */
gboolean folio_analysis_place(const FolioAnalysis *analysis, const FolioSpeRecord *record,
                              guint *block, guint *sub_page);

/* The verdict on a block of which one window is all that is known, by bounds on what its samples
 * can hide; better than nothing, and far from what several windows tell. */
FolioVerdict folio_analysis_one_window(const FolioHeatEvidence *evidence, guint64 samples);
