/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sampling as the configuration wants it: which source there is, and the sampler it feeds. */
#pragma once

#include "config.h"
#include "sample/sampler.h"

#include <gio/gio.h>

#define FOLIO_TYPE_SAMPLING (folio_sampling_get_type())
G_DECLARE_FINAL_TYPE(FolioSampling, folio_sampling, FOLIO, SAMPLING, GObject)

/* Threads of guests from which on SampleBy=auto samples by host, when there are fewer CPUs. The
 * buffers of so many take 192 MiB of memory that cannot be swapped, and following them takes 0.15%
 * of a core even if they do nothing (tests/bench/README); by CPU, the largest hosts need no more
 * than that. */
#define FOLIO_HOST_THREADS 512

/* Is the host to be sampled as a whole? by_host: it is now, which it then stays until the threads
 * are fewer than half of those above. */
gboolean folio_sampling_wants_host(FolioSampleBy sample_by, gboolean by_host, guint threads,
                                   guint cpus);

/* Signal "changed" (): folio_sampling_get_problem gives something else.
 *
 * Nothing is sampled until it is configured; what has to be read for that is read in a task. */
FolioSampling *folio_sampling_new(const char *proc_root, const char *sys_root);

/* Takes the source that config asks for, if that is another than before. */
void folio_sampling_configure(FolioSampling *sampling, const FolioSamplingConfig *config);

/* The name of the source, "none" when there is none. */
const char *folio_sampling_get_source(FolioSampling *sampling);

/* Why there is no source although one was asked for; "" when there is one or there is to be none.
 */
const char *folio_sampling_get_problem(FolioSampling *sampling);

/* "process", "host", or "none" without a source. */
const char *folio_sampling_get_sampled_by(FolioSampling *sampling);

/* Borrowed; ends with the FolioSampling, before which all guests must have left it. */
FolioSampler *folio_sampling_get_sampler(FolioSampling *sampling);
