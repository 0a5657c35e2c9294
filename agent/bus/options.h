/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Options of a method, an a{sv} of which every entry may be left out. Pure. */
#pragma once

#include <glib.h>

typedef struct {
    const char *name;
    const char *type; /* "t", "u", "b", or "a(tt)" */
    gpointer value;   /* guint64, guint32, gboolean, or GVariant * which is to be unreferenced; kept
                         when the option is not given */
} FolioBusOption;

/* Fills the values; with n 0 there are no options. FALSE with FOLIO_ERROR_INVALID, which begins
 * with "options: " and names the option, when one is not in the table, is of another type, or comes
 * twice; values may have been filled by then. */
gboolean folio_bus_options_read(GVariant *options, const FolioBusOption *table, gsize n,
                                GError **error);
