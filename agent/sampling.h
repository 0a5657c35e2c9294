/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sampling as the configuration wants it: which source there is, and the sampler it feeds. */
#pragma once

#include "config.h"
#include "sample/sampler.h"

#include <gio/gio.h>

#define FOLIO_TYPE_SAMPLING (folio_sampling_get_type())
G_DECLARE_FINAL_TYPE(FolioSampling, folio_sampling, FOLIO, SAMPLING, GObject)

/* Signal "changed" (): folio_sampling_get_problem gives something else.
 *
 * Nothing is sampled until it is configured; what has to be read for that is read in a task. */
FolioSampling *folio_sampling_new(const char *proc_root, const char *sys_root);

/* Takes the source that config asks for, if that is another than before. */
void folio_sampling_configure(FolioSampling *sampling, const FolioSamplingConfig *config);

/* Why there is no source although one was asked for; "" when there is one or there is to be none.
 */
const char *folio_sampling_get_problem(FolioSampling *sampling);

/* Borrowed; ends with the FolioSampling, before which all guests must have left it. */
FolioSampler *folio_sampling_get_sampler(FolioSampling *sampling);
