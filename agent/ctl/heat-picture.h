/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The heat of a guest as a picture. */
#pragma once

#include "ctl/cmd.h"
#include "ctl/heat-view.h"
#include "report/heatmap.h"

/* Pure. guest is an a{sv}, as client.h gives it. */
FolioScene *folio_heat_scene(GVariant *guest, const FolioHeatView *view, gboolean by_time);

/* Writes it to the files that the options name. */
gboolean folio_heat_draw(const FolioInvocation *invocation, GVariant *guest,
                         const FolioHeatView *view, GError **error);
