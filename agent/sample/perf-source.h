/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples of any perf event that carries physical addresses (PERF_SAMPLE_PHYS_ADDR): AMD IBS
 * (ibs_op), Intel PEBS loads and stores, and, on a machine without such a unit, minor page faults,
 * which tell of first touches only. */
#pragma once

#include "sample/source.h"

typedef struct {
    const char *what; /* for messages, such as "minor faults"; must outlive the source */
    guint32 type;     /* perf_event_attr.type: PERF_TYPE_SOFTWARE, or the type of a PMU */
    guint64 config;   /* perf_event_attr.config, config1 and config2 */
    guint64 config1;
    guint64 config2;
    guint precise_ip;     /* 2 for Intel's memory events, else 0 */
    guint64 min_period;   /* 0: 1 */
    guint64 period;       /* events a sample, to begin with */
    gboolean whole_host;  /* by CPU, of all guests, in place of by thread of one */
    const char *sys_root; /* "/sys"; must outlive the source */
} FolioPerfSourceOptions;

/* The event of minor faults, one sample for each. */
extern const FolioPerfSourceOptions folio_perf_minor_faults;

/* Nothing is tried before the first open. To be freed by its class. */
FolioSource *folio_perf_source_new(const FolioPerfSourceOptions *options);
