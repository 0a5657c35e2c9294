/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's place with the sampler: there while its process and RAM are what they were. */
#pragma once

#include "sampling.h"

typedef struct _FolioGuestSampling FolioGuestSampling;

/* changed: the figures moved the guest's state, or a window ended. */
FolioGuestSampling *folio_guest_sampling_new(FolioSampling *sampling, FolioSampledChanged changed,
                                             gpointer user_data);

/* Leaves the sampler. */
void folio_guest_sampling_free(FolioGuestSampling *sampling);

/* The guest has come with a summary of its heat, which is taken, for when sampling begins next;
 * NULL: with none. */
void folio_guest_sampling_bring(FolioGuestSampling *sampling, FolioHeatSummary *brought);

/* Samples that process and its RAM from now on; what is known stays when both are the same as
 * before. NULL, NULL: nothing is sampled, and all is forgotten. */
void folio_guest_sampling_follow(FolioGuestSampling *sampling, FolioProcess *process,
                                 const FolioGuestRam *ram);

void folio_guest_sampling_pause(FolioGuestSampling *sampling, gboolean paused);

/* All 0, state OFF and source "none" when nothing is sampled; sampling may be NULL then. When a
 * source was asked for and is not there, the state is FAILED and the error says why. */
void folio_guest_sampling_get(FolioGuestSampling *sampling, FolioSamplingFigures *figures);

/* As of the sampler's folio_sampled_follow(); ignored when nothing is sampled; sampling may be NULL
 * then. */
void folio_guest_sampling_follow_costs(FolioGuestSampling *sampling, guint8 *classes, guint n);

/* As of the sampler's folio_sampled_ref_heat and folio_sampled_dup_history; NULL when nothing is
 * sampled; sampling may be NULL then. */
FolioHeatSnapshot *folio_guest_sampling_ref_heat(FolioGuestSampling *sampling);
FolioHeatHistory *folio_guest_sampling_dup_history(FolioGuestSampling *sampling);
