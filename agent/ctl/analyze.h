/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of folioctl analyze. */
#pragma once

#include "ctl/cmd.h"
#include "ctl/places.h"
#include "report/analysis.h"

/* A file of perf in memory, of which only what is being read stays there. */
typedef struct {
    FolioPerfFile *perf;
    FolioRecordWalk walk;
    GMappedFile *mapped;
} FolioCapture;

/* Fails as folio_perf_file_parse does, or because the file cannot be read. A file that somebody
 * shortens while it is read ends the program with a message. */
FolioCapture *folio_capture_open(const char *path, GError **error);

void folio_capture_free(FolioCapture *capture);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioCapture, folio_capture_free)

/* Writes the records to standard output as folioctl analyze --help describes. */
void folio_analyze_print_records(FolioCapture *capture);

/* What --json prints, to standard output; json.h has the shape. places NULL: physical memory. */
void folio_analyze_print_json(const FolioCapture *capture, const FolioAnalysis *analysis,
                              const FolioPlaces *places);

/* Summary and table of blocks. */
void folio_analyze_print_text(const FolioInvocation *invocation, const FolioCapture *capture,
                              const FolioAnalysis *analysis);

/* Writes the picture to the files that invocation->picture names. */
gboolean folio_analyze_write_picture(const FolioInvocation *invocation, FolioCapture *capture,
                                     const FolioAnalysis *analysis, GError **error);

/* "1.5 s", "20 ms"; in ticks where the analysis has no nanoseconds. */
char *folio_format_time(const FolioAnalysis *analysis, guint64 time);

/* "10 of 1.5 s", and whether none can be sparse yet; "one of ...: verdicts are unconfirmed". */
char *folio_describe_windows(const FolioAnalysis *analysis);

/* "sparse", "sparse?" when unconfirmed. */
const char *folio_verdict_text(const FolioAnalysis *analysis, FolioVerdict verdict);

/* A stretch of blocks of one verdict, sparse or dense. */
typedef struct {
    guint64 start, end; /* bytes */
    FolioVerdict verdict;
} FolioVerdictRange;

/* FolioVerdictRange by address; blocks that adjoin and have the same verdict are one. */
GArray *folio_verdict_ranges(const FolioAnalysis *analysis);
