/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says of each folio that a scheme was applied to, by the tracepoint
 * damon:damos_result, in a trace instance of foliod's own, so that nobody else's tracing is
 * changed. Where it cannot be had, nothing is said. Threads. */
#pragma once

#include "act/way.h"

typedef struct _FolioDamonTrace FolioDamonTrace;

/* Sets nothing up yet. */
FolioDamonTrace *folio_damon_trace_new(const char *sys_root);
void folio_damon_trace_free(FolioDamonTrace *trace);

/* Around each run; sets it up when that has not been done. */
void folio_damon_trace_begin(FolioDamonTrace *trace);
/* What the kdamond, by its thread, has said of blocks of the chunk; of others said stays as it is.
 */
void folio_damon_trace_read(FolioDamonTrace *trace, pid_t kdamond, FolioChunk *chunk);
void folio_damon_trace_end(FolioDamonTrace *trace);

/* Takes it away again; no run is under way. */
void folio_damon_trace_close(FolioDamonTrace *trace);

/* As folio_damon_trace_read, of the text of a file "trace". Pure. */
void folio_damon_trace_parse(const char *text, pid_t kdamond, FolioChunk *chunk);
