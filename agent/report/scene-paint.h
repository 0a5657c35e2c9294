/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Paints a scene by cairo, into the bytes of a file. */
#pragma once

#include "report/scene.h"

typedef enum { FOLIO_PICTURE_SVG, FOLIO_PICTURE_PNG } FolioPictureFormat;

/* NULL with FOLIO_ERROR_FAILED when cairo cannot. */
GBytes *folio_scene_paint(const FolioScene *scene, FolioPictureFormat format, GError **error);

/* Where the ink of a text would be. */
void folio_scene_measure(const FolioSceneItem *item, double *x, double *y, double *width,
                         double *height);
