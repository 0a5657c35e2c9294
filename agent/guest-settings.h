/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest is told by its manager. */
#pragma once

#include "config.h"
#include "sampling.h"

/* The same for all guests of a host. */
typedef struct {
    char *proc_root;           /* "/proc" */
    char *sys_root;            /* "/sys" */
    char *run_dir;             /* where libvirt keeps NAME.pid */
    FolioHints guest_defaults; /* these three as in the configuration */
    FolioMode hint_ceiling;
    GHashTable *guest_hints; /* referenced */
    gboolean paused;         /* nothing is sampled or changed */
    FolioScan scan;
    FolioSampling *sampling; /* referenced */
} FolioGuestSettings;

/* What the configuration says; the rest is the caller's. */
FolioGuestSettings *folio_guest_settings_new(const FolioConfig *config);

FolioGuestSettings *folio_guest_settings_copy(const FolioGuestSettings *settings);
void folio_guest_settings_free(FolioGuestSettings *settings);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FolioGuestSettings, folio_guest_settings_free)
