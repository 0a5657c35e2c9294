/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options of single verbs, but for those of analyze. */
#pragma once

#include "ctl/cmd.h"

typedef struct {
    gint64 order; /* --order; -1: not given */
    gboolean sparse, restore;
} FolioActOptions;

/* Adds them to those of the program; what they fill must outlive the context. */
void folio_picture_add_options(GOptionContext *context, FolioPictureOptions *options);
void folio_heat_add_options(GOptionContext *context, FolioHeatOptions *options);
void folio_act_add_options(GOptionContext *context, FolioActOptions *options);

void folio_picture_options_clear(FolioPictureOptions *options);
