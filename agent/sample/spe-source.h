/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Samples of the Arm Statistical Profiling Extension. */
#pragma once

#include "sample/source.h"

typedef struct {
    const char *sys_root; /* "/sys"; must outlive the source */
    guint64 period;       /* operations a sample, to begin with */
    gsize aux_bytes;      /* of each thread or CPU; becomes a power of two of at least 2 pages */
    gboolean whole_host;  /* by CPU, of all guests, in place of by thread of one */
} FolioSpeSourceOptions;

/* Reads what sysfs says of the units. NULL with UNSUPPORTED where there is none, or one without
 * physical addresses. To be freed by its class. */
FolioSource *folio_spe_source_new(const FolioSpeSourceOptions *options, GError **error);
