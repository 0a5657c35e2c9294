/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What perf says about Arm SPE records, as records: an oracle for the decoder. */
#pragma once

#include "sample/spe-record.h"

#include <stdio.h>

/* Reads the next record of the text of "perf report -D"; FALSE at its end. Addresses have 56 bits
 * there, and events those that perf has names for. */
gboolean perf_text_next_dumped(FILE *text, FolioSpeRecord *record);

/* Events that perf names. */
guint64 perf_text_named_events(void);

/* Reads the next row of "perf script --itrace=M -F ip,addr,phys_addr,weight": pc, va, pa and
 * total_latency; FALSE at its end. */
gboolean perf_text_next_row(FILE *text, FolioSpeRecord *record);
