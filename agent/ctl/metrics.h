/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures in the text format of Prometheus (version 0.0.4), as node_exporter's textfile collector
 * takes them: those of foliod, and totals of each guest by its UUID. Names of guests stand in
 * foliod_guest_info alone. Pure. */
#pragma once

#include <glib.h>

/* manager and each of guests (GVariant) are a{sv}, as the client gets them. To be freed. */
char *folio_metrics_text(GVariant *manager, GPtrArray *guests);
