/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What makes up a manager: for manager.c, which changes it, manager-admin.c, by which
 * administrators do, and manager-doctor.c, which has it examined. */
#pragma once

#include "manager.h"
#include "run-state.h"

struct _FolioManager {
    GObject parent;

    char *connect_override;
    char *run_dir_override;
    char *vendor_dir;
    char *conf_dir;
    char *proc_root;
    char *sys_root;

    FolioConfig *config;
    char **config_errors;
    FolioRunState *run_state;
    FolioActing *acting;
    FolioDeciding *deciding;
    FolioSampling *sampling;
    FolioGuestSettings *settings;
    FolioConnection *connection;
    GHashTable *guests; /* uuid -> FolioGuest */
    char **features;
    guint examinations; /* under way */
    gboolean running;
    gboolean libvirt_answered; /* all that runs has been reported, or libvirt cannot be had */
    gboolean probed;           /* features are known */
    gboolean ready;
};

/* Emits "changed". */
void folio_manager_tell_changed(FolioManager *manager);

/* The guests are told what holds now. */
void folio_manager_apply_settings(FolioManager *manager);
